//! The metadata with which a function's stream begins, and the response that it makes of them.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::headers::{ResponseOf, add_to_response};
use super::proxy_response;
use crate::body::{Body, Pace};
use crate::fault::Fault;
use crate::integrate::FunctionStream;
use crate::respond::Answer;

/// Turns metadata and the body that follows them into the client's response.
///
/// # Errors
/// [`Fault::MalformedStream`] for metadata that are none.
pub(crate) fn answer(of: ResponseOf, stream: FunctionStream, pace: Pace) -> Result<Answer, Fault> {
    let FunctionStream { metadata, body } = stream;
    let malformed = |fault: Fault| match fault {
        Fault::MalformedProxyResponse { reason } => Fault::MalformedStream { reason },
        other => other,
    };
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&metadata) else {
        return Err(Fault::MalformedStream { reason: "the metadata are not a JSON object" });
    };
    let status = proxy_response::status(members.remove("statusCode")).map_err(malformed)?;
    let (single, multiple) = (members.remove("headers"), members.remove("multiValueHeaders"));
    let (mut headers, spelled) = proxy_response::headers(of, single, multiple).map_err(malformed)?;
    add_cookies(of, &mut headers, members.remove("cookies")).map_err(malformed)?;
    Ok(Answer { status, headers, spelled, body: Body::paced(body, pace), trace_id: None })
}

/// Each of `cookies` is a `Set-Cookie` of its own.
///
/// # Errors
/// [`Fault::MalformedProxyResponse`].
pub(crate) fn add_cookies(of: ResponseOf, headers: &mut HeaderMap, cookies: Option<Value>) -> Result<(), Fault> {
    let malformed = |reason| Fault::MalformedProxyResponse { reason };
    match cookies {
        None | Some(Value::Null) => {}
        Some(Value::Array(cookies)) => {
            for cookie in cookies {
                let value = cookie.as_str().and_then(|cookie| HeaderValue::try_from(cookie).ok());
                let value = value.ok_or(malformed("a cookie is not text of a header"))?;
                add_to_response(headers, of, SET_COOKIE, value);
            }
        }
        Some(_) => return Err(malformed("cookies is not a list")),
    }
    Ok(())
}
