//! The one thread that writes the logs: all that waits goes into one commit, and between commits old events are removed, a
//! few at a time.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base::clock::Clock;
use rusqlite::Connection;
use tokio::sync::broadcast;

use super::inbox::{Answer, Inbox, Waiting};
use super::tables::{self, Memory, Tables};
use super::{Counters, Ingested};
use crate::OpenError;
use crate::data_dir::system;
use crate::sqlite::{failure, open_error};

/// How often it is looked for events that have been kept for long enough.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// Events that are removed at a time, so that nobody waits long for the writer.
const REMOVED_AT_ONCE: usize = 1000;

/// How often the operator is told of lines that are lost.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// What the thread works with.
pub(super) struct Parts {
    pub(super) inbox: Arc<Inbox>,
    pub(super) counters: Arc<Counters>,
    pub(super) followers: broadcast::Sender<Arc<Vec<Ingested>>>,
    pub(super) clock: Clock,
}

/// Handle of the thread; dropping it lets it write what waits, and waits for that.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, parts: Parts, path: &Path) -> Result<Writer, OpenError> {
        let inbox = Arc::clone(&parts.inbox);
        let memory = Memory::read(&connection, parts.clock.clone()).map_err(|error| open_error(path, &error))?;
        // A burst of lines may stay in the write-ahead log for longer than small changes do: fewer syncs.
        let checkpoints = connection.pragma_update(None, "wal_autocheckpoint", 4000);
        checkpoints.map_err(|error| open_error(path, &error))?;
        let thread = WriterThread { connection, parts, memory, expiring: Vec::new(), warned: None, told: 0 };
        let thread = thread::Builder::new().name("log-writer".to_owned()).spawn(move || thread.run());
        let thread = thread.map_err(|error| system("start a thread for", path, &error))?;
        Ok(Writer { inbox, thread: Mutex::new(Some(thread)) })
    }

    /// Waits for the end of the thread.
    pub(super) fn wait(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread has been reported when it happened; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.end();
        self.wait();
    }
}

struct WriterThread {
    connection: Connection,
    parts: Parts,
    memory: Memory,
    /// Groups that are still to be looked at for old events.
    expiring: Vec<i64>,
    warned: Option<Instant>,
    /// Lost lines that the operator has been told of.
    told: u64,
}

impl WriterThread {
    fn run(mut self) {
        let mut next_look = Instant::now();
        let mut has_chores = true;
        loop {
            let patience =
                if has_chores { Duration::ZERO } else { next_look.saturating_duration_since(Instant::now()) };
            let waiting = self.parts.inbox.take(patience);
            let (ended, is_change) = (waiting.ended, !waiting.jobs.is_empty());
            if !waiting.is_empty() {
                self.commit(waiting);
            }
            self.warn();
            if ended {
                return;
            }
            // A change may be a retention or a removal.
            if is_change || Instant::now() >= next_look {
                next_look = Instant::now() + EXPIRE_EVERY;
                self.expiring = tables::groups_with_retention(&self.connection).unwrap_or_default();
            }
            has_chores = self.chore();
        }
    }

    /// Removes a few old events; whether there may be more.
    fn chore(&mut self) -> bool {
        let removed = self.remove_some();
        removed.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot remove old log events");
            self.expiring.clear();
            false
        })
    }

    fn remove_some(&mut self) -> rusqlite::Result<bool> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut has_more = tables::remove_some(&transaction, REMOVED_AT_ONCE)?;
        if let Some(group_id) = self.expiring.last().filter(|_| !has_more) {
            has_more = true;
            if !tables::expire_some(&transaction, *group_id, self.memory.now(), REMOVED_AT_ONCE)? {
                self.expiring.pop();
            }
        }
        transaction.commit()?;
        Ok(has_more)
    }

    fn commit(&mut self, waiting: Waiting) {
        let lines = waiting.lines.len() as u64;
        match self.try_commit(waiting) {
            Ok(Done { answers, homeless, ingested, written }) => {
                self.parts.counters.written.fetch_add(written, Ordering::Relaxed);
                for answer in answers {
                    answer();
                }
                self.lose(homeless);
                if let Some(ingested) = ingested.filter(|ingested| !ingested.is_empty()) {
                    // Nobody may follow any more.
                    let _ = self.parts.followers.send(Arc::new(ingested));
                }
            }
            Err(error) => {
                tracing::error!(%error, lines, "cannot write log events");
                self.parts.counters.dropped.fetch_add(lines, Ordering::Relaxed);
                let told = self.parts.counters.failure.lock();
                *told.unwrap_or_else(PoisonError::into_inner) = Some(failure(&error));
                self.memory.forget();
                if !self.connection.is_autocommit() {
                    // The error that led here is the one to tell. Should this fail too, the next BEGIN does.
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
            }
        }
    }

    fn try_commit(&mut self, waiting: Waiting) -> rusqlite::Result<Done> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let is_followed = self.parts.followers.receiver_count() > 0;
        let mut tables = Tables::new(&self.connection, &mut self.memory, is_followed);
        let homeless = tables.insert_lines(waiting.lines)?;
        let answers = waiting.jobs.into_iter().map(|job| job(&mut tables)).collect::<rusqlite::Result<_>>()?;
        let (ingested, written) = (tables.ingested.take(), tables.written);
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(Done { answers, homeless, ingested, written })
    }

    /// Counts lines whose groups are not there.
    fn lose(&mut self, homeless: Vec<Arc<str>>) {
        let Some(group) = homeless.last() else { return };
        self.parts.counters.dropped.fetch_add(homeless.len() as u64, Ordering::Relaxed);
        if self.may_warn() {
            self.told += homeless.len() as u64;
            tracing::warn!(group = %group, lines = homeless.len(), "lines were dropped: their log group is not there");
        }
    }

    /// Tells of lines that were dropped since the last time.
    fn warn(&mut self) {
        let dropped = self.parts.counters.dropped.load(Ordering::Relaxed);
        if dropped > self.told && self.may_warn() {
            let lines = dropped - self.told;
            self.told = dropped;
            tracing::warn!(
                lines,
                "lines of logs were dropped: they came faster than they were written, or had no group"
            );
        }
    }

    fn may_warn(&mut self) -> bool {
        let may = self.warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY);
        if may {
            self.warned = Some(Instant::now());
        }
        may
    }
}

/// What came of a commit.
struct Done {
    answers: Vec<Answer>,
    homeless: Vec<Arc<str>>,
    ingested: Option<Vec<Ingested>>,
    written: u64,
}
