//! A refusal in the words of the API's owner: headers and body of a gateway response (REST data plane, section 5).
//!
//! Templates are plain: names of `$context`, `$stageVariables` and `method.request` stand for their values, and there is
//! nothing else. A value that is not there leaves nothing behind.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use plan::GatewayResponsePlan;
use templates::mapping::Source;

use super::content;
use super::context;
use super::facts::{Facts, Route};
use super::headers::{ResponseOf, add_to_response};
use super::mapping::from_request;
use crate::exchange::Exchange;
use crate::route::Routed;

/// The largest body that a template may make. The bound is ours: a template of 300 KB that repeats a long header would
/// otherwise make many times the request's size.
const BODY_BYTES: usize = 1024 * 1024;

/// `$context.error`: what a gateway response may say of the refusal.
#[derive(Debug)]
pub struct ErrorContext<'f> {
    /// `message`: the text, bare.
    pub message: &'f str,
    /// `messageString`: the text as a JSON string.
    pub message_string: &'f str,
    /// `responseType`.
    pub response_type: &'f str,
    /// `validationErrorString`: what the request's body lacks; empty for other refusals.
    pub validation_error: &'f str,
}

/// Renders a gateway response for a request whose resource is known or, refused before that, is not.
///
/// Returns the headers, `Content-Type` among them, and the body; `None` when the body would exceed 1 MB.
pub fn gateway_response(
    exchange: &Exchange,
    routed: Option<&Routed<'_>>,
    response: &GatewayResponsePlan,
    error: &ErrorContext<'_>,
) -> Option<(HeaderMap, Bytes)> {
    let facts = Facts::new(exchange, routed);
    let mut headers = HeaderMap::with_capacity(response.headers.len() + 4);
    for (name, source) in &response.headers {
        let value = match source {
            Source::Context(name) => error.get(name).map(str::to_owned).or_else(|| text_of(&facts, source)),
            source => text_of(&facts, source),
        };
        // A value that no header can carry, a line break above all, is left out.
        let value = value.filter(|value| !value.is_empty()).and_then(|value| HeaderValue::try_from(value).ok());
        if let Some(value) = value {
            add_to_response(&mut headers, ResponseOf::LambdaProxy, name.clone(), value);
        }
    }
    let mut body = String::new();
    if let Some((media_type, template)) = content::by_accept(exchange, &response.templates) {
        template.render_into(&mut body, &|name, out| {
            if out.len() <= BODY_BYTES {
                push_value(&facts, error, name, out);
            }
        });
        if !headers.contains_key(CONTENT_TYPE)
            && let Ok(value) = HeaderValue::try_from(media_type.as_ref())
        {
            headers.insert(CONTENT_TYPE, value);
        }
    }
    (body.len() <= BODY_BYTES).then(|| (headers, body.into()))
}

impl ErrorContext<'_> {
    /// The value of `context.{name}` where it is of the error.
    fn get(&self, name: &str) -> Option<&str> {
        Some(match name {
            "error.message" => self.message,
            "error.messageString" => self.message_string,
            "error.responseType" => self.response_type,
            "error.validationErrorString" => self.validation_error,
            _ => return None,
        })
    }
}

/// Appends what a name in a template stands for.
fn push_value<'e, R: Route<'e>>(facts: &Facts<'e, R>, error: &ErrorContext<'_>, name: &str, out: &mut String) {
    if let Some(name) = name.strip_prefix("context.") {
        match error.get(name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&context::value(facts, name).unwrap_or_default()),
        }
    } else if let Ok(source) = Source::parse_gateway_response(name) {
        out.push_str(&text_of(facts, &source).unwrap_or_default());
    }
}

/// The values of a source, joined as a header joins them.
fn text_of<'e, R: Route<'e>>(facts: &Facts<'e, R>, source: &Source) -> Option<String> {
    let values = from_request(facts, source);
    (!values.is_empty()).then(|| values.join(","))
}
