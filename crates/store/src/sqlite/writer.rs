//! The one thread that writes. It takes all transactions that wait, applies each in a savepoint of its own, and commits them
//! together: one sync of the disk for many writers. Nobody is answered before COMMIT has returned.

use std::mem;
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::{mpsc, oneshot, watch};

use super::reader::{signed, unsigned};
use super::steps::{self, Refusal};
use super::{SqliteOptions, failure};
use crate::{Step, StoreError};

/// Transactions that may wait; whoever comes later waits for a place.
const QUEUE: usize = 1024;
/// Transactions in one group. It bounds what the first of a group waits for the others.
const GROUP: usize = 512;
/// Commits between two trimmings of the change feed.
const TRIM_EVERY: u64 = 1024;

/// Handle of the thread; dropping it lets the thread finish its queue and waits for that.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    steps: Vec<Step>,
    answer: oneshot::Sender<Result<u64, StoreError>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        options: SqliteOptions,
        publish: watch::Sender<u64>,
    ) -> Result<Self, String> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let revision = *publish.borrow();
        let kept_commits = options.kept_commits.unwrap_or(10_000);
        let thread = WriterThread { connection, revision, publish, kept_commits, broken: None };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || thread.run(jobs));
        let thread = thread.map_err(|error| error.to_string())?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn commit(&self, steps: Vec<Step>) -> Result<u64, StoreError> {
        let gone = || StoreError::Unavailable("the writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Job { steps, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported when it happened; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// The greatest revision that the store has given.
pub(super) fn last_revision(connection: &Connection) -> rusqlite::Result<u64> {
    let last = connection.query_row("SELECT max(revision) FROM changes", [], |row| row.get::<_, Option<i64>>(0))?;
    Ok(last.map_or(0, unsigned))
}

struct WriterThread {
    connection: Connection,
    /// Revision of the last commit on disk.
    revision: u64,
    publish: watch::Sender<u64>,
    kept_commits: u64,
    /// Set for good when a sync failed: the kernel may have dropped what it could not write, so that a later sync would
    /// succeed without it. Only a restart, which reads the disk, knows what is there.
    broken: Option<StoreError>,
}

impl WriterThread {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
            self.answer(mem::take(&mut group));
        }
    }

    /// Applies and answers one group.
    fn answer(&mut self, group: Vec<Job>) {
        let results = match self.commit_group(&group) {
            Ok(results) => results,
            // One transaction may have been too much for the disk, or the engine has undone them all: each gets its own try.
            Err(_) if group.len() > 1 && self.broken.is_none() => {
                group.chunks(1).map(|alone| self.commit_alone(alone)).collect()
            }
            Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
        };
        // A caller that hears of its commit must find the revision moved.
        self.publish.send_if_modified(|published| mem::replace(published, self.revision) != self.revision);
        for (job, result) in group.into_iter().zip(results) {
            // A caller that has gone away needs no answer.
            let _ = job.answer.send(result);
        }
    }

    fn commit_alone(&mut self, alone: &[Job]) -> Result<u64, StoreError> {
        self.commit_group(alone)?.pop().expect("one job has one result")
    }

    /// Applies the group in one SQLite transaction. The outer error is the engine's: nothing was applied.
    fn commit_group(&mut self, group: &[Job]) -> Result<Vec<Result<u64, StoreError>>, StoreError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let applied = self.apply_group(group);
        if applied.is_err() && !self.connection.is_autocommit() {
            // The error that led here is the one to tell. Should this fail too, the next BEGIN does.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        match applied {
            Ok((results, revision)) => {
                self.revision = revision;
                Ok(results)
            }
            Err(error) => {
                let told = failure(&error);
                if sync_failed(&error) {
                    tracing::error!(%error, "cannot sync the data directory; no more writes until a restart");
                    self.broken = Some(told.clone());
                } else {
                    tracing::error!(%error, "cannot write to the data directory");
                }
                Err(told)
            }
        }
    }

    fn apply_group(&self, group: &[Job]) -> rusqlite::Result<(Vec<Result<u64, StoreError>>, u64)> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut revision = self.revision;
        let mut results = Vec::with_capacity(group.len());
        for job in group {
            connection.prepare_cached("SAVEPOINT job")?.execute([])?;
            match steps::apply(connection, &job.steps, revision + 1) {
                Ok(changes) => {
                    revision += u64::from(changes > 0);
                    results.push(Ok(revision));
                }
                Err(Refusal::Condition(error)) => {
                    connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
                    results.push(Err(error));
                }
                Err(Refusal::Engine(error)) => return Err(error),
            }
            connection.prepare_cached("RELEASE job")?.execute([])?;
        }
        self.trim(revision)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok((results, revision))
    }

    /// Now and then removes what the change feed need no longer hold.
    fn trim(&self, revision: u64) -> rusqlite::Result<()> {
        if revision / TRIM_EVERY > self.revision / TRIM_EVERY && revision > self.kept_commits {
            let last = signed(revision - self.kept_commits.max(1));
            self.connection.prepare_cached("DELETE FROM changes WHERE revision <= ?1")?.execute([last])?;
        }
        Ok(())
    }
}

fn sync_failed(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(ffi::Error { code: ErrorCode::SystemIoFailure, extended_code }, _) = error
    else {
        return false;
    };
    matches!(*extended_code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
}
