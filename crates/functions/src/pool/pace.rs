//! How busy a version is on a thread, and what follows: whether a call had better wait a moment for an environment that
//! is about to be free, and how many environments are started at once.
//!
//! More processes than cores do not make short calls quicker: each call then pays for another process's cold caches. So
//! a call of a version whose calls take less than a millisecond waits for one of the first few environments, for a
//! moment that is short beside the start of another. A version that turns out not to be that quick is not waited for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Notify;

/// Calls that run side by side on one thread before others wait for them.
const SIDE_BY_SIDE: usize = 2;

/// Calls quicker than this are waited for.
const QUICK: Duration = Duration::from_millis(1);

/// How long a call waits for another to be done before it takes or starts an environment of its own.
pub(super) const PATIENCE: Duration = Duration::from_millis(5);

/// Starts of one version that go on at once on one thread: a start keeps a core busy, and the next call may find that
/// the one before it has freed an environment.
const STARTS: usize = 2;

/// How long a start keeps others waiting: one that hangs does not hold up the rest for long.
const START_PATIENCE: Duration = Duration::from_secs(1);

/// The paces of a thread's versions, by their serial numbers.
#[derive(Default)]
pub(super) struct Paces {
    of: RefCell<HashMap<u64, Pace>>,
    started: Notify,
}

struct Pace {
    running: usize,
    starting: usize,
    /// A moving average of what calls took; long at first, so that nobody waits for what is not known to be quick.
    recent: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { running: 0, starting: 0, recent: PATIENCE }
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
                pace.recent = (pace.recent * 3 + took) / 4;
            }
        }
    }

    /// Whether a call should wait a moment for one that runs.
    pub(super) fn is_worth_waiting(&self, serial: u64) -> bool {
        self.of.borrow().get(&serial).is_some_and(|pace| pace.running >= SIDE_BY_SIDE && pace.recent < QUICK)
    }

    /// Notes that a call waited in vain: the version is not that quick any more.
    pub(super) fn waited_in_vain(&self, serial: u64) {
        if let Some(pace) = self.of.borrow_mut().get_mut(&serial) {
            pace.recent = PATIENCE;
        }
    }

    /// Waits for a place among the starts; given back with [`Paces::start_ended`].
    pub(super) async fn start_begins(&self, serial: u64) {
        let patience = tokio::time::sleep(START_PATIENCE);
        tokio::pin!(patience);
        loop {
            let freed = self.started.notified();
            if self.of.borrow().get(&serial).is_none_or(|pace| pace.starting < STARTS) {
                break;
            }
            tokio::select! {
                () = freed => {}
                () = &mut patience => break,
            }
        }
        self.of.borrow_mut().entry(serial).or_default().starting += 1;
    }

    /// Gives a start's place back.
    pub(super) fn start_ended(&self, serial: u64) {
        if let Some(pace) = self.of.borrow_mut().get_mut(&serial) {
            pace.starting = pace.starting.saturating_sub(1);
        }
        self.started.notify_waiters();
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
        paces.waited_in_vain(1);
        assert!(!paces.is_worth_waiting(1));
        (0..20).for_each(|_| call(Duration::from_millis(3)));
        assert!(!paces.is_worth_waiting(1));
        paces.forget(1);
        assert!(!paces.is_worth_waiting(1));
    }

    #[tokio::test(start_paused = true)]
    async fn starts_take_turns_unless_one_hangs() {
        let paces = Paces::default();
        paces.start_begins(1).await;
        paces.start_begins(1).await;
        let began = tokio::time::Instant::now();
        paces.start_begins(2).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "another version's starts are its own");
        paces.start_begins(1).await;
        assert_eq!(began.elapsed(), START_PATIENCE);
        (0..2).for_each(|_| paces.start_ended(1));
        paces.start_begins(1).await;
        assert_eq!(began.elapsed(), START_PATIENCE);
    }
}
