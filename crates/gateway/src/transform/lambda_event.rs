//! The event of a Lambda proxy integration, format 1.0 (REST data plane, section 14): members, order and nulls as
//! recorded. Written straight as text, without a tree.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::USER_AGENT;
use plan::TestCaller;

use super::context::test_identity;
use super::facts::Facts;
use super::headers::is_signature;
use templates::document::push_quoted;

/// Builds the event for a request whose body is `body`.
///
/// `is_binary` says that the request's `Content-Type` is one of the API's binary media types; such a body, and one that
/// is not UTF-8, is given as Base64.
pub(super) fn build(facts: &Facts<'_>, body: &[u8], is_binary: bool) -> Bytes {
    let exchange = facts.exchange;
    let mut out = String::with_capacity(2048 + body.len() + body.len() / 8);
    out.push_str("{\"resource\":");
    push_quoted(&mut out, &facts.routed.resource.path);
    out.push_str(",\"path\":");
    push_quoted(&mut out, exchange.path());
    out.push_str(",\"httpMethod\":");
    push_quoted(&mut out, facts.routed.verb.as_str());
    push_headers(&mut out, facts);
    push_query(&mut out, facts);
    out.push_str(",\"pathParameters\":");
    push_object(&mut out, facts.path_parameters());
    out.push_str(",\"stageVariables\":");
    push_object(&mut out, exchange.plan.variables.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    push_request_context(&mut out, facts);
    out.push_str(",\"body\":");
    let text = std::str::from_utf8(body).ok().filter(|_| !is_binary);
    match text {
        _ if body.is_empty() => out.push_str("null"),
        Some(text) => push_quoted(&mut out, text),
        None => {
            out.push('"');
            STANDARD.encode_string(body, &mut out);
            out.push('"');
        }
    }
    let is_base64 = !body.is_empty() && text.is_none();
    // Writing into a String cannot fail.
    let _ = write!(out, ",\"isBase64Encoded\":{is_base64}}}");
    Bytes::from(out)
}

/// `headers` has the last value of each, `multiValueHeaders` all. A signature for the gateway is in neither.
fn push_headers(out: &mut String, facts: &Facts<'_>) {
    let mut all: Vec<(&str, Vec<Cow<'_, str>>)> = facts.headers().collect();
    all.retain(|(name, values)| {
        !name.eq_ignore_ascii_case("authorization") || !values.iter().any(|value| is_signature(value.as_bytes()))
    });
    out.push_str(",\"headers\":");
    push_object(out, all.iter().map(|(name, values)| (*name, values.last().map_or("", |value| value.as_ref()))));
    out.push_str(",\"multiValueHeaders\":");
    push_lists(out, &all);
}

fn push_query(out: &mut String, facts: &Facts<'_>) {
    let mut all: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    for (name, value) in facts.query() {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    out.push_str(",\"queryStringParameters\":");
    push_object(
        out,
        all.iter().map(|(name, values)| (name.as_ref(), values.last().map_or("", |value| value.as_ref()))),
    );
    out.push_str(",\"multiValueQueryStringParameters\":");
    push_lists(out, &all);
}

fn push_request_context(out: &mut String, facts: &Facts<'_>) {
    let (exchange, resource) = (facts.exchange, &facts.routed.resource);
    let plan = &exchange.plan;
    let domain = exchange.domain_name();
    let member = |out: &mut String, name: &str, value: &str| {
        let _ = write!(out, "\"{name}\":");
        push_quoted(out, value);
        out.push(',');
    };
    out.push_str(",\"requestContext\":{");
    member(out, "resourceId", &resource.id);
    member(out, "resourcePath", &resource.path);
    if let Some(name) = &facts.routed.method.operation_name {
        member(out, "operationName", name);
    }
    member(out, "httpMethod", facts.routed.verb.as_str());
    member(out, "extendedRequestId", exchange.ids.extended_request_id());
    member(out, "requestTime", &exchange.request_time());
    member(out, "path", &exchange.context_path());
    member(out, "accountId", &plan.api.account);
    member(out, "protocol", exchange.protocol());
    member(out, "stage", &plan.stage);
    member(out, "domainPrefix", domain.split('.').next().unwrap_or(&domain));
    let _ = write!(out, "\"requestTimeEpoch\":{},", exchange.received.0);
    member(out, "requestId", exchange.ids.request_id());
    match &exchange.tested {
        None => push_identity(out, facts),
        Some(caller) => push_test_identity(out, caller, &plan.api.account),
    }
    member(out, "domainName", &domain);
    // What is tried has not been deployed.
    if exchange.tested.is_none() {
        member(out, "deploymentId", &plan.deployment_id);
    }
    out.push_str("\"apiId\":");
    push_quoted(out, &plan.api.id);
    out.push('}');
}

/// Without an authorizer all members but two are null.
fn push_identity(out: &mut String, facts: &Facts<'_>) {
    out.push_str(
        "\"identity\":{\"cognitoIdentityPoolId\":null,\"accountId\":null,\"cognitoIdentityId\":null,\"caller\":null,",
    );
    let _ = write!(out, "\"sourceIp\":\"{}\",", facts.exchange.source_ip());
    out.push_str("\"principalOrgId\":null,\"accessKey\":null,\"cognitoAuthenticationType\":null,");
    out.push_str("\"cognitoAuthenticationProvider\":null,\"userArn\":null,\"userAgent\":");
    match facts.header_of_any_spelling(&USER_AGENT) {
        Some(agent) => push_quoted(out, &agent),
        None => out.push_str("null"),
    }
    out.push_str(",\"user\":null},");
}

/// The members and their order as the service shows them where a method is tried.
fn push_test_identity(out: &mut String, caller: &TestCaller, account: &str) {
    const MEMBERS: &[&str] = &[
        "cognitoIdentityPoolId",
        "cognitoIdentityId",
        "apiKey",
        "principalOrgId",
        "cognitoAuthenticationType",
        "userArn",
        "apiKeyId",
        "userAgent",
        "accountId",
        "caller",
        "sourceIp",
        "accessKey",
        "cognitoAuthenticationProvider",
        "user",
    ];
    out.push_str("\"identity\":");
    let mut separator = '{';
    for name in MEMBERS {
        out.push(separator);
        separator = ',';
        push_quoted(out, name);
        out.push(':');
        match test_identity(caller, account, name) {
            Some(value) => push_quoted(out, &value),
            None => out.push_str("null"),
        }
    }
    out.push_str("},");
}

/// An object of strings; `null` when it is empty.
fn push_object<'a>(out: &mut String, members: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut separator = '{';
    for (name, value) in members {
        out.push(separator);
        separator = ',';
        push_quoted(out, name);
        out.push(':');
        push_quoted(out, value);
    }
    out.push_str(if separator == '{' { "null" } else { "}" });
}

/// An object of lists; `null` when it is empty.
fn push_lists(out: &mut String, members: &[(impl AsRef<str>, Vec<Cow<'_, str>>)]) {
    if members.is_empty() {
        return out.push_str("null");
    }
    for (index, (name, values)) in members.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        push_quoted(out, name.as_ref());
        out.push_str(":[");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_quoted(out, value);
        }
        out.push(']');
    }
    out.push('}');
}
