//! Function URLs: the phases that are theirs alone. Their order stands in `pipeline/function_url.rs`.

pub mod authorize;
pub mod cors;
pub mod event;
pub mod response;

use std::sync::Arc;
use std::time::Instant;

use base::clock::Moment;
use base::seams::FunctionUrl;
use http::request::Parts;

use crate::address;
use crate::listener::Connection;
use crate::random::RequestIds;
use crate::transform::Trace;

/// One request to a function URL: the facts that every phase may read.
#[derive(Debug)]
pub struct UrlExchange {
    /// The request's ids.
    pub ids: RequestIds,
    /// When it arrived, on the monotonic clock.
    pub started: Instant,
    /// When it arrived, on the wall clock.
    pub received: Moment,
    /// The client's connection.
    pub connection: Arc<Connection>,
    /// Method, address and headers as they were sent.
    pub head: Parts,
    /// What serves it.
    pub url: Arc<FunctionUrl>,
    /// Where in the path the function's path begins.
    pub path_at: usize,
    /// The suffix that our own addresses have, for requests whose host does not name the URL.
    pub domain: Arc<str>,
    /// The trace that goes to the function and back to the client.
    pub(crate) trace: Trace,
}

impl UrlExchange {
    /// The path as it was sent, `/` where there is none: `event.rawPath`.
    pub fn path(&self) -> &str {
        match &self.head.uri.path()[self.path_at..] {
            "" => "/",
            path => path,
        }
    }

    /// The query as it was sent, without its question mark.
    pub fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }

    /// The host that the client asked for, without its port. Requests by path get the URL's own name.
    pub fn domain_name(&self) -> String {
        let host = address::host(&self.head);
        if address::url_of_host(host).is_some() {
            return host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
        }
        let FunctionUrl { id, region, .. } = &*self.url;
        format!("{id}.lambda-url.{region}.{}", self.domain)
    }

    /// The port that the client asked for, else that of its scheme.
    pub fn port(&self) -> &str {
        let named = address::host(&self.head).rsplit_once(':').map(|(_, port)| port);
        let port = named.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
        port.unwrap_or(if self.connection.tls { "443" } else { "80" })
    }

    /// The first value of a header as text, where it is text.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }
}
