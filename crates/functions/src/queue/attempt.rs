//! One try of one event: the function is run, or a delivery made, and the store told what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::clock::Moment;
use base::ids;
use base::seams::{Caller, Invocation, InvokeRefusal, Outcome, ServiceSilence};
use bytes::Bytes;
use serde_json::json;
use store::{StoreError, Stored, Transaction};

use super::ending::{Ending, LastAnswer, or_empty};
use super::lanes::{Lane, Ticket};
use super::steady::Times;
use super::verdict::{Verdict, after_answer, after_refusal, expired};
use super::{EVENT_BYTES, Queue, deliver};
use crate::Functions;
use crate::event_invoke::{EVENT_AGE_SECONDS, Handling, Target};
use crate::records::{Delivery, LATEST, QueuedEvent, QueuedInvocation};
use crate::recursion::{self, Loop};

/// How often a delivery is tried that its target says no to.
const TRIES_OF_REFUSED_DELIVERIES: u8 = 5;

/// How long an event waits that the store could not read.
const AFTER_STORE_FAILURE: u64 = 1_000;

/// The first wait before something is written once more, and the longest.
const WRITE_AGAIN: Duration = Duration::from_millis(100);
const WRITE_AGAIN_AT_LEAST: Duration = Duration::from_secs(5);

/// An event and what stands for it in the store.
struct Row {
    invocation: QueuedInvocation,
    revision: u64,
    ticket: Ticket,
}

/// What came of a try.
enum Came {
    /// The event is over; these come in its place.
    Over(Vec<(QueuedInvocation, QueuedEvent)>),
    /// It is tried again as the row now says.
    Later(QueuedInvocation),
    /// It could not be tried, and is when this time comes.
    Refused(u64),
    /// Nothing is to be changed: the process ends.
    Nothing,
}

impl Queue {
    /// Tries an event, and takes it off its lane or puts it back.
    pub(super) async fn see_to(self: Arc<Self>, lane: Lane, ticket: Ticket) {
        let Some(functions) = self.functions.upgrade() else { return };
        let (again, had_room) = match self.attempt(&functions, &lane, ticket).await {
            Ok(came) => came,
            Err(error) => {
                // It stays as it was, and is tried once more.
                let request_id = ids::uuid_text(ticket.id);
                tracing::warn!(%error, request_id, "an asynchronous invocation cannot be read or written; trying again");
                let due = self.steady.now() + AFTER_STORE_FAILURE;
                (Some(Ticket { times: Times { due, ..ticket.times }, ..ticket }), false)
            }
        };
        self.lanes().finish(&lane, again, had_room, self.steady.now());
        self.changed.notify_one();
    }

    /// When the event is tried again, if it is, and whether there was room for it.
    async fn attempt(
        &self,
        functions: &Functions,
        lane: &Lane,
        ticket: Ticket,
    ) -> Result<(Option<Ticket>, bool), StoreError> {
        let id = ids::uuid_text(ticket.id);
        let scope = &lane.scope;
        let Some(Stored { record: invocation, revision }) = functions.store.get(scope, &id).await? else {
            return Ok((None, true));
        };
        let row = Row { invocation, revision, ticket };
        let came = match row.invocation.delivery.clone() {
            Some(delivery) => self.deliver(functions, lane, &row, &delivery).await?,
            None => self.run(functions, lane, &row).await?,
        };
        let (edit, again) = match &came {
            Came::Over(successors) => {
                let mut edit = Transaction::new()
                    .delete::<QueuedInvocation>(scope, &id, row.revision)
                    .delete_tree::<QueuedEvent>(scope, &id);
                for (invocation, event) in successors {
                    let scope = crate::index::scope_of(&invocation.function_arn);
                    edit = edit.insert(&scope, invocation).insert(&scope, event);
                }
                (edit, None)
            }
            Came::Later(later) => {
                let again = Ticket { times: ticket.times.until(later, later.due), refusals: 0, ..ticket };
                (Transaction::new().update(scope, later, row.revision), Some(again))
            }
            Came::Refused(due) => {
                let (times, refusals) = (ticket.times.until(&row.invocation, *due), ticket.refusals.saturating_add(1));
                return Ok((Some(Ticket { times, refusals, ..ticket }), false));
            }
            Came::Nothing => return Ok((Some(ticket), false)),
        };
        self.write(functions, edit, &id).await?;
        if let Came::Over(successors) = &came {
            for (invocation, _) in successors {
                self.add(invocation, Times::at_once(self.steady.now()));
            }
        }
        Ok((again, true))
    }

    /// Writes down what came of a try. What cannot be written (a full disk) is written later: it is not done again.
    async fn write(&self, functions: &Functions, edit: Transaction, request_id: &str) -> Result<(), StoreError> {
        let mut pause = WRITE_AGAIN;
        loop {
            match functions.store.commit(edit.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_overtaken() || self.is_closed.load(Ordering::Acquire) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, request_id, "what came of an asynchronous invocation cannot be written yet");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(WRITE_AGAIN_AT_LEAST);
        }
    }

    /// See [`super::steady::Steady::moment_of`].
    fn moment_of(&self, row: &Row) -> Moment {
        self.steady.moment_of(&row.invocation, row.ticket.times)
    }

    async fn event(&self, functions: &Functions, lane: &Lane, row: &Row) -> Result<String, StoreError> {
        let event = functions.store.get::<QueuedEvent>(&lane.scope, &row.invocation.request_id).await?;
        Ok(event.map(|event| event.record.payload).unwrap_or_default())
    }

    /// Runs the function. The event is read when there is room for it, so that what waits takes no memory to speak of.
    async fn run(&self, functions: &Functions, lane: &Lane, row: &Row) -> Result<Came, StoreError> {
        let clock = &functions.engine.clock;
        let queued = &row.invocation;
        let handling = functions.index.handling(&queued.function_arn);
        if let Some(ending) = expired(queued, &handling, self.moment_of(row)) {
            let event = self.event(functions, lane, row).await?;
            return Ok(self.over(queued, &event, &ending, &handling, clock.now()));
        }
        let invocation = Invocation {
            function_arn: queued.function_arn.as_str().into(),
            payload: Bytes::new(),
            caller: Caller::Trusted,
            trace_id: queued.trace_id.clone(),
            client_context: queued.client_context.clone(),
            tail_log: false,
            request_id: Some(queued.request_id.clone()),
        };
        let (ran, event) = match functions.admit(invocation) {
            Ok((mut call, admitted)) => {
                let event = Bytes::from(self.event(functions, lane, row).await?);
                call.payload = event.clone();
                (functions.run_admitted(call, admitted).await, event)
            }
            Err(refusal) => (Err(refusal), Bytes::new()),
        };
        let answer = match ran {
            Ok(invoked) => {
                let (failed, payload) = match invoked.outcome {
                    Outcome::Returned(payload) => (false, payload),
                    // Who ends with the process has not failed.
                    Outcome::Failed(_) if self.is_closed.load(Ordering::Acquire) => return Ok(Came::Nothing),
                    Outcome::Failed(payload) => (true, payload),
                };
                LastAnswer { executed_version: invoked.executed_version.to_string(), failed, payload }
            }
            Err(refusal @ (InvokeRefusal::TooManyRequests { .. } | InvokeRefusal::NotReady { .. })) => {
                tracing::debug!(?refusal, function_arn = queued.function_arn, "no room for an asynchronous invocation");
                return self.refused(functions, lane, row, &handling).await;
            }
            Err(InvokeRefusal::Unavailable { reason }) => {
                tracing::debug!(reason, "an asynchronous invocation could not be run");
                return self.refused(functions, lane, row, &handling).await;
            }
            // The bootstrap may be stricter about JSON than we are.
            Err(InvokeRefusal::BadPayload { message, .. }) => LastAnswer {
                executed_version: LATEST.to_owned(),
                failed: true,
                payload: json!({ "errorMessage": message }).to_string().into(),
            },
            Err(refusal @ (InvokeRefusal::NotFound { .. } | InvokeRefusal::NotPermitted)) => {
                self.drop_event(queued, &format!("it cannot be run any more: {refusal:?}"));
                return Ok(Came::Over(Vec::new()));
            }
        };
        let verdict = after_answer(queued.clone(), answer, &handling, &self.delays, self.moment_of(row));
        let event = std::str::from_utf8(&event).unwrap_or_default();
        Ok(self.came(verdict, queued, event, &handling, clock.now()))
    }

    async fn refused(
        &self,
        functions: &Functions,
        lane: &Lane,
        row: &Row,
        handling: &Handling,
    ) -> Result<Came, StoreError> {
        count(&self.counts.refused);
        let now = self.moment_of(row);
        let verdict = after_refusal(&row.invocation, handling, &self.delays, row.ticket.refusals, now);
        let event = match verdict {
            Verdict::Over(_) => self.event(functions, lane, row).await?,
            _ => String::new(),
        };
        Ok(self.came(verdict, &row.invocation, &event, handling, functions.engine.clock.now()))
    }

    fn came(&self, verdict: Verdict, queued: &QueuedInvocation, event: &str, handling: &Handling, now: Moment) -> Came {
        match verdict {
            Verdict::Over(ending) => self.over(queued, event, &ending, handling, now),
            Verdict::Later(later) => Came::Later(later),
            Verdict::Refused(due) => Came::Refused(due),
        }
    }

    /// An invocation is over: makes its deliveries.
    fn over(&self, queued: &QueuedInvocation, event: &str, ending: &Ending, handling: &Handling, now: Moment) -> Came {
        let succeeded = ending.has_succeeded();
        let destination = if succeeded { &handling.on_success } else { &handling.on_failure };
        let dead_letters = handling.dead_letter.as_ref().filter(|_| !succeeded);
        let delivery = |target: &String, dead_letter, payload| {
            let (target, request_id) = (target.clone(), queued.request_id.clone());
            let invocation = QueuedInvocation {
                trace_id: queued.trace_id.clone(),
                client_context: queued.client_context.clone(),
                delivery: Some(Delivery { target, request_id, succeeded, dead_letter }),
                ..QueuedInvocation::accepted(queued.function_arn.clone(), now.0)
            };
            let event = QueuedEvent { request_id: invocation.request_id.clone(), payload };
            (invocation, event)
        };
        let record = destination.iter().map(|target| delivery(target, None, ending.record(queued, event, now)));
        let letter =
            dead_letters.iter().map(|target| delivery(target, Some(ending.dead_letter()), or_empty(event).to_owned()));
        let successors: Vec<_> = record.chain(letter).collect();
        if !succeeded && successors.is_empty() {
            self.drop_event(queued, &format!("{:?}", ending.condition));
        }
        Came::Over(successors)
    }

    fn drop_event(&self, queued: &QueuedInvocation, reason: &str) {
        let QueuedInvocation { request_id, function_arn, .. } = queued;
        let dropped = count(&self.counts.dropped);
        tracing::warn!(request_id, function_arn, reason, dropped, "an asynchronous invocation is given up");
    }

    /// Sends a delivery on.
    async fn deliver(
        &self,
        functions: &Functions,
        lane: &Lane,
        row: &Row,
        delivery: &Delivery,
    ) -> Result<Came, StoreError> {
        let body = self.event(functions, lane, row).await?;
        let now = self.moment_of(row);
        let failure = match self.send(functions, &row.invocation, delivery, body).await {
            Ok(successor) => return Ok(Came::Over(successor.into_iter().collect())),
            Err(failure) => failure,
        };
        let Undelivered { reason, may_pass } = failure;
        let age = u64::from(EVENT_AGE_SECONDS) * 1000;
        let is_over = match may_pass {
            MayPass::No => true,
            MayPass::Perhaps => row.ticket.refusals + 1 >= TRIES_OF_REFUSED_DELIVERIES,
            MayPass::Yes => now.0.saturating_sub(row.invocation.accepted) >= age,
        };
        let Delivery { target, request_id, .. } = delivery;
        let function_arn = &row.invocation.function_arn;
        if !is_over {
            tracing::debug!(target_arn = target, request_id, function_arn, reason, "a delivery failed; trying again");
            return Ok(Came::Refused(self.delays.refused(row.ticket.refusals, now)));
        }
        let undelivered = count(&self.counts.undelivered);
        let what = if delivery.dead_letter.is_some() { "event" } else { "record" };
        tracing::warn!(
            target_arn = target,
            request_id,
            function_arn,
            reason,
            undelivered,
            "the {what} of an asynchronous invocation could not be delivered and is lost"
        );
        Ok(Came::Over(Vec::new()))
    }

    /// Makes a delivery. To a function it is an invocation, which takes its place in the queue.
    async fn send(
        &self,
        functions: &Functions,
        invocation: &QueuedInvocation,
        delivery: &Delivery,
        body: String,
    ) -> Result<Option<(QueuedInvocation, QueuedEvent)>, Undelivered> {
        let no_target = || Undelivered { reason: "its ARN names no target".to_owned(), may_pass: MayPass::No };
        let (arn, target) = Target::parse(&delivery.target).ok_or_else(no_target)?;
        let now = functions.engine.clock.now();
        let Some(call) = deliver::call_of(arn, target, delivery, invocation, &body, now) else {
            return follow_up(functions, invocation, delivery, body, now).map(Some);
        };
        let service = call.service;
        let answered = match &self.services {
            Some(services) => services.call(call).await,
            None => Err(ServiceSilence::NoEndpoint),
        };
        let answer = answered.map_err(|silence| match silence {
            ServiceSilence::NoEndpoint => Undelivered {
                reason: format!(
                    "nobody said where {service} is; start Frontgate with `--service-endpoint {service}=URL`"
                ),
                may_pass: MayPass::No,
            },
            ServiceSilence::Unreachable(reason) => {
                Undelivered { reason: format!("{service} cannot be reached: {reason}"), may_pass: MayPass::Yes }
            }
        })?;
        deliver::acknowledged(target, &answer).map(|()| None).map_err(|(reason, may_pass)| Undelivered {
            reason,
            may_pass: if may_pass { MayPass::Yes } else { MayPass::Perhaps },
        })
    }
}

/// Why a delivery failed.
struct Undelivered {
    reason: String,
    may_pass: MayPass,
}

/// Whether a delivery that has failed may go well another time.
enum MayPass {
    No,
    /// The target has refused it; it may have been made or permitted a moment ago.
    Perhaps,
    Yes,
}

/// The invocation that delivers a record to a function.
fn follow_up(
    functions: &Functions,
    invocation: &QueuedInvocation,
    delivery: &Delivery,
    payload: String,
    now: Moment,
) -> Result<(QueuedInvocation, QueuedEvent), Undelivered> {
    let undelivered = |reason: String, may_pass| Err(Undelivered { reason, may_pass });
    if payload.len() > EVENT_BYTES {
        return undelivered(format!("its {} bytes are too many for an event", payload.len()), MayPass::No);
    }
    match functions.index.resolve(&delivery.target, &Caller::Trusted) {
        Ok(_) | Err(InvokeRefusal::NotReady { .. }) => {}
        Err(refusal) => return undelivered(format!("the function cannot be run: {refusal:?}"), MayPass::Perhaps),
    }
    // A function that is told of what it has done itself, by whatever way, is stopped as when it calls itself.
    let function: String = delivery.target.splitn(8, ':').take(7).collect::<Vec<_>>().join(":");
    let trace_id = match invocation.trace_id.as_deref().map(|trace| recursion::advance(trace, &function)) {
        Some(Ok(advanced)) => Some(advanced),
        Some(Err(Loop)) if !functions.index.allows_recursion(&function) => {
            return undelivered("the function is run in a recursive loop".to_owned(), MayPass::No);
        }
        _ => invocation.trace_id.clone(),
    };
    let queued = QueuedInvocation { trace_id, ..QueuedInvocation::accepted(delivery.target.clone(), now.0) };
    let event = QueuedEvent { request_id: queued.request_id.clone(), payload };
    Ok((queued, event))
}

/// Counts one more, and says how many there are.
fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}
