//! A bootstrap of ours beside extensions or behind a wrapper: its frames pass through the desk, which must know when an
//! invocation is over.

use std::rc::Rc;

use tokio::net::UnixStream;

use super::bridge::LONGEST;
use super::desk::{Desk, read_frame};

const READY: u8 = 1;
const INIT_FAILED: u8 = 2;
const STREAM_BEGUN: u8 = 7;
const CHUNK: u8 = 8;

impl Desk {
    /// Passes on what arrives on the framed socket of the runtime's process, until that closes. A program that a wrapper
    /// started instead of the bootstrap never writes there, and speaks HTTP.
    pub(crate) async fn relay(self: Rc<Desk>, socket: UnixStream) {
        let (mut frames, to_bootstrap) = socket.into_split();
        let Ok(first) = read_frame(&mut frames, LONGEST).await else { return };
        if first.get(4) == Some(&INIT_FAILED) {
            return self.pass_on(&first).await;
        }
        self.seat_bootstrap(to_bootstrap).await;
        let mut frame = first;
        loop {
            match frame.get(4) {
                Some(&READY) => self.set_idle().await,
                Some(&(STREAM_BEGUN | CHUNK)) => self.pass_on(&frame).await,
                _ => {
                    self.pass_on(&frame).await;
                    self.bootstrap_answered().await;
                }
            }
            frame = match read_frame(&mut frames, LONGEST).await {
                Ok(frame) => frame,
                Err(_) => return self.close().await,
            };
        }
    }
}
