//! The socket between an environment and the thread that owns it.
//!
//! It is registered for reading alone: else each event that the function's process takes out of it would wake this
//! thread to tell that there is room again, which only an event larger than the socket's buffer waits for.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::unix::net::UnixStream;

use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// See the module.
pub(super) struct Channel {
    socket: AsyncFd<UnixStream>,
}

impl Channel {
    /// Takes a socket over; must run inside the runtime of the thread that will own it.
    pub(super) fn new(socket: UnixStream) -> io::Result<Channel> {
        socket.set_nonblocking(true)?;
        Ok(Channel { socket: register(socket, Interest::READABLE)? })
    }

    /// Gives the socket back.
    pub(super) fn into_socket(self) -> UnixStream {
        self.socket.into_inner()
    }

    /// Appends what there is to a buffer that has room; `0` when the other side has closed.
    pub(super) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let mut ready = self.socket.readable().await?;
            let room = buffer.capacity() - buffer.len();
            match self.read_now(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                read => {
                    // Fewer bytes than there was room for were all.
                    if read.as_ref().is_ok_and(|count| (1..room).contains(count)) {
                        ready.clear_ready();
                    }
                    return read;
                }
            }
        }
    }

    /// Appends what there is to a buffer that has room, without waiting.
    pub(super) fn read_now(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let room = rustix::buffer::spare_capacity(buffer);
        Ok(rustix::net::recv(self.socket.get_ref(), room, RecvFlags::DONTWAIT)?.0)
    }

    /// Writes as much of the parts as there is room for, at least a byte.
    pub(super) async fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.socket.get_ref().write_vectored(parts) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.room().await?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    async fn room(&self) -> io::Result<()> {
        let same = register(self.socket.get_ref().try_clone()?, Interest::WRITABLE)?;
        same.writable().await.map(|_| ())
    }
}

#[expect(unsafe_code, reason = "the descriptor's validity is promised, not checked")]
fn register(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    // SAFETY: the descriptor is the socket's own, which stays open until the registration is dropped with it.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn an_event_of_any_size_goes_through() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let channel = Channel::new(ours).unwrap();
        let event = vec![7_u8; 6 << 20];
        let size = event.len();
        let other = std::thread::spawn(move || {
            let mut got = vec![0; size];
            theirs.read_exact(&mut got).unwrap();
            for part in [&b"an answer"[..], &got, b"!"] {
                theirs.write_all(part).unwrap();
            }
            got
        });
        let mut written = 0;
        while written < size {
            let (first, second) = event[written..].split_at((size - written) / 2);
            written += channel.write(&[IoSlice::new(first), IoSlice::new(second)]).await.unwrap();
        }
        let mut answer = Vec::new();
        loop {
            answer.reserve(16_384);
            if channel.read(&mut answer).await.unwrap() == 0 {
                break;
            }
        }
        assert_eq!(other.join().unwrap(), event);
        assert_eq!(answer.len(), size + b"an answer!".len());
        assert!(answer.starts_with(b"an answer\x07") && answer.ends_with(b"\x07!"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_is_read_before_it_is_there() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let channel = Channel::new(ours).unwrap();
        let mut buffer = Vec::with_capacity(16);
        for text in [&b"first"[..], b"of exactly room", b""] {
            assert_eq!(channel.read_now(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
            theirs.write_all(text).unwrap();
            if text.is_empty() {
                drop(theirs);
                assert_eq!(channel.read(&mut buffer).await.unwrap(), 0);
                break;
            }
            buffer = Vec::with_capacity(text.len());
            assert_eq!(channel.read(&mut buffer).await.unwrap(), text.len());
            assert_eq!(buffer, text);
            buffer.reserve(16);
        }
    }
}
