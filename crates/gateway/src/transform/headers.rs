//! Which headers pass, which are renamed and which are dropped (REST data plane, section 7).

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Client headers that no later phase sees, and that are in no event.
const FROM_CLIENT: &[&str] = &[
    "connection",
    "content-length",
    "content-md5",
    "expect",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "transfer-encoding",
    "trailer",
    "upgrade",
    "www-authenticate",
];

/// Dropped on the way to an HTTP backend besides those.
const TO_HTTP_PROXY: &[&str] =
    &["host", "content-encoding", "via", "keep-alive", "proxy-connection", "http2-settings", "x-http-method-override"];

/// Dropped on the way to an HTTP backend even if a mapping sets them.
const NEVER_TO_HTTP: &[&str] =
    &["expect", "proxy-authenticate", "te", "via", "connection", "keep-alive", "proxy-connection"];

/// The same on the way to an AWS service.
const NEVER_TO_SERVICE: &[&str] =
    &["expect", "proxy-authenticate", "te", "referer", "connection", "keep-alive", "proxy-connection"];

/// Mapping one of these to an integration's header makes every call fail.
const RESERVED_HTTP: &[&str] = &["content-length", "transfer-encoding", "x-amzn-trace-id", "x-amzn-apigateway-api-id"];

/// The same for AWS integrations.
const RESERVED_AWS: &[&str] = &[
    "content-length",
    "transfer-encoding",
    "x-amzn-trace-id",
    "x-amzn-apigateway-api-id",
    "authorization",
    "connection",
    "expect",
    "proxy-authenticate",
    "te",
];

/// Renamed to `x-amzn-Remapped-...` in responses of proxy integrations.
const REMAPPED_PROXY: &[&str] = &["connection", "content-length", "date", "server"];

/// Renamed in responses of mapped integrations.
const REMAPPED_MAPPED: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "server",
    "authorization",
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "trailer",
    "upgrade",
    "user-agent",
    "www-authenticate",
];

/// Whether a client's header is seen by anything after the listener.
pub fn passes_from_client(name: &HeaderName) -> bool {
    !FROM_CLIENT.contains(&name.as_str())
}

/// Whether a client's header goes to the backend of an HTTP proxy integration.
pub fn passes_to_http_proxy(name: &HeaderName, value: &HeaderValue) -> bool {
    let is_signature = name == http::header::AUTHORIZATION && is_signature(value.as_bytes());
    passes_from_client(name) && !TO_HTTP_PROXY.contains(&name.as_str()) && !is_signature
}

/// Whether an `Authorization` is a signature for the gateway, which is not the backend's business.
pub fn is_signature(authorization: &[u8]) -> bool {
    authorization.starts_with(b"AWS4-HMAC-SHA256")
}

/// Whether a header that a mapping sets goes to an HTTP backend.
pub fn passes_mapping_to_http(name: &HeaderName) -> bool {
    !NEVER_TO_HTTP.contains(&name.as_str())
}

/// Whether a header that a mapping sets goes to an AWS service.
pub fn passes_mapping_to_service(name: &HeaderName) -> bool {
    !NEVER_TO_SERVICE.contains(&name.as_str())
}

/// Whether a mapping may set this header towards the backend.
pub fn may_be_mapped(name: &HeaderName, is_aws: bool) -> bool {
    let reserved = if is_aws { RESERVED_AWS } else { RESERVED_HTTP };
    !reserved.contains(&name.as_str())
}

/// The kinds of integration, as far as response headers care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseOf {
    /// `HTTP` and `AWS`: only mapped headers come here.
    Mapped,
    /// `HTTP_PROXY`.
    HttpProxy,
    /// `AWS_PROXY`.
    LambdaProxy,
    /// Not an integration: a function behind its own URL.
    FunctionUrl,
}

/// Whether a `Content-Encoding` names a coding that the body really has. The service was recorded to drop the header;
/// a compressed body without it would be of no use to anyone, and we pass the body on as it is.
pub fn is_coding(value: &[u8]) -> bool {
    [&b"gzip"[..], b"deflate", b"br", b"zstd", b"compress"].iter().any(|coding| value.eq_ignore_ascii_case(coding))
}

/// Adds a response header under the name that the client sees, or drops it.
pub fn add_to_response(headers: &mut HeaderMap, of: ResponseOf, name: HeaderName, value: HeaderValue) {
    let text = name.as_str();
    let dropped = match of {
        ResponseOf::HttpProxy if text == "content-encoding" => !is_coding(value.as_bytes()),
        ResponseOf::HttpProxy => matches!(text, "transfer-encoding" | "via" | "keep-alive"),
        ResponseOf::Mapped | ResponseOf::LambdaProxy | ResponseOf::FunctionUrl => {
            matches!(text, "transfer-encoding" | "keep-alive")
        }
    };
    if dropped {
        return;
    }
    let remapped = match of {
        ResponseOf::Mapped => REMAPPED_MAPPED.contains(&text),
        ResponseOf::HttpProxy => {
            REMAPPED_PROXY.contains(&text) || matches!(text, "x-amzn-requestid" | "www-authenticate")
        }
        ResponseOf::LambdaProxy => REMAPPED_PROXY.contains(&text),
        ResponseOf::FunctionUrl => REMAPPED_PROXY.contains(&text) || text == "www-authenticate",
    };
    if !remapped {
        headers.append(name, value);
    } else if let Some(renamed) = remapped_name(text) {
        headers.append(renamed, value);
    }
}

/// `x-amzn-Remapped-...`; those that nearly every backend sends are there already.
fn remapped_name(name: &str) -> Option<HeaderName> {
    const CONNECTION: HeaderName = HeaderName::from_static("x-amzn-remapped-connection");
    const CONTENT_LENGTH: HeaderName = HeaderName::from_static("x-amzn-remapped-content-length");
    const DATE: HeaderName = HeaderName::from_static("x-amzn-remapped-date");
    const SERVER: HeaderName = HeaderName::from_static("x-amzn-remapped-server");
    match name {
        "connection" => Some(CONNECTION),
        "content-length" => Some(CONTENT_LENGTH),
        "date" => Some(DATE),
        "server" => Some(SERVER),
        _ => HeaderName::try_from(format!("x-amzn-remapped-{name}")).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks under which name a backend's header reaches the client.
    fn check(of: ResponseOf, name: &'static str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        add_to_response(&mut headers, of, HeaderName::from_static(name), HeaderValue::from_static("v"));
        assert_eq!(headers.keys().next().map(HeaderName::as_str), expected, "{of:?} {name}");
    }

    #[test]
    fn renames_and_drops_as_recorded() {
        check(ResponseOf::HttpProxy, "server", Some("x-amzn-remapped-server"));
        check(ResponseOf::HttpProxy, "content-encoding", None);
        check(ResponseOf::HttpProxy, "x-amzn-requestid", Some("x-amzn-remapped-x-amzn-requestid"));
        check(ResponseOf::HttpProxy, "content-type", Some("content-type"));
        check(ResponseOf::LambdaProxy, "www-authenticate", Some("www-authenticate"));
        check(ResponseOf::LambdaProxy, "content-length", Some("x-amzn-remapped-content-length"));
        check(ResponseOf::Mapped, "user-agent", Some("x-amzn-remapped-user-agent"));
        check(ResponseOf::Mapped, "content-encoding", Some("content-encoding"));
    }

    #[test]
    fn keeps_signatures_and_connection_headers_from_backends() {
        let signature = HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=...");
        assert!(!passes_to_http_proxy(&http::header::AUTHORIZATION, &signature));
        assert!(passes_to_http_proxy(&http::header::AUTHORIZATION, &HeaderValue::from_static("Bearer x")));
        assert!(!passes_to_http_proxy(&http::header::HOST, &HeaderValue::from_static("x")));
        assert!(!may_be_mapped(&http::header::AUTHORIZATION, true));
        assert!(may_be_mapped(&http::header::AUTHORIZATION, false));
    }
}
