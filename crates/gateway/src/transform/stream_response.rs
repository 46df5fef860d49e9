//! The metadata with which a function's stream begins, and the response that it makes of them.

use http::header::SET_COOKIE;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::Instant;

use super::headers::{ResponseOf, add_to_response};
use super::proxy_response;
use crate::body::Body;
use crate::fault::Fault;
use crate::integrate::FunctionStream;
use crate::respond::Answer;

/// Turns metadata and the body that follows them into the client's response; all of it must have gone by `deadline`.
///
/// # Errors
/// [`Fault::MalformedStream`] for metadata that are none.
pub(super) fn answer(stream: FunctionStream, deadline: Instant) -> Result<Answer, Fault> {
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
    let (mut headers, spelled) = proxy_response::headers(single, multiple).map_err(malformed)?;
    match members.remove("cookies") {
        None | Some(Value::Null) => {}
        Some(Value::Array(cookies)) => {
            for cookie in cookies {
                let name: HeaderName = SET_COOKIE;
                let value = cookie.as_str().and_then(|cookie| HeaderValue::try_from(cookie).ok());
                let value = value.ok_or(Fault::MalformedStream { reason: "a cookie is not text of a header" })?;
                add_to_response(&mut headers, ResponseOf::LambdaProxy, name, value);
            }
        }
        Some(_) => return Err(Fault::MalformedStream { reason: "cookies is not a list" }),
    }
    Ok(Answer { status, headers, spelled, body: Body::paced(body, deadline), trace_id: None })
}
