//! What waits for the writer: lines that nobody waits for, which are gathered, and changes, which are not.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::tables::Tables;

/// Lines that may wait, and their bytes. The last part is for lines to streams of the store's own, so that a function that
/// prints without end costs no line of an access log.
const WAITING_LINES: usize = 40_000;
const WAITING_BYTES: usize = 32 * 1024 * 1024;
const RESERVED_LINES: usize = 10_000;
const RESERVED_BYTES: usize = 8 * 1024 * 1024;

/// The longest that a line is kept back for others to join it.
const GATHERING: Duration = Duration::from_millis(200);

/// Lines at which the writer begins before that.
const PLENTY: usize = 10_000;

/// A line that is offered to the store.
#[derive(Debug)]
pub struct OfferedLine {
    /// The log group (`arn:aws:logs:{region}:{account}:log-group:{name}`).
    pub group_arn: Arc<str>,
    /// The stream, which is made with its group where it is missing; `None` for one of the store's own, in a group that
    /// must be there.
    pub stream: Option<Arc<str>>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The text.
    pub message: String,
}

/// Something that the writer does within its next commit. What it gives is called after the commit; it is dropped
/// uncalled when that fails.
pub(super) type Job = Box<dyn FnOnce(&mut Tables<'_>) -> rusqlite::Result<Answer> + Send>;
pub(super) type Answer = Box<dyn FnOnce() + Send>;

/// The box between everyone and the writer.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// What waits.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) lines: Vec<OfferedLine>,
    pub(super) jobs: Vec<Job>,
    bytes: usize,
    pub(super) ended: bool,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.jobs.is_empty()
    }
}

impl Inbox {
    /// Takes a line, if there is room.
    pub(super) fn offer(&self, line: OfferedLine) -> bool {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + line.message.len();
        let (lines, most) = match line.stream {
            Some(_) => (WAITING_LINES, WAITING_BYTES),
            None => (WAITING_LINES + RESERVED_LINES, WAITING_BYTES + RESERVED_BYTES),
        };
        if waiting.ended || waiting.lines.len() >= lines || bytes > most {
            return false;
        }
        waiting.bytes = bytes;
        waiting.lines.push(line);
        // The first wakes the writer, which then gathers; the others need not.
        if matches!(waiting.lines.len(), 1 | PLENTY) {
            self.arrived.notify_one();
        }
        true
    }

    /// Takes a change; it is dropped when the writer has been told to end.
    pub(super) fn change(&self, job: Job) {
        let mut waiting = self.lock();
        if !waiting.ended {
            waiting.jobs.push(job);
            self.arrived.notify_one();
        }
    }

    /// No more is taken.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    /// All that waits, once there is something, or nothing after `patience`.
    pub(super) fn take(&self, patience: Duration) -> Waiting {
        let deadline = Instant::now() + patience;
        let mut waiting = self.lock();
        while waiting.is_empty() && !waiting.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waiting::default();
            }
            waiting = self.wait(waiting, left);
        }
        let deadline = Instant::now() + GATHERING;
        while waiting.jobs.is_empty() && waiting.lines.len() < PLENTY && !waiting.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.wait(waiting, left);
        }
        let ended = waiting.ended;
        let taken = mem::take(&mut *waiting);
        waiting.ended = ended;
        Waiting { ended, ..taken }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, waiting: MutexGuard<'a, Waiting>, patience: Duration) -> MutexGuard<'a, Waiting> {
        self.arrived.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner).0
    }
}
