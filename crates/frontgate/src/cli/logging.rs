//! The program's own log: to standard error, as text or JSON, through a bounded queue.
//!
//! A slow reader of standard error must not hold up a request, so the line is formatted on the thread that logs it and
//! written by a thread of its own. When the queue is full a line is dropped and counted; the count is written as
//! soon as there is room again. Stopping the log writes what is queued.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;

/// Lines that may wait for a slow reader: some megabytes at the most.
const QUEUE_LINES: usize = 8192;

enum Message {
    Line(Vec<u8>),
    Stop,
}

/// Keeps the log going; dropping it writes what is queued.
pub(super) struct Log {
    sender: SyncSender<Message>,
    writer: Option<JoinHandle<()>>,
}

impl Drop for Log {
    fn drop(&mut self) {
        // Waits for room if it must: the last lines before the end are the ones that matter.
        if self.sender.send(Message::Stop).is_ok()
            && let Some(writer) = self.writer.take()
        {
            let _ = writer.join();
        }
    }
}

/// Starts the log of this process. Colour is used on a terminal unless NO_COLOR is set.
pub(super) fn start(format: LogFormat, level: &str) -> Log {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (log, lines) = start_writer(io::stderr());
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_ansi(colour);
    // A second start in one process (tests) keeps the first log.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(subscriber.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish()),
    };
    log
}

fn start_writer(out: impl Write + Send + 'static) -> (Log, Lines) {
    let (sender, receiver) = sync_channel(QUEUE_LINES);
    let dropped = Arc::new(AtomicU64::new(0));
    let lines = Lines { sender: sender.clone(), dropped: Arc::clone(&dropped) };
    let writer =
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(&receiver, &dropped, out));
    (Log { sender, writer: writer.ok() }, lines)
}

/// Writes lines until told to stop. Errors of standard error have nowhere to be reported and are left.
fn write_lines(receiver: &Receiver<Message>, dropped: &AtomicU64, mut out: impl Write) {
    while let Ok(Message::Line(line)) = receiver.recv() {
        let _ = out.write_all(&line);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "log: {lost} lines were dropped because standard error is read too slowly");
        }
    }
    let _ = out.flush();
}

/// Where tracing writes: each event makes one writer, which queues its line when it is dropped.
struct Lines {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

struct Line<'a> {
    lines: &'a Lines,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, bytes: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.lines.sender.try_send(Message::Line(bytes))
        {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An output whose bytes the test can see.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<u8>>>);

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics while it holds this").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn stopping_writes_what_is_queued() {
        let seen = Seen::default();
        let (log, lines) = start_writer(seen.clone());
        for number in 0..100 {
            lines.make_writer().write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        drop(log);
        let text = seen.text();
        assert_eq!(text.lines().count(), 100);
        assert!(text.ends_with("line 99\n"));
    }

    #[test]
    fn a_full_queue_drops_and_counts_instead_of_waiting() {
        let (sender, receiver) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let lines = Lines { sender: sender.clone(), dropped: Arc::clone(&dropped) };
        for _ in 0..5 {
            lines.make_writer().write_all(b"line\n").unwrap();
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        drop((lines, sender));
        let seen = Seen::default();
        write_lines(&receiver, &dropped, seen.clone());
        assert_eq!(seen.text(), "line\nlog: 3 lines were dropped because standard error is read too slowly\nline\n");
    }
}
