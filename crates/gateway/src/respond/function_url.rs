//! What the client of a function URL gets. One table from cause to refusal, as for APIs beside it.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use super::{Answer, ERROR_TYPE, JSON, REQUEST_ID, TRACE_ID};
use crate::body::Body;
use crate::fault::Fault;
use crate::function_url::UrlExchange;
use crate::listener::Spelled;
use crate::random::RequestIds;

/// For every caller whom the function's policy or the missing signature keeps out, as recorded.
const FORBIDDEN: &str = r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#;

/// Makes the response of a request that was served.
pub(crate) fn served(answer: Answer, exchange: &UrlExchange) -> Response<Body> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    let headers = response.headers_mut();
    add_id(headers, &exchange.ids);
    if let Ok(trace) = HeaderValue::from_str(&exchange.trace.sent) {
        headers.insert(TRACE_ID, trace);
    }
    if !answer.spelled.is_empty() {
        response.extensions_mut().insert(Spelled(answer.spelled));
    }
    response
}

/// Makes the response of a request that was refused.
pub(crate) fn refused(fault: &Fault, ids: &RequestIds) -> Response<Body> {
    let (status, error_type, body) = refusal(fault);
    let mut response = Response::new(Body::whole(match body {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    }));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    add_id(headers, ids);
    if let Some(error_type) = error_type {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    }
    response
}

fn add_id(headers: &mut http::HeaderMap, ids: &RequestIds) {
    if let Ok(id) = HeaderValue::from_str(ids.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Status, error type and body of a cause.
fn refusal(fault: &Fault) -> (StatusCode, Option<&'static str>, Cow<'static, str>) {
    use StatusCode as S;
    match fault {
        Fault::UnknownFunctionUrl => (S::FORBIDDEN, Some("AccessDeniedException"), r#"{"Message":null}"#.into()),
        Fault::FunctionNotPermitted | Fault::NotSigned { .. } => {
            (S::FORBIDDEN, Some("AccessDeniedException"), FORBIDDEN.into())
        }
        Fault::FunctionThrottled { reason } => (
            S::TOO_MANY_REQUESTS,
            Some("TooManyRequestsException"),
            format!(r#"{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}"#).into(),
        ),
        Fault::RequestTooLarge => {
            (S::PAYLOAD_TOO_LARGE, Some("RequestTooLargeException"), r#"{"Message":"Request Entity Too Large"}"#.into())
        }
        Fault::BadBody | Fault::SeveralHosts => {
            (S::BAD_REQUEST, Some("BadRequestException"), r#"{"Message":"Bad Request"}"#.into())
        }
        // The function is to blame.
        Fault::FunctionFailed | Fault::MalformedProxyResponse { .. } | Fault::MalformedStream { .. } => {
            (S::BAD_GATEWAY, None, "Internal Server Error".into())
        }
        // No other cause comes from here but our own failures.
        _ => (S::INTERNAL_SERVER_ERROR, None, "Internal Server Error".into()),
    }
}
