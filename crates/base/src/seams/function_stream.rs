//! What an invocation gives whose answer is passed on while the function writes it: `InvokeWithResponseStream`, proxy
//! integrations that stream, function URLs.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::{Invoked, Outcome};

/// A function that has begun to answer.
pub struct Streaming {
    /// The id of the invocation.
    pub request_id: String,
    /// `$LATEST` or the number of the version that runs.
    pub executed_version: Arc<str>,
    /// The content type that the function has given its stream, if any; an answer that is whole is `application/json`, as
    /// AWS's runtimes label theirs.
    pub content_type: Option<Box<str>>,
    /// What it writes.
    pub parts: Box<dyn StreamParts>,
}

/// What a function writes, part by part. Whoever reads slowly makes the function write slowly; whoever drops this does
/// not end the function, which runs on as on AWS.
pub trait StreamParts: Send {
    /// The next part; [`StreamPart::Ended`] is the last.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<StreamPart>;
}

/// A part of what a function writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamPart {
    /// Bytes of the payload.
    Chunk(Bytes),
    /// There is no more.
    Ended {
        /// Why the function failed, if it has: the error payload in AWS's shape.
        failure: Option<Bytes>,
        /// The last 4 KB of the log, where they were asked for.
        log_tail: Option<Bytes>,
    },
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// An answer that is whole: one part, if it is one at all.
impl From<Invoked> for Streaming {
    fn from(invoked: Invoked) -> Streaming {
        let Invoked { request_id, executed_version, outcome, log_tail } = invoked;
        let (chunk, failure) = match outcome {
            Outcome::Returned(payload) => (Some(payload), None),
            Outcome::Failed(payload) => (None, Some(payload)),
        };
        let parts = Box::new(Whole { chunk, failure, log_tail });
        Streaming { request_id, executed_version, content_type: Some("application/json".into()), parts }
    }
}

struct Whole {
    chunk: Option<Bytes>,
    failure: Option<Bytes>,
    log_tail: Option<Bytes>,
}

impl StreamParts for Whole {
    fn poll_part(&mut self, _: &mut Context<'_>) -> Poll<StreamPart> {
        Poll::Ready(match self.chunk.take() {
            Some(chunk) => StreamPart::Chunk(chunk),
            None => StreamPart::Ended { failure: self.failure.take(), log_tail: self.log_tail.take() },
        })
    }
}
