//! Asynchronous invocations: acknowledged when they are on disk, run when there is room, tried again as AWS does, and
//! what became of them delivered to whoever is to know.
//!
//! The store holds the queue. In memory there is for each event only where it stands in line ([`lanes`]). An event that
//! is over is replaced in one commit by its deliveries, which are events of the same queue and are forgotten when their
//! target has acknowledged them. What was under way when the process ended is done again, so a function may see an
//! event twice, as on AWS.

mod attempt;
mod deliver;
mod ending;
mod lanes;
mod steady;
mod verdict;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use base::ids;
use base::seams::{CallService, Invocation, InvokeRefusal};
use store::{StoreError, Stored, Transaction};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::Functions;
use crate::index::scope_of;
use crate::invoke::{check_event, not_json};
use crate::records::{QueuedEvent, QueuedInvocation};
use lanes::{Lane, Lanes, Next};
use steady::{Steady, Times};

pub use verdict::RetryDelays;

/// The largest event of an asynchronous invocation: 1 MB.
const EVENT_BYTES: usize = 1_048_576;

/// How many events may wait at once: 48 MB of places in line. The bound is ours.
const WAITING_AT_MOST: usize = 1_000_000;

/// How many of them are under way at once: each may be 1 MB. A function gets half of them at most, so that callers who
/// wait for their answer find room too. The bound is ours.
const PLACES: usize = 128;

/// The longest sleep, whatever is waited for.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How many events are read at once when the queue is taken up.
const PAGE: usize = 1000;

/// The queue of a process.
pub(crate) struct Queue {
    functions: Weak<Functions>,
    delays: RetryDelays,
    services: Option<Arc<dyn CallService>>,
    steady: Steady,
    lanes: Mutex<Lanes>,
    /// Something has come or is done.
    changed: Notify,
    is_closed: AtomicBool,
    pub(crate) counts: Counts,
}

/// What has happened to events since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Tries for which there was no room.
    pub(crate) refused: AtomicU64,
    /// Events that were given up and that nobody was to be told about; AWS's metric `AsyncEventsDropped`.
    pub(crate) dropped: AtomicU64,
    /// Deliveries that were given up; AWS's metrics `DestinationDeliveryFailures` and `DeadLetterErrors`.
    pub(crate) undelivered: AtomicU64,
}

impl Queue {
    pub(crate) fn new(
        functions: Weak<Functions>,
        delays: RetryDelays,
        services: Option<Arc<dyn CallService>>,
    ) -> Arc<Queue> {
        Arc::new(Queue {
            functions,
            delays,
            services,
            steady: Steady::begin(),
            lanes: Mutex::new(Lanes::new(PLACES)),
            changed: Notify::new(),
            is_closed: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    /// Takes up what an earlier run has left, and begins to work.
    pub(crate) async fn start(self: &Arc<Self>, functions: &Functions) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let after = last.as_ref().map(|(scope, id): &(_, String)| (scope, id.as_str()));
            let page = functions.store.page_all::<QueuedInvocation>(after, PAGE).await?;
            for (_, Stored { record: left, .. }) in &page {
                let times = Times::left(left, functions.engine.clock.now(), self.steady.now(), self.delays.longest());
                self.add(left, times);
            }
            match page.into_iter().next_back() {
                Some((scope, left)) => last = Some((scope, left.record.request_id)),
                None => break,
            }
        }
        let control = functions.engine.control.clone();
        control.clone().spawn(Arc::clone(self).work(control));
        Ok(())
    }

    /// Accepts an invocation: returns its request id when it is on disk.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        functions: &Functions,
        invocation: Invocation,
    ) -> Result<String, InvokeRefusal> {
        let Invocation { function_arn, payload, caller, trace_id, client_context, request_id, .. } = invocation;
        if payload.len() > EVENT_BYTES {
            let message = format!(
                "{} byte payload is too large for the Event invocation type (limit {EVENT_BYTES} bytes)",
                payload.len()
            );
            return Err(InvokeRefusal::BadPayload { message, too_large: true });
        }
        check_event(&payload)?;
        let payload = String::from_utf8(payload.into())
            .map_err(|error| InvokeRefusal::BadPayload { message: not_json(error.as_bytes()), too_large: false })?;
        match functions.index.resolve(&function_arn, &caller) {
            // It will be ready by and by, or the event grows too old.
            Ok(_) | Err(InvokeRefusal::NotReady { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        if self.lanes().held() >= WAITING_AT_MOST {
            return Err(InvokeRefusal::TooManyRequests { reason: "CallerRateLimitExceeded" });
        }
        let now = functions.engine.clock.now().0;
        let accepted = QueuedInvocation::accepted(function_arn.as_ref().to_owned(), now);
        let request_id = request_id.unwrap_or_else(|| accepted.request_id.clone());
        let queued = QueuedInvocation { request_id, trace_id, client_context, ..accepted };
        let scope = scope_of(&queued.function_arn);
        let event = QueuedEvent { request_id: queued.request_id.clone(), payload };
        let both = Transaction::new().insert(&scope, &queued).insert(&scope, &event);
        let committed = functions.store.commit(both).await;
        committed.map_err(|error| InvokeRefusal::Unavailable { reason: format!("the event was not kept: {error}") })?;
        self.add(&queued, Times::at_once(self.steady.now()));
        Ok(queued.request_id)
    }

    /// Begins nothing more.
    pub(crate) fn close_to_new(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.lanes().close();
        self.changed.notify_one();
    }

    /// Waits for at most `patience` until what is under way has been written down; after
    /// [`close_to_new`](Queue::close_to_new).
    pub(crate) async fn close(&self, patience: Duration) {
        let settled = async {
            while self.lanes().running() > 0 {
                self.changed.notified().await;
            }
        };
        // What is not written down is done again after the next start.
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// Puts an event that is in the store into its lane.
    fn add(&self, queued: &QueuedInvocation, times: Times) {
        let Some(id) = id_of(&queued.request_id) else {
            tracing::warn!(request_id = queued.request_id, "an event in the queue has no id that could be its own");
            return;
        };
        let of = match &queued.delivery {
            Some(delivery) => delivery.target.as_str(),
            None => queued.function_arn.as_str(),
        };
        let lane = Lane { scope: scope_of(&queued.function_arn), of: of.into() };
        let refusals = u8::try_from(queued.refusals).unwrap_or(u8::MAX);
        self.lanes().add(lane, times, id, refusals);
        self.changed.notify_one();
    }

    /// Begins what is due as long as the functions are there.
    async fn work(self: Arc<Self>, control: Handle) {
        while self.functions.strong_count() > 0 {
            let now = self.steady.now();
            let next = self.lanes().next(now);
            let until = match next {
                Next::Try(lane, ticket) => {
                    control.spawn(Arc::clone(&self).see_to(lane, ticket));
                    continue;
                }
                Next::Wait(until) => until,
            };
            if self.is_closed.load(Ordering::Acquire) {
                // Whoever waits for the end may have been meant.
                self.changed.notify_one();
                return;
            }
            let sleep = until.map_or(LONGEST_SLEEP, |until| Duration::from_millis(until.saturating_sub(now)));
            // Woken or not: the lanes are looked at again.
            let _ = tokio::time::timeout(sleep.min(LONGEST_SLEEP), self.changed.notified()).await;
        }
    }

    /// Never held across a wait.
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The 16 bytes of a UUID.
fn id_of(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.split('-').collect();
    let value = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    let bytes = value.to_be_bytes();
    (ids::uuid_text(bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read() {
        let id = ids::uuid();
        assert_eq!(id_of(&id).map(ids::uuid_text), Some(id));
        for text in ["", "x", "8A7B6C5D-0000-4000-8000-000000000001", "8a7b6c5d00004000800000000000000f"] {
            assert_eq!(id_of(text), None, "{text}");
        }
    }
}
