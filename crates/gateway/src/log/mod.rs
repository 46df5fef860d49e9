//! The log phase: every request that was served, refused or failed leaves one JSON line on stderr.
//!
//! A data thread writes lines into a buffer of its own and hands full buffers to one writer thread through a bounded
//! channel. Nothing here waits: when the writer lags, lines are dropped and counted, and the count is shown.

pub mod access;
pub mod execution;
pub mod stage_execution;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use base::seams::FunctionUrl;
use plan::StagePlan;
use templates::document::push_quoted;

use crate::listener::Connection;
use crate::random::RequestIds;

/// A buffer is handed over when it has grown to this, or when it has waited for [`FLUSH_AFTER`].
const BUFFER_BYTES: usize = 32 * 1024;

/// The longest that a line waits in a thread's buffer.
pub const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// Buffers that may wait for the writer before lines are dropped.
const WAITING_BUFFERS: usize = 64;

thread_local! {
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Takes access-log lines from the data threads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogSender {
    channel: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

/// Makes the channel and starts the writer, which ends at [`LogSender::close`] or when the last sender is gone.
pub fn start(out: impl std::io::Write + Send + 'static) -> (LogSender, std::thread::JoinHandle<()>) {
    let (channel, buffers) = sync_channel(WAITING_BUFFERS);
    let dropped = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&dropped);
    let writer = std::thread::Builder::new()
        .name("access-log".into())
        .spawn(move || write_lines(out, &buffers, &counted))
        .expect("a process that has just started may have one more thread");
    (LogSender { channel, dropped }, writer)
}

fn write_lines(mut out: impl std::io::Write, buffers: &Receiver<String>, dropped: &AtomicU64) {
    loop {
        match buffers.recv_timeout(Duration::from_secs(1)) {
            Ok(lines) if lines.is_empty() => return drop(out.flush()),
            // Nobody is left to tell when stderr itself is gone.
            Ok(lines) => drop(out.write_all(lines.as_bytes())),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return drop(out.flush()),
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{{\"accessLogLinesDropped\":{lost}}}");
        }
    }
}

impl LogSender {
    /// Hands over what this thread has buffered. Called by each data thread's ticker, and at its end.
    pub fn flush(&self) {
        LINES.with_borrow_mut(|lines| self.hand_over(lines));
    }

    /// Has the writer end once it has written what was handed over before.
    pub fn close(&self) {
        // No thread hands over an empty buffer, so that one means the end. A writer that has gone has ended.
        let _ = self.channel.send(String::new());
    }

    fn hand_over(&self, lines: &mut String) {
        if lines.is_empty() {
            return;
        }
        let full = std::mem::replace(lines, String::with_capacity(BUFFER_BYTES + 1024));
        if let Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) = self.channel.try_send(full) {
            let count = lost.bytes().filter(|byte| *byte == b'\n').count() as u64;
            self.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// What the log needs to know of a request.
#[derive(Debug)]
pub struct Entry {
    /// The request's ids.
    pub ids: RequestIds,
    /// The client's connection.
    pub connection: Arc<Connection>,
    /// When the request began.
    pub started: Instant,
    /// The same, in milliseconds since 1970.
    pub received: u64,
    /// The client's verb.
    pub method: http::Method,
    /// What the client asked for; its query is left out of the line, for it may hold secrets.
    pub uri: http::Uri,
    /// The plan that served it, where one was found.
    pub plan: Option<Arc<StagePlan>>,
    /// The function URL that served it, where it was one.
    pub url: Option<Arc<FunctionUrl>>,
    /// The status that the client got.
    pub status: u16,
    /// Where the request was refused: the cause, for the operator.
    pub error: Option<Box<str>>,
}

/// An entry that waits for the response's length.
#[derive(Debug)]
pub struct Pending {
    entry: Entry,
    sender: LogSender,
    /// The line of the stage's own access log.
    access: Option<Box<access::Line>>,
}

impl Pending {
    /// Makes a line to be written by `sender`.
    pub fn new(entry: Entry, access: Option<Box<access::Line>>, sender: &LogSender) -> Pending {
        Pending { entry, sender: sender.clone(), access }
    }

    /// Writes the line into this thread's buffer.
    pub fn write(self, response_length: u64) {
        if let Some(access) = self.access {
            access.finish(self.entry.status, response_length, self.entry.started);
        }
        LINES.with_borrow_mut(|lines| {
            self.entry.write_line(lines, response_length);
            if lines.len() >= BUFFER_BYTES {
                self.sender.hand_over(lines);
            }
        });
    }
}

impl Entry {
    fn write_line(&self, out: &mut String, response_length: u64) {
        out.push_str("{\"requestId\":\"");
        out.push_str(self.ids.request_id());
        out.push_str("\",\"time\":");
        push_number(out, self.received);
        out.push_str(",\"ip\":\"");
        out.push_str(&self.connection.ip);
        out.push_str("\",\"httpMethod\":");
        push_quoted(out, self.method.as_str());
        out.push_str(",\"path\":");
        push_quoted(out, self.uri.path());
        let served_by = match (&self.plan, &self.url) {
            (Some(plan), _) => Some((&*plan.api.id, &*plan.stage)),
            (None, Some(url)) => Some((&*url.id, "$default")),
            (None, None) => None,
        };
        if let Some((id, stage)) = served_by {
            out.push_str(",\"apiId\":\"");
            out.push_str(id);
            out.push_str("\",\"stage\":\"");
            out.push_str(stage);
            out.push('"');
        }
        out.push_str(",\"status\":");
        push_number(out, self.status.into());
        out.push_str(",\"responseLength\":");
        push_number(out, response_length);
        out.push_str(",\"latencyMicros\":");
        push_number(out, self.started.elapsed().as_micros() as u64);
        if let Some(error) = &self.error {
            out.push_str(",\"error\":");
            push_quoted(out, error);
        }
        out.push_str("}\n");
    }
}

fn push_number(out: &mut String, number: u64) {
    out.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn entry(path: &str) -> Entry {
        Entry {
            ids: RequestIds::draw(),
            connection: Arc::new(Connection::new("127.0.0.1:5".parse().unwrap(), false)),
            started: Instant::now(),
            received: 1,
            method: http::Method::GET,
            uri: http::Uri::try_from(path.as_bytes()).unwrap(),
            plan: None,
            url: None,
            status: 403,
            error: Some("no \"route\"\n\u{1}\\".into()),
        }
    }

    #[test]
    fn every_line_is_json_and_all_arrive() {
        let out = Shared::default();
        let (sender, writer) = start(out.clone());
        for number in 0..500 {
            Pending::new(entry(&format!("/x/{number}")), None, &sender).write(27);
        }
        sender.flush();
        sender.close();
        writer.join().unwrap();
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 500);
        assert_eq!(lines[499]["path"], "/x/499");
        assert_eq!(lines[0]["error"], "no \"route\"\n\u{1}\\");
        assert_eq!(lines[0]["responseLength"], 27);
    }
}
