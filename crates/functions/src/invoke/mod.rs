//! One synchronous invocation: find the version, ask the policy, take a place under the limit, run, tell the outcome.

mod outcome;
mod payload;
pub(crate) mod stream;

use std::rc::Rc;
use std::sync::Arc;

use base::seams::{InvokeRefusal, Invoked, Outcome};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) use outcome::{exited, signal_name, timed_out};
pub(crate) use payload::{check_event, check_size, not_json};

use crate::concurrency::Admitted;
use crate::engine::Message;
use crate::pool::{Answer, InvokeHeader, Lease, NoAnswer, Place, Shard, StartFailure};
use crate::version::Version;

/// How often a call is given to another environment because the one it was given to had just died.
const TRIES: usize = 3;

/// A call that has been let through.
#[derive(Debug)]
pub(crate) struct Call {
    /// What runs.
    pub(crate) version: Arc<Version>,
    /// What the function is told it was called as.
    pub(crate) invoked_arn: Arc<str>,
    /// The event.
    pub(crate) payload: Bytes,
    /// `X-Amzn-Trace-Id`.
    pub(crate) trace_id: Option<String>,
    /// JSON.
    pub(crate) client_context: Option<String>,
    /// Whether the log's tail is wanted.
    pub(crate) tail_log: bool,
    /// The request id, where the caller has made one: a UUID's text.
    pub(crate) request_id: Option<String>,
}

impl Call {
    /// The request id, as text and as bytes.
    fn ids(&self, shard: &Shard) -> Result<(String, [u8; 36]), InvokeRefusal> {
        let text = self.request_id.clone().unwrap_or_else(|| shard.request_id());
        match text.as_bytes().first_chunk().copied() {
            Some(bytes) => Ok((text, bytes)),
            None => Err(InvokeRefusal::Unavailable { reason: "the request id is no UUID".to_owned() }),
        }
    }

    /// What the function is told beside the event; its time begins now.
    fn header<'a>(&'a self, shard: &Shard, id: &'a [u8; 36]) -> InvokeHeader<'a> {
        let timeout = u64::try_from(self.version.settings.timeout.as_millis()).unwrap_or(u64::MAX);
        InvokeHeader {
            deadline: shard.engine.clock.now().0.saturating_add(timeout),
            request_id: id,
            function_arn: &self.invoked_arn,
            trace_id: self.trace_id.as_deref().unwrap_or_default(),
            client_context: self.client_context.as_deref().unwrap_or_default(),
        }
    }

    /// The event; none at all is an empty object.
    fn event(&self) -> &[u8] {
        if self.payload.is_empty() { b"{}" } else { &self.payload }
    }
}

/// A call on its way to another thread.
pub(crate) struct Work {
    /// The call.
    pub(crate) call: Call,
    /// Its place under the limit.
    pub(crate) admitted: Admitted,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Result<Invoked, InvokeRefusal>>,
}

/// Runs a call that came from another thread, here and nowhere else.
pub(crate) async fn run_for_another(shard: &Rc<Shard>, work: Work) {
    let Work { call, admitted, answer } = work;
    let result = run_here(shard, &call, admitted).await;
    // The caller may be gone; the function has run all the same, as on AWS.
    let _ = answer.send(result);
}

/// Runs a call on this thread, or on another where an environment waits while none does here.
pub(crate) async fn run(shard: &Rc<Shard>, call: Call, admitted: Admitted) -> Result<Invoked, InvokeRefusal> {
    match shard.acquire(&call.version, false).await {
        Ok(Place::Here(environment)) => run_in(shard, &call, Lease::new(shard, environment, admitted), TRIES).await,
        Ok(Place::Thread(thread)) => {
            let (answer, answered) = oneshot::channel();
            match shard.engine.send(thread, Message::Invoke(Box::new(Work { call, admitted, answer }))) {
                Ok(()) => answered.await.unwrap_or_else(|_| Err(shutting_down())),
                Err(Message::Invoke(work)) => run_here(shard, &work.call, work.admitted).await,
                Err(_) => Err(shutting_down()),
            }
        }
        Err(failure) => start_failed(shard, &call, failure),
    }
}

async fn run_here(shard: &Rc<Shard>, call: &Call, admitted: Admitted) -> Result<Invoked, InvokeRefusal> {
    match shard.acquire(&call.version, true).await {
        Ok(Place::Here(environment)) => run_in(shard, call, Lease::new(shard, environment, admitted), TRIES).await,
        Ok(Place::Thread(_)) => Err(shutting_down()),
        Err(failure) => start_failed(shard, call, failure),
    }
}

/// Runs a call in the environment of a lease; in another if that one had died while it waited.
async fn run_in(shard: &Rc<Shard>, call: &Call, mut lease: Lease, mut tries: usize) -> Result<Invoked, InvokeRefusal> {
    loop {
        match run_once(shard, call, &mut lease).await {
            Err(Retry) if tries > 1 => tries -= 1,
            Err(Retry) => {
                return Err(InvokeRefusal::Unavailable { reason: "environments die before they are asked".to_owned() });
            }
            Ok(result) => return result,
        }
        let admitted = lease.discard();
        lease = match shard.acquire(&call.version, true).await {
            Ok(Place::Here(environment)) => Lease::new(shard, environment, admitted),
            Ok(Place::Thread(_)) => return Err(shutting_down()),
            Err(failure) => return start_failed(shard, call, failure),
        };
    }
}

/// The environment was gone before it had the event.
struct Retry;

async fn run_once(shard: &Rc<Shard>, call: &Call, lease: &mut Lease) -> Result<Result<Invoked, InvokeRefusal>, Retry> {
    let (request_id, id) = match call.ids(shard) {
        Ok(ids) => ids,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let until = Instant::now() + call.version.settings.timeout;
    lease.begin_report(&request_id, call.tail_log);
    let answer = match lease.exchange(&call.header(shard, &id), call.event(), until).await {
        Ok(Answer::StreamBegun(id, _)) => Box::pin(stream::collect(lease, &id, until)).await,
        other => other,
    };
    let outcome = match outcome_of(answer, call, &request_id)? {
        Ok(outcome) => outcome,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let log_tail = lease.end_report(&outcome);
    Ok(Ok(Invoked { request_id, executed_version: Arc::clone(&call.version.settings.number), outcome, log_tail }))
}

/// What an answer, or that there is none, says about the invocation.
fn outcome_of(
    answer: Result<Answer, NoAnswer>,
    call: &Call,
    request_id: &str,
) -> Result<Result<Outcome, InvokeRefusal>, Retry> {
    Ok(Ok(match answer {
        Ok(Answer::Response(_, payload)) => Outcome::Returned(payload),
        Ok(Answer::StreamEnded(_, payload)) if payload.is_empty() => Outcome::Failed(exited(request_id, None)),
        Ok(Answer::Error(_, payload) | Answer::LastError(_, payload) | Answer::StreamEnded(_, payload)) => {
            Outcome::Failed(payload)
        }
        Ok(Answer::BadEvent(_)) => {
            return Ok(Err(InvokeRefusal::BadPayload { message: not_json(&call.payload), too_large: false }));
        }
        // No process that keeps to the protocol answers so.
        Ok(Answer::Ready | Answer::InitFailed(_) | Answer::StreamBegun(..) | Answer::Chunk(..)) => {
            Outcome::Failed(exited(request_id, None))
        }
        Err(NoAnswer::NeverAsked) => return Err(Retry),
        Err(NoAnswer::TimedOut) => Outcome::Failed(timed_out(request_id, call.version.settings.timeout)),
        Err(NoAnswer::Exited(status)) => Outcome::Failed(exited(request_id, status)),
    }))
}

/// A function that cannot start has failed; only what is our own fault is a refusal.
fn start_failed(shard: &Shard, call: &Call, failure: StartFailure) -> Result<Invoked, InvokeRefusal> {
    let request_id = call.request_id.clone().unwrap_or_else(|| shard.request_id());
    let settings = &call.version.settings;
    let payload = match failure {
        StartFailure::Init(payload) => payload,
        StartFailure::Exited(status) => exited(&request_id, status),
        StartFailure::Platform(failure) => outcome::platform(&request_id, &failure.kind, &failure.message),
        StartFailure::TimedOut => timed_out(&request_id, settings.timeout),
        StartFailure::NotNeeded => return Err(shutting_down()),
        StartFailure::Unavailable(reason) => return Err(InvokeRefusal::Unavailable { reason }),
    };
    Ok(Invoked {
        request_id,
        executed_version: Arc::clone(&settings.number),
        outcome: Outcome::Failed(payload),
        log_tail: call.tail_log.then(Bytes::new),
    })
}

/// The trace header of a call of a function with active tracing: who has not decided whether the call is sampled leaves
/// that to the function, which samples all of them.
pub(crate) fn sampled(header: Option<String>) -> Option<String> {
    header.map(|header| if header.contains("Sampled=") { header } else { header + ";Sampled=1" })
}

fn shutting_down() -> InvokeRefusal {
    InvokeRefusal::Unavailable { reason: "Frontgate is shutting down".to_owned() }
}
