//! Bodies that are made on their way to the client: packed, or streams. The rare kinds of body, behind one box.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use base::seams::{AnswerBody, ByteStream};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::coding::Coding;
use super::compress::Packed;
use super::pace::{Pace, Paced};
use super::{Body, BodyError};
use crate::log::Pending;

/// See the module.
pub struct Flow {
    source: Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError>>>,
    /// Written when the body has ended, for only then its length is known.
    pub(super) log: Option<Pending>,
    sent: u64,
    /// What broke it off, until what came before has been sent.
    broken: Option<BodyError>,
}

impl Flow {
    fn body(source: impl HttpBody<Data = Bytes, Error = BodyError> + 'static) -> Body {
        Body::Made(Box::new(Flow { source: Box::pin(source), log: None, sent: 0, broken: None }))
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.source.as_mut().poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                // An error ends the connection at once, with the head and the parts that still wait to be written. A
                // turn without anything new has them written first.
                self.broken = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.source.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

impl Body {
    /// What `ahead` and `source` hold, packed while it comes.
    pub fn packed(coding: Coding, ahead: Bytes, source: Body) -> Body {
        Flow::body(Packed::new(coding, ahead, source))
    }

    /// A stream: without a bound on its size, held to a pace.
    pub fn paced<S>(source: S, pace: Pace) -> Body
    where
        S: HttpBody<Data = Bytes, Error: Into<BodyError>> + Unpin + 'static,
    {
        match source.is_end_stream() {
            true => Body::EMPTY,
            false => Flow::body(Paced::new(source, pace)),
        }
    }
}

impl From<AnswerBody> for Body {
    fn from(body: AnswerBody) -> Body {
        match body {
            AnswerBody::Whole(bytes) => Body::whole(bytes),
            AnswerBody::Stream(stream) => Flow::body(PassedOn(stream)),
        }
    }
}

/// What somebody else makes, as it comes.
struct PassedOn(Box<dyn ByteStream>);

impl HttpBody for PassedOn {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.get_mut().0.poll_bytes(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        if let Some(pending) = self.log.take() {
            pending.write(self.sent);
        }
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("sent", &self.sent).finish_non_exhaustive()
    }
}
