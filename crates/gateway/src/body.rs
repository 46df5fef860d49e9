//! Bodies: reading a request's within its bounds, and sending a response's, whole or as it comes.

pub mod coding;
pub mod compress;
pub mod decompress;
pub mod flow;
mod pace;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base::limits::GATEWAY_PAYLOAD_BYTES;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use self::coding::Coding;
use self::decompress::UnpackError;
pub use self::pace::Pace;
use crate::fault::Fault;
use crate::integrate::ResponseBody;
use crate::log::Pending;
use crate::settings::BODY_TIMEOUT;

/// An error that ends a body early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is passed on turned out to be longer than 10 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body exceeds 10 MB")
    }
}

impl std::error::Error for TooLarge {}

/// The body of a response to a client, or of a request to a backend.
#[derive(Debug)]
pub enum Body {
    /// All of it is here.
    Whole(Option<Bytes>),
    /// It comes from the other side of the gateway, chunk by chunk, and is bounded.
    Streamed(Box<Streamed>),
    /// It is packed on its way, or is a stream without a bound.
    Made(Box<flow::Flow>),
}

/// A body that is passed on while it comes.
#[derive(Debug)]
pub struct Streamed {
    source: Source,
    left: usize,
    /// How long the other side may be silent.
    patience: Duration,
    /// Runs from the first wait on; a frame that came since then starts it anew when it ends.
    silence: Option<Pin<Box<Sleep>>>,
    came_since: bool,
    /// Written when the body has ended, for only then its length is known.
    log: Option<Pending>,
    sent: u64,
}

/// Where a streamed body comes from.
#[derive(Debug)]
pub enum Source {
    /// The client.
    Client(Incoming),
    /// An HTTP backend.
    Backend(ResponseBody),
}

impl From<Incoming> for Source {
    fn from(body: Incoming) -> Source {
        Source::Client(body)
    }
}

impl From<ResponseBody> for Source {
    fn from(body: ResponseBody) -> Source {
        Source::Backend(body)
    }
}

impl HttpBody for Source {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Source::Client(body) => Pin::new(body).poll_frame(context),
            Source::Backend(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Source::Client(body) => body.is_end_stream(),
            Source::Backend(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Source::Client(body) => body.size_hint(),
            Source::Backend(body) => body.size_hint(),
        }
    }
}

impl Body {
    /// No body.
    pub const EMPTY: Body = Body::Whole(None);

    /// A body that is here.
    pub fn whole(bytes: Bytes) -> Body {
        Body::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// A body that is passed on, at most 10 MB of it, as long as the other side is never silent for longer than
    /// `patience`.
    pub fn streamed(source: impl Into<Source>, patience: Duration) -> Body {
        let source = source.into();
        if source.is_end_stream() {
            return Body::EMPTY;
        }
        Body::Streamed(Box::new(Streamed {
            source,
            left: GATEWAY_PAYLOAD_BYTES,
            patience,
            silence: None,
            came_since: false,
            log: None,
            sent: 0,
        }))
    }

    /// The length, where it is known.
    pub fn length(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// Has `pending` written when the body has been sent; at once if it is whole.
    pub fn log_at_end(&mut self, pending: Pending) {
        match self {
            Body::Whole(bytes) => pending.write(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Body::Streamed(streamed) => streamed.log = Some(pending),
            Body::Made(flow) => flow.log = Some(pending),
        }
    }
}

impl Streamed {
    /// Waits for the end of the other side's patience.
    #[cold]
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        while silence.as_mut().poll(context).is_ready() {
            if !self.came_since {
                return Poll::Ready(());
            }
            self.came_since = false;
            silence.as_mut().reset(Instant::now() + self.patience);
        }
        Poll::Pending
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if let Some(pending) = self.log.take() {
            pending.write(self.sent);
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Made(flow) => flow.poll(context),
            Body::Streamed(streamed) => {
                let Poll::Ready(frame) = Pin::new(&mut streamed.source).poll_frame(context) else {
                    return streamed.wait(context).map(|()| Some(Err("the other side fell silent".into())));
                };
                streamed.came_since = true;
                Poll::Ready(match frame {
                    Some(Ok(frame)) => {
                        let length = frame.data_ref().map_or(0, Bytes::len);
                        if length > streamed.left {
                            return Poll::Ready(Some(Err(TooLarge.into())));
                        }
                        streamed.left -= length;
                        streamed.sent += length as u64;
                        // Trailers are not passed on: API Gateway drops `Trailer`.
                        if frame.is_data() { Some(Ok(frame)) } else { None }
                    }
                    Some(Err(error)) => Some(Err(error.into())),
                    None => None,
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(bytes) => bytes.is_none(),
            Body::Streamed(streamed) => streamed.source.is_end_stream(),
            Body::Made(flow) => flow.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Body::Streamed(streamed) => streamed.source.size_hint(),
            Body::Made(flow) => flow.size_hint(),
        }
    }
}

/// Why a body could not be read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It is larger than allowed.
    TooLarge,
    /// It broke off, was malformed or took too long.
    Broken,
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// When it is larger, breaks off, or takes more than a minute.
pub async fn read_whole<B>(mut body: B, limit: usize) -> Result<Bytes, ReadError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let expected = body.size_hint().lower() as usize;
    if expected > limit {
        return Err(ReadError::TooLarge);
    }
    let read = async {
        let mut first: Option<Bytes> = None;
        let mut more = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            let Ok(data) = frame.map_err(|_| ReadError::Broken)?.into_data() else { continue };
            if first.as_ref().map_or(0, Bytes::len).max(more.len()) + data.len() > limit {
                return Err(ReadError::TooLarge);
            }
            match (&first, more.is_empty()) {
                (None, true) => first = Some(data),
                (Some(start), true) => {
                    // What a client promises is not yet memory: a megabyte at most is set aside in advance.
                    more.reserve(expected.min(1 << 20).max(start.len() + data.len()));
                    more.extend_from_slice(start);
                    more.extend_from_slice(&data);
                }
                _ => more.extend_from_slice(&data),
            }
        }
        Ok(if more.is_empty() { first.unwrap_or_default() } else { more.freeze() })
    };
    tokio::time::timeout(BODY_TIMEOUT, read).await.unwrap_or(Err(ReadError::Broken))
}

/// The client's body until something needs it.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    whole: Option<Bytes>,
    is_unpacked: bool,
}

impl RequestBody {
    /// Takes the body over from the connection.
    pub fn new(incoming: Incoming) -> RequestBody {
        RequestBody { incoming: Some(incoming), whole: None, is_unpacked: false }
    }

    /// A body that is here.
    pub fn here(bytes: Bytes) -> RequestBody {
        RequestBody { incoming: None, whole: Some(bytes), is_unpacked: false }
    }

    /// Whether the client announces more than 10 MB, so that no phase need begin.
    pub fn is_announced_too_large(&self) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| incoming.size_hint().lower() > GATEWAY_PAYLOAD_BYTES as u64)
    }

    /// Whether there may be a body.
    pub fn is_expected(&self) -> bool {
        self.whole.is_some() || self.incoming.as_ref().is_some_and(|incoming| !incoming.is_end_stream())
    }

    /// Whether it was packed and has been unpacked.
    pub fn is_unpacked(&self) -> bool {
        self.is_unpacked
    }

    /// Undoes the codings that the client has applied to the body. A body of fewer than `minimum` bytes stays as it is.
    ///
    /// # Errors
    /// [`Fault::BadCoding`] for an unknown coding and for what is not packed so, [`Fault::RequestTooLarge`] when more
    /// than 10 MB come out, and as [`whole`](RequestBody::whole).
    pub async fn unpack(&mut self, headers: &HeaderMap, minimum: Option<u32>) -> Result<(), Fault> {
        let codings = Coding::applied(headers).map_err(|_| Fault::BadCoding)?;
        if codings.is_empty() {
            return Ok(());
        }
        let mut bytes = self.whole().await?;
        if bytes.is_empty() || minimum.is_some_and(|minimum| bytes.len() < minimum as usize) {
            return Ok(());
        }
        for coding in codings.into_iter().rev() {
            let unpacked = decompress::unpack(coding, &bytes, GATEWAY_PAYLOAD_BYTES).await;
            bytes = unpacked.map_err(|error| match error {
                UnpackError::TooLarge => Fault::RequestTooLarge,
                UnpackError::Malformed => Fault::BadCoding,
            })?;
        }
        (self.whole, self.is_unpacked) = (Some(bytes), true);
        Ok(())
    }

    /// All of the body; at most 10 MB.
    ///
    /// # Errors
    /// [`Fault::RequestTooLarge`] and [`Fault::BadBody`].
    pub async fn whole(&mut self) -> Result<Bytes, Fault> {
        if let Some(whole) = &self.whole {
            return Ok(whole.clone());
        }
        let bytes = match self.incoming.take() {
            None => Bytes::new(),
            Some(incoming) if incoming.is_end_stream() => Bytes::new(),
            // Boxed, so that the requests without a body do not carry the room for it.
            Some(incoming) => {
                Box::pin(read_whole(incoming, GATEWAY_PAYLOAD_BYTES)).await.map_err(|error| match error {
                    ReadError::TooLarge => Fault::RequestTooLarge,
                    ReadError::Broken => Fault::BadBody,
                })?
            }
        };
        self.whole = Some(bytes.clone());
        Ok(bytes)
    }

    /// The body to be passed on: as it comes, unless it has been read already.
    pub fn pass_on(&mut self) -> Body {
        match (self.incoming.take(), self.whole.take()) {
            (_, Some(whole)) => Body::whole(whole),
            (Some(incoming), None) => Body::streamed(incoming, BODY_TIMEOUT),
            (None, None) => Body::EMPTY,
        }
    }
}
