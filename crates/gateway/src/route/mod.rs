//! The route phase: which resource and method serve the request.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{AUTHORIZATION, HeaderName};
use plan::{Captures, MethodPlan, ResourcePlan};
use sha2::{Digest, Sha256};

use crate::exchange::Exchange;
use crate::fault::Fault;

/// A request that has found its method.
#[derive(Debug)]
pub struct Routed<'p> {
    /// The resource.
    pub resource: &'p ResourcePlan,
    /// The method: the verb's own, else `ANY`.
    pub method: &'p MethodPlan,
    /// The verb by which the method was found: the client's, or the one that `X-HTTP-Method-Override` puts in its place.
    pub verb: Cow<'p, Method>,
    /// Path variables: names, and where each value lies in the request's resource path ([`Exchange::path`]).
    pub captures: Captures,
}

/// Finds the method. `X-HTTP-Method-Override` replaces the verb.
///
/// # Errors
/// [`Fault::NoRoute`] for a wrong path and a wrong verb alike, as AWS; [`Fault::NotASignature`] when the client also
/// sent an `Authorization` that is no signature.
pub fn route(exchange: &Exchange) -> Result<Routed<'_>, Fault> {
    static METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
    let verb = match exchange.head.headers.get(&METHOD_OVERRIDE) {
        None => Cow::Borrowed(&exchange.head.method),
        Some(verb) => Cow::Owned(Method::from_bytes(verb.as_bytes()).map_err(|_| nothing_found(exchange))?),
    };
    let mut captures = Captures::new();
    let serves = |resource: &ResourcePlan| resource.method(verb.as_str()).is_some();
    let found = exchange.plan.router.find(exchange.path(), &mut captures, serves);
    let method = found.and_then(|resource| Some((resource, resource.method(verb.as_str())?)));
    let (resource, method) = method.ok_or_else(|| nothing_found(exchange))?;
    Ok(Routed { resource, method, verb, captures })
}

/// A request that no method serves is taken for a call of an AWS API, so what stands in `Authorization` is judged as a
/// signature. Reported of the service, not recorded.
#[cold]
fn nothing_found(exchange: &Exchange) -> Fault {
    match exchange.head.headers.get(AUTHORIZATION) {
        Some(value) if !value.as_bytes().starts_with(b"AWS4-") => {
            Fault::NotASignature { digest: STANDARD.encode(Sha256::digest(value.as_bytes())).into() }
        }
        _ => Fault::NoRoute,
    }
}
