//! Parameter mapping: where a value comes from, and where it goes (REST data plane, section 11).

use std::borrow::Cow;

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use plan::integration::RequestMapping;
use templates::mapping::{Place, Source, Target, body_value};
use templates::vtl::Overrides;

use super::context;
use super::facts::{self, Facts, Route};
use super::headers::{ResponseOf, add_to_response, may_be_mapped};
use super::response::FromBackend;
use crate::body::RequestBody;
use crate::fault::Fault;

/// What a path segment keeps as it is; a slash too, for a greedy variable holds several segments.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// What a query parameter's name or value keeps as it is.
const QUERY: &AsciiSet = &PATH.add(b'&').add(b'+').add(b'=').add(b'%').add(b'\'').add(b'|').add(b'^').add(b'\\');

/// Values for the integration's request.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    /// Names and values; a later one of the same name replaces an earlier.
    pub(super) headers: Vec<(String, Vec<String>)>,
    /// Names and values, appended to the client's.
    pub(super) query: Vec<(String, Vec<String>)>,
    /// The places of the integration's address.
    pub(super) path: Vec<(String, String)>,
}

/// Appends a path parameter's value; escapes that the client sent stay as they are.
pub(super) fn push_path(out: &mut String, value: &str) {
    out.extend(utf8_percent_encode(value, PATH));
}

/// Appends a query parameter's name or value.
pub(super) fn push_query(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, QUERY));
}

/// Works out the mapped values of a request.
///
/// # Errors
/// [`Fault::BodyNotJson`] when a mapping reads from a body that is not JSON, and faults of reading the body.
pub(super) async fn request(facts: &Facts<'_>, body: &mut RequestBody) -> Result<Mapped, Fault> {
    let parameters = &facts.routed.method.integration.request.parameters;
    let mut mapped = Mapped::default();
    if parameters.is_empty() {
        return Ok(mapped);
    }
    let text = if parameters.iter().any(|(_, source)| matches!(source, Source::RequestBody(_))) {
        let whole = body.whole().await?;
        // As for templates, no body is an empty object.
        if whole.is_empty() { "{}".to_owned() } else { String::from_utf8_lossy(&whole).into_owned() }
    } else {
        String::new()
    };
    for (target, source) in parameters {
        let values = match source {
            Source::RequestBody(path) => one(body_value(&text, path.as_ref()).map_err(|_| Fault::BodyNotJson)?),
            source => from_request(facts, source),
        };
        // A missing source leaves its target out, and so does an empty value.
        let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
        let Some(last) = values.last() else { continue };
        match target {
            Target::IntegrationHeader(name) => mapped.headers.push((name.to_string(), vec![values.join(",")])),
            Target::IntegrationQuerystring(name) => mapped.query.push((name.to_string(), values)),
            Target::IntegrationPath(name) => mapped.path.push((name.to_string(), last.clone())),
            Target::MethodHeader(_) | Target::GatewayHeader(_) => {}
        }
    }
    Ok(mapped)
}

/// Fails a call whose mapping sets a header that the gateway keeps to itself.
///
/// # Errors
/// [`Fault::ReservedHeader`].
pub(super) fn check_reserved(mapping: &RequestMapping, is_aws: bool) -> Result<(), Fault> {
    for (target, _) in &mapping.parameters {
        if let Target::IntegrationHeader(name) = target
            && let Ok(header) = HeaderName::try_from(name.as_ref())
            && !may_be_mapped(&header, is_aws)
        {
            return Err(Fault::ReservedHeader { name: name.as_ref().into() });
        }
    }
    Ok(())
}

/// Whether the function is called without anybody waiting for it: what the mappings and the template make of
/// `X-Amz-Invocation-Type`.
///
/// # Errors
/// [`Fault::BrokenIntegration`] for a type that this version has not: the function is not called as it was not asked to be.
pub(super) fn is_event(facts: &Facts<'_>, overrides: &Overrides) -> Result<bool, Fault> {
    const NAME: &str = "x-amz-invocation-type";
    let mapped =
        facts.routed.method.integration.request.parameters.iter().filter_map(|(target, source)| match target {
            Target::IntegrationHeader(name) if name.eq_ignore_ascii_case(NAME) => {
                Some(from_request(facts, source).pop()?)
            }
            _ => None,
        });
    let overridden = overrides.request_headers().filter(|(name, _)| name.eq_ignore_ascii_case(NAME));
    let overridden = overridden.filter_map(|(_, value)| value.values().last().cloned());
    match mapped.chain(overridden).filter(|kind| !kind.is_empty()).last().as_deref() {
        None | Some("RequestResponse") => Ok(false),
        Some("Event") => Ok(true),
        Some(kind) => Err(Fault::BrokenIntegration {
            reason: format!("X-Amz-Invocation-Type {kind} is not supported by this version of Frontgate").into(),
        }),
    }
}

impl Mapped {
    /// Appends the query parameters to an address, which may have some already.
    pub(super) fn push_query_to(&self, address: &mut String) {
        let mut separator = if address.contains('?') { '&' } else { '?' };
        for (name, values) in &self.query {
            for value in values {
                address.push(separator);
                separator = '&';
                push_query(address, name);
                address.push('=');
                push_query(address, value);
            }
        }
    }

    /// Lays a template's overrides over the mappings: they win over a parameter of the same name.
    pub(super) fn apply(&mut self, overrides: &Overrides) {
        for (name, value) in overrides.request_headers() {
            self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            self.headers.push((name.to_owned(), value.values().to_vec()));
        }
        for (name, value) in overrides.request_querystring() {
            self.query.retain(|(known, _)| known != name);
            self.query.push((name.to_owned(), value.values().to_vec()));
        }
        for (name, value) in overrides.request_path() {
            self.path.retain(|(known, _)| known != name);
            self.path.push((name.to_owned(), value.values().last().cloned().unwrap_or_default()));
        }
    }
}

/// Adds the mapped headers of a response.
///
/// # Errors
/// [`Fault::ResponseTransformation`] when a mapping reads from a body that is not JSON.
pub(super) fn response(
    facts: &Facts<'_>,
    mappings: &[(HeaderName, Source)],
    backend: &FromBackend,
    body: Option<&str>,
    headers: &mut HeaderMap,
) -> Result<(), Fault> {
    for (name, source) in mappings {
        let value = match source {
            Source::ResponseHeader(header) => {
                backend.headers.get_all(header.as_ref()).iter().next_back().map(|value| facts::text(value).into_owned())
            }
            Source::ResponseMultiHeader(header) => {
                let all: Vec<_> = backend.headers.get_all(header.as_ref()).iter().map(facts::text).collect();
                Some(all.join(","))
            }
            Source::ResponseBody(path) => body_value(body.unwrap_or(""), path.as_ref())
                .map_err(|_| Fault::ResponseTransformation { reason: "a mapping needs a JSON body".into() })?,
            source => from_request(facts, source).pop(),
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        let value = HeaderValue::try_from(value).map_err(|_| Fault::ResponseTransformation {
            reason: format!("{name} cannot be sent as a header").into(),
        })?;
        add_to_response(headers, ResponseOf::Mapped, name.clone(), value);
    }
    Ok(())
}

/// Lays a template's overrides over a response: headers at once, the status as the result.
pub(super) fn apply_response_overrides(overrides: &Overrides, headers: &mut HeaderMap) -> Option<StatusCode> {
    for (name, value) in overrides.response_headers() {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        headers.remove(&name);
        headers.remove(format!("x-amzn-remapped-{name}"));
        for value in value.values() {
            if let Ok(value) = HeaderValue::try_from(value.as_str()) {
                add_to_response(headers, ResponseOf::Mapped, name.clone(), value);
            }
        }
    }
    StatusCode::from_u16(overrides.response_status()?).ok()
}

/// The values of a source that does not read a body. Single-value forms give one, the last.
/// Of `$context`, only text is mapped.
pub(super) fn from_request<'e, R: Route<'e>>(facts: &Facts<'e, R>, source: &Source) -> Vec<String> {
    let last = |value: Option<Cow<'_, str>>| one(value.map(Cow::into_owned));
    match source {
        Source::Request(Place::Path, name) => last(facts.path_parameter(name).map(Cow::Borrowed)),
        Source::Request(Place::Querystring, name) => last(facts.query_parameter(name)),
        Source::Request(Place::Header, name) => last(facts.header(name)),
        Source::RequestMultiQuerystring(name) => {
            facts.query().filter(|(known, _)| known == name.as_ref()).map(|(_, value)| value.into_owned()).collect()
        }
        Source::RequestMultiHeader(name) => facts.header_values(name).into_iter().map(Cow::into_owned).collect(),
        Source::StageVariable(name) => one(facts.exchange.plan.variables.get(name.as_ref()).map(ToString::to_string)),
        Source::Context(name) if name.as_ref() == "requestTimeEpoch" => Vec::new(),
        Source::Context(name) => last(context::value(facts, name)),
        Source::Literal(text) => vec![text.to_string()],
        Source::RequestBody(_)
        | Source::ResponseHeader(_)
        | Source::ResponseMultiHeader(_)
        | Source::ResponseBody(_) => Vec::new(),
    }
}

fn one(value: Option<String>) -> Vec<String> {
    value.into_iter().collect()
}
