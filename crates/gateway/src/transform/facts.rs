//! What mappings, templates and events may ask about the client's request. Worked out when asked, not before.

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::Authority;

use super::headers::passes_from_client;
use super::query;
use super::trace::Trace;
use crate::exchange::Exchange;
use crate::listener::tap::Spelling;
use crate::route::Routed;

/// A header that the gateway's front adds to every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    TraceId,
    ForwardedFor,
    ForwardedPort,
    ForwardedProto,
}

impl Added {
    /// In the order of AWS's events.
    const ALL: [Added; 4] = [Added::TraceId, Added::ForwardedFor, Added::ForwardedPort, Added::ForwardedProto];

    fn of(name: &HeaderName) -> Option<Added> {
        Added::ALL.into_iter().find(|added| added.name() == name)
    }

    /// The name as AWS's events spell it.
    fn spelling(self) -> &'static str {
        match self {
            Added::TraceId => "X-Amzn-Trace-Id",
            Added::ForwardedFor => "X-Forwarded-For",
            Added::ForwardedPort => "X-Forwarded-Port",
            Added::ForwardedProto => "X-Forwarded-Proto",
        }
    }

    /// The name as HTTP/2 spells it.
    fn name(self) -> &'static HeaderName {
        static NAMES: [HeaderName; 4] = [
            HeaderName::from_static("x-amzn-trace-id"),
            HeaderName::from_static("x-forwarded-for"),
            HeaderName::from_static("x-forwarded-port"),
            HeaderName::from_static("x-forwarded-proto"),
        ];
        &NAMES[self as usize]
    }
}

/// What is known of a request's resource and method: all of it, or nothing where the request was refused before.
pub(crate) trait Route<'e> {
    /// Resource and method, where they are known.
    fn known(&self) -> Option<&'e Routed<'e>>;
}

impl<'e> Route<'e> for &'e Routed<'e> {
    fn known(&self) -> Option<&'e Routed<'e>> {
        Some(self)
    }
}

impl<'e> Route<'e> for Option<&'e Routed<'e>> {
    fn known(&self) -> Option<&'e Routed<'e>> {
        *self
    }
}

/// The client's request as a mapping sees it.
pub(crate) struct Facts<'e, R = &'e Routed<'e>> {
    /// The exchange.
    pub(super) exchange: &'e Exchange,
    /// Its resource and method.
    pub(super) routed: R,
    spelling: OnceCell<Spelling>,
    trace: OnceCell<Trace>,
    /// The trace that the way to the backend has shown, on the way back.
    known_trace: Option<&'e str>,
}

impl<'e> Facts<'e> {
    /// For the way back: with the trace that the way there has shown.
    pub(super) fn with_trace(exchange: &'e Exchange, routed: &'e Routed<'e>, trace: Option<&'e str>) -> Facts<'e> {
        Facts { known_trace: trace, ..Facts::new(exchange, routed) }
    }
}

impl<'e, R: Route<'e>> Facts<'e, R> {
    /// Gathers nothing yet.
    pub(crate) fn new(exchange: &'e Exchange, routed: R) -> Facts<'e, R> {
        Facts { exchange, routed, spelling: OnceCell::new(), trace: OnceCell::new(), known_trace: None }
    }

    /// The value of a path variable as it was sent, escapes kept.
    pub(crate) fn path_parameter(&self, name: &str) -> Option<&'e str> {
        let (_, range) = self.routed.known()?.captures.iter().find(|(known, _)| known.as_ref() == name)?;
        Some(&self.exchange.path()[range.clone()])
    }

    /// All path variables, in the path's order.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = (&'e str, &'e str)> {
        let path = self.exchange.path();
        let captures = self.routed.known().map(|routed| routed.captures.as_slice()).unwrap_or_default();
        captures.iter().map(move |(name, range)| (name.as_ref(), &path[range.clone()]))
    }

    /// The decoded query, pair by pair.
    pub(super) fn query(&self) -> impl Iterator<Item = (Cow<'e, str>, Cow<'e, str>)> {
        query::pairs(self.exchange.query())
    }

    /// The last value of a query parameter.
    pub(crate) fn query_parameter(&self, name: &str) -> Option<Cow<'e, str>> {
        self.query().filter(|(known, _)| known == name).last().map(|(_, value)| value)
    }

    /// The trace that goes to the backend, made when it is first asked for.
    pub(super) fn trace(&self) -> &str {
        &self.tracing().sent
    }

    /// The same, if anything has asked for it.
    pub(super) fn shown_trace(self) -> Option<Box<str>> {
        self.trace.into_inner().map(|trace| trace.sent)
    }

    /// The last value of a header, by the name that the client wrote; none for those that the gateway drops.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.header_values(name).pop()
    }

    /// All values of a header. Names of headers are told apart by their case, as far as the client's protocol has one.
    pub(super) fn header_values(&self, name: &str) -> Vec<Cow<'_, str>> {
        let Ok(lower) = HeaderName::try_from(name) else { return Vec::new() };
        if !passes_from_client(&lower) {
            return Vec::new();
        }
        let headers = &self.exchange.head.headers;
        if let Some(added) = Added::of(&lower).filter(|added| self.front().contains(added)) {
            return vec![self.added(added)];
        }
        if lower == HOST
            && let Some(host) = self.host_of_target()
        {
            return vec![host.into()];
        }
        if !headers.contains_key(&lower) {
            return Vec::new();
        }
        let written = self.spelling().find(lower.as_str());
        if written.is_some_and(|written| written != name) && self.spelling_of_edge(&lower) != Some(name) {
            return Vec::new();
        }
        self.values(&lower)
    }

    /// A header whatever its spelling: what the gateway itself reads.
    pub(super) fn header_of_any_spelling(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.exchange.head.headers.get_all(name).iter().next_back().map(text)
    }

    /// The headers that pass the gateway, each name once as the client wrote it, with its values; then those that the
    /// gateway adds.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, Vec<Cow<'_, str>>)> {
        let sent = self.exchange.head.headers.keys();
        let host = self.host_of_target();
        let front = self.front();
        let is_replaced = move |name: &HeaderName| {
            Added::of(name).is_some_and(|added| front.contains(&added)) || (host.is_some() && *name == HOST)
        };
        let passed = sent.filter(move |name| passes_from_client(name) && !is_replaced(name));
        host.map(|host| ("Host", vec![host.into()]))
            .into_iter()
            .chain(passed.map(|name| (self.spelled(name), self.values(name))))
            .chain(front.iter().map(|added| (added.spelling(), vec![self.added(*added)])))
    }

    /// What the gateway's front has added; a test invocation has not come by it.
    fn front(&self) -> &'static [Added] {
        if self.exchange.tested.is_some() { &[] } else { &Added::ALL }
    }

    /// Sets what the gateway's front adds, the trace apart, for a backend that gets the client's headers.
    pub(super) fn set_forwarded(&self, headers: &mut HeaderMap) {
        if self.exchange.tested.is_some() {
            return;
        }
        for added in [Added::ForwardedFor, Added::ForwardedPort, Added::ForwardedProto] {
            let value = match self.added(added) {
                Cow::Owned(text) => HeaderValue::from_maybe_shared(Bytes::from(text)).ok(),
                Cow::Borrowed(text) => HeaderValue::from_str(text).ok(),
            };
            if let Some(value) = value {
                headers.insert(added.name(), value);
            }
        }
    }

    fn values(&self, name: &HeaderName) -> Vec<Cow<'_, str>> {
        let values: Vec<Cow<'_, str>> = self.exchange.head.headers.get_all(name).iter().map(text).collect();
        // HTTP/2 lets clients send a cookie in crumbs; towards anything else they are one again (RFC 9113, 8.2.3).
        if *name == COOKIE && values.len() > 1 { vec![values.join("; ").into()] } else { values }
    }

    /// The host that the request's target names, in HTTP/2 and in absolute form; it counts more than a header
    /// (RFC 9112, 3.2.2).
    fn host_of_target(&self) -> Option<&str> {
        self.exchange.head.uri.authority().map(Authority::as_str)
    }

    fn added(&self, header: Added) -> Cow<'_, str> {
        let exchange = self.exchange;
        let secure = exchange.connection.tls;
        match header {
            Added::TraceId => self.tracing().shown().into(),
            Added::ForwardedFor => {
                let mut sources = String::new();
                for sent in exchange.head.headers.get_all(header.name()) {
                    sources.push_str(&text(sent));
                    sources.push_str(", ");
                }
                if sources.is_empty() {
                    return exchange.source_ip().into();
                }
                sources.push_str(exchange.source_ip());
                sources.into()
            }
            Added::ForwardedPort => {
                let named = exchange.host().rsplit_once(':').map(|(_, port)| port);
                let port = named.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
                port.unwrap_or(if secure { "443" } else { "80" }).into()
            }
            Added::ForwardedProto => if secure { "https" } else { "http" }.into(),
        }
    }

    fn tracing(&self) -> &Trace {
        self.trace.get_or_init(|| match self.known_trace {
            Some(known) => Trace::known(self.exchange, known),
            None => Trace::of(self.exchange),
        })
    }

    /// A name as events and templates have it: as the client wrote it, or as the edge respells it.
    fn spelled<'a>(&'a self, name: &'a HeaderName) -> &'a str {
        self.spelling_of_edge(name).unwrap_or_else(|| self.spelling().of(name.as_str()))
    }

    /// The names that the edge respells, in front of an edge-optimized API.
    fn spelling_of_edge(&self, name: &HeaderName) -> Option<&'static str> {
        match *name {
            AUTHORIZATION if self.exchange.plan.api.edge => Some("Authorization"),
            USER_AGENT if self.exchange.plan.api.edge => Some("User-Agent"),
            _ => None,
        }
    }

    fn spelling(&self) -> &Spelling {
        self.spelling.get_or_init(|| {
            let head = &self.exchange.head;
            let target = head.uri.to_string();
            self.exchange.connection.heads.spelling(head.method.as_str(), &target)
        })
    }
}

/// A header's value as text; bytes beyond ASCII are read as Latin-1 if they are not UTF-8.
pub(crate) fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.into(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}
