//! The spelling of header names in HTTP/1.1, in requests here and in answers through [`super::spelling`].
//!
//! Functions behind a Regional API see header names as the client wrote them, but the HTTP library folds them to lower
//! case. The tap keeps the last bytes that were read from a connection, so that the spelling can be looked up when an
//! event is built; requests that need no event pay for one copy of their head.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::spelling::Due;

/// How much is kept at least; twice as much at most.
const KEPT_BYTES: usize = 16 * 1024;

/// The bytes last read from a connection. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Heads(Arc<Mutex<Vec<u8>>>);

impl Heads {
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = &bytes[bytes.len().saturating_sub(KEPT_BYTES)..];
        if kept.len() + bytes.len() > 2 * KEPT_BYTES {
            let surplus = kept.len() - KEPT_BYTES.min(kept.len());
            kept.drain(..surplus);
        }
        kept.extend_from_slice(bytes);
    }

    /// Forgets what has been read: the next request is about to be answered.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The head of the request that begins with `request_line` (method and target), or the latest such.
    pub fn spelling(&self, method: &str, target: &str) -> Spelling {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = [method.as_bytes(), b" ", target.as_bytes(), b" HTTP/1."].concat();
        let start = (0..kept.len().saturating_sub(line.len())).rev().find(|at| kept[*at..].starts_with(&line));
        let head = start.map_or(&[][..], |start| {
            let head = &kept[start..];
            let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(head.len());
            &head[..end]
        });
        Spelling(String::from_utf8_lossy(head).into_owned())
    }
}

/// A request's head as it was sent.
#[derive(Debug)]
pub struct Spelling(String);

impl Spelling {
    /// The name as the client wrote it; `lower` itself where it is not found (HTTP/2 has lower case only).
    pub fn of<'a>(&'a self, lower: &'a str) -> &'a str {
        self.find(lower).unwrap_or(lower)
    }

    /// The name as the client wrote it, where it is known.
    pub fn find(&self, lower: &str) -> Option<&str> {
        let lines = self.0.split("\r\n").skip(1);
        lines.filter_map(|line| line.split(':').next()).find(|name| name.eq_ignore_ascii_case(lower))
    }
}

/// A stream that remembers what was read from it, and spells the heads that are written to it.
#[derive(Debug)]
pub(super) struct Tap<S> {
    stream: S,
    heads: Heads,
    due: Due,
    /// A head that is being written, and how much of it has gone.
    head: Vec<u8>,
    gone: usize,
    /// Whether the writer has handed over all that it had.
    is_drained: bool,
}

/// Pieces that are written with a head at once; more would be rare, and go with the next write.
const PIECES: usize = 8;

impl<S> Tap<S> {
    pub(super) fn new(stream: S, heads: Heads, due: Due) -> Tap<S> {
        Tap { stream, heads, due, head: Vec::new(), gone: 0, is_drained: true }
    }
}

impl<S: AsyncWrite + Unpin> Tap<S> {
    /// Writes what is left of a head that was accepted.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while self.gone < self.head.len() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.head[self.gone..]))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.gone += written;
        }
        self.head.clear();
        self.gone = 0;
        Poll::Ready(Ok(()))
    }

    /// Writes slices whose first begins with a head that takes `length` bytes of it and stands spelt in `self.head`.
    /// Returns how many of the slices' bytes are thereby accepted.
    fn poll_write_head(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        length: usize,
    ) -> Poll<std::io::Result<usize>> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        pieces[0] = IoSlice::new(&self.head);
        pieces[1] = IoSlice::new(&slices[0][length..]);
        let more = slices.len().min(PIECES - 1) - 1;
        pieces[2..2 + more].copy_from_slice(&slices[1..1 + more]);
        match Pin::new(&mut self.stream).poll_write_vectored(context, &pieces[..2 + more]) {
            Poll::Ready(Ok(written)) if written < self.head.len() => {
                self.gone = written;
                Poll::Ready(Ok(length))
            }
            Poll::Ready(Ok(written)) => {
                let accepted = length + written - self.head.len();
                self.head.clear();
                Poll::Ready(Ok(accepted))
            }
            other => {
                self.head.clear();
                self.due.put_back();
                other
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heads.push(&buffer.filled()[before..]);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.poll_rest(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.poll_rest(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_rest(context))?;
        // Asked whether or not it can be spelt, so that nothing that is written later is taken for the head.
        let is_due = this.due.take();
        let head = match slices.first() {
            Some(first) if is_due && this.is_drained => this.due.spell(first, &mut this.head),
            _ => None,
        };
        let accepted = match head {
            Some(length) => ready!(this.poll_write_head(context, slices, length))?,
            None => {
                this.head.clear();
                ready!(Pin::new(&mut this.stream).poll_write_vectored(context, slices))?
            }
        };
        this.is_drained = accepted == slices.iter().map(|slice| slice.len()).sum::<usize>();
        Poll::Ready(Ok(accepted))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_spelling_of_the_latest_head() {
        let heads = Heads::default();
        heads.push(b"GET /a HTTP/1.1\r\nHost: x\r\nx-API-key: 1\r\n\r\n");
        heads.push(b"POST /b HTTP/1.1\r\nHOST: x\r\nContent-Type: t\r\n\r\nGET /a HTTP/1.1 is text here");
        assert_eq!(heads.spelling("GET", "/a").of("x-api-key"), "x-api-key");
        let spelling = heads.spelling("POST", "/b");
        assert_eq!(
            (spelling.of("host"), spelling.of("content-type"), spelling.of("via")),
            ("HOST", "Content-Type", "via")
        );
        heads.clear();
        assert_eq!(heads.spelling("POST", "/b").of("host"), "host");
    }

    #[test]
    fn keeps_a_bounded_amount() {
        let heads = Heads::default();
        for _ in 0..100 {
            heads.push(&[b'x'; 5000]);
        }
        heads.push(&[b'x'; 100_000]);
        assert!(heads.0.lock().unwrap().len() <= 2 * KEPT_BYTES);
    }
}
