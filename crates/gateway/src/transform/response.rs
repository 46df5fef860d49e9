//! The integration's answer becomes the method's response.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use plan::spelling::is_usual;
use plan::{Backend, ResponsePlan};
use serde_json::Value;
use templates::vtl::{Overrides, Template};

use super::content::{self, Payload};
use super::facts::Facts;
use super::headers::{ResponseOf, add_to_response};
use super::report::ENDPOINT_BODY;
use super::{mapping, proxy_response, scope, stream_response};
use crate::body::{Body, Pace, ReadError, read_whole};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::integrate::{Answered, Reply, ResponseBody, ServiceReply};
use crate::respond::Answer;
use crate::route::Routed;

/// Transforms what the backend answered.
///
/// # Errors
/// As the REST data plane's sections 8.1, 12 and 14.1 have them.
pub async fn response(exchange: &Exchange, routed: &Routed<'_>, answered: Answered) -> Result<Answer, Fault> {
    let Answered { trace, overrides, reply } = answered;
    let facts = Facts::with_trace(exchange, routed, trace.as_deref());
    let trace_id = || trace.as_deref().and_then(|trace| HeaderValue::from_str(trace).ok());
    let is_proxy = matches!(
        routed.method.integration.backend,
        Backend::Http { proxy: true, .. } | Backend::Lambda { proxy: true, .. }
    );
    let mut answer = match (reply, is_proxy) {
        (Reply::Http(response), true) => return http_proxy(exchange, routed, *response),
        (Reply::Lambda(outcome), true) => match outcome {
            base::seams::Outcome::Failed(_) => return Err(Fault::FunctionFailed),
            base::seams::Outcome::Returned(payload) => proxy_response::answer(&payload, wants_binary(exchange))?,
        },
        (Reply::LambdaStream(stream), _) => {
            let deadline = exchange.started + routed.method.integration.timeout;
            stream_response::answer(ResponseOf::LambdaProxy, *stream, Pace::of_integration(deadline.into()))?
        }
        (Reply::Mock { status }, _) => {
            let backend = FromBackend { selection: status.to_string(), ..FromBackend::default() };
            return mapped(&facts, backend, overrides);
        }
        (Reply::Http(response), false) => {
            let backend = Box::pin(from_http(*response, routed.method.integration.timeout)).await?;
            if let Some(log) = &exchange.execution_log {
                log.body(ENDPOINT_BODY, &backend.body);
            }
            mapped(&facts, backend, overrides)?
        }
        (Reply::Service(reply), _) => mapped(&facts, from_service(*reply), overrides)?,
        (Reply::Lambda(outcome), false) => mapped(&facts, from_function(outcome), overrides)?,
    };
    answer.trace_id = trace_id();
    Ok(answer)
}

/// Status, headers and body go through as they come, unless the backend is silent for longer than the integration's
/// timeout. A stream has that time for all of it, and may be of any size.
fn http_proxy(exchange: &Exchange, routed: &Routed<'_>, response: Response<ResponseBody>) -> Result<Answer, Fault> {
    let integration = &routed.method.integration;
    let (head, body) = response.into_parts();
    if head.status.is_informational() {
        return Err(Fault::BackendUnreachable { reason: "the backend switches protocols unasked".into() });
    }
    let mut headers = HeaderMap::with_capacity(head.headers.len() + 4);
    let mut last: Option<HeaderName> = None;
    for (name, value) in head.headers {
        last = name.or(last);
        if let Some(name) = &last {
            add_to_response(&mut headers, ResponseOf::HttpProxy, name.clone(), value);
        }
    }
    let body = match integration.streams {
        true => Body::paced(body, Pace::of_integration((exchange.started + integration.timeout).into())),
        false if body.size_hint().lower() > base::limits::GATEWAY_PAYLOAD_BYTES as u64 => return Err(too_large()),
        false => Body::streamed(body, integration.timeout),
    };
    Ok(Answer { status: head.status, headers, body, trace_id: None, spelled: Vec::new() })
}

/// An answer that is to be passed on whole can have 10 MB.
fn too_large() -> Fault {
    Fault::ResponseTransformation { reason: "the backend's body exceeds 10 MB".into() }
}

/// What a mapped integration's response is made from.
#[derive(Debug, Default)]
pub(super) struct FromBackend {
    /// What selection patterns are matched against: a status, or a function's error message.
    selection: String,
    /// The backend's headers.
    pub(super) headers: HeaderMap,
    body: Bytes,
}

/// Reads a backend's answer to its end, for which it may take as long as it may for the answer's beginning.
async fn from_http(response: Response<ResponseBody>, timeout: Duration) -> Result<FromBackend, Fault> {
    let (head, body) = response.into_parts();
    let read = tokio::time::timeout(timeout, read_whole(body, base::limits::GATEWAY_PAYLOAD_BYTES)).await;
    let body = read.map_err(|_| Fault::BackendTimeout)?.map_err(|error| match error {
        ReadError::TooLarge => too_large(),
        ReadError::Broken => Fault::BackendUnreachable { reason: "the backend's body broke off".into() },
    })?;
    Ok(FromBackend { selection: head.status.as_u16().to_string(), headers: head.headers, body })
}

/// A service's answer, too, is selected by its status.
fn from_service(reply: ServiceReply) -> FromBackend {
    FromBackend { selection: reply.status.as_u16().to_string(), headers: reply.headers, body: reply.body }
}

/// A function's answer is selected by its `errorMessage`, whether or not it failed; success goes to the default.
fn from_function(outcome: base::seams::Outcome) -> FromBackend {
    let mut headers = HeaderMap::new();
    if matches!(outcome, base::seams::Outcome::Failed(_)) {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    let (base::seams::Outcome::Returned(payload) | base::seams::Outcome::Failed(payload)) = outcome;
    #[derive(serde::Deserialize)]
    struct Error {
        #[serde(rename = "errorMessage")]
        message: Option<Value>,
    }
    // A list, too, would pass for a structure.
    let is_object = payload.trim_ascii_start().starts_with(b"{");
    let error = is_object.then(|| serde_json::from_slice::<Error>(&payload).ok()).flatten();
    let message = error.and_then(|error| error.message);
    let selection = match message {
        Some(Value::String(message)) => message,
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    FromBackend { selection, headers, body: payload }
}

/// Chooses the integration response and maps the answer by it.
fn mapped(facts: &Facts<'_>, backend: FromBackend, mut overrides: Overrides) -> Result<Answer, Fault> {
    let responses = &facts.routed.method.integration.responses;
    let chosen = select(responses, &backend.selection)
        .ok_or_else(|| Fault::NoIntegrationResponse { value: backend.selection.as_str().into() })?;
    let exchange = facts.exchange;
    let types = &exchange.plan.binary_media_types;
    let content_type = backend.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_binary = !types.is_empty() && content_type.is_some_and(|content_type| types.matches(content_type));
    let payload = if backend.body.is_empty() {
        Payload::Text(Bytes::new())
    } else {
        content::response(backend.body.clone(), is_binary, wants_binary(exchange), chosen.content_handling)
            .map_err(|_| Fault::ResponseTransformation { reason: "the body is not Base64".into() })?
    };
    let template = choose_template(exchange, chosen);
    let body = match template.map(|(_, template)| (template, template.constant())) {
        None => payload.clone().bytes(),
        // Text without directives or references needs neither the payload nor a copy.
        Some((_, Some(text))) => Bytes::copy_from_slice(text.as_bytes()),
        Some((template, None)) => {
            let (text, after) = scope::render_response(facts, template, &payload, overrides)?;
            overrides = after;
            text.into()
        }
    };
    let mut headers = HeaderMap::with_capacity(chosen.headers.len() + 4);
    mapping::response(facts, &chosen.headers, &backend, payload.text(), &mut headers)?;
    let status = match mapping::apply_response_overrides(&overrides, &mut headers) {
        Some(status) => status,
        None if chosen.is_declared => chosen.status,
        None => return Err(Fault::NoMethodResponse { status: chosen.status }),
    };
    if status.is_informational() {
        return Err(Fault::ResponseTransformation { reason: "a status below 200 does not end an exchange".into() });
    }
    if !headers.contains_key(CONTENT_TYPE)
        && let Some((media_type, _)) = template
        && let Ok(value) = HeaderValue::try_from(media_type)
    {
        headers.insert(CONTENT_TYPE, value);
    }
    let mut spelled = chosen.spelled.clone();
    spelled.extend(overrides.response_headers().map(|(name, _)| name).filter(|name| !is_usual(name)).map(Box::from));
    Ok(Answer { status, headers, spelled, body: Body::whole(body), trace_id: None })
}

/// The first response, by rising status, whose pattern matches all of `value`; else the one without a pattern.
fn select<'m>(responses: &'m [ResponsePlan], value: &str) -> Option<&'m ResponsePlan> {
    let matching =
        responses.iter().find(|response| response.selection.as_ref().is_some_and(|p| p.is_full_match(value)));
    matching.or_else(|| responses.iter().find(|response| response.selection.is_none()))
}

/// The template for the first media type of the last `Accept`; else that for JSON, else the first.
fn choose_template<'m>(exchange: &Exchange, chosen: &'m ResponsePlan) -> Option<(&'m str, &'m Template)> {
    content::by_accept(exchange, &chosen.templates).map(|(media_type, template)| (media_type.as_ref(), template))
}

/// Whether the first media type that the client accepts is one of the API's binary ones.
fn wants_binary(exchange: &Exchange) -> bool {
    let types = &exchange.plan.binary_media_types;
    !types.is_empty() && exchange.header(ACCEPT).is_some_and(|accept| types.matches(accept))
}
