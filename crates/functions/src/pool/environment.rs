//! One environment: a sandboxed process with a handler loaded, which serves one invocation at a time.
//!
//! It belongs to one data thread, whose reactor its socket is registered with. Whoever holds the `Environment` has it for
//! itself; the pool holds those that wait. A local task (`watch`) learns of the process's end, kills what it leaves
//! behind and collects it.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::channel::Channel;
use super::companion::Companion;
use super::frame::{self, Answer, Progress, REQUEST_ID};
use super::output::Output;
use super::pace::Begun;
use super::remnants::Remnants;
use crate::sandbox::Process;
use crate::version::Version;

/// How long a process whose socket is closed may take to be gone.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// The read buffer that an environment keeps between calls; a larger one is given back.
const BUFFER_BYTES: usize = 16_384;

/// How many frames with another request id are passed over before the process is given up.
const STALE_FRAMES: usize = 16;

/// A process, and what is needed to speak with it.
pub(crate) struct Environment {
    /// What it runs.
    pub(crate) version: Arc<Version>,
    /// Its end, and the way to it.
    pub(crate) life: Rc<Life>,
    /// What it prints.
    pub(crate) output: Rc<Output>,
    /// What stands beside it, where its process speaks HTTP or has extensions.
    pub(super) companion: Option<Rc<Companion>>,
    /// How long it took to start and load the handler; told to the first caller.
    pub(crate) init: Option<Duration>,
    /// The call that it has been handed to and that has not taken it yet.
    pub(super) begun: Option<Begun>,
    /// Since when it waits.
    pub(crate) idle_since: Instant,
    /// Whether it is stopped, because it has waited long.
    pub(super) frozen: bool,
    /// Whether it is provisioned, and so not to be ended for waiting.
    pub(super) kept: bool,
    /// The frame being sent, without its event; kept for its memory.
    pub(crate) header: Vec<u8>,
    channel: Channel,
    buffer: Vec<u8>,
    /// It has sent what nobody asked for.
    tainted: bool,
}

/// The process itself, shared between who holds the environment and the task that watches it.
pub(crate) struct Life {
    process: Process,
    status: Cell<Option<ExitStatus>>,
    ended: Notify,
    /// The most memory it has had, in MB, and when that was asked.
    pub(super) memory_used: Cell<Option<(Instant, u64)>>,
    on_exit: RefCell<Option<Box<dyn FnOnce()>>>,
}

/// Why no answer came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The time was up; the process has been killed.
    TimedOut,
    /// The process is gone; how it ended, where that says something.
    Exited(Option<ExitStatus>),
    /// The process was gone before it was told anything: another may be asked.
    NeverAsked,
}

impl Environment {
    /// Takes over a process that has been started. Must run on the thread that will own it.
    pub(crate) fn adopt(
        process: Process,
        socket: UnixStream,
        version: Arc<Version>,
        output: Rc<Output>,
    ) -> io::Result<Environment> {
        let life = Life::watch(process)?;
        Ok(Environment {
            version,
            life,
            output,
            companion: None,
            init: None,
            begun: None,
            idle_since: Instant::now(),
            frozen: false,
            kept: false,
            header: Vec::new(),
            channel: Channel::new(socket)?,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            tainted: false,
        })
    }

    /// Puts another end between itself and the process. Returned is what leads to the process.
    pub(super) fn reroute(&mut self, socket: UnixStream) -> io::Result<UnixStream> {
        if !self.buffer.is_empty() {
            // The handler is loaded, or as good as.
            return Err(io::Error::other("a frame is on its way"));
        }
        Ok(std::mem::replace(&mut self.channel, Channel::new(socket)?).into_socket())
    }

    /// Waits for the first frame: the handler is loaded, or could not be.
    pub(crate) async fn started(&mut self, until: Instant) -> Result<Answer, NoAnswer> {
        self.answer(until, |answer| matches!(answer, Answer::Ready | Answer::InitFailed(_))).await
    }

    /// Sends `header` (see `frame::InvokeHeader::write`) and `event`.
    pub(crate) async fn send(&mut self, event: &[u8], until: Instant) -> Result<(), NoAnswer> {
        let mut written = 0;
        let total = self.header.len() + event.len();
        while written < total {
            let parts = frame::remaining(&self.header, event, written);
            let sent = tokio::select! {
                biased;
                sent = self.channel.write(&parts) => sent,
                () = self.life.ended() => Ok(0),
                () = tokio::time::sleep_until(until) => return Err(self.time_out()),
            };
            match sent {
                Ok(count) if count > 0 => written += count,
                // A process that has not got the whole event has not begun with it.
                Ok(_) | Err(_) => return Err(NoAnswer::NeverAsked),
            }
        }
        Ok(())
    }

    /// Waits for the answer to the request id `wanted`.
    pub(crate) async fn receive(&mut self, wanted: &[u8; REQUEST_ID], until: Instant) -> Result<Answer, NoAnswer> {
        self.answer(until, |answer| match answer {
            Answer::Response(id, _) | Answer::Error(id, _) | Answer::LastError(id, _) | Answer::BadEvent(id) => {
                id == wanted
            }
            Answer::StreamBegun(id, _) | Answer::Chunk(id, _) | Answer::StreamEnded(id, _) => id == wanted,
            Answer::Ready | Answer::InitFailed(_) => false,
        })
        .await
    }

    /// Stops its processes until it is thawed.
    pub(super) fn freeze(&mut self) {
        self.frozen = true;
        self.life.freeze();
        if let Some(companion) = &self.companion {
            companion.each_extension(Life::freeze);
        }
    }

    /// Lets its processes go on, if they are stopped.
    pub(super) fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.life.thaw();
            if let Some(companion) = &self.companion {
                companion.each_extension(Life::thaw);
            }
        }
    }

    /// Whether it has come to its end by what it did.
    pub(crate) fn is_spent(&self) -> bool {
        self.tainted || !self.life.is_running()
    }

    /// Reads frames until one is `wanted`.
    async fn answer(&mut self, until: Instant, wanted: impl Fn(&Answer) -> bool) -> Result<Answer, NoAnswer> {
        // Made once: a timer costs more than a read.
        let sleep = tokio::time::sleep_until(until);
        tokio::pin!(sleep);
        for _ in 0..STALE_FRAMES {
            let total = loop {
                match frame::progress(&self.buffer) {
                    Progress::Whole(total) => break total,
                    Progress::Wants(more) => self.buffer.reserve(more),
                    Progress::Breach => return Err(self.give_up().await),
                }
                let count = tokio::select! {
                    biased;
                    count = self.channel.read(&mut self.buffer) => count,
                    () = gone(&self.life, self.companion.as_deref()) => self.read_last(),
                    () = &mut sleep => return Err(self.time_out()),
                };
                match count {
                    Ok(1..) => {}
                    // The kernel's way to say that the other side closed with our bytes unread: it never saw the event.
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                        self.tainted = true;
                        return Err(NoAnswer::NeverAsked);
                    }
                    Ok(0) | Err(_) => return Err(self.give_up().await),
                }
            };
            match self.take_frame(total) {
                Some(answer) if wanted(&answer) => {
                    let is_last = matches!(answer, Answer::LastError(..) | Answer::InitFailed(_));
                    // More may follow in a stream, and after nothing else.
                    let streams = matches!(answer, Answer::StreamBegun(..) | Answer::Chunk(..));
                    self.tainted |= is_last || !(streams || self.buffer.is_empty());
                    return Ok(answer);
                }
                Some(_) => self.tainted = true,
                None => return Err(self.give_up().await),
            }
        }
        Err(self.give_up().await)
    }

    fn take_frame(&mut self, total: usize) -> Option<Answer> {
        if self.buffer.len() == total && self.buffer.capacity() > 4 * BUFFER_BYTES {
            // Large: hand the buffer itself on rather than a copy.
            let whole = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(BUFFER_BYTES)));
            return frame::read(&whole, |from| whole.slice(from..));
        }
        let answer = frame::read(&self.buffer[..total], |from| Bytes::copy_from_slice(&self.buffer[from..total]));
        self.buffer.drain(..total);
        answer
    }

    /// What the process wrote before it ended; its children may hold the socket open, so that no end of file comes.
    fn read_last(&mut self) -> io::Result<usize> {
        let before = self.buffer.len();
        loop {
            match self.channel.read_now(&mut self.buffer) {
                Ok(1..) => self.buffer.reserve(BUFFER_BYTES),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(error),
                Ok(_) | Err(_) => return Ok(self.buffer.len() - before),
            }
        }
    }

    /// Ends the process because its time is up.
    pub(crate) fn time_out(&mut self) -> NoAnswer {
        self.tainted = true;
        if let Some(companion) = &self.companion {
            companion.end("timeout");
        }
        self.life.kill();
        NoAnswer::TimedOut
    }

    /// Whether nobody works on the last invocation any more, extensions included.
    pub(crate) fn is_settled(&self) -> bool {
        self.companion.as_ref().is_none_or(|companion| companion.is_settled())
    }

    /// Waits until nobody works on the last invocation any more; ends the environment if that does not come to pass.
    pub(crate) async fn settle(&mut self, until: Instant) {
        let Some(companion) = self.companion.clone() else { return };
        let settled = async {
            tokio::select! {
                () = companion.settled() => {}
                () = self.life.ended() => {}
            }
        };
        if tokio::time::timeout_at(until, settled).await.is_err() {
            self.time_out();
        }
    }

    /// The socket is closed or useless: waits for the process's end, which is made certain.
    async fn give_up(&mut self) -> NoAnswer {
        self.tainted = true;
        if tokio::time::timeout(GRACE, self.life.ended()).await.is_ok() {
            return NoAnswer::Exited(self.life.status.get());
        }
        // Alive with its socket closed. It did not end, so there is no status to tell.
        self.life.kill();
        NoAnswer::Exited(None)
    }
}

impl Drop for Environment {
    /// Nobody can reach the process any more.
    fn drop(&mut self) {
        if self.is_spent() {
            Remnants::leave(&self.version, self.life.process());
        }
        if self.companion.is_some() {
            // What is told to end needs its time for it.
            self.thaw();
        }
        match self.companion.take() {
            Some(companion) => companion.end("spindown"),
            None => self.life.kill(),
        }
    }
}

/// Returns when a process has ended and what it wrote can be read.
async fn gone(life: &Life, companion: Option<&Companion>) {
    life.ended().await;
    if let Some(companion) = companion {
        Box::pin(companion.drained()).await;
    }
}

impl Life {
    pub(super) fn watch(process: Process) -> io::Result<Rc<Life>> {
        let end = process.watch_end()?;
        let life = Rc::new(Life {
            process,
            status: Cell::new(None),
            ended: Notify::new(),
            memory_used: Cell::new(None),
            on_exit: RefCell::new(None),
        });
        let watched = Rc::clone(&life);
        tokio::task::spawn_local(async move { watched.collect(end).await });
        Ok(life)
    }

    async fn collect(&self, end: AsyncFd<std::os::fd::OwnedFd>) {
        // An error can only mean that the reactor is going away, and then everything ends.
        let _ = end.readable().await;
        self.status.set(Some(self.process.status()));
        self.ended.notify_waiters();
        if let Some(on_exit) = self.on_exit.take() {
            on_exit();
        }
    }

    /// Calls `action` when the process has ended (not if it has already).
    pub(crate) fn on_exit(&self, action: impl FnOnce() + 'static) {
        *self.on_exit.borrow_mut() = Some(Box::new(action));
    }

    /// Returns when the process has ended.
    pub(crate) async fn ended(&self) {
        let notified = self.ended.notified();
        if self.is_running() {
            notified.await;
        }
    }

    /// Whether the process has not ended, as far as we know.
    pub(crate) fn is_running(&self) -> bool {
        self.status.get().is_none()
    }

    /// How the process has ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status.get()
    }

    /// Ends the process and its children.
    pub(crate) fn kill(&self) {
        if self.is_running() {
            self.process.kill();
        }
    }

    /// Stops the process and all others of its environment until they are thawed.
    fn freeze(&self) {
        if self.is_running() {
            self.process.freeze();
        }
    }

    /// Lets them go on.
    fn thaw(&self) {
        if self.is_running() {
            self.process.thaw();
        }
    }

    /// The process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}
