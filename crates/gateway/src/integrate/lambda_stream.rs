//! Functions whose answer is passed on while they write it (`responseTransferMode` `STREAM`): metadata in JSON, eight
//! NUL bytes, then the body as it comes (REST data plane, section 15).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base::seams::{StreamPart, StreamParts};
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};

use super::lambda;
use crate::body::BodyError;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::listener::Thread;
use crate::route::Routed;

/// What separates metadata and body.
const DELIMITER: [u8; 8] = [0; 8];

/// Within how many bytes metadata and delimiter must come.
const METADATA_BYTES: usize = 16 * 1024;

/// A function's answer whose metadata is here and whose body comes.
pub struct FunctionStream {
    /// JSON text.
    pub metadata: Bytes,
    /// The body.
    pub body: FunctionBody,
}

/// What a function writes after its metadata.
pub struct FunctionBody {
    /// What came along with the metadata.
    first: Bytes,
    parts: Box<dyn StreamParts>,
    has_ended: bool,
}

/// Invokes the method's function and waits for its metadata.
pub(super) async fn open(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    payload: Bytes,
    trace: Option<&str>,
) -> Result<FunctionStream, Fault> {
    let (invocation, _) = lambda::invocation(exchange, routed, payload, trace)?;
    let invoked = thread.settings.functions.invoke_streaming(invocation).await;
    FunctionStream::read(invoked.map_err(lambda::fault_of)?.parts).await
}

impl FunctionStream {
    /// Waits for the metadata with which a stream begins.
    ///
    /// # Errors
    /// [`Fault::FunctionFailed`] when the function fails before they are whole, [`Fault::MalformedStream`].
    pub(crate) async fn read(mut parts: Box<dyn StreamParts>) -> Result<FunctionStream, Fault> {
        let mut head = BytesMut::new();
        loop {
            match std::future::poll_fn(|context| parts.poll_part(context)).await {
                StreamPart::Chunk(chunk) => {
                    // A delimiter may have begun in what came before.
                    let from = head.len().saturating_sub(DELIMITER.len() - 1);
                    head.extend_from_slice(&chunk);
                    let until = head.len().min(METADATA_BYTES);
                    let found =
                        head.get(from..until).and_then(|bytes| bytes.windows(8).position(|bytes| bytes == DELIMITER));
                    if let Some(at) = found {
                        let mut first = head.freeze();
                        let metadata = first.split_to(from + at);
                        first.advance(DELIMITER.len());
                        return Ok(FunctionStream { metadata, body: FunctionBody { first, parts, has_ended: false } });
                    }
                    if head.len() >= METADATA_BYTES {
                        return Err(Fault::MalformedStream { reason: "no delimiter within the first 16 KB" });
                    }
                }
                StreamPart::Ended { failure: Some(_), .. } => return Err(Fault::FunctionFailed),
                StreamPart::Ended { failure: None, .. } => {
                    return Err(Fault::MalformedStream { reason: "it ended without metadata and delimiter" });
                }
            }
        }
    }
}

impl FunctionBody {
    /// A body without metadata. Waits for its first part, for a function that fails before it has none to send.
    ///
    /// # Errors
    /// [`Fault::FunctionFailed`].
    pub(crate) async fn read(mut parts: Box<dyn StreamParts>) -> Result<FunctionBody, Fault> {
        match std::future::poll_fn(|context| parts.poll_part(context)).await {
            StreamPart::Chunk(first) => Ok(FunctionBody { first, parts, has_ended: false }),
            StreamPart::Ended { failure: Some(_), .. } => Err(Fault::FunctionFailed),
            StreamPart::Ended { failure: None, .. } => Ok(FunctionBody { first: Bytes::new(), parts, has_ended: true }),
        }
    }
}

impl HttpBody for FunctionBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
        }
        if this.has_ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(this.parts.poll_part(context)) {
            StreamPart::Chunk(chunk) => Some(Ok(Frame::data(chunk))),
            StreamPart::Ended { failure, .. } => {
                this.has_ended = true;
                failure.map(|_| Err("the function failed while it streamed".into()))
            }
        })
    }
}

impl std::fmt::Debug for FunctionStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionStream").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}
