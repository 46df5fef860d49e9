//! The throttle phase: the account's rate. Stages, methods and usage plans will join it here.

use std::sync::OnceLock;
use std::time::Instant;

use crate::authorize::Caller;
use crate::exchange::Exchange;
use crate::fault::Fault;

/// A request that is within its limits.
#[derive(Debug)]
pub struct Admitted {
    _established: (),
}

/// Takes the request's place in the account's rate.
///
/// # Errors
/// [`Fault::Throttled`].
pub fn throttle(exchange: &Exchange, _caller: &Caller) -> Result<Admitted, Fault> {
    match &exchange.plan.account_throttle {
        Some(throttle) if !throttle.admit(monotonic(exchange.started)) => Err(Fault::Throttled),
        _ => Ok(Admitted { _established: () }),
    }
}

/// Nanoseconds since the process first asked; the same scale on every thread.
fn monotonic(now: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    // A throttle's word starts at zero, so the scale must start above every burst.
    let start = START.get_or_init(|| now);
    now.saturating_duration_since(*start).as_nanos() as u64
}
