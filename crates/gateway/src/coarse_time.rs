//! The time for deadlines, which need it to some milliseconds only.
//!
//! Where a machine is a guest of another, reading the exact time can take a tenth of a microsecond, and a request that is
//! passed on asked for it ten times. What measures (latencies, log lines) still does; what waits for seconds asks here.

use std::pin::Pin;
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use rustix::time::{ClockId, clock_gettime};

/// The present moment, at most a tick of the kernel (1 to 10 ms) late or early.
pub(crate) fn now() -> Instant {
    thread_local! {
        /// One moment of this thread on both clocks.
        static BOTH: (Instant, Duration) = (Instant::now(), ticks());
    }
    BOTH.with(|(exact, coarse)| *exact + ticks().saturating_sub(*coarse))
}

/// How long the machine runs, as of the kernel's last tick.
fn ticks() -> Duration {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Timers of connections: tokio's, reckoned from [`now`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoarseTimer;

impl Timer for CoarseTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep_until(deadline)
    }

    fn now(&self) -> Instant {
        now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        TokioTimer::new().reset(sleep, new_deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_up_with_the_exact_time() {
        let began = now();
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let passed = now() - began;
        assert!(passed >= Duration::from_millis(30), "{passed:?}");
        assert!(now() < Instant::now() + Duration::from_millis(20));
    }
}
