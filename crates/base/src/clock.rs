//! Time as a parameter: nothing in the project reads the system's clock but through here, so that tests can set it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Whole and fractional seconds, as AWS's JSON protocols write a timestamp.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Whole seconds, rounded down.
    pub fn whole_seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// Where moments come from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that a test moves by hand; milliseconds.
    Fake(Arc<AtomicU64>),
}

impl Clock {
    /// Makes a clock that stands still at `start` until it is advanced.
    pub fn fake(start: Moment) -> Clock {
        Clock::Fake(Arc::new(AtomicU64::new(start.0)))
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
    pub fn now(&self) -> Moment {
        match self {
            Clock::System => {
                Moment(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
            }
            Clock::Fake(milliseconds) => Moment(milliseconds.load(Ordering::Acquire)),
        }
    }

    /// Sets a fake clock, forward or back; does nothing to the system's.
    pub fn set(&self, moment: Moment) {
        if let Clock::Fake(now) = self {
            now.store(moment.0, Ordering::Release);
        }
    }

    /// Moves a fake clock forward by `milliseconds`; does nothing to the system's.
    pub fn advance(&self, milliseconds: u64) {
        if let Clock::Fake(now) = self {
            now.fetch_add(milliseconds, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fake_clock_moves_only_by_hand() {
        let clock = Clock::fake(Moment(1_500));
        let same = clock.clone();
        assert_eq!(clock.now().whole_seconds(), 1);
        clock.advance(600);
        assert_eq!(same.now(), Moment(2_100));
        assert!((same.now().seconds() - 2.1).abs() < f64::EPSILON);
        clock.set(Moment(3));
        assert_eq!(same.now(), Moment(3));
    }
}
