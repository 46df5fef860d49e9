//! Functions that die while they load, again and again: they are started at growing intervals, and callers are told at
//! once what the last start was told.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::StartFailure;

/// How many starts in a row may fail before the next one has to wait.
const AT_ONCE: u32 = 5;

/// The first wait; doubled with each failure that follows.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait, so that a function whose trouble was elsewhere is soon well again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What is known of a version's starts.
#[derive(Debug, Default)]
pub(crate) struct CrashLoop {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_a_row: u32,
    wait: Option<(Instant, StartFailure)>,
}

impl CrashLoop {
    /// What a caller is told instead of a start.
    pub(crate) fn refusal(&self, now: Instant) -> Option<StartFailure> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.wait.as_ref().filter(|(until, _)| now < *until).map(|(_, failure)| failure.clone())
    }

    /// Notes how a start has ended. Only the function's own end counts: what takes too long is slow already.
    pub(crate) fn note(&self, now: Instant, failure: Option<&StartFailure>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            None => *state = State::default(),
            Some(failure @ (StartFailure::Init(_) | StartFailure::Exited(_) | StartFailure::Platform(_))) => {
                state.in_a_row = state.in_a_row.saturating_add(1);
                state.wait = wait(state.in_a_row).map(|wait| (now + wait, failure.clone()));
            }
            Some(_) => {}
        }
    }
}

/// How long the next start waits after so many failures in a row.
pub(super) fn wait(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(AT_ONCE)?;
    Some(FIRST_WAIT.saturating_mul(1 << doublings.min(16)).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn starts_that_fail_come_less_and_less_often() {
        let (crashes, failure) = (CrashLoop::default(), StartFailure::Init(Bytes::from_static(b"{}")));
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..16 {
            crashes.note(now, Some(&failure));
            let began = now;
            while crashes.refusal(now).is_some() {
                now += Duration::from_millis(100);
            }
            waits.push((now - began).as_millis() / 100);
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100, 100]);
        crashes.note(now, Some(&failure));
        assert!(matches!(crashes.refusal(now), Some(StartFailure::Init(payload)) if payload == "{}"));
        crashes.note(now, None);
        assert!(crashes.refusal(now).is_none());
        crashes.note(now, Some(&failure));
        assert!(crashes.refusal(now).is_none());
    }

    #[test]
    fn only_the_functions_own_end_counts() {
        let crashes = CrashLoop::default();
        for _ in 0..20 {
            crashes.note(Instant::now(), Some(&StartFailure::TimedOut));
            crashes.note(Instant::now(), Some(&StartFailure::Unavailable(String::new())));
        }
        assert!(crashes.refusal(Instant::now()).is_none());
    }
}
