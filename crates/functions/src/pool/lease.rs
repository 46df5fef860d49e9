//! A lease: an environment in the hands of one invocation. However the invocation ends, the environment goes where it
//! belongs: back to the pool, to its end, or, when the caller has gone, to a task that waits for the answer.

use std::rc::Rc;
use std::time::Duration;

use base::seams::Outcome;
use bytes::Bytes;
use tokio::time::Instant;

use super::Shard;
use super::environment::{Environment, NoAnswer};
use super::frame::{Answer, InvokeHeader, REQUEST_ID};
use super::pace::Begun;
use super::report::Report;
use crate::concurrency::Admitted;
use crate::invoke::{exited, timed_out};

/// See the module.
pub(crate) struct Lease {
    shard: Rc<Shard>,
    held: Option<Held>,
    /// What the exchange took, once it is over.
    took: Option<Duration>,
    /// When the invocation must be over.
    until: Option<Instant>,
}

struct Held {
    environment: Environment,
    admitted: Admitted,
    begun: Begun,
    stage: Stage,
    report: Option<Report>,
}

enum Stage {
    /// Nothing has been sent.
    Fresh,
    /// A part of the event may have been sent.
    Sending,
    /// The handler runs.
    Running { request_id: [u8; REQUEST_ID], until: Instant },
}

/// An invocation whose caller has gone, or has its answer while extensions still work; as on AWS it runs to its end.
pub(crate) struct Abandoned {
    environment: Environment,
    // Held for its place under the concurrency limit.
    _admitted: Admitted,
    /// That of the answer that is still to come, if one is.
    request_id: Option<[u8; REQUEST_ID]>,
    until: Instant,
    report: Option<Report>,
}

impl Lease {
    /// Takes an environment in hand.
    pub(crate) fn new(shard: &Rc<Shard>, mut environment: Environment, admitted: Admitted) -> Lease {
        let begun = environment.begun.take().unwrap_or_else(|| shard.paces.begin(environment.version.serial));
        let held = Held { environment, admitted, begun, stage: Stage::Fresh, report: None };
        Lease { shard: Rc::clone(shard), held: Some(held), took: None, until: None }
    }

    /// The environment.
    pub(crate) fn environment(&mut self) -> &mut Environment {
        &mut self.held().environment
    }

    /// Begins the platform's lines about an invocation, if anybody is to read them; `has_tail` says that its caller is.
    pub(crate) fn begin_report(&mut self, request_id: &str, has_tail: bool) {
        let Some(held) = self.held.as_mut() else { return };
        held.report = Report::begin(&held.environment, &self.shard.engine.clock, request_id, has_tail);
    }

    /// Ends them. Returns the log's tail for a caller who asked for it.
    pub(crate) fn end_report(&mut self, outcome: &Outcome) -> Option<Bytes> {
        let Held { environment, report, .. } = self.held.as_mut()?;
        let init = environment.init.take();
        let failure = match outcome {
            Outcome::Failed(payload) => Some(&payload[..]),
            Outcome::Returned(_) => None,
        };
        report.take()?.end(environment, &self.shard.engine.clock, init, failure)
    }

    /// Sends an event and waits for its answer.
    pub(crate) async fn exchange(
        &mut self,
        header: &InvokeHeader<'_>,
        event: &[u8],
        until: Instant,
    ) -> Result<Answer, NoAnswer> {
        let held = self.held();
        if !header.write(&mut held.environment.header, event) {
            return Err(NoAnswer::Exited(None));
        }
        let request_id = *header.request_id;
        self.until = Some(until);
        let held = self.held();
        let began = Instant::now();
        held.stage = Stage::Sending;
        held.environment.send(event, until).await?;
        held.stage = Stage::Running { request_id, until };
        let answer = held.environment.receive(&request_id, until).await;
        if !matches!(answer, Ok(Answer::StreamBegun(..))) {
            held.stage = Stage::Fresh;
            self.took = Some(began.elapsed());
        }
        answer
    }

    /// Waits for what follows in a stream that has begun.
    pub(crate) async fn next(&mut self, request_id: &[u8; REQUEST_ID], until: Instant) -> Result<Answer, NoAnswer> {
        let held = self.held();
        let answer = match Instant::now() < until {
            true => held.environment.receive(request_id, until).await,
            // A process that never stops writing would never be waited for.
            false => Err(held.environment.time_out()),
        };
        if !matches!(answer, Ok(Answer::Chunk(..))) {
            held.stage = Stage::Fresh;
        }
        answer
    }

    /// Ends the lease and gives the place under the concurrency limit on, for another try.
    pub(crate) fn discard(mut self) -> Admitted {
        let held = self.held.take().expect("a lease holds its environment until it ends");
        drop(held.begun);
        self.shard.end(held.environment);
        held.admitted
    }

    fn held(&mut self) -> &mut Held {
        self.held.as_mut().expect("a lease holds its environment until it ends")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(Held { environment, admitted, mut begun, stage, report }) = self.held.take() else { return };
        begun.took = self.took;
        drop(begun);
        match stage {
            Stage::Fresh if environment.is_settled() => self.shard.release(environment),
            Stage::Fresh => {
                let until = self.until.unwrap_or_else(Instant::now);
                self.shard.abandon(Abandoned {
                    environment,
                    _admitted: admitted,
                    request_id: None,
                    until,
                    report: None,
                });
            }
            Stage::Sending => self.shard.end(environment),
            Stage::Running { request_id, until } => {
                let request_id = Some(request_id);
                self.shard.abandon(Abandoned { environment, _admitted: admitted, request_id, until, report });
            }
        }
    }
}

impl Abandoned {
    /// Waits for the answer that nobody wants, and frees the environment.
    pub(super) async fn finish(mut self, shard: Rc<Shard>) {
        if let Some(request_id) = self.request_id {
            self.end_invocation(&shard, request_id).await;
        }
        self.environment.settle(self.until).await;
        // Whatever the answer is, this sees whether the environment is still good.
        shard.release(self.environment);
    }

    async fn end_invocation(&mut self, shard: &Shard, request_id: [u8; REQUEST_ID]) {
        let answer = loop {
            match self.environment.receive(&request_id, self.until).await {
                Ok(Answer::StreamBegun(..) | Answer::Chunk(..)) if Instant::now() < self.until => {}
                Ok(Answer::StreamBegun(..) | Answer::Chunk(..)) => break Err(self.environment.time_out()),
                answer => break answer,
            }
        };
        let init = self.environment.init.take();
        if let Some(report) = self.report.take() {
            let request_id = String::from_utf8_lossy(&request_id);
            let failure = match answer {
                Ok(Answer::Error(_, payload) | Answer::LastError(_, payload)) => Some(payload),
                Err(NoAnswer::TimedOut) => Some(timed_out(&request_id, self.environment.version.settings.timeout)),
                Err(NoAnswer::Exited(status)) => Some(exited(&request_id, status)),
                _ => None,
            };
            report.end(&self.environment, &shard.engine.clock, init, failure.as_deref());
        }
    }
}
