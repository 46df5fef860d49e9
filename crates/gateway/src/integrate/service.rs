//! AWS services as backends: where they are, the signature, and what is made of their answers.

use std::borrow::Cow;

use base::service_endpoints::ServiceEndpoint;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use plan::{Backend, Service};
use sigv4::Credentials;

use super::{dialect, report};
use crate::body::{Body, ReadError, read_whole};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::listener::Thread;
use crate::route::Routed;

/// The secret of requests that are signed without keys of the operator's: whoever takes them verifies none.
const NO_SECRET: &str = "test";

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// A request to an AWS service before it has an address and a signature.
#[derive(Debug)]
pub struct ServiceRequest {
    /// The verb.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty where the verb takes none.
    pub body: Bytes,
    /// How the answer is to be read.
    pub answer: AnswerAs,
}

/// What is done with a service's answer before it is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerAs {
    /// Nothing.
    Itself,
    /// XML of the query protocol becomes the JSON that AWS would have answered.
    Json,
    /// JSON becomes what AWS answers to the query protocol: JSON again, with the action's name around it.
    WrappedJson(Box<str>),
    /// The same in XML.
    WrappedXml(Box<str>),
}

/// What a service answered, read whole.
#[derive(Debug)]
pub struct ServiceReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Calls the method's service.
///
/// # Errors
/// [`Fault::BrokenIntegration`] when nobody said where the service is; otherwise those of HTTP backends.
pub(super) async fn call(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    request: Box<ServiceRequest>,
) -> Result<Box<ServiceReply>, Fault> {
    let integration = &routed.method.integration;
    let Backend::Service(service) = &integration.backend else {
        return Err(Fault::Internal { reason: "a service was to be called for a backend that is none".into() });
    };
    let name = &service.name;
    let endpoint = thread.settings.service_endpoints.get(name).ok_or_else(|| Fault::BrokenIntegration {
        reason: format!("nobody said where {name} is; start Frontgate with `--service-endpoint {name}=URL`").into(),
    })?;
    let answer_as = request.answer.clone();
    let signed = signed(thread, exchange, service, endpoint, *request)?;
    let called = async {
        if let Some(log) = &exchange.execution_log {
            report::http_request(log, &signed);
        }
        let response = thread.upstream.send(signed, integration.timeout).await?;
        let (head, body) = response.into_parts();
        if let Some(log) = &exchange.execution_log {
            report::http_response(log, head.status, &head.headers);
        }
        let body = read_whole(body, base::limits::GATEWAY_PAYLOAD_BYTES).await.map_err(|error| match error {
            ReadError::TooLarge => Fault::ResponseTransformation { reason: "the service's body exceeds 10 MB".into() },
            ReadError::Broken => Fault::BackendUnreachable { reason: "the service's body broke off".into() },
        })?;
        Ok(ServiceReply { status: head.status, headers: head.headers, body })
    };
    let mut reply = tokio::time::timeout(integration.timeout, called).await.unwrap_or(Err(Fault::BackendTimeout))?;
    dialect::translate(&answer_as, &mut reply);
    if let Some(log) = &exchange.execution_log {
        report::service_body(log, &reply.body);
    }
    Ok(Box::new(reply))
}

/// Gives a request its address and its signature.
fn signed(
    thread: &Thread,
    exchange: &Exchange,
    service: &Service,
    endpoint: &ServiceEndpoint,
    request: ServiceRequest,
) -> Result<Request<Body>, Fault> {
    let ServiceRequest { method, path, mut headers, body, .. } = request;
    let api = &exchange.plan.api;
    for replaced in [DATE, CONTENT_HASH] {
        headers.remove(replaced);
    }
    let bad = |_| Fault::BadEndpoint { reason: "the integration's address is not a path".into() };
    let (path, query) = path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
    let is_raw = sigv4::Rules::of(&service.signing_name).raw_path;
    let path = if is_raw { Cow::Owned(sigv4::escaped_path(path)) } else { Cow::Borrowed(path) };
    let mut address = format!("{}{path}", endpoint.url());
    if let Some(query) = query {
        address.push('?');
        address.push_str(query);
    }
    let uri: http::Uri = address.parse().map_err(bad)?;
    if !headers.contains_key(HOST) {
        let own_port = if endpoint.scheme == "https" { ":443" } else { ":80" };
        let authority = endpoint.authority.strip_suffix(own_port).unwrap_or(&endpoint.authority);
        let host = service.host.as_deref().unwrap_or(authority);
        let bad = |_| Fault::BadEndpoint { reason: "the integration's address names no host".into() };
        headers.insert(HOST, HeaderValue::from_str(host).map_err(bad)?);
    }
    let credentials = match &endpoint.keys {
        Some(keys) => Credentials { access_key_id: &keys.id, secret_access_key: &keys.secret, session_token: None },
        // What stands in for AWS takes an account's number as one of its keys.
        None => Credentials { access_key_id: &api.account, secret_access_key: NO_SECRET, session_token: None },
    };
    let region = if service.region.is_empty() { &api.region } else { &service.region };
    let added = {
        let is_signed = |name: &HeaderName| {
            *name == HOST || *name == CONTENT_TYPE || name.as_str().strip_prefix("x-amz-").is_some()
        };
        let texts: Vec<(&str, Cow<'_, str>)> = headers
            .iter()
            .filter(|(name, _)| is_signed(name))
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        let asked = (method.as_str(), uri.path(), uri.query().unwrap_or(""));
        let hash = sigv4::payload_hash(&body);
        let now = thread.settings.clock.now();
        sigv4::sign(&credentials, (region, &service.signing_name), now, asked, &texts, &hash)
    };
    let added =
        [(AUTHORIZATION, Some(added.authorization)), (DATE, Some(added.date)), (CONTENT_HASH, added.content_hash)];
    for (name, value) in added {
        let Some(value) = value else { continue };
        let bad = |_| Fault::BadEndpoint { reason: "the integration's region or service is not a name".into() };
        headers.insert(name, HeaderValue::try_from(value).map_err(bad)?);
    }
    if !body.is_empty() || !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut request = Request::new(Body::whole(body));
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    Ok(request)
}
