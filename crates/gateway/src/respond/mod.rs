//! The respond phase: what the client gets, when all went well and when a request is refused.

mod compress;
mod function_url;
mod table;

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use plan::GatewayResponsePlan;

pub(crate) use compress::compress;
pub(crate) use function_url::{refused as url_refused, served as url_served};
pub use table::{GatewayResponse, gateway_response, is_of_integration, log_text};

use crate::body::Body;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::listener::Spelled;
use crate::random::RequestIds;
use crate::route::{Routed, route};
use crate::transform::{self, ErrorContext};

/// What the integration's side made of the response.
#[derive(Debug)]
pub struct Answer {
    /// The status that the client gets.
    pub status: StatusCode,
    /// The headers that the client gets besides the gateway's own.
    pub headers: HeaderMap,
    /// Those of their names that are not spelt as usual ([`plan::spelling`]).
    pub spelled: Vec<Box<str>>,
    /// The body.
    pub body: Body,
    /// `X-Amzn-Trace-Id`, for the integrations that show it.
    pub trace_id: Option<HeaderValue>,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXTENDED_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// The header that carries a trace through the gateway.
pub const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Makes the response of a request that was served.
pub fn served(answer: Answer, ids: &RequestIds) -> Response<Body> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    let headers = response.headers_mut();
    add_ids(headers, ids);
    if let Some(trace_id) = answer.trace_id {
        headers.insert(TRACE_ID, trace_id);
    }
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    if !answer.spelled.is_empty() {
        response.extensions_mut().insert(Spelled(answer.spelled));
    }
    response
}

/// Makes the response of a request that was refused: what the API's owner has defined for it, else the gateway's own.
/// Without an exchange, because no stage was found, there is no owner.
pub fn refused(fault: &Fault, ids: &RequestIds, exchange: Option<&Exchange>) -> Response<Body> {
    let refusal = gateway_response(fault);
    let mut response = match exchange.and_then(|exchange| defined(exchange, fault, &refusal)) {
        Some(response) => response,
        None => built_in(fault, &refusal),
    };
    let headers = response.headers_mut();
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    add_ids(headers, ids);
    headers.insert(ERROR_TYPE, HeaderValue::from_static(refusal.error_type));
    response
}

fn built_in(fault: &Fault, refusal: &GatewayResponse) -> Response<Body> {
    let mut response = Response::new(Body::whole(refusal.body(fault)));
    *response.status_mut() = refusal.status;
    response
}

/// The gateway response that the API defines for a refusal, rendered; `None` where it defines none.
fn defined(exchange: &Exchange, fault: &Fault, refusal: &GatewayResponse) -> Option<Response<Body>> {
    let all = exchange.plan.gateway_responses.as_deref().filter(|_| refusal.is_replaceable())?;
    render(exchange, fault, refusal, all.find(refusal.response_type, refusal.status)?)
}

#[cold]
fn render(
    exchange: &Exchange,
    fault: &Fault,
    refusal: &GatewayResponse,
    defined: &GatewayResponsePlan,
) -> Option<Response<Body>> {
    let text = RefusalText::of(fault);
    let error = ErrorContext {
        message: &text.message,
        message_string: &text.message_string,
        response_type: refusal.response_type,
        validation_error: text.validation_error,
    };
    let routed = routed(exchange, Some(fault));
    let (headers, body) = transform::gateway_response(exchange, routed.as_ref(), defined, &error)?;
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = match defined.status {
        // Such a status does not end an exchange.
        Some(status) if status.is_informational() => StatusCode::INTERNAL_SERVER_ERROR,
        Some(status) => status,
        None => refusal.status,
    };
    *response.headers_mut() = headers;
    if !defined.spelled.is_empty() {
        response.extensions_mut().insert(Spelled(defined.spelled.clone()));
    }
    Some(response)
}

/// The resource and method of a request, unless it was refused before they were looked at. Found again rather than
/// carried along, so that requests that are served do not pay for it.
pub fn routed<'e>(exchange: &'e Exchange, fault: Option<&Fault>) -> Option<Routed<'e>> {
    if fault.is_some_and(table::precedes_routing) { None } else { route(exchange).ok() }
}

/// `$context.error` of a refusal.
#[derive(Debug)]
pub struct RefusalText<'f> {
    message: Cow<'static, str>,
    message_string: String,
    response_type: &'static str,
    validation_error: &'f str,
}

impl<'f> RefusalText<'f> {
    /// Of that cause.
    pub fn of(fault: &'f Fault) -> RefusalText<'f> {
        let refusal = gateway_response(fault);
        let mut message_string = String::new();
        refusal.push_message_string(fault, &mut message_string);
        RefusalText {
            message: refusal.message(fault),
            message_string,
            response_type: refusal.response_type,
            validation_error: table::validation_error(fault),
        }
    }

    /// The value of `$context.error.{member}`.
    pub fn get(&self, member: &str) -> Option<&str> {
        Some(match member {
            "message" => &self.message,
            "messageString" => &self.message_string,
            "responseType" => self.response_type,
            "validationErrorString" => self.validation_error,
            _ => return None,
        })
    }
}

/// Both ids share one allocation.
fn add_ids(headers: &mut HeaderMap, ids: &RequestIds) {
    let both = Bytes::copy_from_slice(ids.bytes());
    let extended = HeaderValue::from_maybe_shared(both.slice(36..));
    if let (Ok(id), Ok(extended)) = (HeaderValue::from_maybe_shared(both.slice(..36)), extended) {
        headers.insert(REQUEST_ID, id);
        headers.insert(EXTENDED_REQUEST_ID, extended);
    }
}
