//! What the transform phases report to a request's execution log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use plan::Backend;

use super::facts::Facts;
use super::request::is_binary;
use crate::body::{Body, ReadError, RequestBody, read_whole};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::log::execution::{BINARY, ExecutionLog};
use crate::respond::{Answer, TRACE_ID};
use crate::route::Routed;

/// Reports the client's request as it came.
///
/// # Errors
/// Faults of reading the body.
pub async fn report_request(
    log: &ExecutionLog,
    exchange: &Exchange,
    routed: &Routed<'_>,
    body: &mut RequestBody,
) -> Result<(), Fault> {
    let facts = Facts::new(exchange, routed);
    log.value("Starting execution for request", exchange.ids.request_id());
    log.write(format!("HTTP Method: {}, Resource Path: {}", routed.verb, exchange.path()));
    if !log.has_data() {
        return Ok(());
    }
    log.map("Method request path", facts.path_parameters().map(|(name, value)| (name, value.into())));
    let mut query: BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> = BTreeMap::new();
    for (name, value) in facts.query() {
        query.entry(name).or_default().push(value);
    }
    log.map("Method request query string", query.iter().map(|(name, values)| (name.as_ref(), values.join(",").into())));
    log.map("Method request headers", facts.headers().map(|(name, values)| (name, values.join(",").into())));
    let bytes = body.whole().await?;
    const LABEL: &str = "Method request body before transformations";
    match is_binary(exchange) && !bytes.is_empty() {
        true => log.value(LABEL, BINARY),
        false => log.body(LABEL, &bytes),
    }
    Ok(())
}

/// Reports the method's response. A body that is still to come is read, because its log is.
///
/// # Errors
/// [`Fault::BackendUnreachable`] where the body breaks off or is too large.
pub async fn report_answer(log: &ExecutionLog, routed: &Routed<'_>, mut answer: Answer) -> Result<Answer, Fault> {
    const END: &str = "Successfully completed execution";
    if !log.has_data() {
        log.write(END.into());
        return Ok(answer);
    }
    let body = match std::mem::replace(&mut answer.body, Body::EMPTY) {
        Body::Whole(bytes) => bytes.unwrap_or_default(),
        streamed => {
            let read = read_whole(streamed, base::limits::GATEWAY_PAYLOAD_BYTES).await.map_err(|error| match error {
                ReadError::TooLarge => "the backend's body exceeds 10 MB",
                ReadError::Broken => "the backend's body broke off",
            });
            let bytes = read.map_err(|reason| Fault::BackendUnreachable { reason: reason.into() })?;
            log.body(ENDPOINT_BODY, &bytes);
            bytes
        }
    };
    let is_proxy = matches!(
        routed.method.integration.backend,
        Backend::Http { proxy: true, .. } | Backend::Lambda { proxy: true, .. }
    );
    if !is_proxy {
        answer.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    log.body("Method response body after transformations", &body);
    let mut headers = http::HeaderMap::with_capacity(answer.headers.len() + 1);
    headers.extend(answer.trace_id.clone().map(|trace| (TRACE_ID, trace)));
    headers.extend(answer.headers.clone());
    log.headers("Method response headers", &headers, &answer.spelled);
    log.write(END.into());
    answer.body = Body::whole(body);
    Ok(answer)
}

/// The label of a backend's body.
pub(super) const ENDPOINT_BODY: &str = "Endpoint response body before transformations";
