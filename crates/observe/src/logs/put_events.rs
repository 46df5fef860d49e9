//! PutLogEvents: which events of a batch are taken.

use std::sync::Arc;

use model_logs as model;
use wire::{ApiError, Call};

use super::{Logs, failed, names, refusals, scope};

/// Bytes that an event, and a batch, may have; each event counts some for itself.
const BATCH_BYTES: usize = 1024 * 1024;
const BYTES_BESIDE: usize = 26;

/// Milliseconds of an hour and a day.
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// How far events may be ahead, and how old they may be.
const AHEAD: i64 = 2 * HOUR;
const OLDEST: i64 = 14 * DAY;

impl Logs {
    pub(super) async fn put_log_events(
        self: Arc<Self>,
        call: Call,
        input: model::PutLogEventsRequest,
    ) -> Result<model::PutLogEventsResponse, ApiError> {
        let scope = scope(&call);
        let (group, stream) = (names::checked(input.log_group_name)?, names::checked(input.log_stream_name)?);
        check(&input.log_events)?;
        let retention = self.group(&scope, &group).await?.retention_days;
        let judged = Judged::of(&input.log_events, self.now(), retention);
        let taken = input.log_events.into_iter().take(judged.end).skip(judged.start);
        let taken = taken.map(|event| (event.timestamp, event.message)).collect();
        let last = self.store.append(&scope, &group, &stream, taken).await.map_err(failed)?;
        Ok(model::PutLogEventsResponse {
            next_sequence_token: Some(sequence_token(last)),
            rejected_log_events_info: judged.rejected,
            rejected_entity_info: None,
        })
    }
}

/// A sequence token, which nobody asks for any more.
pub(super) fn sequence_token(number: i64) -> String {
    format!("49{number:054}")
}

/// Refuses a batch as a whole.
fn check(events: &[model::InputLogEvent]) -> Result<(), ApiError> {
    let mut bytes = 0;
    for event in events {
        let size = event.message.len() + BYTES_BESIDE;
        if size > BATCH_BYTES {
            return Err(refusals::invalid(format!("Log event too large: {size} bytes exceeds limit of {BATCH_BYTES}")));
        }
        bytes += size;
    }
    if bytes > BATCH_BYTES {
        return Err(refusals::invalid(format!("Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES}")));
    }
    if events.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        return Err(refusals::invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let span = events.last().zip(events.first()).map(|(last, first)| last.timestamp.saturating_sub(first.timestamp));
    if span > Some(DAY) {
        return Err(refusals::invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(())
}

/// Which events of a batch are taken, and what is said about the others.
#[derive(Debug, PartialEq)]
struct Judged {
    start: usize,
    end: usize,
    rejected: Option<model::RejectedLogEventsInfo>,
}

impl Judged {
    fn of(events: &[model::InputLogEvent], now: i64, retention_days: Option<u32>) -> Judged {
        let before = |moment: i64| events.partition_point(|event| event.timestamp < moment);
        let too_old = before(now.saturating_sub(OLDEST));
        let expired = retention_days.map_or(0, |days| before(now.saturating_sub(i64::from(days) * DAY)));
        let too_new = before(now.saturating_add(AHEAD).saturating_add(1));
        // A batch has at most 10,000 events.
        let index = |at: usize| i32::try_from(at).ok();
        let rejected = model::RejectedLogEventsInfo {
            too_new_log_event_start_index: index(too_new).filter(|_| too_new < events.len()),
            too_old_log_event_end_index: index(too_old).filter(|end| *end > 0),
            expired_log_event_end_index: index(expired).filter(|end| *end > 0),
        };
        let is_clean = too_old == 0 && expired == 0 && too_new == events.len();
        Judged { start: too_old.max(expired), end: too_new, rejected: (!is_clean).then_some(rejected) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn events(offsets: &[i64]) -> Vec<model::InputLogEvent> {
        let event = |offset: &i64| model::InputLogEvent { timestamp: NOW + offset, message: "x".into() };
        offsets.iter().map(event).collect()
    }

    #[test]
    fn events_that_are_too_old_or_too_new_are_left_out() {
        let judge = |offsets: &[i64], retention| {
            let Judged { start, end, rejected } = Judged::of(&events(offsets), NOW, retention);
            let rejected = rejected.map(|info| {
                let model::RejectedLogEventsInfo {
                    too_new_log_event_start_index: new,
                    too_old_log_event_end_index: old,
                    expired_log_event_end_index: expired,
                } = info;
                (new, old, expired)
            });
            (start, end, rejected)
        };
        assert_eq!(judge(&[-OLDEST, 0, AHEAD], None), (0, 3, None));
        assert_eq!(judge(&[-OLDEST - 1, 0, AHEAD + 1], None), (1, 2, Some((Some(2), Some(1), None))));
        assert_eq!(judge(&[-DAY - 1, 0], Some(1)), (1, 2, Some((None, None, Some(1)))));
        assert_eq!(judge(&[-OLDEST - 1], Some(30)), (1, 1, Some((None, Some(1), None))));
        assert_eq!(judge(&[AHEAD + 1], None), (0, 0, Some((Some(0), None, None))));
    }

    #[test]
    fn batches_are_refused_as_a_whole() {
        let refused = |events: &[model::InputLogEvent]| check(events).unwrap_err().message().to_owned();
        let large = |size: usize| model::InputLogEvent { timestamp: NOW, message: "x".repeat(size) };
        assert!(check(&[large(BATCH_BYTES - 26)]).is_ok());
        assert_eq!(refused(&[large(BATCH_BYTES - 25)]), "Log event too large: 1048577 bytes exceeds limit of 1048576");
        let half = large(BATCH_BYTES / 2);
        assert_eq!(refused(&[half.clone(), half]), "Upload too large: 1048628 bytes exceeds limit of 1048576");
        assert!(refused(&events(&[1, 0])).contains("chronological order"));
        assert!(check(&events(&[0, DAY])).is_ok());
        assert!(refused(&events(&[0, DAY + 1])).contains("24 hours"));
    }
}
