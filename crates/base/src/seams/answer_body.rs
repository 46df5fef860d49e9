//! The body of an answer that somebody makes for the data plane to send: whole, or as it comes.

use std::fmt;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

/// See the module.
pub enum AnswerBody {
    /// All of it is here.
    Whole(Bytes),
    /// It comes.
    Stream(Box<dyn ByteStream>),
}

/// Bytes that come one piece after the other. What goes wrong on their way is told in them, as their format has it.
pub trait ByteStream: Send {
    /// The next piece; `None` after the last.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

impl AnswerBody {
    /// All of it in one piece, however long that takes: for those who know that it ends.
    pub async fn collect(self) -> Bytes {
        let mut stream = match self {
            AnswerBody::Whole(bytes) => return bytes,
            AnswerBody::Stream(stream) => stream,
        };
        let mut whole = BytesMut::new();
        while let Some(bytes) = std::future::poll_fn(|context| stream.poll_bytes(context)).await {
            whole.extend_from_slice(&bytes);
        }
        whole.freeze()
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> AnswerBody {
        AnswerBody::Whole(bytes)
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerBody::Whole(bytes) => f.debug_tuple("Whole").field(bytes).finish(),
            AnswerBody::Stream(_) => f.write_str("Stream(..)"),
        }
    }
}
