//! The event of a Lambda proxy integration, format 1.0 (REST data plane, section 14): members, order and nulls as
//! recorded. Written straight as text, without a tree.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::facts::Facts;
use crate::log::push_json;

/// Builds the event for a request whose body is `body`.
///
/// `is_binary` says that the request's `Content-Type` is one of the API's binary media types; such a body, and one that
/// is not UTF-8, is given as Base64. `trace` is the value of `X-Amzn-Trace-Id`.
pub(super) fn build(facts: &Facts<'_>, body: &[u8], is_binary: bool, trace: &str) -> Bytes {
    let exchange = facts.exchange;
    let mut out = String::with_capacity(2048 + body.len() + body.len() / 8);
    out.push_str("{\"resource\":");
    push_json(&mut out, &facts.routed.resource.path);
    out.push_str(",\"path\":");
    push_json(&mut out, exchange.path());
    out.push_str(",\"httpMethod\":");
    push_json(&mut out, exchange.head.method.as_str());
    push_headers(&mut out, facts, trace);
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
        Some(text) => push_json(&mut out, text),
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

/// `headers` has the last value of each, `multiValueHeaders` all.
fn push_headers(out: &mut String, facts: &Facts<'_>, trace: &str) {
    let exchange = facts.exchange;
    let mut all: Vec<(String, Vec<String>)> = Vec::with_capacity(16);
    let mut forwarded = exchange.source_ip().to_string();
    let secure = exchange.connection.tls;
    for (name, values) in facts.headers() {
        let values: Vec<String> = values.into_iter().map(std::borrow::Cow::into_owned).collect();
        match name.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => forwarded = format!("{}, {forwarded}", values.join(", ")),
            "x-forwarded-port" | "x-forwarded-proto" | "x-amzn-trace-id" => {}
            _ => all.push((name.to_owned(), values)),
        }
    }
    if exchange.head.uri.authority().is_some() && exchange.head.version == http::Version::HTTP_2 {
        all.insert(0, ("Host".into(), vec![exchange.host().to_owned()]));
    }
    let port = exchange.host().rsplit_once(':').map_or(if secure { "443" } else { "80" }, |(_, port)| port);
    all.push(("X-Amzn-Trace-Id".into(), vec![trace.to_owned()]));
    all.push(("X-Forwarded-For".into(), vec![forwarded]));
    all.push(("X-Forwarded-Port".into(), vec![port.to_owned()]));
    all.push(("X-Forwarded-Proto".into(), vec![if secure { "https" } else { "http" }.to_owned()]));
    out.push_str(",\"headers\":");
    push_object(out, all.iter().map(|(name, values)| (name.as_str(), values.last().map_or("", String::as_str))));
    out.push_str(",\"multiValueHeaders\":");
    push_lists(out, &all);
}

fn push_query(out: &mut String, facts: &Facts<'_>) {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in facts.query() {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value.into_owned()),
            None => all.push((name.into_owned(), vec![value.into_owned()])),
        }
    }
    out.push_str(",\"queryStringParameters\":");
    push_object(out, all.iter().map(|(name, values)| (name.as_str(), values.last().map_or("", String::as_str))));
    out.push_str(",\"multiValueQueryStringParameters\":");
    push_lists(out, &all);
}

fn push_request_context(out: &mut String, facts: &Facts<'_>) {
    let (exchange, resource) = (facts.exchange, &facts.routed.resource);
    let plan = &exchange.plan;
    let domain = exchange.domain_name();
    let member = |out: &mut String, name: &str, value: &str| {
        let _ = write!(out, "\"{name}\":");
        push_json(out, value);
        out.push(',');
    };
    out.push_str(",\"requestContext\":{");
    member(out, "resourceId", &resource.id);
    member(out, "resourcePath", &resource.path);
    if let Some(name) = &facts.routed.method.operation_name {
        member(out, "operationName", name);
    }
    member(out, "httpMethod", exchange.head.method.as_str());
    member(out, "extendedRequestId", exchange.ids.extended_request_id());
    member(out, "requestTime", &exchange.request_time());
    member(out, "path", &exchange.context_path());
    member(out, "accountId", &plan.api.account);
    member(out, "protocol", exchange.protocol());
    member(out, "stage", &plan.stage);
    member(out, "domainPrefix", domain.split('.').next().unwrap_or(&domain));
    let _ = write!(out, "\"requestTimeEpoch\":{},", exchange.received.0);
    member(out, "requestId", exchange.ids.request_id());
    out.push_str(
        "\"identity\":{\"cognitoIdentityPoolId\":null,\"accountId\":null,\"cognitoIdentityId\":null,\"caller\":null,",
    );
    let _ = write!(out, "\"sourceIp\":\"{}\",", exchange.source_ip());
    out.push_str("\"principalOrgId\":null,\"accessKey\":null,\"cognitoAuthenticationType\":null,");
    out.push_str("\"cognitoAuthenticationProvider\":null,\"userArn\":null,\"userAgent\":");
    match facts.header("user-agent") {
        Some(agent) => push_json(out, &agent),
        None => out.push_str("null"),
    }
    out.push_str(",\"user\":null},");
    member(out, "domainName", &domain);
    member(out, "deploymentId", &plan.deployment_id);
    out.push_str("\"apiId\":");
    push_json(out, &plan.api.id);
    out.push('}');
}

/// An object of strings; `null` when it is empty.
fn push_object<'a>(out: &mut String, members: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut separator = '{';
    for (name, value) in members {
        out.push(separator);
        separator = ',';
        push_json(out, name);
        out.push(':');
        push_json(out, value);
    }
    out.push_str(if separator == '{' { "null" } else { "}" });
}

/// An object of lists; `null` when it is empty.
fn push_lists(out: &mut String, members: &[(String, Vec<String>)]) {
    if members.is_empty() {
        return out.push_str("null");
    }
    for (index, (name, values)) in members.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        push_json(out, name);
        out.push_str(":[");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_json(out, value);
        }
        out.push(']');
    }
    out.push('}');
}
