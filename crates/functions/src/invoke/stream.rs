//! Handlers that stream: their answer is passed on while they write it, or collected for a caller who wants it whole.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base::limits::{FUNCTION_PAYLOAD_BYTES, FUNCTION_STREAM_BYTES};
use base::seams::{InvokeRefusal, Invoked, Outcome, StreamPart, StreamParts, Streaming};
use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Call, Retry, TRIES, outcome, outcome_of, shutting_down, start_failed};
use crate::concurrency::Admitted;
use crate::engine::Message;
use crate::pool::{Answer, Lease, NoAnswer, Place, Shard};

/// How many parts may wait for a slow reader before the function is made to wait: 1 MB, as bootstraps cut them.
const WAITING_PARTS: usize = 4;

/// A call whose answer is passed on while it comes, on its way to the thread that runs it.
pub(crate) struct StreamWork {
    /// The call.
    pub(crate) call: Call,
    /// Its place under the limit.
    pub(crate) admitted: Admitted,
    /// Where the beginning of the answer goes.
    pub(crate) begun: oneshot::Sender<Result<Streaming, InvokeRefusal>>,
}

/// Runs a call on this thread, or on another where an environment waits while none does here. As on AWS the function runs
/// to its end whether or not anybody reads what it writes, so this is a task of its own.
pub(crate) async fn run(shard: Rc<Shard>, work: StreamWork) {
    match shard.acquire(&work.call.version, false).await {
        Ok(Place::Thread(thread)) => {
            // A thread that is not there gives the work back.
            if let Err(Message::Stream(work)) = shard.engine.send(thread, Message::Stream(Box::new(work))) {
                run_here(shard, *work).await;
            }
        }
        placed => run_placed(shard, work, placed).await,
    }
}

/// Runs a call on this thread and nowhere else.
pub(crate) async fn run_here(shard: Rc<Shard>, work: StreamWork) {
    let placed = shard.acquire(&work.call.version, true).await;
    run_placed(shard, work, placed).await;
}

async fn run_placed(shard: Rc<Shard>, work: StreamWork, mut placed: Result<Place, crate::pool::StartFailure>) {
    let StreamWork { call, mut admitted, begun } = work;
    // Whoever asked may be gone.
    let tell = |begun: oneshot::Sender<_>, result: Result<Invoked, _>| drop(begun.send(result.map(Into::into)));
    for _ in 0..TRIES {
        let mut lease = match placed {
            Ok(Place::Here(environment)) => Lease::new(&shard, environment, admitted),
            Ok(Place::Thread(_)) => return tell(begun, Err(shutting_down())),
            Err(failure) => return tell(begun, start_failed(&shard, &call, failure)),
        };
        match run_once(&shard, &call, &mut lease).await {
            Ok(Begun::Whole(result)) => return tell(begun, result),
            Ok(Begun::Stream(stream)) => return stream.pass_on(&mut lease, begun).await,
            Err(Retry) => admitted = lease.discard(),
        }
        placed = shard.acquire(&call.version, true).await;
    }
    let reason = "environments die before they are asked".to_owned();
    tell(begun, Err(InvokeRefusal::Unavailable { reason }));
}

/// How a function answers.
enum Begun<'c> {
    /// In one piece, or not at all.
    Whole(Result<Invoked, InvokeRefusal>),
    /// In parts, from now on.
    Stream(Stream<'c>),
}

/// A stream that has begun.
struct Stream<'c> {
    call: &'c Call,
    request_id: String,
    id: [u8; 36],
    content_type: Bytes,
    until: Instant,
}

async fn run_once<'c>(shard: &Rc<Shard>, call: &'c Call, lease: &mut Lease) -> Result<Begun<'c>, Retry> {
    let (request_id, id) = match call.ids(shard) {
        Ok(ids) => ids,
        Err(refusal) => return Ok(Begun::Whole(Err(refusal))),
    };
    let until = Instant::now() + call.version.settings.timeout;
    lease.begin_report(&request_id, call.tail_log);
    let answer = match lease.exchange(&call.header(shard, &id), call.event(), until).await {
        Ok(Answer::StreamBegun(_, content_type)) => {
            return Ok(Begun::Stream(Stream { call, request_id, id, content_type, until }));
        }
        other => other,
    };
    let outcome = match outcome_of(answer, call, &request_id)? {
        Ok(outcome) => outcome,
        Err(refusal) => return Ok(Begun::Whole(Err(refusal))),
    };
    let log_tail = lease.end_report(&outcome);
    let executed_version = Arc::clone(&call.version.settings.number);
    Ok(Begun::Whole(Ok(Invoked { request_id, executed_version, outcome, log_tail })))
}

impl Stream<'_> {
    /// Passes on what the function writes, to its end. When nobody reads any more, it is read all the same.
    async fn pass_on(mut self, lease: &mut Lease, begun: oneshot::Sender<Result<Streaming, InvokeRefusal>>) {
        let (parts, received) = mpsc::channel(WAITING_PARTS);
        let content_type = std::str::from_utf8(&self.content_type).ok().filter(|text| !text.is_empty());
        let streaming = Streaming {
            request_id: self.request_id.clone(),
            executed_version: Arc::clone(&self.call.version.settings.number),
            content_type: content_type.map(Into::into),
            parts: Box::new(Received(received)),
        };
        // Whoever asked may be gone.
        drop(begun.send(Ok(streaming)));
        let failure = self.read(lease, &parts).await;
        let outcome = match &failure {
            Some(failure) => Outcome::Failed(failure.clone()),
            None => Outcome::Returned(Bytes::new()),
        };
        let log_tail = lease.end_report(&outcome);
        let ended = StreamPart::Ended { failure, log_tail };
        // The environment need not wait for a slow reader to take the end.
        if let Err(mpsc::error::TrySendError::Full(ended)) = parts.try_send(ended) {
            tokio::task::spawn_local(async move { drop(parts.send(ended).await) });
        }
    }

    /// Reads the stream to its end, or until its time is up; what went wrong, if anything did.
    async fn read(&mut self, lease: &mut Lease, parts: &mpsc::Sender<StreamPart>) -> Option<Bytes> {
        let mut written: u64 = 0;
        loop {
            let answer = match lease.next(&self.id, self.until).await {
                Ok(Answer::Chunk(_, chunk)) => {
                    written += chunk.len() as u64;
                    if written > FUNCTION_STREAM_BYTES {
                        // The lease goes with the handler at work, and is given back when that has ended.
                        return Some(outcome::too_large());
                    }
                    match tokio::time::timeout_at(self.until, parts.send(StreamPart::Chunk(chunk))).await {
                        // A reader who is gone is nobody to wait for.
                        Ok(Ok(()) | Err(_)) => continue,
                        Err(_) => Err(lease.environment().time_out()),
                    }
                }
                other => other,
            };
            return match answer {
                Ok(Answer::StreamEnded(_, failure)) => Some(failure).filter(|failure| !failure.is_empty()),
                other => match outcome_of(other, self.call, &self.request_id) {
                    Ok(Ok(Outcome::Failed(failure))) => Some(failure),
                    // No process that keeps to the protocol answers so in the middle of a stream.
                    _ => Some(outcome::exited(&self.request_id, None)),
                },
            };
        }
    }
}

/// Reads a stream to its end for a caller who wants the answer whole.
pub(super) async fn collect(lease: &mut Lease, id: &[u8; 36], until: Instant) -> Result<Answer, NoAnswer> {
    let mut whole = BytesMut::new();
    let mut is_too_large = false;
    loop {
        match lease.next(id, until).await {
            Ok(Answer::Chunk(_, chunk)) => {
                is_too_large |= whole.len() + chunk.len() > FUNCTION_PAYLOAD_BYTES;
                if !is_too_large {
                    whole.extend_from_slice(&chunk);
                }
            }
            Ok(Answer::StreamEnded(_, failure)) if failure.is_empty() => {
                return Ok(match is_too_large {
                    true => Answer::Error(*id, outcome::too_large()),
                    false => Answer::Response(*id, whole.freeze()),
                });
            }
            other => return other,
        }
    }
}

/// The reader's end of a stream.
struct Received(mpsc::Receiver<StreamPart>);

impl StreamParts for Received {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<StreamPart> {
        let lost = || StreamPart::Ended { failure: Some(outcome::exited("", None)), log_tail: None };
        // Without an end only when the thread is going away.
        Poll::Ready(ready!(self.0.poll_recv(context)).unwrap_or_else(lost))
    }
}
