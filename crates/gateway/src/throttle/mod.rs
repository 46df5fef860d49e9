//! The throttle phase: the rate that the stage sets for the method, then the account's. Usage plans will come before.

use std::sync::OnceLock;
use std::time::Instant;

use plan::TestCaller;

use crate::authorize::Caller;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::route::Routed;

/// A request that is within its limits.
#[derive(Debug)]
pub struct Admitted {
    _established: (),
}

/// Takes the request's place in the rates that hold for it; each must admit it.
///
/// # Errors
/// [`Fault::Throttled`].
pub fn throttle(exchange: &Exchange, routed: &Routed<'_>, _caller: &Caller) -> Result<Admitted, Fault> {
    let plan = &exchange.plan;
    if !plan.method_throttles.is_empty()
        && let Some(throttle) = plan.method_throttles.get(&routed.resource.id, routed.verb.as_str())
        && !throttle.admit(monotonic(exchange.started))
    {
        return Err(Fault::Throttled);
    }
    match &plan.account_throttle {
        Some(throttle) if !throttle.admit(monotonic(exchange.started)) => Err(Fault::Throttled),
        _ => Ok(Admitted { _established: () }),
    }
}

/// A test invocation, which takes no place in any rate.
pub(crate) fn admit_test(_caller: &TestCaller) -> Admitted {
    Admitted { _established: () }
}

/// Nanoseconds since the process first asked; the same scale on every thread.
fn monotonic(now: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    // A throttle's word starts at zero, so the scale must start above every burst.
    let start = START.get_or_init(|| now);
    now.saturating_duration_since(*start).as_nanos() as u64
}
