//! The client's request becomes the integration's: templates, parameter mapping, headers and body by kind of backend.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Method, Request};
use plan::integration::{ContentHandling, Passthrough, RequestMapping};
use plan::media::mime;
use plan::{Backend, UriTemplate};
use templates::vtl::{Overrides, Template};

use super::content::{self, Payload};
use super::facts::Facts;
use super::headers::{
    is_coding, may_be_mapped, passes_mapping_to_http, passes_mapping_to_service, passes_to_http_proxy,
};
use super::mapping::{self, Mapped};
use super::{lambda_event, scope, service};
use crate::body::{Body, RequestBody};
use crate::exchange::Exchange;
use crate::fault::{Fault, MOCK_STATUS};
use crate::integrate::{Call, IntegrationRequest};
use crate::respond::TRACE_ID;
use crate::route::Routed;
use crate::validate::Validated;

/// Transforms a request that has passed every guard.
///
/// # Errors
/// As the REST data plane's sections 8.1 to 11 have them: 413, 415, 400 for JSON that a mapping needs, 500.
pub async fn request(
    exchange: &Exchange,
    routed: &Routed<'_>,
    _validated: &Validated,
    body: &mut RequestBody,
) -> Result<IntegrationRequest, Fault> {
    let facts = Facts::new(exchange, routed);
    let integration = &routed.method.integration;
    match &integration.backend {
        Backend::Mock => {
            let mut request = mock(&facts, body).await?;
            request.trace = facts.shown_trace();
            Ok(request)
        }
        Backend::Http { method, uri, proxy: true } => http_proxy(&facts, method.as_ref(), uri, body).await,
        Backend::Http { method, uri, proxy: false } => http_custom(&facts, method.as_ref(), uri, body).await,
        Backend::Lambda { proxy: true, .. } => lambda_proxy(&facts, body).await,
        Backend::Lambda { proxy: false, .. } => lambda_custom(&facts, body).await,
        Backend::Service(called) => Box::pin(service::request(&facts, called, body)).await,
        Backend::Broken { reason } => Err(Fault::BrokenIntegration { reason: reason.to_string().into() }),
    }
}

/// The request template names the status; without one the client's body does, and an empty body stands for 200.
async fn mock(facts: &Facts<'_>, body: &mut RequestBody) -> Result<IntegrationRequest, Fault> {
    let mapping = &facts.routed.method.integration.request;
    let template = choose_template(facts.exchange, mapping)?;
    let (text, overrides) = match template.map(|template| (template, template.constant())) {
        Some((_, Some(_))) if gives_bytes(facts) => {
            return Err(Fault::RequestTransformation { reason: "a template cannot take a binary body".into() });
        }
        Some((_, Some(text))) => (Cow::Borrowed(text), Overrides::default()),
        Some((template, None)) => {
            let payload = payload(facts, body).await?;
            let (text, overrides) = scope::render_request(facts, template, &payload)?;
            (text.into(), overrides)
        }
        None => {
            let payload = payload(facts, body).await?;
            (payload.text().unwrap_or("").to_owned().into(), Overrides::default())
        }
    };
    let status = if template.is_none() && text.is_empty() {
        200
    } else {
        templates::mock_status::mock_status(&text).ok_or(Fault::RequestTransformation { reason: MOCK_STATUS.into() })?
    };
    Ok(IntegrationRequest { trace: None, overrides, call: Call::Mock { status } })
}

/// The client's request goes through; mappings are laid over it.
async fn http_proxy(
    facts: &Facts<'_>,
    method: Option<&Method>,
    uri: &UriTemplate,
    body: &mut RequestBody,
) -> Result<IntegrationRequest, Fault> {
    let exchange = facts.exchange;
    let mapped = mapping::request(facts, body).await?;
    let method = method.unwrap_or(&facts.routed.verb).clone();
    let passed = if takes_no_body(&method) { Body::EMPTY } else { body.pass_on() };
    // All are copied at once and a few taken out: that is cheaper than putting each in its place anew.
    let mut headers = exchange.head.headers.clone();
    headers.reserve(8);
    for (name, value) in &exchange.head.headers {
        if !passes_to_http_proxy(name, value) {
            headers.remove(name);
        }
    }
    join_cookie(exchange, &mut headers);
    facts.set_forwarded(&mut headers);
    // A body that has been unpacked goes without the header; one that is too small to be unpacked says how it is packed.
    if let Some(coding) = exchange.head.headers.get(CONTENT_ENCODING)
        && !body.is_unpacked()
        && is_coding(coding.as_bytes())
        && passed.length() != Some(0)
    {
        headers.insert(CONTENT_ENCODING, coding.clone());
    }
    let trace = add_defaults(facts, &mut headers)?;
    add_mapped_headers(&mut headers, &mapped, To::Http)?;
    let query = Some(exchange.query()).filter(|query| !query.is_empty());
    let call = http_call(method, uri, query, &mapped, headers, passed)?;
    Ok(IntegrationRequest { trace: Some(trace), overrides: Overrides::default(), call })
}

/// Only what is mapped or templated goes on.
async fn http_custom(
    facts: &Facts<'_>,
    method: Option<&Method>,
    uri: &UriTemplate,
    body: &mut RequestBody,
) -> Result<IntegrationRequest, Fault> {
    let mut mapped = mapping::request(facts, body).await?;
    let method = method.unwrap_or(&facts.routed.verb).clone();
    let (sent, overrides) = transformed(facts, body).await?;
    mapped.apply(&overrides);
    let mut headers = HeaderMap::with_capacity(8);
    let trace = add_defaults(facts, &mut headers)?;
    add_mapped_headers(&mut headers, &mapped, To::Http)?;
    let passed = if takes_no_body(&method) { Body::EMPTY } else { Body::whole(sent) };
    let call = http_call(method, uri, None, &mapped, headers, passed)?;
    Ok(IntegrationRequest { trace: Some(trace), overrides, call })
}

/// The function gets AWS's event; mappings have no effect on it, but a reserved header in one still fails the call.
async fn lambda_proxy(facts: &Facts<'_>, body: &mut RequestBody) -> Result<IntegrationRequest, Fault> {
    let exchange = facts.exchange;
    mapping::check_reserved(&facts.routed.method.integration.request, true)?;
    let bytes = body.whole().await?;
    let payload = lambda_event::build(facts, &bytes, is_binary(exchange));
    let overrides = Overrides::default();
    Ok(IntegrationRequest {
        trace: Some(facts.trace().into()),
        overrides,
        call: Call::Lambda { payload, is_event: false },
    })
}

/// The function gets what the template makes.
async fn lambda_custom(facts: &Facts<'_>, body: &mut RequestBody) -> Result<IntegrationRequest, Fault> {
    mapping::check_reserved(&facts.routed.method.integration.request, true)?;
    let (sent, overrides) = transformed(facts, body).await?;
    let is_event = mapping::is_event(facts, &overrides)?;
    let call = Call::Lambda { payload: sent, is_event };
    Ok(IntegrationRequest { trace: Some(facts.trace().into()), overrides, call })
}

/// The body after content handling.
async fn payload(facts: &Facts<'_>, body: &mut RequestBody) -> Result<Payload, Fault> {
    let bytes = body.whole().await?;
    let handling = facts.routed.method.integration.request.content_handling;
    content::request(bytes, is_binary_to_template(facts.exchange), handling)
        .map_err(|_| Fault::RequestTransformation { reason: "the body is not Base64".into() })
}

/// The body after content handling and its template.
pub(super) async fn transformed(facts: &Facts<'_>, body: &mut RequestBody) -> Result<(Bytes, Overrides), Fault> {
    let template = choose_template(facts.exchange, &facts.routed.method.integration.request)?;
    let payload = payload(facts, body).await?;
    match template {
        None => Ok((payload.bytes(), Overrides::default())),
        Some(template) => {
            let (text, overrides) = scope::render_request(facts, template, &payload)?;
            Ok((text.into(), overrides))
        }
    }
}

/// The template for the request's media type (`application/json` if it names none), else `$default`; `None` lets the
/// body pass through.
fn choose_template<'m>(exchange: &Exchange, mapping: &'m RequestMapping) -> Result<Option<&'m Template>, Fault> {
    let content_type = exchange.header(CONTENT_TYPE).map_or("application/json", mime);
    let find = |key: &str| mapping.templates.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
    match find(content_type).or_else(|| find("$default")) {
        Some((_, template)) => Ok(Some(template)),
        None => match mapping.passthrough {
            Passthrough::WhenNoMatch => Ok(None),
            Passthrough::WhenNoTemplates if mapping.templates.is_empty() => Ok(None),
            Passthrough::WhenNoTemplates | Passthrough::Never => Err(Fault::UnsupportedMediaType),
        },
    }
}

/// Whether the request's body is bytes to a function behind a proxy integration.
pub(super) fn is_binary(exchange: &Exchange) -> bool {
    let types = &exchange.plan.binary_media_types;
    !types.is_empty() && exchange.header(CONTENT_TYPE).is_some_and(|content_type| types.matches(content_type))
}

/// Whether it is bytes to content handling and templates. A request that names no type is taken for JSON, as in the choice
/// of its template: it is why preflights fail where `*/*` is binary, until the integration converts to text.
fn is_binary_to_template(exchange: &Exchange) -> bool {
    let types = &exchange.plan.binary_media_types;
    !types.is_empty() && types.matches(exchange.header(CONTENT_TYPE).unwrap_or("application/json"))
}

/// Whether content handling gives bytes, which no template takes, not even one that asks for nothing.
fn gives_bytes(facts: &Facts<'_>) -> bool {
    match facts.routed.method.integration.request.content_handling {
        Some(ContentHandling::ToText) => false,
        Some(ContentHandling::ToBinary) => true,
        None => is_binary_to_template(facts.exchange),
    }
}

pub(super) fn takes_no_body(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The headers that every HTTP backend gets; those the client or a mapping sets win over the first three.
fn add_defaults(facts: &Facts<'_>, headers: &mut HeaderMap) -> Result<Box<str>, Fault> {
    const API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");
    let trace = add_common_defaults(facts, headers)?;
    headers.insert(API_ID, id_value(&facts.exchange.plan.api.id)?);
    Ok(trace)
}

fn id_value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|_| Fault::Internal { reason: "an id is not fit for a header".into() })
}

/// Those of them that AWS services get as well.
pub(super) fn add_common_defaults(facts: &Facts<'_>, headers: &mut HeaderMap) -> Result<Box<str>, Fault> {
    let exchange = facts.exchange;
    let api = exchange.plan.api.id.as_ref();
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
    if !headers.contains_key(USER_AGENT) {
        headers.insert(USER_AGENT, id_value(&format!("AmazonAPIGateway_{api}"))?);
    }
    // Whether the client's type is passed on hangs on the client's verb, not on the backend's.
    if !takes_no_body(&facts.routed.verb)
        && !headers.contains_key(CONTENT_TYPE)
        && let Some(content_type) = exchange.head.headers.get(CONTENT_TYPE)
    {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    let trace = facts.trace();
    headers.insert(TRACE_ID, id_value(trace)?);
    Ok(trace.into())
}

/// Cookies that came in crumbs over HTTP/2 are one header in HTTP/1.1 (RFC 9113, 8.2.3).
fn join_cookie(exchange: &Exchange, headers: &mut HeaderMap) {
    if exchange.head.version == http::Version::HTTP_2 && headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
}

/// The kinds of backends that are spoken to in HTTP, as far as mapped headers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Http,
    Service,
}

/// A mapped header replaces the one of the same name; some are dropped all the same.
pub(super) fn add_mapped_headers(headers: &mut HeaderMap, mapped: &Mapped, to: To) -> Result<(), Fault> {
    for (name, values) in &mapped.headers {
        let bad = |_: http::Error| Fault::RequestTransformation {
            reason: format!("{name} cannot be sent as a header").into(),
        };
        let header = HeaderName::try_from(name.as_str()).map_err(|error| bad(error.into()))?;
        if !may_be_mapped(&header, to == To::Service) {
            return Err(Fault::ReservedHeader { name: name.as_str().into() });
        }
        headers.remove(&header);
        let passes = match to {
            To::Http => passes_mapping_to_http(&header),
            To::Service => passes_mapping_to_service(&header),
        };
        if !passes {
            continue;
        }
        for value in values {
            let value = HeaderValue::try_from(value.as_str()).map_err(|error| bad(error.into()))?;
            headers.append(&header, value);
        }
    }
    Ok(())
}

/// Puts address, query and body together. `client_query` goes before mapped parameters.
fn http_call(
    method: Method,
    uri: &UriTemplate,
    client_query: Option<&str>,
    mapped: &Mapped,
    mut headers: HeaderMap,
    body: Body,
) -> Result<Call, Fault> {
    let bad = |reason: &'static str| Fault::BadEndpoint { reason: reason.into() };
    let uri = match uri.constant_uri() {
        // It was looked at when the plan was compiled.
        Some(constant) if client_query.is_none() && mapped.query.is_empty() => constant.clone(),
        _ => {
            let address = address(uri, client_query, mapped);
            let uri = address.parse().map_err(|_| bad("the integration's address is not a URL"))?;
            plan::uri::check(&uri).map_err(bad)?;
            uri
        }
    };
    if let Some(length) = body.length() {
        // A body of known length says so, an empty one too where the verb lets one expect a body; others go in chunks.
        if length > 0 || !takes_no_body(&method) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    Ok(Call::Http(Box::new(request)))
}

/// The integration's address with its places filled, and the query that client and mappings give it.
fn address(uri: &UriTemplate, client_query: Option<&str>, mapped: &Mapped) -> String {
    let mut address = String::with_capacity(128);
    match uri.constant() {
        Some(constant) => address.push_str(constant),
        None => uri.fill_into(&mut address, |name, out| {
            if let Some(value) = mapped.path.iter().find(|(known, _)| known == name).map(|(_, value)| value) {
                mapping::push_path(out, value);
            }
        }),
    }
    if let Some(query) = client_query {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(query);
    }
    mapped.push_query_to(&mut address);
    address
}
