//! How busy a version is on a thread, and what follows: whether a call had better wait a moment for an environment that
//! is about to be free.
//!
//! More processes than cores do not make short calls quicker: each call then pays for another process's cold caches. So
//! a call of a version whose calls take less than a millisecond waits for one of the first few environments, for a
//! moment that is short beside the start of another. A version that turns out not to be that quick is not waited for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// Calls that run side by side on one thread before others wait for them.
const SIDE_BY_SIDE: usize = 2;

/// Calls quicker than this are waited for.
const QUICK: Duration = Duration::from_millis(1);

/// How long a call waits for another to be done before it takes or starts an environment of its own.
pub(super) const PATIENCE: Duration = Duration::from_millis(10);

/// The paces of a thread's versions, by their serial numbers.
#[derive(Default)]
pub(super) struct Paces {
    of: RefCell<HashMap<u64, Pace>>,
}

struct Pace {
    running: usize,
    /// What the quickest calls took of late, which says more than an average where others use the machine too. Long at
    /// first, so that nobody waits for what is not known to be quick.
    quickest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { running: 0, quickest: PATIENCE }
    }
}

impl Paces {
    /// Notes that a call begins.
    pub(super) fn begin(&self, serial: u64) {
        self.of.borrow_mut().entry(serial).or_default().running += 1;
    }

    /// Notes that a call has ended, and what it took, where it ran to its end.
    pub(super) fn end(&self, serial: u64, took: Option<Duration>) {
        if let Some(pace) = self.of.borrow_mut().get_mut(&serial) {
            pace.running = pace.running.saturating_sub(1);
            if let Some(took) = took {
                pace.quickest = took.min(pace.quickest + pace.quickest / 8);
            }
        }
    }

    /// Whether a call should wait a moment for one that runs.
    pub(super) fn is_worth_waiting(&self, serial: u64) -> bool {
        self.of.borrow().get(&serial).is_some_and(|pace| pace.running >= SIDE_BY_SIDE && pace.quickest < QUICK)
    }

    /// Notes that a call waited in vain: after a few of them nobody waits, until a call is quick again.
    pub(super) fn waited_in_vain(&self, serial: u64) {
        if let Some(pace) = self.of.borrow_mut().get_mut(&serial) {
            pace.quickest = (pace.quickest * 2).min(PATIENCE);
        }
    }

    /// Forgets a version that is no longer run.
    pub(super) fn forget(&self, serial: u64) {
        self.of.borrow_mut().remove(&serial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quick_versions_are_waited_for() {
        let paces = Paces::default();
        let call = |took| {
            paces.begin(1);
            paces.end(1, Some(took));
        };
        paces.begin(1);
        paces.begin(1);
        assert!(!paces.is_worth_waiting(1), "nothing is known yet");
        (0..20).for_each(|_| call(Duration::from_micros(100)));
        assert!(paces.is_worth_waiting(1));
        paces.end(1, None);
        assert!(!paces.is_worth_waiting(1), "there is room beside the one that runs");
        paces.begin(1);
        (0..4).for_each(|_| paces.waited_in_vain(1));
        assert!(!paces.is_worth_waiting(1));
        call(Duration::from_micros(100));
        assert!(paces.is_worth_waiting(1), "one quick call shows what the version can do");
        (0..40).for_each(|_| call(Duration::from_millis(3)));
        assert!(!paces.is_worth_waiting(1));
        paces.forget(1);
        assert!(!paces.is_worth_waiting(1));
    }
}
