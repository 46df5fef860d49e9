//! What the integrate phase reports to a request's execution log.

use std::borrow::Cow;

use ::http::{HeaderMap, Request, StatusCode};
use base::seams::{Invoked, Outcome};
use plan::Backend;

use super::lambda::source_arn;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::log::execution::{ExecutionLog, format_moment};
use crate::route::Routed;

const URI: &str = "Endpoint request URI";
const REQUEST_HEADERS: &str = "Endpoint request headers";
const REQUEST_BODY: &str = "Endpoint request body after transformations";
const RESPONSE_HEADERS: &str = "Endpoint response headers";
const RESPONSE_BODY: &str = "Endpoint response body before transformations";

/// Reports a request that goes to an HTTP backend.
pub(super) fn http_request(log: &ExecutionLog, request: &Request<Body>) {
    log.value(URI, request.uri());
    log.headers(REQUEST_HEADERS, request.headers(), &[]);
    match request.body() {
        Body::Whole(bytes) => log.body(REQUEST_BODY, bytes.as_deref().unwrap_or_default()),
        // The client's body has been read for the log, so this is none that could be shown.
        Body::Streamed(_) | Body::Made(_) => log.body(REQUEST_BODY, b""),
    }
    log.sending(request.uri());
}

/// Reports the head of an HTTP backend's answer.
pub(super) fn http_response(log: &ExecutionLog, status: StatusCode, headers: &HeaderMap) {
    log.received(status.as_u16());
    log.headers(RESPONSE_HEADERS, headers, &[]);
}

/// Reports the body of an AWS service's answer, as the mapping will see it.
pub(super) fn service_body(log: &ExecutionLog, body: &[u8]) {
    log.body(RESPONSE_BODY, body);
}

/// Reports a call of a function as the request to Lambda that it would be, less its signature: there is none.
pub(super) fn function_call(log: &ExecutionLog, exchange: &Exchange, routed: &Routed<'_>, payload: &[u8]) {
    let Backend::Lambda { function_arn, credentials, .. } = &routed.method.integration.backend else { return };
    let api = &exchange.plan.api;
    let region = function_arn.split(':').nth(3).filter(|region| !region.is_empty()).unwrap_or(&api.region);
    let uri = format!("https://lambda.{region}.amazonaws.com/2015-03-31/functions/{function_arn}/invocations");
    let mut headers: Vec<(&str, Cow<'_, str>)> = vec![
        ("x-amzn-lambda-integration-tag", exchange.ids.request_id().into()),
        ("x-amzn-apigateway-api-id", api.id.as_ref().into()),
    ];
    if credentials.is_none() {
        headers.push(("X-Amz-Source-Arn", source_arn(exchange, routed).into()));
    }
    headers.push(("Accept", "application/json".into()));
    headers.push(("User-Agent", format!("AmazonAPIGateway_{}", api.id).into()));
    log.value(URI, &uri);
    log.map(REQUEST_HEADERS, headers);
    log.body(REQUEST_BODY, payload);
    log.sending(&uri);
}

/// Reports what Lambda answers: headers in its order, and the function's payload.
pub(super) fn function_answer(log: &ExecutionLog, routed: &Routed<'_>, invoked: &Invoked, trace: Option<&str>) {
    let (payload, has_failed) = match &invoked.outcome {
        Outcome::Returned(payload) => (payload, false),
        Outcome::Failed(payload) => (payload, true),
    };
    log.received(200);
    let mut headers: Vec<(&str, Cow<'_, str>)> = vec![
        ("Date", format_moment(log.now(), "%a, %d %b %Y %H:%M:%S GMT").into()),
        ("Content-Type", "application/json".into()),
        ("Content-Length", payload.len().to_string().into()),
        ("Connection", "keep-alive".into()),
        ("x-amzn-RequestId", invoked.request_id.as_str().into()),
    ];
    if has_failed {
        headers.push(("X-Amz-Function-Error", "Unhandled".into()));
    }
    headers.push(("x-amzn-Remapped-Content-Length", "0".into()));
    headers.push(("X-Amz-Executed-Version", invoked.executed_version.as_ref().into()));
    headers.extend(trace.map(|trace| ("X-Amzn-Trace-Id", trace.into())));
    log.map(RESPONSE_HEADERS, headers);
    log.body(RESPONSE_BODY, payload);
    if has_failed && matches!(routed.method.integration.backend, Backend::Lambda { proxy: true, .. }) {
        let error: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        let message = error["errorMessage"].as_str().unwrap_or_default();
        log.write(format!(
            "Lambda execution failed with status 200 due to customer function error: {message}. Lambda request id: {}",
            invoked.request_id
        ));
    }
}
