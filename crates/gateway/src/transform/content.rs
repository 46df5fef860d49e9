//! Text or bytes: `contentHandling` and `binaryMediaTypes` (REST data plane, section 10).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::ACCEPT;
use plan::integration::ContentHandling;
use plan::media::mime;

use crate::exchange::Exchange;

/// A body as templates and backends see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// UTF-8 text.
    Text(Bytes),
    /// Bytes that are not to be read as text.
    Binary(Bytes),
}

/// Base64 that cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct NotBase64;

impl Payload {
    /// The text; `None` for bytes, which no template can take.
    pub fn text(&self) -> Option<&str> {
        match self {
            Payload::Text(text) => std::str::from_utf8(text).ok(),
            Payload::Binary(_) => None,
        }
    }

    /// The body's bytes.
    pub fn bytes(self) -> Bytes {
        match self {
            Payload::Text(bytes) | Payload::Binary(bytes) => bytes,
        }
    }
}

/// Turns bytes into text as the gateway does: what is not UTF-8 becomes U+FFFD.
fn text(bytes: Bytes) -> Payload {
    match String::from_utf8_lossy(&bytes) {
        std::borrow::Cow::Borrowed(_) => Payload::Text(bytes),
        std::borrow::Cow::Owned(text) => Payload::Text(text.into()),
    }
}

fn encode(bytes: &[u8]) -> Payload {
    Payload::Text(STANDARD.encode(bytes).into())
}

fn decode(bytes: &[u8]) -> Result<Payload, NotBase64> {
    STANDARD.decode(bytes.trim_ascii()).map(|bytes| Payload::Binary(bytes.into())).map_err(|_| NotBase64)
}

/// The template for the first media type of the last `Accept`; else that for JSON, else the first.
pub fn by_accept<'t, T>(exchange: &Exchange, templates: &'t [(Box<str>, T)]) -> Option<&'t (Box<str>, T)> {
    let first = templates.first()?;
    if templates.len() == 1 {
        return Some(first);
    }
    let accept = exchange.head.headers.get_all(ACCEPT).iter().next_back().and_then(|value| value.to_str().ok());
    let wanted = accept.map_or("application/json", mime);
    let find = |key: &str| templates.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
    Some(find(wanted).or_else(|| find("application/json")).unwrap_or(first))
}

/// What the integration gets of a request's body.
///
/// # Errors
/// [`NotBase64`] where text had to be decoded.
pub fn request(body: Bytes, is_binary: bool, handling: Option<ContentHandling>) -> Result<Payload, NotBase64> {
    match (is_binary, handling) {
        (false, Some(ContentHandling::ToBinary)) => decode(&body),
        (false, _) => Ok(text(body)),
        (true, Some(ContentHandling::ToText)) => Ok(encode(&body)),
        (true, _) => Ok(Payload::Binary(body)),
    }
}

/// What the client gets of an integration's body.
///
/// `is_binary` judges the response's `Content-Type`, `wants_binary` the request's `Accept`.
///
/// # Errors
/// [`NotBase64`] where text had to be decoded.
pub fn response(
    body: Bytes,
    is_binary: bool,
    wants_binary: bool,
    handling: Option<ContentHandling>,
) -> Result<Payload, NotBase64> {
    use ContentHandling::{ToBinary, ToText};
    match (is_binary, wants_binary, handling) {
        (false, _, Some(ToBinary)) | (false, true, None) => decode(&body),
        (false, _, _) => Ok(text(body)),
        (true, false, None) | (true, _, Some(ToText)) => Ok(encode(&body)),
        (true, _, _) => Ok(Payload::Binary(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_requests_as_recorded() {
        let plain = Bytes::from_static(b"hi\xff");
        let encoded = Bytes::from_static(b"aGk=");
        use ContentHandling::{ToBinary, ToText};
        assert_eq!(request(plain.clone(), false, None), Ok(Payload::Text("hi\u{fffd}".into())));
        assert_eq!(request(encoded.clone(), false, Some(ToBinary)), Ok(Payload::Binary("hi".into())));
        assert_eq!(request(plain.clone(), false, Some(ToBinary)), Err(NotBase64));
        assert_eq!(request(plain.clone(), true, Some(ToBinary)), Ok(Payload::Binary(plain)));
        assert_eq!(request(encoded, true, Some(ToText)), Ok(Payload::Text("YUdrPQ==".into())));
    }

    #[test]
    fn converts_responses_as_the_table_says() {
        let encoded = Bytes::from_static(b"aGk=");
        use ContentHandling::{ToBinary, ToText};
        for (is_binary, wants_binary, handling, expected) in [
            (false, false, None, "aGk="),
            (false, false, Some(ToBinary), "hi"),
            (false, true, None, "hi"),
            (false, true, Some(ToText), "aGk="),
            (true, false, None, "YUdrPQ=="),
            (true, false, Some(ToBinary), "aGk="),
            (true, true, None, "aGk="),
            (true, true, Some(ToText), "YUdrPQ=="),
        ] {
            let converted = response(encoded.clone(), is_binary, wants_binary, handling).unwrap().bytes();
            assert_eq!(converted, expected.as_bytes(), "{is_binary} {wants_binary} {handling:?}");
        }
    }
}
