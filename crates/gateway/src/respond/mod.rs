//! The respond phase: what the client gets, when all went well and when a request is refused.

mod table;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

pub use table::{GatewayResponse, gateway_response, log_text};

use crate::body::Body;
use crate::fault::Fault;
use crate::random::RequestIds;

/// What the integration's side made of the response.
#[derive(Debug)]
pub struct Answer {
    /// The status that the client gets.
    pub status: StatusCode,
    /// The headers that the client gets besides the gateway's own.
    pub headers: HeaderMap,
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
    response
}

/// Makes the response of a request that was refused.
pub fn refused(fault: &Fault, ids: &RequestIds) -> Response<Body> {
    let refusal = gateway_response(fault);
    let mut response = Response::new(Body::whole(refusal.body(fault)));
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    add_ids(headers, ids);
    headers.insert(ERROR_TYPE, HeaderValue::from_static(refusal.error_type));
    response
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
