//! Asynchronous invocations: acknowledged when they are on disk, run when there is room, tried again as AWS does.
//!
//! A function that fails is tried twice more, after one minute and after two. One that cannot be run (throttled, not
//! ready) is tried for six hours, at first after a second and then ever less often (sheet of Lambda, section 11). What
//! is settled is forgotten; what was under way when the process ended is run again, so a function may see an event
//! twice, as on AWS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::clock::Moment;
use base::ids;
use base::seams::{Caller, Invocation, InvokeRefusal, Outcome};
use store::{Scope, Transaction};
use tokio::sync::Semaphore;

use crate::Functions;
use crate::index::scope_of;
use crate::invoke::check_event;
use crate::records::{QueuedEvent, QueuedInvocation};

/// The largest event of an asynchronous invocation: 1 MB.
const EVENT_BYTES: usize = 1_048_576;

/// How many invocations may wait at once. The bound is ours.
const WAITING_AT_MOST: usize = 100_000;

/// How many of them run at once, so that callers who wait for their answer find room too. The bound is ours.
const RUNNING_AT_MOST: usize = 64;

/// How long an event is kept when it cannot be run.
const MAXIMUM_AGE: Duration = Duration::from_secs(6 * 60 * 60);

/// The waits before a function that has failed is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryDelays {
    /// After each failure in turn; after the last one the event is given up.
    pub after_failure: [Duration; 2],
    /// Doubled with every refusal, up to five minutes.
    pub after_refusal: Duration,
}

impl Default for RetryDelays {
    /// As AWS.
    fn default() -> RetryDelays {
        RetryDelays {
            after_failure: [Duration::from_secs(60), Duration::from_secs(120)],
            after_refusal: Duration::from_secs(1),
        }
    }
}

/// The longest wait between two tries of an event that cannot be run.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// The queue of a process.
pub(crate) struct Queue {
    functions: Weak<Functions>,
    delays: RetryDelays,
    waiting: AtomicUsize,
    room: Semaphore,
}

/// What becomes of an event after a try.
enum Next {
    Settled,
    Again(QueuedInvocation),
}

impl Queue {
    pub(crate) fn new(functions: Weak<Functions>, delays: RetryDelays) -> Arc<Queue> {
        let (waiting, room) = (AtomicUsize::new(0), Semaphore::new(RUNNING_AT_MOST));
        Arc::new(Queue { functions, delays, waiting, room })
    }

    /// Takes up what an earlier run has left.
    pub(crate) async fn resume(self: &Arc<Self>, functions: &Functions) -> Result<(), store::StoreError> {
        for (scope, left) in functions.store.list_all::<QueuedInvocation>().await? {
            self.follow(functions, scope, left.record.request_id, left.record.due);
        }
        Ok(())
    }

    /// Accepts an invocation: returns its request id when it is on disk.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        functions: &Functions,
        invocation: Invocation,
        request_id: Option<String>,
    ) -> Result<String, InvokeRefusal> {
        let Invocation { function_arn, payload, caller, trace_id, client_context, .. } = invocation;
        if payload.len() > EVENT_BYTES {
            let message = format!(
                "{} byte payload is too large for the Event invocation type (limit {EVENT_BYTES} bytes)",
                payload.len()
            );
            return Err(InvokeRefusal::BadPayload { message, too_large: true });
        }
        check_event(&payload)?;
        match functions.index.resolve(&function_arn, &caller) {
            // It will be ready by and by, or the event grows too old.
            Ok(_) | Err(InvokeRefusal::NotReady { .. }) => {}
            Err(refusal) => return Err(refusal),
        }
        if self.waiting.load(Ordering::Relaxed) >= WAITING_AT_MOST {
            return Err(InvokeRefusal::TooManyRequests { reason: "CallerRateLimitExceeded" });
        }
        let now = functions.engine.clock.now().0;
        let queued = QueuedInvocation {
            request_id: request_id.unwrap_or_else(ids::uuid),
            function_arn: function_arn.as_ref().to_owned(),
            trace_id,
            client_context,
            accepted: now,
            due: now,
            failures: 0,
            refusals: 0,
        };
        let scope = scope_of(&queued.function_arn);
        let payload = String::from_utf8_lossy(&payload).into_owned();
        let event = QueuedEvent { request_id: queued.request_id.clone(), payload };
        let both = Transaction::new().insert(&scope, &queued).insert(&scope, &event);
        let committed = functions.store.commit(both).await;
        committed.map_err(|error| InvokeRefusal::Unavailable { reason: format!("the event was not kept: {error}") })?;
        self.follow(functions, scope, queued.request_id.clone(), queued.due);
        Ok(queued.request_id)
    }

    /// Sees an event through, on the control runtime.
    fn follow(self: &Arc<Self>, functions: &Functions, scope: Scope, request_id: String, due: u64) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let queue = Arc::clone(self);
        functions.engine.control.spawn(async move {
            let mut due = due;
            while let Some(next) = queue.attempt(&scope, &request_id, due).await {
                due = next;
            }
            queue.waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Waits until the event is due and runs it once; returns when it is due again. The event itself is read only now,
    /// so that what waits takes no memory to speak of.
    async fn attempt(&self, scope: &Scope, request_id: &str, due: u64) -> Option<u64> {
        let clock = self.functions.upgrade()?.engine.clock.clone();
        tokio::time::sleep(Duration::from_millis(due.saturating_sub(clock.now().0))).await;
        let _room = self.room.acquire().await.ok()?;
        let functions = self.functions.upgrade()?;
        let found = functions.store.get::<QueuedInvocation>(scope, request_id).await;
        let event = functions.store.get::<QueuedEvent>(scope, request_id).await;
        let (queued, event) = match (found, event) {
            (Ok(found), Ok(event)) => (found?, event?),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, request_id, "an asynchronous invocation cannot be read; trying again");
                return Some(clock.now().0 + 1_000);
            }
        };
        let revision = queued.revision;
        let (edit, again) = match self.run(&functions, queued.record, event.record.payload, clock.now()).await {
            Next::Settled => (
                Transaction::new().delete::<QueuedInvocation>(scope, request_id, revision).delete::<QueuedEvent>(
                    scope,
                    request_id,
                    event.revision,
                ),
                None,
            ),
            Next::Again(queued) => (Transaction::new().update(scope, &queued, revision), Some(queued.due)),
        };
        if let Err(error) = functions.store.commit(edit).await {
            // It stays as it was, and will be run once more.
            tracing::warn!(%error, request_id, "the outcome of an asynchronous invocation was not kept");
            return Some(clock.now().0 + 1_000);
        }
        again
    }

    async fn run(&self, functions: &Functions, queued: QueuedInvocation, payload: String, now: Moment) -> Next {
        let invocation = Invocation {
            function_arn: queued.function_arn.as_str().into(),
            payload: payload.into(),
            caller: Caller::Trusted,
            trace_id: queued.trace_id.clone(),
            client_context: queued.client_context.clone(),
            tail_log: false,
        };
        let ran = functions.invoke_as(invocation, Some(queued.request_id.clone())).await;
        match ran.map(|invoked| invoked.outcome) {
            Ok(Outcome::Returned(_)) => Next::Settled,
            Ok(Outcome::Failed(_)) => self.after_failure(queued, functions.engine.clock.now()),
            Err(InvokeRefusal::TooManyRequests { .. } | InvokeRefusal::NotReady { .. }) => {
                self.after_refusal(queued, now)
            }
            Err(InvokeRefusal::Unavailable { reason }) => {
                tracing::debug!(reason, "an asynchronous invocation could not be run");
                self.after_refusal(queued, now)
            }
            Err(refusal) => {
                let QueuedInvocation { request_id, function_arn, .. } = queued;
                tracing::warn!(request_id, function_arn, ?refusal, "an asynchronous invocation is given up");
                Next::Settled
            }
        }
    }

    fn after_failure(&self, mut queued: QueuedInvocation, now: Moment) -> Next {
        let Some(delay) = self.delays.after_failure.get(queued.failures as usize) else {
            let QueuedInvocation { request_id, function_arn, .. } = queued;
            tracing::warn!(request_id, function_arn, "a function failed on all tries of an event, which is given up");
            return Next::Settled;
        };
        queued.failures += 1;
        queued.refusals = 0;
        queued.due = now.0.saturating_add(milliseconds(*delay));
        Next::Again(queued)
    }

    fn after_refusal(&self, mut queued: QueuedInvocation, now: Moment) -> Next {
        if now.0.saturating_sub(queued.accepted) >= milliseconds(MAXIMUM_AGE) {
            let QueuedInvocation { request_id, function_arn, .. } = queued;
            tracing::warn!(request_id, function_arn, "an asynchronous invocation has grown too old and is given up");
            return Next::Settled;
        }
        let delay = self.delays.after_refusal.saturating_mul(1 << queued.refusals.min(16)).min(LONGEST_WAIT);
        queued.refusals = queued.refusals.saturating_add(1);
        queued.due = now.0.saturating_add(milliseconds(delay));
        Next::Again(queued)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
