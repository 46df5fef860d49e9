//! Keeps web pages from driving the control plane, whether or not signatures are verified.
//!
//! A developer's browser can reach `127.0.0.1:4566` on behalf of any page that it shows. Four rules keep such pages
//! out; each stands for a way in:
//!
//! 1. *Host*: a loopback name or address, or one that the operator configured. A page whose own name was re-bound to
//!    127.0.0.1 (DNS rebinding) sends its name and is refused. Addresses beyond loopback must be configured too:
//!    browsers do not tell us where a request to them comes from (rule 3). Names of AWS (`lambda.us-east-1.amazonaws.com`)
//!    must be configured by those who point them at this process.
//! 2. *Origin*: absent or configured. The own host is foreign too: a deployed API that is called by its path shows its
//!    pages, which may be anybody's, under our own origin.
//! 3. *Sec-Fetch-Site*: absent (no browser) or `none` (typed by the user), unless the origin is configured. It covers
//!    requests that carry no `Origin`: images, links, frames.
//! 4. *Intent*: a well-formed SigV4 signature with any credentials, or a content type that a page of another site can
//!    send only after a CORS preflight. We answer preflights with a refusal, so they fail.

use http::header::{CONTENT_TYPE, HOST, ORIGIN, USER_AGENT};
use http::request::Parts;

use crate::dispatch::{Credential, CredentialSource};
use crate::{ApiError, Settings};

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request names no host, or one that is neither loopback nor configured.
    ForeignHost(String),
    /// The request was made by a page of another origin.
    ForeignOrigin(String),
    /// The browser says that a page of another site made the request.
    CrossSite,
    /// The request has neither a signature nor a content type that a foreign page cannot send.
    NoIntent,
}

impl Refusal {
    /// The refusal as an AWS error, with a text that helps.
    pub fn answer(&self) -> ApiError {
        ApiError::access_denied(match self {
            Refusal::ForeignHost(host) => format!(
                "The control plane is not called under the host '{host}'. Use a loopback address or name, or add the \
                 host to the configuration."
            ),
            Refusal::ForeignOrigin(origin) => format!(
                "Pages of the origin '{origin}' may not call the control plane. Add the origin to the configuration if \
                 they should."
            ),
            Refusal::CrossSite => "Pages in a browser may not call the control plane.".into(),
            Refusal::NoIntent => {
                "The request is not signed. Sign it with any credentials (every AWS tool does), or send it with a \
                 content type such as application/json."
                    .into()
            }
        })
    }
}

/// Checks a request; `credential` is what [`Credential::of`] found in it.
pub fn check(request: &Parts, credential: Option<&Credential>, settings: &Settings) -> Result<(), Refusal> {
    let host = host(request).ok_or_else(|| Refusal::ForeignHost(String::new()))?;
    if !is_own_host(host, settings) {
        return Err(Refusal::ForeignHost(host.into()));
    }
    let origins: Vec<&[u8]> = request.headers.get_all(ORIGIN).iter().map(|value| value.as_bytes()).collect();
    let configured = match origins.as_slice() {
        [] => false,
        [origin] => check_origin(origin, settings)?,
        _ => return Err(Refusal::ForeignOrigin("several origins".into())),
    };
    let site = request.headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if !configured && !matches!(site, None | Some(b"none")) {
        return Err(Refusal::CrossSite);
    }
    // Browsers leave Sec-Fetch-Site away on plain HTTP to hosts that are not loopback. A presigned URL is all that a page
    // could send there without an Origin, and no AWS tool calls itself a browser.
    let presigned = credential.is_some_and(|credential| credential.source == CredentialSource::Query);
    let browser = request.headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    if presigned && browser && site.is_none() {
        return Err(Refusal::CrossSite);
    }
    if credential.is_some() || needs_preflight(request) { Ok(()) } else { Err(Refusal::NoIntent) }
}

/// The host under which the request was made, with its port: the authority of HTTP/2 or the `Host` of HTTP/1.1.
/// Absent when there is none, or when there are several and they differ.
pub(crate) fn host(request: &Parts) -> Option<&str> {
    let mut hosts = request.headers.get_all(HOST).iter().map(|value| value.to_str().ok());
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host?),
        (None, _) => None,
        _ => return None,
    };
    match (request.uri.authority(), named) {
        (Some(authority), Some(named)) if !authority.as_str().eq_ignore_ascii_case(named) => None,
        (Some(authority), _) => Some(authority.as_str()),
        (None, named) => named,
    }
}

/// Whether an origin is a configured one; every other is refused.
fn check_origin(origin: &[u8], settings: &Settings) -> Result<bool, Refusal> {
    let origin = String::from_utf8_lossy(origin);
    match settings.origins.iter().any(|known| known.eq_ignore_ascii_case(&origin)) {
        true => Ok(true),
        false => Err(Refusal::ForeignOrigin(origin.into_owned())),
    }
}

fn is_own_host(host: &str, settings: &Settings) -> bool {
    let Some((name, _)) = split_port(host) else { return false };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    is_loopback(&name) || settings.hosts.iter().any(|known| covers(&known.to_ascii_lowercase(), &name))
}

/// Loopback addresses, and names that always mean loopback. LocalStack's name is one: its owner keeps it at 127.0.0.1.
fn is_loopback(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok_and(|address| {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        });
    }
    if let Ok(address) = name.parse::<std::net::Ipv4Addr>() {
        return address.is_loopback();
    }
    ["localhost", "localhost.localstack.cloud"]
        .iter()
        .any(|own| name.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Whether a configured name covers a host: the same name, `*.suffix` for all names below, or `*` for any.
fn covers(known: &str, name: &str) -> bool {
    match known.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => suffix.starts_with('.') && name.len() > suffix.len() && name.ends_with(suffix),
        None => known == name,
    }
}

/// Name and port of an authority; absent when it is none (user names, empty names and ports that are no numbers).
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    };
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let address =
        bracketed && name.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'[' | b']' | b':' | b'.'));
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok());
    (!name.is_empty() && (plain || address) && numbered).then_some((name, port))
}

/// Whether a page of another site could send the request's content type only after a preflight: there is exactly one,
/// and it is not one of the three that forms send.
fn needs_preflight(request: &Parts) -> bool {
    let mut types = request.headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else { return false };
    let Ok(kind) = kind.to_str() else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_'))
    };
    let well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    let simple = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    well_formed && !simple.contains(&essence.as_str())
}

#[cfg(test)]
mod tests;
