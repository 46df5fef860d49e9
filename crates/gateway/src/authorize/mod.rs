//! The authorize phase: who calls, and whether the call may go on.
//!
//! Authorizers, IAM and resource policies are not built yet. Until they are, a method or API that asks for one is
//! refused: what guards access fails closed.

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::route::Routed;

/// A caller who may go on.
#[derive(Debug)]
pub struct Caller {
    _established: (),
}

/// Establishes the caller.
///
/// # Errors
/// [`Fault::GuardNotBuilt`] where the API or the method has a guard that cannot be enforced.
pub fn authorize(exchange: &Exchange, routed: &Routed<'_>) -> Result<Caller, Fault> {
    match exchange.plan.guard.as_ref().or(routed.method.guard.as_ref()) {
        Some(guard) => Err(Fault::GuardNotBuilt { what: guard.what.clone() }),
        None => Ok(Caller { _established: () }),
    }
}
