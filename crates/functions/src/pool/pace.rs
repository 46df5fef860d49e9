//! How busy a version is on a thread, and what follows: whether a call had better wait a moment for an environment that
//! is about to be free.
//!
//! More processes than cores do not make short calls quicker: each call then pays for another process's cold caches. So
//! a call of a version whose calls take less than a millisecond waits for one of the first few environments, for a
//! moment that is short beside the start of another. A version that turns out not to be that quick is not waited for.
//!
//! Many calls at once slow each other down, so that a quick version may look slow for as long as nobody waits. Therefore
//! one whose calls would be quick alone, if they shared the time fairly, is given another chance now and then.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// Calls that run side by side on one thread before others wait for them.
const SIDE_BY_SIDE: usize = 2;

/// Calls quicker than this are waited for.
const QUICK: Duration = Duration::from_millis(1);

/// How long a call waits for another to be done before it takes or starts an environment of its own.
pub(super) const PATIENCE: Duration = Duration::from_millis(10);

/// So many calls of a version that may look slower than it is are made before it gets another chance.
const CALLS_TO_A_CHANCE: u32 = 256;

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
    /// Calls since the last chance that may have looked slower than they are.
    slowed_down: u32,
    /// Calls that ran already when the last chance was given: they say nothing about it.
    from_before: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { running: 0, quickest: PATIENCE, slowed_down: 0, from_before: 0 }
    }
}

impl Pace {
    fn note(&mut self, took: Duration, side_by_side: usize) {
        self.quickest = took.min(self.quickest + self.quickest / 8);
        let share = took / u32::try_from(side_by_side).unwrap_or(u32::MAX).max(1);
        if side_by_side <= SIDE_BY_SIDE || self.quickest < QUICK || share >= QUICK {
            return;
        }
        self.slowed_down += 1;
        if self.slowed_down >= CALLS_TO_A_CHANCE {
            *self = Pace { running: self.running, quickest: QUICK / 2, slowed_down: 0, from_before: self.running };
        }
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
            let side_by_side = pace.running;
            pace.running = side_by_side.saturating_sub(1);
            if pace.from_before > 0 {
                pace.from_before -= 1;
            } else if let Some(took) = took {
                pace.note(took, side_by_side);
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

    /// Lets sixteen calls run at once, each for as long as `took` says of how many run, until one had better wait or so
    /// many have run.
    fn crowd(paces: &Paces, calls: u32, took: impl Fn(usize) -> Duration) -> bool {
        (0..16).for_each(|_| paces.begin(1));
        for _ in 0..calls {
            paces.end(1, Some(took(16)));
            if paces.is_worth_waiting(1) {
                return true;
            }
            paces.begin(1);
        }
        false
    }

    #[test]
    fn a_crowd_of_quick_calls_gets_another_chance() {
        let paces = Paces::default();
        let quick = |running| Duration::from_micros(70) * u32::try_from(running).unwrap();
        assert!(crowd(&paces, 400, quick), "calls of 70 µs look like 1.1 ms beside fifteen others");
        // Those of before end, late; then only two are left.
        (0..14).for_each(|_| paces.end(1, Some(quick(16))));
        paces.begin(1);
        assert!(paces.is_worth_waiting(1));
        for _ in 0..1000 {
            paces.end(1, Some(quick(2)));
            paces.begin(1);
            assert!(paces.is_worth_waiting(1), "it stays so");
        }
    }

    #[test]
    fn what_is_slow_alone_is_not_waited_for_again_and_again() {
        let paces = Paces::default();
        assert!(!crowd(&paces, 10_000, |_| Duration::from_millis(20)), "20 ms for each is slow, however it is shared");
        let paces = Paces::default();
        let waits_for_others = |_| Duration::from_millis(3);
        assert!(crowd(&paces, 400, waits_for_others), "3 ms might be sixteen calls' sharing");
        (0..14).for_each(|_| paces.end(1, Some(Duration::from_millis(3))));
        paces.begin(1);
        for _ in 0..8 {
            paces.end(1, Some(Duration::from_millis(3)));
            paces.begin(1);
        }
        assert!(!paces.is_worth_waiting(1), "a few calls show that it is not");
    }
}
