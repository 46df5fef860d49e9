//! What mappings, templates and events may ask about the client's request. Worked out when asked, not before.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::HeaderValue;

use super::headers::passes_from_client;
use super::query;
use crate::exchange::Exchange;
use crate::listener::tap::Spelling;
use crate::route::Routed;

/// The client's request as a mapping sees it.
pub(super) struct Facts<'e> {
    /// The exchange.
    pub(super) exchange: &'e Exchange,
    /// Its resource and method.
    pub(super) routed: &'e Routed<'e>,
    spelling: OnceCell<Spelling>,
}

impl<'e> Facts<'e> {
    /// Gathers nothing yet.
    pub(super) fn new(exchange: &'e Exchange, routed: &'e Routed<'e>) -> Facts<'e> {
        Facts { exchange, routed, spelling: OnceCell::new() }
    }

    /// The value of a path variable as it was sent, escapes kept.
    pub(super) fn path_parameter(&self, name: &str) -> Option<&'e str> {
        let (_, range) = self.routed.captures.iter().find(|(known, _)| known.as_ref() == name)?;
        Some(&self.exchange.path()[range.clone()])
    }

    /// All path variables, in the path's order.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = (&'e str, &'e str)> {
        let path = self.exchange.path();
        self.routed.captures.iter().map(move |(name, range)| (name.as_ref(), &path[range.clone()]))
    }

    /// The decoded query, pair by pair.
    pub(super) fn query(&self) -> impl Iterator<Item = (Cow<'e, str>, Cow<'e, str>)> {
        query::pairs(self.exchange.query())
    }

    /// The last value of a query parameter.
    pub(super) fn query_parameter(&self, name: &str) -> Option<Cow<'e, str>> {
        self.query().filter(|(known, _)| known == name).last().map(|(_, value)| value)
    }

    /// The last value of a header, under any spelling; none for those that the gateway drops.
    pub(super) fn header(&self, name: &str) -> Option<Cow<'e, str>> {
        self.header_values(name).last()
    }

    /// All values of a header.
    pub(super) fn header_values(&self, name: &str) -> impl Iterator<Item = Cow<'e, str>> {
        let name = http::HeaderName::try_from(name).ok().filter(passes_from_client);
        let headers = &self.exchange.head.headers;
        name.into_iter().flat_map(|name| headers.get_all(name)).map(text)
    }

    /// The headers that pass the gateway, each name once as the client wrote it, with its values.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, Vec<Cow<'e, str>>)> {
        let headers = &self.exchange.head.headers;
        headers.keys().filter(|name| passes_from_client(name)).map(|name| {
            let values = headers.get_all(name).iter().map(text).collect();
            (self.spelling().of(name.as_str()), values)
        })
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
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.into(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}
