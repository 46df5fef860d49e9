//! Telemetry: what is written all the time, read now and then, and removed when it is old. It has a database of its own
//! (`telemetry.sqlite`), so that it never stands in the way of what must last.
//!
//! [`LogStore`] is all that CloudWatch Logs keeps. Lines come in two ways: [`LogStore::offer`] never waits and drops what
//! there is no room for; [`LogStore::append`] answers when the events are on disk. One thread writes (`writer`), and
//! gathers what comes within a moment into one commit. Events are found by (group, timestamp, sequence) and by (stream,
//! timestamp, sequence), so that a page costs the same whether there are a thousand events or ten million.

mod inbox;
mod read;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::clock::Clock;
use tokio::sync::{Semaphore, broadcast, oneshot};

pub use self::inbox::OfferedLine;
use self::inbox::{Inbox, Job};
use self::tables::Tables;
use self::writer::Writer;
use crate::data_dir::DirectoryLock;
use crate::sqlite::migrate::{self, TELEMETRY};
use crate::sqlite::reader::Readers;
use crate::sqlite::{connect_writer, open_error};
use crate::{OpenError, Scope, SqliteOptions, StoreError};

/// Changes and batches that may wait for the writer; whoever comes later waits for a place.
const WAITING_CHANGES: usize = 64;

/// Commits that a follower may be behind before it misses some.
const FOLLOWED_COMMITS: usize = 256;

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its number, never given twice.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it was made; milliseconds since 1970.
    pub created: i64,
    /// How long events are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// Bytes of the messages that it has.
    pub stored_bytes: i64,
    /// Whatever else its owner keeps about it, as JSON.
    pub document: String,
}

/// A log stream. Moments are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its number, never given twice.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: i64,
    /// The least timestamp that was written.
    pub first_event: Option<i64>,
    /// The greatest timestamp that was written.
    pub last_event: Option<i64>,
    /// When the last event came.
    pub last_ingestion: Option<i64>,
}

/// A log event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Where it stands among the events of its group and of its stream.
    pub position: Position,
    /// When it came; milliseconds since 1970.
    pub ingestion: i64,
    /// The stream that it belongs to.
    pub stream_id: i64,
    /// Its text.
    pub message: String,
}

/// The place of an event: events are in the order of their timestamps, and of their arrival where those are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Counts events, from 1.
    pub sequence: i64,
}

impl Position {
    /// Just before all events of that timestamp.
    pub fn before(timestamp: i64) -> Position {
        Position { timestamp, sequence: 0 }
    }
}

/// Which events are to be read, and in which order.
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// Whose events.
    pub source: EventSource,
    /// Only those behind this position.
    pub after: Position,
    /// Only those before this position.
    pub before: Position,
    /// The newest first, else the oldest.
    pub newest_first: bool,
}

/// Whose events are to be read.
#[derive(Clone, Debug)]
pub enum EventSource {
    /// Those of a group.
    Group(i64),
    /// Those of some streams, merged. Each costs a cursor, so there should be a hundred at most.
    Streams(Vec<i64>),
}

/// Which groups a page is of; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct GroupFilter {
    /// How the name begins.
    pub prefix: Option<String>,
    /// What the name contains, whatever the case.
    pub contains: Option<String>,
}

/// The order of streams in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOrder {
    /// By name.
    Name,
    /// By the greatest timestamp that was written, then by name.
    LastEvent,
}

/// Events of one stream that were just written, for those who follow.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// The group.
    pub group_id: i64,
    /// The stream's name.
    pub stream: Arc<str>,
    /// The events, in the order of their arrival.
    pub events: Vec<LogEvent>,
}

/// What became of the lines that were offered, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Events that are on disk, those of [`LogStore::append`] among them.
    pub written: u64,
    /// Lines that are lost: there was no room, the disk refused them, or their group is not there.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Counters {
    written: AtomicU64,
    dropped: AtomicU64,
    /// Why the last commit that failed did.
    failure: Mutex<Option<StoreError>>,
}

impl Counters {
    /// What is told to those whose change was not made.
    fn failure(&self) -> StoreError {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failure.unwrap_or_else(|| StoreError::Unavailable("the writer of the logs has ended".to_owned()))
    }
}

/// Why something about logs failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// There is no such group.
    #[error("there is no such log group")]
    NoGroup,
    /// There is no such stream.
    #[error("there is no such log stream")]
    NoStream,
    /// There is a group or a stream of that name.
    #[error("it exists already")]
    Exists,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything that CloudWatch Logs keeps. A clone is one reference count.
#[derive(Clone)]
pub struct LogStore(Arc<Shared>);

struct Shared {
    inbox: Arc<Inbox>,
    counters: Arc<Counters>,
    places: Semaphore,
    readers: Readers,
    followers: broadcast::Sender<Arc<Vec<Ingested>>>,
    writer: Writer,
    /// Last, so that the lock outlives the connections.
    _lock: Arc<DirectoryLock>,
}

impl std::fmt::Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogStore").field(&self.counts()).finish()
    }
}

impl LogStore {
    /// Opens or makes `telemetry.sqlite` in a locked data directory.
    pub(crate) fn open(
        directory: &Path,
        options: &SqliteOptions,
        clock: Clock,
        lock: Arc<DirectoryLock>,
    ) -> Result<LogStore, OpenError> {
        let path = directory.join("telemetry.sqlite");
        let failed = |error: rusqlite::Error| open_error(&path, &error);
        crate::sqlite::create_private(&path)?;
        let mut connection = connect_writer(&path, options).map_err(failed)?;
        migrate::migrate(&mut connection, TELEMETRY, directory, &path)?;
        let inbox = Arc::new(Inbox::default());
        let counters = Arc::new(Counters::default());
        let (followers, _) = broadcast::channel(FOLLOWED_COMMITS);
        let parts = writer::Parts {
            inbox: Arc::clone(&inbox),
            counters: Arc::clone(&counters),
            followers: followers.clone(),
            clock,
        };
        let writer = Writer::start(connection, parts, &path)?;
        let places = Semaphore::new(WAITING_CHANGES);
        let readers = Readers::new(path);
        Ok(LogStore(Arc::new(Shared { inbox, counters, places, readers, followers, writer, _lock: lock })))
    }

    /// Takes a line that nobody waits for. Never blocks for long; a line for which there is no room is dropped and counted.
    pub fn offer(&self, line: OfferedLine) {
        if !self.0.inbox.offer(line) {
            self.0.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of the lines so far.
    pub fn counts(&self) -> LogCounts {
        let Counters { written, dropped, .. } = &*self.0.counters;
        LogCounts { written: written.load(Ordering::Relaxed), dropped: dropped.load(Ordering::Relaxed) }
    }

    /// Follows what is written. A follower that is too slow misses commits, and is told so.
    pub fn follow(&self) -> broadcast::Receiver<Arc<Vec<Ingested>>> {
        self.0.followers.subscribe()
    }

    /// Writes what was offered by now, and ends the writer; what comes later is dropped. Blocks until it is done.
    pub fn close(&self) {
        self.0.inbox.end();
        self.0.writer.wait();
    }

    /// Writes events to a stream, and answers the last one's sequence when they are on disk.
    ///
    /// # Errors
    /// [`LogError::NoGroup`], [`LogError::NoStream`].
    pub async fn append(
        &self,
        scope: &Scope,
        group: &str,
        stream: &str,
        events: Vec<(i64, String)>,
    ) -> Result<i64, LogError> {
        let (scope, group, stream) = (scope.clone(), group.to_owned(), stream.to_owned());
        self.change(move |tables| {
            let group_id = tables.group_id(&scope, &group)?.ok_or(LogError::NoGroup)?;
            let stream_id = tables.stream_id(group_id, &stream)?.ok_or(LogError::NoStream)?;
            tables.insert_events(group_id, stream_id, &stream.into(), events)?;
            tables.finish_totals()?;
            Ok(tables.last_sequence())
        })
        .await
    }

    /// Makes a group.
    ///
    /// # Errors
    /// [`LogError::Exists`].
    pub async fn create_group(&self, scope: &Scope, name: &str, document: String) -> Result<(), LogError> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.change(move |tables| match tables.group_id(&scope, &name)? {
            Some(_) => Err(LogError::Exists.into()),
            None => Ok(tables.insert_group(&scope, &name, &document).map(|_| ())?),
        })
        .await
    }

    /// Changes what its owner keeps about a group, and how long its events are kept, as `change` says; it may refuse.
    ///
    /// # Errors
    /// [`LogError::NoGroup`].
    pub async fn change_group<E: Send + 'static>(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut LogGroup) -> Result<(), E> + Send + 'static,
    ) -> Result<Result<(), E>, LogError> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.change(move |tables| {
            let mut group = read::group(tables.connection, &scope, &name)?.ok_or(LogError::NoGroup)?;
            if let Err(refusal) = change(&mut group) {
                return Ok(Err(refusal));
            }
            tables.update_group(&group)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Removes a group with its streams, unless `refuse` says no; its events go bit by bit.
    ///
    /// # Errors
    /// [`LogError::NoGroup`].
    pub async fn delete_group<E: Send + 'static>(
        &self,
        scope: &Scope,
        name: &str,
        check: impl FnOnce(&LogGroup) -> Result<(), E> + Send + 'static,
    ) -> Result<Result<(), E>, LogError> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.change(move |tables| {
            let group = read::group(tables.connection, &scope, &name)?.ok_or(LogError::NoGroup)?;
            if let Err(refusal) = check(&group) {
                return Ok(Err(refusal));
            }
            tables.delete_group(group.id)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Makes a stream.
    ///
    /// # Errors
    /// [`LogError::NoGroup`], [`LogError::Exists`].
    pub async fn create_stream(&self, scope: &Scope, group: &str, name: &str) -> Result<(), LogError> {
        let (scope, group, name) = (scope.clone(), group.to_owned(), name.to_owned());
        self.change(move |tables| {
            let group_id = tables.group_id(&scope, &group)?.ok_or(LogError::NoGroup)?;
            match tables.stream_id(group_id, &name)? {
                Some(_) => Err(LogError::Exists.into()),
                None => Ok(tables.insert_stream(group_id, &name).map(|_| ())?),
            }
        })
        .await
    }

    /// Removes a stream; its events go bit by bit.
    ///
    /// # Errors
    /// [`LogError::NoGroup`], [`LogError::NoStream`].
    pub async fn delete_stream(&self, scope: &Scope, group: &str, name: &str) -> Result<(), LogError> {
        let (scope, group, name) = (scope.clone(), group.to_owned(), name.to_owned());
        self.change(move |tables| {
            let group_id = tables.group_id(&scope, &group)?.ok_or(LogError::NoGroup)?;
            let stream_id = tables.stream_id(group_id, &name)?.ok_or(LogError::NoStream)?;
            Ok(tables.delete_stream(stream_id)?)
        })
        .await
    }

    /// The group of that name.
    ///
    /// # Errors
    /// The database's.
    pub async fn group(&self, scope: &Scope, name: &str) -> Result<Option<LogGroup>, StoreError> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.0.readers.read(move |connection| read::group(connection, &scope, &name)).await
    }

    /// Up to `limit` groups with a name after `after`, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn groups(
        &self,
        scope: &Scope,
        filter: GroupFilter,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<LogGroup>, StoreError> {
        let scope = scope.clone();
        self.0.readers.read(move |connection| read::groups(connection, &scope, &filter, after.as_deref(), limit)).await
    }

    /// Every group of every account and region, with whose it is.
    ///
    /// # Errors
    /// The database's.
    pub async fn all_groups(&self) -> Result<Vec<(Scope, LogGroup)>, StoreError> {
        self.0.readers.read(read::all_groups).await
    }

    /// The stream of that name.
    ///
    /// # Errors
    /// The database's.
    pub async fn stream(&self, group_id: i64, name: &str) -> Result<Option<LogStream>, StoreError> {
        let name = name.to_owned();
        self.0.readers.read(move |connection| read::stream(connection, group_id, &name)).await
    }

    /// Up to `limit` streams behind `after` (a stream's last event, and its name), whose names begin with `prefix`.
    ///
    /// # Errors
    /// The database's.
    pub async fn streams(&self, page: StreamPage) -> Result<Vec<LogStream>, StoreError> {
        self.0.readers.read(move |connection| read::streams(connection, &page)).await
    }

    /// The names of streams.
    ///
    /// # Errors
    /// The database's.
    pub async fn stream_names(&self, ids: Vec<i64>) -> Result<Vec<(i64, String)>, StoreError> {
        self.0.readers.read(move |connection| read::stream_names(connection, &ids)).await
    }

    /// Hands events to `visit`, one after the other, until it has enough; answers what it has made of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn scan<T: Send + 'static>(
        &self,
        query: EventQuery,
        mut made: T,
        mut visit: impl FnMut(&mut T, LogEvent) -> ControlFlow<()> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0
            .readers
            .read(move |connection| {
                read::scan(connection, &query, &mut |event| visit(&mut made, event))?;
                Ok(made)
            })
            .await
    }

    /// Has the writer do something, and answers when it is on disk. What refuses must not have changed anything.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, LogError> {
        let lost = || self.0.counters.failure();
        let _place = self.0.places.acquire().await.map_err(|_| lost())?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let done = match work(tables) {
                Ok(done) => Ok(done),
                Err(Refused::Condition(error)) => Err(error),
                Err(Refused::Engine(error)) => return Err(error),
            };
            // A caller that has gone away needs no answer.
            Ok(Box::new(move || drop(answer.send(done))))
        });
        self.0.inbox.change(job);
        answered.await.map_err(|_| lost())?
    }
}

/// A page of streams.
#[derive(Clone, Debug)]
pub struct StreamPage {
    /// Of which group.
    pub group_id: i64,
    /// How the names begin.
    pub prefix: Option<String>,
    /// In which order.
    pub order: StreamOrder,
    /// Whether backwards.
    pub descending: bool,
    /// The last event and the name of the stream before the page.
    pub after: Option<(i64, String)>,
    /// How many at most.
    pub limit: usize,
}

/// Why a change was not made.
#[derive(Debug)]
enum Refused {
    /// The caller is told this, and nothing was changed.
    Condition(LogError),
    /// The engine failed; the whole commit is undone.
    Engine(rusqlite::Error),
}

impl From<LogError> for Refused {
    fn from(error: LogError) -> Refused {
        Refused::Condition(error)
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Refused {
        Refused::Engine(error)
    }
}
