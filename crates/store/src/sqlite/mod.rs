//! The engine of one machine: SQLite in WAL mode, one thread that writes (`writer`), a few connections that read (`reader`).

pub(crate) mod migrate;
pub(crate) mod reader;
mod steps;
mod writer;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::watch;

use self::reader::Readers;
use self::writer::Writer;
use crate::data_dir::{DirectoryLock, system};
use crate::{Change, OpenError, Row, Scope, Store, StoreError, Transaction};

/// Options of the engine.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// Size in bytes that `state.sqlite` may reach before commits fail with [`StoreError::Full`]; default: no limit.
    pub maximum_bytes: Option<u64>,
    /// Number of recent commits whose changes stay in the feed; default 10,000.
    pub kept_commits: Option<u64>,
}

/// Rows in `state.sqlite`. Dropping the last handle waits for the commits that are under way.
pub struct SqliteStore {
    readers: Readers,
    writer: Writer,
    revision: watch::Receiver<u64>,
    /// Last, so that the lock outlives the connections.
    _lock: Arc<DirectoryLock>,
}

impl SqliteStore {
    /// Opens or makes `state.sqlite` in a locked data directory, and brings it to the current data format.
    pub(crate) fn open(directory: &Path, options: SqliteOptions, lock: Arc<DirectoryLock>) -> Result<Self, OpenError> {
        let path = directory.join("state.sqlite");
        create_private(&path)?;
        let mut connection = connect_writer(&path, &options).map_err(|error| open_error(&path, &error))?;
        migrate::migrate(&mut connection, migrate::STATE, directory, &path)?;
        let revision = writer::last_revision(&connection).map_err(|error| open_error(&path, &error))?;
        let (publish, revision) = watch::channel(revision);
        let writer = Writer::start(connection, options, publish).map_err(|error| OpenError::System {
            action: "start a thread for",
            path: path.clone(),
            reason: error,
        })?;
        Ok(Self { readers: Readers::new(path), writer, revision, _lock: lock })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn row(&self, kind: &'static str, scope: &Scope, key: &str) -> Result<Option<Row>, StoreError> {
        let (scope, key) = (scope.clone(), key.to_owned());
        self.readers.read(move |connection| reader::row(connection, kind, &scope, &key)).await
    }

    async fn children(
        &self,
        kind: &'static str,
        scope: &Scope,
        parent: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (scope, parent, after) = (scope.clone(), parent.to_owned(), after.map(str::to_owned));
        let read =
            move |connection: &Connection| reader::children(connection, kind, &scope, &parent, after.as_deref(), limit);
        self.readers.read(read).await
    }

    async fn tree(&self, kind: &'static str, scope: &Scope, prefix: &str) -> Result<Vec<Row>, StoreError> {
        let (scope, prefix) = (scope.clone(), prefix.to_owned());
        self.readers.read(move |connection| reader::tree(connection, kind, &scope, &prefix)).await
    }

    async fn rows(&self, kind: &'static str) -> Result<Vec<Row>, StoreError> {
        self.readers.read(move |connection| reader::rows(connection, kind)).await
    }

    async fn rows_after(
        &self,
        kind: &'static str,
        after: Option<(&Scope, &str)>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let after = after.map(|(scope, key)| (scope.clone(), key.to_owned()));
        self.readers.read(move |connection| reader::rows_after(connection, kind, after.as_ref(), limit)).await
    }

    async fn row_anywhere(&self, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError> {
        let key = key.to_owned();
        self.readers.read(move |connection| reader::row_anywhere(connection, kind, &key)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<u64, StoreError> {
        self.writer.commit(transaction.into_steps()?).await
    }

    async fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.revision.clone()
    }

    async fn changes_since(&self, revision: u64, limit: usize) -> Result<Vec<Change>, StoreError> {
        let changes = self.readers.read(move |connection| reader::changes_since(connection, revision, limit)).await?;
        changes.map_err(|oldest| StoreError::Trimmed { oldest })
    }
}

/// Makes the file of a database, unless it is there.
pub(crate) fn create_private(path: &Path) -> Result<(), OpenError> {
    // SQLite would let others of the system read it; its log and its shared memory get the mode of this file.
    let created = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    created.map(|_| ()).map_err(|error| system("open", path, &error))
}

/// The one connection that writes.
pub(crate) fn connect_writer(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // FULL syncs the write-ahead log in every COMMIT; with less, a power cut may take back what was acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| {
        let mode: String = row.get(0)?;
        if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
    })?;
    // After a burst the log is cut back to this size at the next checkpoint.
    connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?;
    if let Some(bytes) = options.maximum_bytes {
        let page_size: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = u32::try_from(bytes / u64::from(page_size)).unwrap_or(u32::MAX).max(1);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The store's words for an error of the engine.
pub(crate) fn failure(error: &rusqlite::Error) -> StoreError {
    if is_full(error) { StoreError::Full } else { StoreError::Unavailable(error.to_string()) }
}

/// Whether the disk is full; where it is too full for the index of the write-ahead log, the engine calls that an I/O error.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
    })
}

/// The operator's words for an error of the engine while opening.
pub(crate) fn open_error(path: &Path, error: &rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::NotOurs { path: path.to_owned(), reason: error.to_string() }
        }
        _ if is_full(error) => system("open", path, &"the disk is full"),
        _ => system("open", path, error),
    }
}
