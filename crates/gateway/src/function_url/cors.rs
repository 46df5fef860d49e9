//! What pages of other origins may do with a function URL (`Cors`). Where it is configured, preflights are answered here,
//! without the function, and what the function says about it itself does not count.

use base::seams::UrlCors;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

use super::UrlExchange;
use crate::body::Body;
use crate::respond::Answer;

/// What only the configuration says, once there is one.
const OWN: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The answer to a preflight, if the request is one and the URL answers those. The headers are for [`add`] to say.
pub fn preflight(exchange: &UrlExchange) -> Option<Answer> {
    exchange.url.cors.as_ref().filter(|_| is_preflight(exchange))?;
    Some(Answer {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        spelled: Vec::new(),
        body: Body::EMPTY,
        trace_id: None,
    })
}

fn is_preflight(exchange: &UrlExchange) -> bool {
    let headers = &exchange.head.headers;
    exchange.head.method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Says to a page what it may do: nothing, if its origin is not allowed.
pub fn add(exchange: &UrlExchange, headers: &mut HeaderMap) {
    let Some(cors) = &exchange.url.cors else { return };
    for name in OWN {
        headers.remove(name);
    }
    let Some(origin) = exchange.head.headers.get(ORIGIN) else { return };
    let any = cors.allow_origins.iter().any(|known| known == "*");
    // Browsers take no `*` for requests with credentials.
    let named = !any || cors.allow_credentials;
    if named {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if !any && !cors.allow_origins.iter().any(|known| allows(known, origin.as_bytes())) {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if named { origin.clone() } else { HeaderValue::from_static("*") });
    if cors.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if is_preflight(exchange) {
        add_preflight(exchange, cors, headers);
    } else {
        add_list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers, None);
    }
}

fn add_preflight(exchange: &UrlExchange, cors: &UrlCors, headers: &mut HeaderMap) {
    // What is asked for stands for `*` where browsers take none.
    let asked = |name| exchange.head.headers.get(name).filter(|_| cors.allow_credentials);
    add_list(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods, asked(ACCESS_CONTROL_REQUEST_METHOD));
    add_list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers, asked(ACCESS_CONTROL_REQUEST_HEADERS));
    if let Some(seconds) = cors.max_age {
        headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
    }
}

/// A configured origin, or all of a scheme (`https://*`).
fn allows(known: &str, origin: &[u8]) -> bool {
    match known.strip_suffix('*') {
        Some(scheme) if scheme.ends_with("://") => origin.starts_with(scheme.as_bytes()),
        _ => origin.eq_ignore_ascii_case(known.as_bytes()),
    }
}

fn add_list(headers: &mut HeaderMap, name: HeaderName, list: &[String], instead: Option<&HeaderValue>) {
    let any = list.iter().any(|item| item == "*");
    let value = match instead.filter(|_| any) {
        Some(asked) => Some(asked.clone()),
        // What is no text of a header is nothing that a page could use.
        None => HeaderValue::try_from(list.join(",")).ok().filter(|value| !value.is_empty()),
    };
    if let Some(value) = value {
        headers.insert(name, value);
    }
}
