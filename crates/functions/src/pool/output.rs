//! What functions print: read line by line, handed to Frontgate's own log and to CloudWatch Logs, and the last 4 KB kept
//! for a caller who asked.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use base::clock::Clock;
use base::seams::{LogLine, WriteLog};
use tokio::net::unix::pipe::Receiver;

use crate::version::Version;

/// How much of the log an Invoke call with `LogType=Tail` is answered with.
const TAIL_BYTES: usize = 4096;

/// A line longer than this is handed on in pieces: the largest event of CloudWatch Logs is 256 KB, of which it counts 26
/// bytes for itself; the last is the line's end.
const LINE_BYTES: usize = 262_144 - 26 - 1;

/// How much of a line goes into Frontgate's own log, whose queue longer ones would fill.
const SHOWN_BYTES: usize = 8192;

/// How much is read before others on the thread get their turn.
const TURN_BYTES: usize = 262_144;

/// The log stream of one environment in CloudWatch Logs.
#[derive(Debug)]
pub(crate) struct LogStream {
    logs: Arc<dyn WriteLog>,
    clock: Clock,
    group_arn: Arc<str>,
    name: Arc<str>,
}

impl LogStream {
    /// The stream `name` in the log group of a version.
    pub(crate) fn new(logs: Arc<dyn WriteLog>, clock: Clock, version: &Version, name: &str) -> LogStream {
        let settings = &version.settings;
        let group_arn =
            format!("arn:aws:logs:{}:{}:log-group:{}", settings.region, settings.account, settings.log_group);
        LogStream { logs, clock, group_arn: group_arn.into(), name: name.into() }
    }

    /// Writes a line, with an end as AWS leaves it there.
    fn write(&self, mut text: &str) {
        loop {
            let (piece, rest) = text.split_at(text.floor_char_boundary(LINE_BYTES));
            let line = LogLine { at: self.clock.now(), text: format!("{piece}\n") };
            self.logs.write(&self.group_arn, Some(&self.name), line);
            if rest.is_empty() {
                return;
            }
            text = rest;
        }
    }
}

/// The output of one environment.
pub(crate) struct Output {
    pipe: Receiver,
    version: Arc<Version>,
    stream: Option<LogStream>,
    /// The beginning of a line whose end has not come yet.
    partial: RefCell<Vec<u8>>,
    tail: RefCell<Option<Vec<u8>>>,
    closed: Cell<bool>,
}

impl Output {
    /// Reads from `pipe`, which must be non-blocking. Call `follow` to keep it empty.
    pub(crate) fn new(pipe: OwnedFd, version: Arc<Version>, stream: Option<LogStream>) -> std::io::Result<Rc<Output>> {
        Ok(Rc::new(Output {
            pipe: Receiver::from_owned_fd(pipe)?,
            version,
            stream,
            partial: RefCell::default(),
            tail: RefCell::default(),
            closed: Cell::new(false),
        }))
    }

    /// Whether somebody keeps the log, so that the platform's lines about each invocation are wanted.
    pub(crate) fn is_kept(&self) -> bool {
        self.stream.is_some()
    }

    /// Reads until the process has closed its output. A process that prints without end is slowed to our pace: the pipe
    /// fills.
    pub(crate) async fn follow(self: Rc<Output>) {
        while !self.closed.get() {
            if self.pipe.readable().await.is_err() {
                return;
            }
            let more = self.pipe.try_io(|| match self.read_some() {
                // So that the reactor waits for more.
                true => Err(std::io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            });
            if more.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Reads what has been printed by now, so that the tail is complete.
    pub(crate) fn drain(&self) {
        // A function whose children print without end must not keep the answer back.
        for _ in 0..4 {
            if self.read_some() {
                break;
            }
        }
    }

    /// Begins to keep the tail, with nothing in it.
    pub(crate) fn begin_tail(&self) {
        *self.tail.borrow_mut() = Some(Vec::new());
    }

    /// Ends the tail.
    pub(crate) fn take_tail(&self) -> Option<Vec<u8>> {
        self.tail.take()
    }

    /// Adds a line of the platform's own.
    pub(crate) fn platform_line(&self, text: &str) {
        self.remember(text.as_bytes());
        if let Some(stream) = &self.stream {
            stream.write(text);
        }
    }

    /// Adds a line of the platform's own to a log in JSON, if it is one that is kept.
    pub(crate) fn platform_event(&self, line: Option<String>) {
        if let Some(line) = line {
            self.platform_line(&line);
        }
    }

    /// Reads up to a turn's worth; true when nothing more is there for now.
    fn read_some(&self) -> bool {
        let mut buffer = [0; 16_384];
        for _ in 0..TURN_BYTES / buffer.len() {
            // Not through the reactor's notion of readiness, which may lag behind what is in the pipe.
            match rustix::io::read(&self.pipe, &mut buffer[..]) {
                Ok(0) => {
                    self.end();
                    return true;
                }
                Ok(count) => self.take(&buffer[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => {
                    self.end();
                    return true;
                }
            }
        }
        false
    }

    fn end(&self) {
        if !self.closed.replace(true) {
            let rest = self.partial.take();
            if !rest.is_empty() {
                self.line(&rest);
            }
        }
    }

    fn take(&self, bytes: &[u8]) {
        let mut partial = self.partial.take();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.line(&partial[..partial.len() - 1]);
                partial.clear();
            } else if partial.len() >= LINE_BYTES {
                self.line(&partial[..LINE_BYTES]);
                partial.drain(..LINE_BYTES);
            }
        }
        *self.partial.borrow_mut() = partial;
    }

    fn line(&self, line: &[u8]) {
        self.remember(line);
        let text = String::from_utf8_lossy(line);
        let shown = &text[..text.floor_char_boundary(SHOWN_BYTES)];
        tracing::info!(target: "function", function = &*self.version.settings.name, "{shown}");
        if let Some(stream) = &self.stream {
            stream.write(&text);
        }
    }

    fn remember(&self, line: &[u8]) {
        if let Some(tail) = self.tail.borrow_mut().as_mut() {
            let line = &line[line.len().saturating_sub(TAIL_BYTES)..];
            tail.extend_from_slice(line);
            tail.push(b'\n');
            let excess = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..excess);
        }
    }
}
