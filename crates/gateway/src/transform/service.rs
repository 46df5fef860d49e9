//! Requests to AWS services: what is mapped or templated goes on, in the service's own protocol.

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use plan::media::mime;
use plan::{Dialect, Service};
use serde_json::{Map, Value};

use super::facts::Facts;
use super::mapping::{self, Mapped};
use super::query;
use super::request::{To, add_common_defaults, add_mapped_headers, takes_no_body, transformed};
use crate::body::RequestBody;
use crate::fault::Fault;
use crate::integrate::{AnswerAs, Call, IntegrationRequest, ServiceRequest};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Transforms a request for a service.
///
/// # Errors
/// As for HTTP backends.
pub(super) async fn request(
    facts: &Facts<'_>,
    service: &Service,
    body: &mut RequestBody,
) -> Result<IntegrationRequest, Fault> {
    let mut mapped = mapping::request(facts, body).await?;
    let method = service.method.as_ref().unwrap_or(&facts.routed.verb).clone();
    let (sent, overrides) = transformed(facts, body).await?;
    mapped.apply(&overrides);
    let mut headers = HeaderMap::with_capacity(8);
    let trace = add_common_defaults(facts, &mut headers)?;
    if let Some((target, content_type)) = &service.target {
        let bad = |_| Fault::BadEndpoint { reason: "the integration's action is not a name".into() };
        headers.insert(TARGET, HeaderValue::from_str(target).map_err(bad)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    add_mapped_headers(&mut headers, &mapped, To::Service)?;
    let names_type = mapped.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    let body = if takes_no_body(&method) { Bytes::new() } else { sent };
    let answer = answer_as(service, &headers);
    let mut request = ServiceRequest { method, path: address(service, &mapped), headers, body, answer };
    if service.dialect == Dialect::Query && service.action.is_some() && request.method == Method::POST {
        as_form(names_type, &mut request);
    }
    if let (AnswerAs::WrappedJson(_) | AnswerAs::WrappedXml(_), Some(action)) = (&request.answer, &service.action) {
        over_json(action, &mut request);
    }
    Ok(IntegrationRequest { trace: Some(trace), overrides, call: Call::Service(Box::new(request)) })
}

/// The integration's path and query with its places filled, and the query that mappings add.
fn address(service: &Service, mapped: &Mapped) -> String {
    let mut address = String::with_capacity(128);
    service.uri.fill_into(&mut address, |name, out| {
        let Some((_, value)) = mapped.path.iter().find(|(known, _)| known == name) else { return };
        if out.contains('?') {
            // A client's value stays one value: it cannot add a parameter, such as another action.
            mapping::push_query(out, &percent_decode_str(value).decode_utf8_lossy());
        } else {
            mapping::push_path(out, value);
        }
    });
    mapped.push_query_to(&mut address);
    address
}

/// What is to be made of the answer: AWS's services answer the query protocol in JSON where the request accepts it.
fn answer_as(service: &Service, headers: &HeaderMap) -> AnswerAs {
    let accepts_json =
        headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().windows(4).any(|text| text == b"json"));
    match (service.dialect, &service.action) {
        _ if headers.contains_key(TARGET) => AnswerAs::Itself,
        (Dialect::Query, _) if accepts_json => AnswerAs::Json,
        (Dialect::QueryOverJson, Some(action)) if accepts_json => AnswerAs::WrappedJson(action.clone()),
        (Dialect::QueryOverJson, Some(action)) => AnswerAs::WrappedXml(action.clone()),
        _ => AnswerAs::Itself,
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| mime(content_type).eq_ignore_ascii_case(FORM))
}

/// Says a call of the query protocol as a form, as every client does, instead of in the query: what stands in for AWS's
/// services takes it so for certain. A body that is no form counts for nothing in the query protocol.
fn as_form(names_type: bool, request: &mut ServiceRequest) {
    let has_form = is_form(&request.headers);
    if request.headers.contains_key(TARGET) || (names_type && !has_form) {
        return;
    }
    let Some((path, asked)) = request.path.split_once('?') else { return };
    let mut form = asked.as_bytes().to_vec();
    if has_form && !request.body.is_empty() {
        form.push(b'&');
        form.extend_from_slice(&request.body);
    }
    request.body = form.into();
    request.path = path.to_owned();
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
}

/// Says a call of the query protocol in JSON. The body counts only where it is a form, as in the query protocol.
fn over_json(action: &str, request: &mut ServiceRequest) {
    let form = if is_form(&request.headers) { String::from_utf8_lossy(&request.body) } else { "".into() };
    let (_, asked) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut members = Map::new();
    for (name, value) in query::pairs(asked).chain(query::pairs(&form)) {
        if name == "Action" || name == "Version" {
            continue;
        }
        match name.split_once(".member.").or_else(|| name.rsplit_once('.').filter(|(_, at)| at.parse::<u32>().is_ok()))
        {
            Some((list, _)) => {
                if let Value::Array(items) = members.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
                    items.push(value.into_owned().into());
                }
            }
            None => drop(members.insert(name.to_string(), typed(&name, &value))),
        }
    }
    request.body = Value::Object(members).to_string().into();
    request.method = Method::POST;
    request.path = "/".into();
    if let Ok(target) = HeaderValue::try_from(format!("AmazonSSM.{action}")) {
        request.headers.insert(TARGET, target);
    }
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
}

/// A member with the type that it has in JSON: those of SSM that are no texts.
fn typed(name: &str, value: &str) -> Value {
    match (name, value) {
        ("WithDecryption" | "Recursive" | "Overwrite", "true") => Value::Bool(true),
        ("WithDecryption" | "Recursive" | "Overwrite", "false") => Value::Bool(false),
        ("MaxResults", number) => number.parse::<u32>().map_or_else(|_| number.into(), Value::from),
        (_, text) => text.into(),
    }
}
