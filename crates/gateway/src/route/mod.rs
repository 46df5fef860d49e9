//! The route phase: which resource and method serve the request.

use plan::{Captures, MethodPlan, ResourcePlan};

use crate::exchange::Exchange;
use crate::fault::Fault;

/// A request that has found its method.
#[derive(Debug)]
pub struct Routed<'p> {
    /// The resource.
    pub resource: &'p ResourcePlan,
    /// The method: the verb's own, else `ANY`.
    pub method: &'p MethodPlan,
    /// Path variables: names, and where each value lies in the request's resource path ([`Exchange::path`]).
    pub captures: Captures,
}

/// Finds the method. `X-HTTP-Method-Override` replaces the verb.
///
/// # Errors
/// [`Fault::NoRoute`] for a wrong path and a wrong verb alike, as AWS.
pub fn route(exchange: &Exchange) -> Result<Routed<'_>, Fault> {
    let verb = exchange.header("x-http-method-override").unwrap_or(exchange.head.method.as_str());
    let mut captures = Captures::new();
    let resource = exchange
        .plan
        .router
        .find(exchange.path(), &mut captures, |resource| resource.method(verb).is_some())
        .ok_or(Fault::NoRoute)?;
    let method = resource.method(verb).ok_or(Fault::NoRoute)?;
    Ok(Routed { resource, method, captures })
}
