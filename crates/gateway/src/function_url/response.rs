//! What a function behind a URL answers (Lambda, section 12): an HTTP response, or any JSON, of which one is made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::body::{Body, Pace};
use crate::fault::Fault;
use crate::integrate::{FunctionBody, FunctionStream};
use crate::respond::Answer;
use crate::transform::headers::ResponseOf;
use crate::transform::{add_cookies, response_headers, response_status, stream_answer};

/// What a stream says that it is when it begins with metadata.
const INTEGRATION_RESPONSE: &str = "application/vnd.awslambda.http-integration-response";

/// What separates a stream's metadata from its body.
const DELIMITER: [u8; 8] = [0; 8];

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The members that count; others do not matter.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "statusCode")]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    cookies: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow, rename = "isBase64Encoded")]
    is_base64: Option<&'a RawValue>,
}

/// Turns what a function has returned into the client's response.
///
/// # Errors
/// [`Fault::MalformedProxyResponse`] and [`Fault::MalformedStream`].
pub fn answer(payload: &Bytes) -> Result<Answer, Fault> {
    let Ok(whole) = serde_json::from_slice::<&RawValue>(payload) else { return collected(payload) };
    match serde_json::from_str::<Members<'_>>(whole.get()) {
        Ok(members) if members.status.is_some() => described(&members),
        // An object that is not of that shape is data like any other JSON.
        _ => Ok(plain(StatusCode::OK, HeaderMap::new(), JSON, text_of(whole))),
    }
}

/// A response that the function describes.
fn described(members: &Members<'_>) -> Result<Answer, Fault> {
    let status = response_status(value(members.status)?)?;
    let (mut headers, spelled) = response_headers(ResponseOf::FunctionUrl, value(members.headers)?, None)?;
    add_cookies(ResponseOf::FunctionUrl, &mut headers, value(members.cookies)?)?;
    let body = members.body.map_or_else(Bytes::new, text_of);
    let body = match value(members.is_base64)? {
        Some(Value::Bool(true)) => STANDARD.decode(body.trim_ascii()).map(Bytes::from).map_err(|_| {
            Fault::MalformedProxyResponse { reason: "isBase64Encoded is true and the body is not Base64" }
        })?,
        None | Some(Value::Bool(false)) => body,
        Some(_) => return Err(Fault::MalformedProxyResponse { reason: "isBase64Encoded is not a boolean" }),
    };
    Ok(Answer { spelled, ..plain(status, headers, JSON, body) })
}

/// What a handler has streamed though the URL does not: with its metadata, or bytes.
fn collected(payload: &Bytes) -> Result<Answer, Fault> {
    let Some(at) = payload.windows(DELIMITER.len()).position(|bytes| bytes == DELIMITER) else {
        return Ok(plain(StatusCode::OK, HeaderMap::new(), OCTETS, payload.clone()));
    };
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "statusCode")]
        status: Option<Value>,
        headers: Option<Value>,
        cookies: Option<Value>,
    }
    let metadata: Metadata = serde_json::from_slice(&payload[..at])
        .map_err(|_| Fault::MalformedStream { reason: "the metadata are not a JSON object" })?;
    let status = response_status(metadata.status)?;
    let (mut headers, spelled) = response_headers(ResponseOf::FunctionUrl, metadata.headers, None)?;
    add_cookies(ResponseOf::FunctionUrl, &mut headers, metadata.cookies)?;
    Ok(Answer { spelled, ..plain(status, headers, OCTETS, payload.slice(at + DELIMITER.len()..)) })
}

/// Turns what a function writes into the client's response while it comes.
///
/// # Errors
/// [`Fault::FunctionFailed`] when the function fails before there is anything to send, [`Fault::MalformedStream`].
pub async fn streamed(streaming: base::seams::Streaming, pace: Pace) -> Result<Answer, Fault> {
    let kind = streaming.content_type.as_deref();
    if kind.is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == INTEGRATION_RESPONSE)) {
        let stream = FunctionStream::read(streaming.parts).await?;
        let mut answer = stream_answer(ResponseOf::FunctionUrl, stream, pace)?;
        answer.headers.entry(CONTENT_TYPE).or_insert(OCTETS);
        return Ok(answer);
    }
    let kind = kind.and_then(|kind| HeaderValue::try_from(kind).ok()).unwrap_or(OCTETS);
    let body = FunctionBody::read(streaming.parts).await?;
    let answer = plain(StatusCode::OK, HeaderMap::new(), kind, Bytes::new());
    Ok(Answer { body: Body::paced(body, pace), ..answer })
}

fn plain(status: StatusCode, mut headers: HeaderMap, kind: HeaderValue, body: Bytes) -> Answer {
    headers.entry(CONTENT_TYPE).or_insert(kind);
    Answer { status, headers, spelled: Vec::new(), body: Body::whole(body), trace_id: None }
}

fn value(raw: Option<&RawValue>) -> Result<Option<Value>, Fault> {
    let read = raw.map(|raw| serde_json::from_str(raw.get())).transpose();
    read.map_err(|_| Fault::MalformedProxyResponse { reason: "it is nested too deeply" })
}

/// A string itself, and of everything else its JSON text as AWS writes it: without blanks.
fn text_of(raw: &RawValue) -> Bytes {
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => Bytes::from(text),
        Err(_) => Bytes::from(compact(raw.get())),
    }
}

/// JSON text without the blanks between its tokens. Numbers and escapes stay as they were written.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut is_inside, mut is_escaped) = (false, false);
    for character in json.chars() {
        if !is_inside && character.is_ascii_whitespace() {
            continue;
        }
        out.push(character);
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_inside,
            '"' => is_inside = !is_inside,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks status, content type and body, or that there is none to be made.
    fn check(payload: &str, expected: Option<(u16, &str, &str)>) {
        let got = answer(&Bytes::copy_from_slice(payload.as_bytes())).ok().map(|answer| {
            let Body::Whole(body) = &answer.body else { panic!("it is whole") };
            let body = String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned();
            (answer.status.as_u16(), answer.headers[CONTENT_TYPE].to_str().unwrap().to_owned(), body)
        });
        let expected = expected.map(|(status, kind, body)| (status, kind.to_owned(), body.to_owned()));
        assert_eq!(got, expected, "{payload}");
    }

    #[test]
    fn any_json_is_an_answer() {
        let json = |body| Some((200, "application/json", body));
        check(r#"{"hello": "world"}"#, json(r#"{"hello":"world"}"#));
        check(r#"["hello", 3, true]"#, json(r#"["hello",3,true]"#));
        check(r#""hel\"lo\u00fc""#, json("hel\"lo\u{fc}"));
        check("3.10", json("3.10"));
        check("123456789012345678901234567890", json("123456789012345678901234567890"));
        check(" true ", json("true"));
        check("null", json("null"));
        check(r#"{"statusCode": null, "a": " \\\" "}"#, json(r#"{"statusCode":null,"a":" \\\" "}"#));
        check(r#"{"body": "x"}"#, json(r#"{"body":"x"}"#));
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        check(&deep, json(&deep));
    }

    #[test]
    fn a_response_is_taken_as_it_describes_itself() {
        check(r#"{"statusCode": 200, "body": "body123"}"#, Some((200, "application/json", "body123")));
        check(r#"{"statusCode": "418"}"#, Some((418, "application/json", "")));
        check(r#"{"statusCode": 201, "body": {"a": [1, 2]}}"#, Some((201, "application/json", r#"{"a":[1,2]}"#)));
        check(r#"{"statusCode": 200, "body": null, "more": 1}"#, Some((200, "application/json", "")));
        let html =
            r#"{"statusCode": 200, "headers": {"content-TYPE": "text/html"}, "body": "PGI+", "isBase64Encoded": true}"#;
        check(html, Some((200, "text/html", "<b>")));
        for malformed in [
            r#"{"statusCode": "x"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 1000}"#,
            r#"{"statusCode": {}}"#,
            r#"{"statusCode": 200, "headers": []}"#,
            r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "b\n"}}"#,
            r#"{"statusCode": 200, "cookies": "a=b"}"#,
            r#"{"statusCode": 200, "isBase64Encoded": 1}"#,
            r#"{"statusCode": 200, "body": "!", "isBase64Encoded": true}"#,
        ] {
            check(malformed, None);
        }
    }

    #[test]
    fn headers_and_cookies_reach_the_client() {
        let payload = br#"{"statusCode": 200, "headers": {"X-A": 1, "Date": "x", "WWW-Authenticate": "Basic"}, "cookies": ["a=1", "b=2; Secure"]}"#;
        let answer = answer(&Bytes::from_static(payload)).unwrap();
        assert_eq!(answer.headers["x-a"], "1");
        assert_eq!(answer.headers["x-amzn-remapped-date"], "x");
        assert_eq!(answer.headers["x-amzn-remapped-www-authenticate"], "Basic");
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2; Secure"]);
    }

    #[test]
    fn what_was_streamed_is_taken_whole() {
        check("Hello, world!", Some((200, "application/octet-stream", "Hello, world!")));
        let metadata = r#"{"statusCode": 202, "headers": {"content-type": "text/plain"}}"#;
        check(&format!("{metadata}\0\0\0\0\0\0\0\0hi"), Some((202, "text/plain", "hi")));
        check("{}\0\0\0\0\0\0\0\0", Some((200, "application/octet-stream", "")));
        check("no\0\0\0\0\0\0\0\0hi", None);
    }
}
