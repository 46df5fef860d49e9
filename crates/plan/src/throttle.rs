//! A rate with a burst, as one atomic word: the generic cell rate algorithm. Data only; `gateway::throttle` asks it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Admits `rate` requests a second after a burst of `burst`.
///
/// The word holds the theoretical arrival time of the next request in nanoseconds of the caller's monotonic clock.
#[derive(Debug)]
pub struct Throttle {
    interval: u64,
    tolerance: u64,
    next: AtomicU64,
}

impl Throttle {
    /// Makes a throttle. A rate of zero or less admits nothing; a burst below one counts as one.
    pub fn new(rate: f64, burst: f64) -> Throttle {
        let interval = if rate > 0.0 { (1e9 / rate) as u64 } else { u64::MAX };
        let tolerance = (interval as f64 * (burst.max(1.0) - 1.0)) as u64;
        Throttle { interval, tolerance, next: AtomicU64::new(0) }
    }

    /// Whether one request may pass at `now` (nanoseconds of a monotonic clock); takes its place if so.
    pub fn admit(&self, now: u64) -> bool {
        if self.interval == u64::MAX {
            return false;
        }
        self.next
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |next| {
                let earliest = next.max(now);
                (earliest - now <= self.tolerance).then_some(earliest.saturating_add(self.interval))
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn admits_the_burst_and_then_the_rate() {
        let throttle = Throttle::new(10.0, 5.0);
        let now = 7 * SECOND;
        assert_eq!((0..20).filter(|_| throttle.admit(now)).count(), 5);
        let later = (1..=10).filter(|tenth| throttle.admit(now + tenth * SECOND / 10)).count();
        assert_eq!(later, 10);
        assert!(!throttle.admit(now + SECOND));
    }

    #[test]
    fn a_rate_of_zero_admits_nothing() {
        assert!(!Throttle::new(0.0, 100.0).admit(SECOND));
    }
}
