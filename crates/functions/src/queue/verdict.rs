//! What becomes of an event after a try: over, or later.

use std::time::Duration;

use base::clock::Moment;

use super::ending::{Condition, Ending, LastAnswer};
use crate::event_invoke::Handling;
use crate::records::QueuedInvocation;

/// The longest wait between two tries of what cannot be run or delivered.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// The waits before an event is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryDelays {
    /// After each failure of the function in turn.
    pub after_failure: [Duration; 2],
    /// After an event could not be run, or its outcome not be delivered: doubled with every time, up to five minutes.
    pub after_refusal: Duration,
}

impl Default for RetryDelays {
    /// As AWS.
    fn default() -> RetryDelays {
        let (first, second) = (Duration::from_secs(60), Duration::from_secs(120));
        RetryDelays { after_failure: [first, second], after_refusal: Duration::from_secs(1) }
    }
}

impl RetryDelays {
    /// As AWS, but with another wait after the first failure; the second is twice as long.
    pub fn starting_with(after_failure: Duration) -> RetryDelays {
        RetryDelays { after_failure: [after_failure, after_failure.saturating_mul(2)], ..RetryDelays::default() }
    }

    /// The longest wait that a row may tell of, in milliseconds; those after refusals are not written down.
    pub(super) fn longest(&self) -> u64 {
        milliseconds(self.after_failure.into_iter().max().unwrap_or_default())
    }

    /// When what was refused `times` before is tried again: up to a quarter later than it might be, so that what was
    /// refused at once does not come back at once.
    pub(super) fn refused(&self, times: u8, now: Moment) -> u64 {
        let delay = milliseconds(self.after_refusal.saturating_mul(1 << times.min(16)).min(LONGEST_WAIT));
        let [random] = base::ids::random_bytes();
        now.0.saturating_add(delay).saturating_add(delay / 4 * u64::from(random) / 256)
    }
}

/// What becomes of an event.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is settled, and whoever wants to know is told.
    Over(Ending),
    /// The function has failed, and is tried again when the row says.
    Later(QueuedInvocation),
    /// It could not be run, and is tried again at this time.
    Refused(u64),
}

/// Whether an event is too old to be run, and what is told about it then.
pub(super) fn expired(invocation: &QueuedInvocation, handling: &Handling, now: Moment) -> Option<Ending> {
    (now.0 > expiry(invocation, handling)).then(|| Ending {
        condition: Condition::EventAgeExceeded,
        invoke_count: invocation.failures,
        answer: None,
    })
}

/// After the function has answered.
pub(super) fn after_answer(
    mut invocation: QueuedInvocation,
    answer: LastAnswer,
    handling: &Handling,
    delays: &RetryDelays,
    now: Moment,
) -> Verdict {
    let over =
        |condition, invoke_count| Verdict::Over(Ending { condition, invoke_count, answer: Some(answer.clone()) });
    let invoke_count = invocation.failures.saturating_add(1);
    if !answer.failed {
        return over(Condition::Success, invoke_count);
    }
    let delay = delays.after_failure.get(invocation.failures as usize);
    let Some(delay) = delay.filter(|_| invocation.failures < handling.retries) else {
        return over(Condition::RetriesExhausted, invoke_count);
    };
    let due = now.0.saturating_add(milliseconds(*delay));
    // AWS does not wait for the end of an event that will be too old when its time comes.
    if due > expiry(&invocation, handling) {
        return over(Condition::EventAgeExceeded, invoke_count);
    }
    (invocation.failures, invocation.refusals, invocation.due) = (invoke_count, 0, due);
    Verdict::Later(invocation)
}

/// After there was no room for the event, or its function was not ready.
pub(super) fn after_refusal(
    invocation: &QueuedInvocation,
    handling: &Handling,
    delays: &RetryDelays,
    refusals: u8,
    now: Moment,
) -> Verdict {
    let expiry = expiry(invocation, handling);
    let over = |condition| Verdict::Over(Ending { condition, invoke_count: invocation.failures, answer: None });
    if handling.is_barred {
        return over(Condition::ZeroReservedConcurrency);
    }
    if now.0 >= expiry {
        return over(Condition::EventAgeExceeded);
    }
    Verdict::Refused(delays.refused(refusals, now).min(expiry))
}

fn expiry(invocation: &QueuedInvocation, handling: &Handling) -> u64 {
    invocation.accepted.saturating_add(milliseconds(handling.event_age))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const DELAYS: RetryDelays = RetryDelays {
        after_failure: [Duration::from_secs(60), Duration::from_secs(120)],
        after_refusal: Duration::from_secs(1),
    };

    fn invocation(failures: u32) -> QueuedInvocation {
        QueuedInvocation { failures, ..QueuedInvocation::accepted(String::new(), 1_000_000) }
    }

    fn handling(retries: u32, seconds: u64) -> Handling {
        Handling { retries, event_age: Duration::from_secs(seconds), ..Handling::of(None, None) }
    }

    /// After a failure `seconds` after the event was accepted: the condition and the count, or how long it waits.
    fn failed(failures: u32, handling: &Handling, seconds: u64) -> Result<(Condition, u32), u64> {
        let answer = LastAnswer { executed_version: String::new(), failed: true, payload: Bytes::new() };
        let now = Moment(1_000_000 + seconds * 1000);
        match after_answer(invocation(failures), answer, handling, &DELAYS, now) {
            Verdict::Over(ending) => Ok((ending.condition, ending.invoke_count)),
            Verdict::Later(later) => {
                assert_eq!(later.failures, failures + 1);
                Err((later.due - now.0) / 1000)
            }
            Verdict::Refused(_) => panic!("it was run"),
        }
    }

    #[test]
    fn failures_are_tried_again_as_the_config_says() {
        use Condition::{EventAgeExceeded, RetriesExhausted};
        let usual = Handling::of(None, None);
        assert_eq!(failed(0, &usual, 1), Err(60));
        assert_eq!(failed(1, &usual, 61), Err(120));
        assert_eq!(failed(2, &usual, 181), Ok((RetriesExhausted, 3)));
        assert_eq!(failed(0, &handling(0, 21_600), 1), Ok((RetriesExhausted, 1)));
        assert_eq!(failed(1, &handling(1, 21_600), 1), Ok((RetriesExhausted, 2)));
        // As recorded: with an age of 60 seconds there is no second try, with 90 there is no third.
        assert_eq!(failed(0, &handling(2, 60), 1), Ok((EventAgeExceeded, 1)));
        assert_eq!(failed(0, &handling(2, 90), 1), Err(60));
        assert_eq!(failed(1, &handling(2, 90), 62), Ok((EventAgeExceeded, 2)));
    }

    #[test]
    fn refusals_wait_ever_longer_until_the_event_is_too_old() {
        let usual = Handling::of(None, None);
        let wait = |refusals, seconds: u64| {
            let now = Moment(1_000_000 + seconds * 1000);
            match after_refusal(&invocation(1), &usual, &DELAYS, refusals, now) {
                Verdict::Refused(due) => Ok(due - now.0),
                Verdict::Over(ending) => Err((ending.condition, ending.invoke_count)),
                Verdict::Later(_) => panic!("it was not run"),
            }
        };
        for (refusals, least) in [(0, 1_000), (1, 2_000), (5, 32_000), (20, 300_000), (255, 300_000)] {
            let wait = wait(refusals, 0).unwrap();
            assert!((least..=least + least / 4).contains(&wait), "{refusals}: {wait}");
        }
        assert_eq!(wait(20, 21_599), Ok(1_000), "one last time when it is about to be too old");
        assert_eq!(wait(20, 21_600), Err((Condition::EventAgeExceeded, 1)));
        let barred = Handling { is_barred: true, ..usual.clone() };
        let verdict = after_refusal(&invocation(0), &barred, &DELAYS, 0, Moment(1_000_000));
        let given_up = |ending: &Ending| ending.condition == Condition::ZeroReservedConcurrency;
        assert!(matches!(verdict, Verdict::Over(ending) if given_up(&ending)));
        assert!(expired(&invocation(0), &usual, Moment(1_000_000 + 21_600_000)).is_none());
        assert!(expired(&invocation(0), &usual, Moment(1_000_000 + 21_600_001)).is_some());
    }
}
