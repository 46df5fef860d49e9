//! Parameter mapping expressions: where a value comes from and where it goes, as in
//! `integration.request.header.X-Id` ← `method.request.querystring.id`.
//!
//! ```
//! use templates::mapping::{Place, Source, Target};
//!
//! assert_eq!(Target::parse("integration.request.path.id")?, Target::IntegrationPath("id".into()));
//! assert!(matches!(Source::parse_request("method.request.header.Accept")?, Source::Request(Place::Header, _)));
//! let error = Source::parse_request("true").unwrap_err();
//! assert_eq!(error.to_string(), "Invalid mapping expression specified: true");
//! # Ok::<(), templates::mapping::MappingError>(())
//! ```

use crate::document::Json;
use crate::jsonpath::{Found, JsonPath, MAX_VISITS};

/// An expression that is none, in AWS's words. Callers put it into
/// `Invalid mapping expression specified: Validation Result: warnings : [], errors : [<this>]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid mapping expression specified: {0}")]
pub struct MappingError(
    /// The expression.
    pub String,
);

/// A mapping reads from a body that begins like JSON and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON")]
pub struct BodyNotJson;

/// The whole body, or what a path finds in it: text as it is, other JSON as JSON text; `None` when nothing is there. A body
/// that does not begin like JSON is plain text, in which a path finds nothing.
///
/// # Errors
/// The body begins like JSON and is none.
pub fn body_value(body: &str, path: Option<&JsonPath>) -> Result<Option<String>, BodyNotJson> {
    let text = body.trim();
    let is_json = text.starts_with(['{', '[', '\'', '"']);
    let Some(path) = path else {
        let sound = !is_json || Json::parse(text).is_ok();
        return if sound { Ok(Some(text.to_string())) } else { Err(BodyNotJson) };
    };
    if !is_json {
        return Ok(None);
    }
    let document = Json::parse(text).map_err(|_| BodyNotJson)?;
    Ok(match path.evaluate_within(&document, &mut { MAX_VISITS }) {
        Found::Missing => None,
        Found::Value(value) => match &*value {
            Json::Null => None,
            Json::Text(text) => Some(text.to_string()),
            other => Some(other.to_string()),
        },
        Found::List(values) => {
            let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
            Some(format!("[{}]", texts.join(",")))
        }
    })
}

/// Where a parameter of the method request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A variable of the resource's path.
    Path,
    /// The query string.
    Querystring,
    /// A header.
    Header,
}

/// Where a mapped value comes from.
#[derive(Debug)]
pub enum Source {
    /// `method.request.{path|querystring|header}.NAME`: one value, the last.
    Request(Place, Box<str>),
    /// `method.request.multivaluequerystring.NAME`: all values.
    RequestMultiQuerystring(Box<str>),
    /// `method.request.multivalueheader.NAME`: all values, joined with `,`.
    RequestMultiHeader(Box<str>),
    /// `method.request.body`, or `method.request.body.JSONPATH` (without `$.`).
    RequestBody(Option<JsonPath>),
    /// `integration.response.header.NAME`: one value, the last.
    ResponseHeader(Box<str>),
    /// `integration.response.multivalueheader.NAME`: all values, joined with `,`.
    ResponseMultiHeader(Box<str>),
    /// `integration.response.body`, or `integration.response.body.JSONPATH`.
    ResponseBody(Option<JsonPath>),
    /// `stageVariables.NAME`.
    StageVariable(Box<str>),
    /// `context.NAME`, the name dotted.
    Context(Box<str>),
    /// `'text'`.
    Literal(Box<str>),
}

/// Where a mapped value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `integration.request.header.NAME`.
    IntegrationHeader(Box<str>),
    /// `integration.request.querystring.NAME`.
    IntegrationQuerystring(Box<str>),
    /// `integration.request.path.NAME`.
    IntegrationPath(Box<str>),
    /// `method.response.header.NAME`.
    MethodHeader(Box<str>),
    /// `gatewayresponse.header.NAME`.
    GatewayHeader(Box<str>),
}

impl Source {
    /// Reads a source for an integration request: from the method request, the stage, the context, or fixed text.
    ///
    /// # Errors
    /// The expression is not one of those.
    pub fn parse_request(expression: &str) -> Result<Source, MappingError> {
        request(expression).or_else(|| anywhere(expression)).ok_or_else(|| MappingError(expression.to_string()))
    }

    /// Reads a source for a method response: from the integration response, the stage, the context, or fixed text.
    ///
    /// # Errors
    /// The expression is not one of those.
    pub fn parse_response(expression: &str) -> Result<Source, MappingError> {
        response(expression).or_else(|| anywhere(expression)).ok_or_else(|| MappingError(expression.to_string()))
    }

    /// Reads a source for a gateway response, which may read parameters of the method request but no body.
    ///
    /// # Errors
    /// The expression is not one of those.
    pub fn parse_gateway_response(expression: &str) -> Result<Source, MappingError> {
        match Source::parse_request(expression)? {
            Source::RequestBody(_) => Err(MappingError(expression.to_string())),
            source => Ok(source),
        }
    }
}

impl Target {
    /// Reads a target.
    ///
    /// # Errors
    /// The expression names no place that can be mapped to.
    pub fn parse(expression: &str) -> Result<Target, MappingError> {
        let error = || MappingError(expression.to_string());
        let (place, name) = [
            "integration.request.header.",
            "integration.request.querystring.",
            "integration.request.path.",
            "method.response.header.",
            "gatewayresponse.header.",
        ]
        .into_iter()
        .find_map(|prefix| Some((prefix, expression.strip_prefix(prefix)?)))
        .ok_or_else(error)?;
        let name = parameter_name(name).ok_or_else(error)?;
        Ok(match place {
            "integration.request.header." => Target::IntegrationHeader(name),
            "integration.request.querystring." => Target::IntegrationQuerystring(name),
            "integration.request.path." => Target::IntegrationPath(name),
            "method.response.header." => Target::MethodHeader(name),
            _ => Target::GatewayHeader(name),
        })
    }
}

fn request(expression: &str) -> Option<Source> {
    let rest = expression.strip_prefix("method.request.")?;
    if rest == "body" || rest.starts_with("body.") || rest.starts_with("body[") {
        return body_path(rest).map(Source::RequestBody);
    }
    let (place, name) = rest.split_once('.')?;
    let name = parameter_name(name)?;
    Some(match place {
        "path" => Source::Request(Place::Path, name),
        "querystring" => Source::Request(Place::Querystring, name),
        "header" => Source::Request(Place::Header, name),
        "multivaluequerystring" => Source::RequestMultiQuerystring(name),
        "multivalueheader" => Source::RequestMultiHeader(name),
        _ => return None,
    })
}

fn response(expression: &str) -> Option<Source> {
    let rest = expression.strip_prefix("integration.response.")?;
    if rest == "body" || rest.starts_with("body.") || rest.starts_with("body[") {
        return body_path(rest).map(Source::ResponseBody);
    }
    let (place, name) = rest.split_once('.')?;
    let name = parameter_name(name)?;
    match place {
        "header" => Some(Source::ResponseHeader(name)),
        "multivalueheader" => Some(Source::ResponseMultiHeader(name)),
        _ => None,
    }
}

/// `body`, `body.PATH` or `body[…]`.
fn body_path(rest: &str) -> Option<Option<JsonPath>> {
    let path = rest.strip_prefix("body")?;
    if path.is_empty() {
        return Some(None);
    }
    JsonPath::parse(&format!("${path}")).ok().map(Some)
}

fn anywhere(expression: &str) -> Option<Source> {
    if let Some(name) = expression.strip_prefix("stageVariables.") {
        return parameter_name(name).map(Source::StageVariable);
    }
    if let Some(name) = expression.strip_prefix("context.") {
        return parameter_name(name).map(Source::Context);
    }
    let literal = expression.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(Source::Literal(literal.into()))
}

/// A name that a parameter may have.
fn parameter_name(name: &str) -> Option<Box<str>> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'-');
    (!name.is_empty() && name.bytes().all(valid)).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::{BodyNotJson, Place, Source, Target, body_value};
    use crate::jsonpath::JsonPath;

    #[test]
    fn sources_of_requests() {
        assert!(
            matches!(Source::parse_request("method.request.path.id"), Ok(Source::Request(Place::Path, name)) if &*name == "id")
        );
        assert!(matches!(
            Source::parse_request("method.request.multivalueheader.X"),
            Ok(Source::RequestMultiHeader(_))
        ));
        assert!(matches!(Source::parse_request("method.request.body"), Ok(Source::RequestBody(None))));
        let Ok(Source::RequestBody(Some(path))) = Source::parse_request("method.request.body.pets[0].name") else {
            panic!("a path into the body");
        };
        let found = path.evaluate(&serde_json::json!({"pets": [{"name": "Tom"}]})).into_value();
        assert_eq!(found, Some(serde_json::json!("Tom")));
        assert!(matches!(Source::parse_request("'a ''b'"), Ok(Source::Literal(text)) if &*text == "a ''b"));
        assert!(matches!(Source::parse_request("context.identity.sourceIp"), Ok(Source::Context(_))));
        assert!(matches!(Source::parse_request("''"), Ok(Source::Literal(text)) if text.is_empty()));
    }

    #[test]
    fn what_is_no_source() {
        for expression in [
            "",
            "true",
            "method.request.header.",
            "method.request.cookie.x",
            "integration.response.header.X",
            "'",
            "context.",
        ] {
            let error = Source::parse_request(expression).expect_err(expression);
            assert_eq!(error.to_string(), format!("Invalid mapping expression specified: {expression}"));
        }
        assert!(Source::parse_response("method.request.header.X").is_err());
        assert!(Source::parse_gateway_response("method.request.body").is_err());
        assert!(Source::parse_gateway_response("method.request.header.X").is_ok());
    }

    #[test]
    fn values_of_bodies() {
        let path = |path: &str| JsonPath::parse(path).expect("a path");
        let body = r#" {"a": "x", "n": 1e10, "o": {"k": [1, null]}, "z": null, "l": [{"k": 1}, {"k": 2}]} "#;
        for (path_text, expected) in [
            ("$.a", Some("x")),
            ("$.n", Some("1.0E10")),
            ("$.o", Some(r#"{"k":[1,null]}"#)),
            ("$.z", None),
            ("$.none", None),
            ("$.l[*].k", Some("[1,2]")),
        ] {
            assert_eq!(body_value(body, Some(&path(path_text))), Ok(expected.map(str::to_string)), "{path_text}");
        }
        assert_eq!(body_value(" plain ", None), Ok(Some("plain".to_string())));
        assert_eq!(body_value("plain", Some(&path("$.a"))), Ok(None));
        assert_eq!(body_value("{", None), Err(BodyNotJson));
        assert_eq!(body_value("{", Some(&path("$.a"))), Err(BodyNotJson));
    }

    #[test]
    fn targets() {
        assert_eq!(Target::parse("method.response.header.X-A"), Ok(Target::MethodHeader("X-A".into())));
        for expression in ["method.response.body", "integration.request.header.a b", "integration.request.cookie.x"] {
            assert!(Target::parse(expression).is_err(), "{expression}");
        }
    }
}
