//! Reads, on a few read-only connections that are opened when they are first needed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, Params, params};
use tokio::sync::Semaphore;

use super::failure;
use crate::{Change, Row, Scope, StoreError};

/// Reads at the same time. More would only wait for the processor; each may hold its own page cache.
const CONNECTIONS: usize = 4;

/// The connections that read. A statement is its own read transaction, so it sees all that was committed before it.
pub(crate) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, permits: Arc::new(Semaphore::new(CONNECTIONS)), idle: Arc::default() }
    }

    /// Runs `work` with a connection on a blocking thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let unavailable = |reason: String| StoreError::Unavailable(reason);
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| unavailable(error.to_string()))?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let task = tokio::task::spawn_blocking(move || {
            let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => connect(&path)?,
            };
            let result = work(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            result
        });
        task.await.map_err(|error| unavailable(error.to_string()))?.map_err(|error| failure(&error))
    }
}

fn connect(path: &PathBuf) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A query on `records` with the columns that [`raw`] reads.
macro_rules! select_rows {
    ($rest:literal) => {
        concat!("SELECT account, region, key, revision, schema_version, document FROM records ", $rest)
    };
}

pub(super) fn row(connection: &Connection, kind: &str, scope: &Scope, key: &str) -> rusqlite::Result<Option<Row>> {
    connection
        .prepare_cached(select_rows!("WHERE kind = ?1 AND key = ?2 AND account = ?3 AND region = ?4"))?
        .query_row(params![kind, key, &*scope.account, &*scope.region], raw)
        .optional()
}

pub(super) fn children(
    connection: &Connection,
    kind: &str,
    scope: &Scope,
    parent: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<Row>> {
    let statement = connection.prepare_cached(select_rows!(
        "WHERE kind = ?1 AND account = ?2 AND region = ?3 AND parent = ?4 AND key > ?5 ORDER BY key LIMIT ?6"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // No key is empty, so nothing sorts before the first.
    let after = after.unwrap_or("");
    collect(statement, params![kind, &*scope.account, &*scope.region, parent, after, limit])
}

pub(super) fn tree(connection: &Connection, kind: &str, scope: &Scope, prefix: &str) -> rusqlite::Result<Vec<Row>> {
    let statement = connection.prepare_cached(select_rows!(
        "WHERE kind = ?1 AND (key = ?2 OR (key > ?3 AND key < ?4)) AND account = ?5 AND region = ?6 ORDER BY key"
    ))?;
    let (from, to) = tree_bounds(prefix);
    collect(statement, params![kind, prefix, from, to, &*scope.account, &*scope.region])
}

/// All keys that start with `prefix` and `/`, and no others, lie strictly between these two: `0` follows `/`.
pub(super) fn tree_bounds(prefix: &str) -> (String, String) {
    (format!("{prefix}/"), format!("{prefix}0"))
}

pub(super) fn rows(connection: &Connection, kind: &str) -> rusqlite::Result<Vec<Row>> {
    let statement = connection.prepare_cached(select_rows!("WHERE kind = ?1 ORDER BY account, region, key"))?;
    collect(statement, params![kind])
}

pub(super) fn rows_after(
    connection: &Connection,
    kind: &str,
    after: Option<&(Scope, String)>,
    limit: usize,
) -> rusqlite::Result<Vec<Row>> {
    let statement = connection.prepare_cached(select_rows!(
        "WHERE kind = ?1 AND (key, account, region) > (?2, ?3, ?4) ORDER BY key, account, region LIMIT ?5"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // No key is empty, so nothing sorts before the first.
    let (account, region, key) = after.map_or(("", "", ""), |(scope, key)| (&scope.account, &scope.region, key));
    collect(statement, params![kind, key, account, region, limit])
}

pub(super) fn row_anywhere(connection: &Connection, kind: &str, key: &str) -> rusqlite::Result<Option<Row>> {
    connection
        .prepare_cached(select_rows!("WHERE kind = ?1 AND key = ?2 ORDER BY account, region LIMIT 1"))?
        .query_row(params![kind, key], raw)
        .optional()
}

/// The changes after `revision` in whole commits, or the least revision that may be asked for.
pub(super) fn changes_since(
    connection: &Connection,
    revision: u64,
    limit: usize,
) -> rusqlite::Result<Result<Vec<Change>, u64>> {
    // One read transaction, so that no trimming falls between the two queries.
    let snapshot = connection.unchecked_transaction()?;
    let oldest: Option<i64> = snapshot.query_row("SELECT min(revision) FROM changes", [], |row| row.get(0))?;
    let least = oldest.map_or(0, |oldest| unsigned(oldest).saturating_sub(1));
    if revision < least {
        return Ok(Err(least));
    }
    let mut statement = snapshot.prepare_cached(
        "SELECT revision, account, region, kind, key, deleted FROM changes
         WHERE revision > ?1 AND revision <= coalesce(
             (SELECT revision FROM changes WHERE revision > ?1 ORDER BY revision, position LIMIT 1 OFFSET ?2), ?3)
         ORDER BY revision, position",
    )?;
    let last = i64::try_from(limit.max(1) - 1).unwrap_or(i64::MAX);
    let changes = statement.query_map(params![signed(revision), last, i64::MAX], |row| {
        Ok(Change {
            revision: unsigned(row.get(0)?),
            scope: Scope::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?),
            kind: row.get(3)?,
            key: row.get(4)?,
            deleted: row.get(5)?,
        })
    })?;
    changes.collect::<Result<_, _>>().map(Ok)
}

fn collect(mut statement: CachedStatement<'_>, params: impl Params) -> rusqlite::Result<Vec<Row>> {
    statement.query_map(params, raw)?.collect()
}

fn raw(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        scope: Scope::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
        key: row.get(2)?,
        revision: unsigned(row.get(3)?),
        schema_version: row.get(4)?,
        document: row.get(5)?,
    })
}

/// A revision as SQLite keeps it. Revisions count commits from 1, so they never reach the sign bit; one that a caller made
/// up is capped.
pub(super) fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// A revision from SQLite.
pub(super) fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}
