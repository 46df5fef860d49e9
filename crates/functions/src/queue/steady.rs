//! The queue's own time, which goes on evenly whatever becomes of the clock: a step of it by hours neither holds up what
//! waits nor makes it too old.
//!
//! Rows say when an event was accepted by the clock of that moment, because they outlive the process. A ticket says the
//! same in steady time, and how old an event is follows from that alone.

use std::time::Instant;

use base::clock::Moment;

use crate::records::QueuedInvocation;

/// Where steady time begins: far enough that what was accepted before the process began has a place before it.
const BEGINNING: u64 = 1 << 42;

/// Tells steady time.
#[derive(Debug)]
pub(super) struct Steady {
    began: Instant,
}

/// When an event was accepted and when it is due, in steady time: milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Times {
    pub(super) due: u64,
    pub(super) accepted: u64,
}

impl Steady {
    pub(super) fn begin() -> Steady {
        Steady { began: Instant::now() }
    }

    /// The present, in steady time.
    pub(super) fn now(&self) -> u64 {
        BEGINNING.saturating_add(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// How late it is for an event: by a clock that has told the time of its acceptance and gone on evenly since.
    pub(super) fn moment_of(&self, queued: &QueuedInvocation, times: Times) -> Moment {
        Moment(queued.accepted.saturating_add(self.now().saturating_sub(times.accepted)))
    }
}

impl Times {
    /// Of an event that is accepted now.
    pub(super) fn at_once(now: u64) -> Times {
        Times { due: now, accepted: now }
    }

    /// Of an event that an earlier process has left. What stands in its row was told by another clock perhaps, so it
    /// waits for no more than `longest`, the longest wait that there is.
    pub(super) fn left(queued: &QueuedInvocation, clock: Moment, now: u64, longest: u64) -> Times {
        let age = clock.0.saturating_sub(queued.accepted);
        let wait = queued.due.saturating_sub(clock.0).min(longest);
        Times { due: now.saturating_add(wait), accepted: now.saturating_sub(age) }
    }

    /// The same when it is due at another time, told as [`Steady::moment_of`] tells it.
    pub(super) fn until(self, queued: &QueuedInvocation, due: u64) -> Times {
        Times { due: self.accepted.saturating_add(due.saturating_sub(queued.accepted)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const NOW: u64 = BEGINNING;

    fn queued(accepted: u64, due: u64) -> QueuedInvocation {
        QueuedInvocation { due, ..QueuedInvocation::accepted(String::new(), accepted) }
    }

    #[test]
    fn what_is_left_keeps_its_age_and_waits_no_longer_than_there_is_reason_to() {
        let left = |accepted, due| Times::left(&queued(accepted, due), Moment(100 * HOUR), NOW, 60_000);
        // As it was, later, and after the clock has gone back.
        assert_eq!(left(99 * HOUR, 100 * HOUR + 5), Times { due: NOW + 5, accepted: NOW - HOUR });
        assert_eq!(left(99 * HOUR, 99 * HOUR), Times { due: NOW, accepted: NOW - HOUR });
        assert_eq!(left(109 * HOUR, 110 * HOUR), Times { due: NOW + 60_000, accepted: NOW });
        assert_eq!(left(0, u64::MAX), Times { due: NOW + 60_000, accepted: NOW - 100 * HOUR });
    }

    #[test]
    fn an_event_is_as_old_as_the_time_that_has_gone_by() {
        let (steady, row) = (Steady::begin(), queued(100 * HOUR, 0));
        let times = Times { due: 0, accepted: steady.now() - HOUR };
        assert!((101 * HOUR..101 * HOUR + 60_000).contains(&steady.moment_of(&row, times).0));
        assert_eq!(times.until(&row, 102 * HOUR).due, times.accepted + 2 * HOUR);
        assert_eq!(times.until(&row, 1).due, times.accepted);
    }
}
