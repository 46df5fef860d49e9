//! Packing response bodies, whole or as they come, a little at a time: a data thread serves others meanwhile.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body::{Body as HttpBody, Frame};

use super::coding::Coding;
use super::{Body, BodyError};

/// How much is packed before others on the thread have their turn: well below a millisecond's work.
const TURN: usize = 32 * 1024;

/// Between the fastest and the best: a tenth larger than zlib's default, in half its time.
const LEVEL: u32 = 4;

/// A packer that keeps what it has made until it is taken.
#[derive(Debug)]
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> Encoder {
        let level = Compression::new(LEVEL);
        match coding {
            Coding::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), level)),
            Coding::Deflate => Encoder::Deflate(ZlibEncoder::new(Vec::new(), level)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
            Encoder::Deflate(encoder) => encoder.write_all(bytes),
        }
    }

    /// Lets out what is held back for a better ratio.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Deflate(encoder) => encoder.flush(),
        }
    }

    /// What has been made since the last call.
    fn take(&mut self) -> Bytes {
        let made = match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Deflate(encoder) => encoder.get_mut(),
        };
        std::mem::take(made).into()
    }

    fn finish(self) -> io::Result<Bytes> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish().map(Bytes::from),
            Encoder::Deflate(encoder) => encoder.finish().map(Bytes::from),
        }
    }
}

/// Packs a body that is here. Yields to others on the thread between parts of a large one.
///
/// # Errors
/// None that memory for the outcome does not cause.
pub async fn pack(coding: Coding, bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = Encoder::new(coding);
    let mut parts = bytes.chunks(TURN).peekable();
    while let Some(part) = parts.next() {
        encoder.write(part)?;
        if parts.peek().is_some() {
            tokio::task::yield_now().await;
        }
    }
    encoder.finish()
}

/// A body that is packed while it comes.
#[derive(Debug)]
pub(super) struct Packed {
    /// What has come already, before the rest of `source`.
    ahead: Bytes,
    source: Body,
    /// `None` when all has been made.
    encoder: Option<Encoder>,
    /// Something has been written and not been let out.
    holds: bool,
}

impl Packed {
    pub(super) fn new(coding: Coding, ahead: Bytes, source: Body) -> Packed {
        Packed { ahead, source, encoder: Some(Encoder::new(coding)), holds: false }
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl HttpBody for Packed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        let Some(encoder) = &mut this.encoder else { return Poll::Ready(None) };
        let made = |bytes: Bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        let mut turn = TURN;
        loop {
            if !this.ahead.is_empty() {
                let part = &this.ahead[..this.ahead.len().min(turn)];
                encoder.write(part)?;
                let count = part.len();
                turn -= count;
                this.ahead.advance(count);
                this.holds = true;
                let bytes = encoder.take();
                if !bytes.is_empty() {
                    return made(bytes);
                }
                if turn == 0 {
                    // Nothing to send yet; others have their turn.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            match Pin::new(&mut this.source).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => this.ahead = frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    let rest = this.encoder.take().map(Encoder::finish).transpose()?.unwrap_or_default();
                    return made(rest);
                }
                // A backend that writes now and then is read at its own pace.
                Poll::Pending if this.holds => {
                    this.holds = false;
                    encoder.flush()?;
                    return made(encoder.take());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{MultiGzDecoder, ZlibDecoder};

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    fn unpacked(coding: Coding, packed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        match coding {
            Coding::Gzip => MultiGzDecoder::new(packed).read_to_end(&mut bytes).unwrap(),
            Coding::Deflate => ZlibDecoder::new(packed).read_to_end(&mut bytes).unwrap(),
        };
        bytes
    }

    #[test]
    fn what_is_packed_whole_comes_out_the_same() {
        let long: Vec<u8> = (0..300_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Deflate] {
            for bytes in [&b"x"[..], &long] {
                let packed = runtime().block_on(pack(coding, bytes)).unwrap();
                assert_eq!(unpacked(coding, &packed), bytes);
            }
        }
    }

    #[test]
    fn what_is_packed_on_the_way_comes_out_the_same() {
        let long: Vec<u8> = (0..300_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Deflate] {
            let mut body = Packed::new(coding, Bytes::from_static(b"ahead"), Body::whole(long.clone().into()));
            let packed = runtime().block_on(async {
                let mut packed = Vec::new();
                while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                    packed.extend_from_slice(&frame.unwrap().into_data().unwrap());
                }
                packed
            });
            assert!(body.is_end_stream());
            assert_eq!(unpacked(coding, &packed), [&b"ahead"[..], &long].concat());
        }
    }
}
