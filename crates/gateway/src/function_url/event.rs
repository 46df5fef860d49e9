//! The event of a function URL: payload format 2.0 (HTTP APIs, section 3; Lambda, section 12). Members that have nothing
//! to say are left out. Written straight as text, without a tree.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, USER_AGENT};
use percent_encoding::percent_decode_str;
use templates::document::push_quoted;

use super::UrlExchange;
use super::authorize::UrlCaller;
use crate::address;
use crate::transform::headers::is_signature;
use crate::transform::{header_text, query};

/// About one connection only (RFC 9110, 7.6.1), or taken out of the headers (`cookie`).
const NOT_IN_EVENT: &[&str] = &[
    "connection",
    "cookie",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the front adds, in place of what the client may have sent under these names.
const ADDED: &[&str] = &[
    "x-amzn-tls-cipher-suite",
    "x-amzn-tls-version",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// Version and cipher suite where there is no TLS.
const NO_TLS: (&str, &str) = ("none", "TLS_NULL_WITH_NULL_NULL");

/// Builds the event for a request whose body is `body`.
pub fn build(exchange: &UrlExchange, caller: &UrlCaller, body: &[u8]) -> Bytes {
    let mut out = String::with_capacity(2048 + body.len() + body.len() / 8);
    out.push_str("{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":");
    push_quoted(&mut out, exchange.path());
    out.push_str(",\"rawQueryString\":");
    push_quoted(&mut out, exchange.query());
    push_cookies(&mut out, exchange);
    out.push_str(",\"headers\":");
    push_joined(&mut out, headers(exchange));
    if !exchange.query().is_empty() {
        out.push_str(",\"queryStringParameters\":");
        push_joined(&mut out, parameters(exchange));
    }
    push_request_context(&mut out, exchange, caller);
    let is_base64 = push_body(&mut out, exchange, body);
    // Writing into a String cannot fail.
    let _ = write!(out, ",\"isBase64Encoded\":{is_base64}}}");
    Bytes::from(out)
}

type Pairs<'e> = Vec<(Cow<'e, str>, Cow<'e, str>)>;

fn push_cookies(out: &mut String, exchange: &UrlExchange) {
    let values = exchange.head.headers.get_all(COOKIE).iter().map(header_text);
    let mut separator = ",\"cookies\":[";
    for value in values {
        for cookie in value.split(';').map(str::trim).filter(|cookie| !cookie.is_empty()) {
            out.push_str(separator);
            push_quoted(out, cookie);
            separator = ",";
        }
    }
    if separator == "," {
        out.push(']');
    }
}

fn headers(exchange: &UrlExchange) -> Pairs<'_> {
    let head = &exchange.head;
    let passes = |name: &HeaderName| !NOT_IN_EVENT.contains(&name.as_str()) && !ADDED.contains(&name.as_str());
    let mut all: Pairs<'_> = Vec::with_capacity(head.headers.len() + ADDED.len());
    for (name, value) in &head.headers {
        // A signature for Lambda is not the function's business; `Host` is what the request is for.
        let is_own = (*name == AUTHORIZATION && is_signature(value.as_bytes())) || *name == HOST;
        if passes(name) && !is_own {
            all.push((name.as_str().into(), header_text(value)));
        }
    }
    all.push(("host".into(), address::host(head).into()));
    let mut sources: Vec<Cow<'_, str>> = head.headers.get_all("x-forwarded-for").iter().map(header_text).collect();
    sources.push((&*exchange.connection.ip).into());
    all.push(("x-forwarded-for".into(), sources.join(", ").into()));
    all.push(("x-forwarded-port".into(), exchange.port().into()));
    all.push(("x-forwarded-proto".into(), if exchange.connection.tls { "https" } else { "http" }.into()));
    all.push(("x-amzn-trace-id".into(), exchange.trace.shown().into()));
    // AWS knows no connection without them; the suite's name is TLS's own for no protection at all.
    let (version, suite) = exchange.connection.cipher.as_ref().map_or(NO_TLS, |tls| (tls.version, &*tls.suite));
    all.push(("x-amzn-tls-version".into(), version.into()));
    all.push(("x-amzn-tls-cipher-suite".into(), suite.into()));
    all
}

fn parameters(exchange: &UrlExchange) -> Pairs<'_> {
    let pairs = exchange.query().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (query::decode(name), query::decode(value))
        })
        .collect()
}

/// An object in which the values of one name stand together, with commas between.
fn push_joined(out: &mut String, mut pairs: Pairs<'_>) {
    // Sorted rather than searched, so that many names do not cost their square; stable, so that values keep their order.
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    let mut separator = '{';
    for group in pairs.chunk_by(|one, other| one.0 == other.0) {
        out.push(separator);
        separator = ',';
        push_quoted(out, &group[0].0);
        out.push(':');
        match group {
            [(_, value)] => push_quoted(out, value),
            several => {
                let values: Vec<&str> = several.iter().map(|(_, value)| value.as_ref()).collect();
                push_quoted(out, &values.join(","));
            }
        }
    }
    out.push_str(if separator == '{' { "{}" } else { "}" });
}

fn push_request_context(out: &mut String, exchange: &UrlExchange, caller: &UrlCaller) {
    let member = |out: &mut String, name: &str, value: &str| {
        let _ = write!(out, "\"{name}\":");
        push_quoted(out, value);
        out.push(',');
    };
    out.push_str(",\"requestContext\":{");
    match caller {
        UrlCaller::Anonymous => member(out, "accountId", "anonymous"),
        UrlCaller::Signer { access_key, account } => {
            member(out, "accountId", account);
            out.push_str("\"authorizer\":{\"iam\":{");
            member(out, "accessKey", access_key);
            member(out, "accountId", account);
            member(out, "callerId", account);
            out.push_str("\"cognitoIdentity\":null,\"principalOrgId\":null,");
            member(out, "userArn", &format!("arn:aws:iam::{account}:root"));
            out.push_str("\"userId\":");
            push_quoted(out, account);
            out.push_str("}},");
        }
    }
    member(out, "apiId", &exchange.url.id);
    let domain = exchange.domain_name();
    member(out, "domainName", &domain);
    member(out, "domainPrefix", domain.split('.').next().unwrap_or(&domain));
    out.push_str("\"http\":{");
    member(out, "method", exchange.head.method.as_str());
    // As recorded: decoded, while rawPath is as it was sent.
    member(out, "path", &percent_decode_str(exchange.path()).decode_utf8_lossy());
    member(out, "protocol", "HTTP/1.1");
    out.push_str("\"sourceIp\":");
    push_quoted(out, &exchange.connection.ip);
    if let Some(agent) = exchange.head.headers.get(USER_AGENT) {
        out.push_str(",\"userAgent\":");
        push_quoted(out, &header_text(agent));
    }
    out.push_str("},");
    member(out, "requestId", exchange.ids.request_id());
    member(out, "routeKey", "$default");
    member(out, "stage", "$default");
    let moment = i64::try_from(exchange.received.0).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(moment).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    member(out, "time", &time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string());
    let _ = write!(out, "\"timeEpoch\":{}}}", exchange.received.0);
}

/// Adds the body, where there is one; returns whether it is in Base64.
fn push_body(out: &mut String, exchange: &UrlExchange, body: &[u8]) -> bool {
    if body.is_empty() {
        return false;
    }
    out.push_str(",\"body\":");
    let is_text = exchange.header(CONTENT_TYPE).is_some_and(is_text);
    match std::str::from_utf8(body).ok().filter(|_| is_text) {
        Some(text) => {
            push_quoted(out, text);
            false
        }
        None => {
            out.push('"');
            STANDARD.encode_string(body, out);
            out.push('"');
            true
        }
    }
}

/// Whether a body of that type is given as text (HTTP APIs, section 3.1).
fn is_text(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let is_text = kind.starts_with("text/")
        || matches!(
            kind.as_str(),
            "application/json" | "application/xml" | "application/javascript" | "application/graphql"
        );
    let mut charsets = parts.filter_map(|part| part.strip_prefix("charset=").map(str::to_owned));
    is_text && charsets.all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_was_measured_to_be() {
        for (kind, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("text/plain", true),
            ("text/html;charset=\"utf-8\"", true),
            ("application/graphql", true),
            ("application/json; charset=iso-8859-1", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("application/octet-stream", false),
            ("", false),
        ] {
            assert_eq!(is_text(kind), expected, "{kind}");
        }
    }

    #[test]
    fn values_of_one_name_are_joined() {
        let mut out = String::new();
        let pairs = [("b", "1"), ("a", "x"), ("b", "2\"")].map(|(name, value)| (name.into(), value.into()));
        push_joined(&mut out, pairs.to_vec());
        assert_eq!(out, r#"{"a":"x","b":"1,2\""}"#);
        let mut out = String::new();
        push_joined(&mut out, Vec::new());
        assert_eq!(out, "{}");
    }
}
