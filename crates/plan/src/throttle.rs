//! A rate with a burst, as one atomic word: the generic cell rate algorithm. Data only; `gateway::throttle` asks it.

use std::collections::HashMap;
use std::sync::Arc;
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
    /// Whether another throttle admits as much as this one.
    pub fn is_like(&self, other: &Throttle) -> bool {
        (self.interval, self.tolerance) == (other.interval, other.tolerance)
    }

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

/// The throttles of one resource, by verb.
type Verbs = Vec<(Box<str>, Arc<Throttle>)>;

/// The throttles of a stage's methods; empty where the stage sets none.
#[derive(Debug, Default)]
pub struct MethodThrottles {
    /// By resource id; below it by the verb of the request, so that the verbs of an `ANY` method count apart.
    resources: HashMap<Box<str>, Verbs>,
}

impl MethodThrottles {
    /// Whether no method is throttled.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// The throttle of a verb of a resource.
    pub fn get(&self, resource: &str, verb: &str) -> Option<&Arc<Throttle>> {
        let verbs = self.resources.get(resource)?;
        verbs.iter().find(|(known, _)| **known == *verb).map(|(_, throttle)| throttle)
    }

    /// Throttles a verb of a resource, which has no throttle yet.
    pub fn insert(&mut self, resource: &str, verb: &str, throttle: Arc<Throttle>) {
        self.resources.entry(resource.into()).or_default().push((verb.into(), throttle));
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
