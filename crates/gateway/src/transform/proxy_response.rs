//! What a function behind a proxy integration answers (REST data plane, section 14.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use plan::spelling::is_usual;
use serde_json::{Map, Value};

use super::headers::{ResponseOf, add_to_response};
use crate::body::Body;
use crate::fault::Fault;
use crate::respond::Answer;

/// Turns a function's JSON into the client's response.
///
/// `wants_binary` says that the first media type of the client's `Accept` is one of the API's binary media types: only
/// then is a body that claims to be Base64 decoded.
///
/// # Errors
/// [`Fault::MalformedProxyResponse`], and [`Fault::ResponseTransformation`] for a body that claims to be Base64.
pub(super) fn answer(payload: &[u8], wants_binary: bool) -> Result<Answer, Fault> {
    let malformed = |reason| Fault::MalformedProxyResponse { reason };
    let Ok(Value::Object(mut members)) = serde_json::from_slice(payload) else {
        return Err(malformed("it is not a JSON object"));
    };
    let status = status(members.remove("statusCode"))?;
    let is_base64 = match members.remove("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => value,
        Some(_) => return Err(malformed("isBase64Encoded is not a boolean")),
    };
    let body = match members.remove("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(body)) => body,
        Some(_) => return Err(malformed("the body is not a string")),
    };
    let (headers, spelled) =
        headers(ResponseOf::LambdaProxy, members.remove("headers"), members.remove("multiValueHeaders"))?;
    if !members.is_empty() {
        return Err(malformed("it has members that a proxy response does not have"));
    }
    let body = if is_base64 && wants_binary {
        let decoded = STANDARD.decode(body.trim_ascii());
        Bytes::from(decoded.map_err(|_| Fault::ResponseTransformation { reason: "the body is not Base64".into() })?)
    } else {
        Bytes::from(body)
    };
    Ok(Answer { status, headers, spelled, body: Body::whole(body), trace_id: None })
}

/// An integer or the text of one; 200 if there is none.
pub(crate) fn status(value: Option<Value>) -> Result<StatusCode, Fault> {
    let number = match value {
        None | Some(Value::Null) => Some(200),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| (200..600).contains(number))
        .and_then(|number| StatusCode::from_u16(number).ok())
        .ok_or(Fault::MalformedProxyResponse { reason: "statusCode is not an HTTP status" })
}

/// The values of `multiValueHeaders` come first, then those of `headers`.
pub(crate) fn headers(
    of: ResponseOf,
    single: Option<Value>,
    multiple: Option<Value>,
) -> Result<(HeaderMap, Vec<Box<str>>), Fault> {
    let (mut headers, mut spelled) = (HeaderMap::new(), Vec::new());
    for (name, values) in object(multiple)? {
        let Value::Array(values) = values else {
            return Err(Fault::MalformedProxyResponse { reason: "a member of multiValueHeaders is not a list" });
        };
        note_spelling(&mut spelled, &headers, &name);
        for value in values {
            add(of, &mut headers, &name, value)?;
        }
    }
    for (name, value) in object(single)? {
        note_spelling(&mut spelled, &headers, &name);
        add(of, &mut headers, &name, value)?;
    }
    Ok((headers, spelled))
}

/// Of several spellings of a name, the first counts: that of `multiValueHeaders`.
fn note_spelling(spelled: &mut Vec<Box<str>>, headers: &HeaderMap, name: &str) {
    if !is_usual(name) && !headers.contains_key(name) {
        spelled.push(name.into());
    }
}

fn object(value: Option<Value>) -> Result<Map<String, Value>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(Fault::MalformedProxyResponse { reason: "headers is not an object" }),
    }
}

fn add(of: ResponseOf, headers: &mut HeaderMap, name: &str, value: Value) -> Result<(), Fault> {
    let text = match value {
        Value::String(text) => text,
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null => return Ok(()),
        Value::Array(_) | Value::Object(_) => {
            return Err(Fault::MalformedProxyResponse { reason: "a header's value is not text" });
        }
    };
    let bad =
        |_: http::Error| Fault::MalformedProxyResponse { reason: "a header has characters that HTTP does not allow" };
    let name = HeaderName::try_from(name).map_err(|error| bad(error.into()))?;
    let value = HeaderValue::try_from(text).map_err(|error| bad(error.into()))?;
    add_to_response(headers, of, name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks status and body, or that the answer is refused with `expected`.
    fn check(payload: &str, wants_binary: bool, expected: Result<(u16, &str), u16>) {
        let got = answer(payload.as_bytes(), wants_binary);
        let got = got.as_ref().map(|answer| {
            let Body::Whole(body) = &answer.body else { panic!("a function's body is whole") };
            (answer.status.as_u16(), String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned())
        });
        let got = got.map_err(|fault| crate::respond::gateway_response(fault).status.as_u16());
        assert_eq!(got, expected.map(|(status, body)| (status, body.to_owned())), "{payload}");
    }

    #[test]
    fn takes_what_the_service_takes_and_nothing_else() {
        check("{}", false, Ok((200, "")));
        check(r#"{"headers":null,"body":null}"#, false, Ok((200, "")));
        check(r#"{"statusCode":"201","body":"x"}"#, false, Ok((201, "x")));
        check(r#"{"statusCode":"abc"}"#, false, Err(502));
        check(r#"{"wrongKey":1}"#, false, Err(502));
        check(r#""text""#, false, Err(502));
        check("null", false, Err(502));
        check("", false, Err(502));
        check("[1]", false, Err(502));
        check(r#"{"multiValueHeaders":{"a":"b"}}"#, false, Err(502));
        check(r#"{"body":{"a":1}}"#, false, Err(502));
        check(r#"{"isBase64Encoded":true,"body":"aGk="}"#, true, Ok((200, "hi")));
        check(r#"{"isBase64Encoded":true,"body":"aGk="}"#, false, Ok((200, "aGk=")));
        check(r#"{"isBase64Encoded":true,"body":"!"}"#, true, Err(500));
        check(r#"{"headers":{"a\n":"b"}}"#, false, Err(502));
    }

    #[test]
    fn sends_multiple_values_before_single_ones() {
        let payload = br#"{"headers":{"X-A":true,"X-B":2},"multiValueHeaders":{"x-a":["1","2"]}}"#;
        let answer = answer(payload, false).unwrap();
        let values: Vec<_> = answer.headers.get_all("x-a").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values, ["1", "2", "true"]);
        assert_eq!(answer.headers["x-b"], "2");
    }
}
