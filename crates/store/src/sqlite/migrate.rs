//! Brings a database to the current data format, one numbered file of its migrations after the other.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::open_error;
use crate::OpenError;

/// Migrations of a database: number `n` (from 1) leads from data format `n - 1` to `n`. Released files never change; add
/// one.
pub(crate) type Migrations = [&'static str];

/// Those of `state.sqlite`.
pub(super) const STATE: &Migrations = &[include_str!("../../migrations/0001_records.sql")];

/// Those of `telemetry.sqlite`.
pub(crate) const TELEMETRY: &Migrations = &[include_str!("../../migrations/telemetry/0001_logs.sql")];

/// Applies the migrations that are missing, all in one transaction.
pub(crate) fn migrate(
    connection: &mut Connection,
    migrations: &Migrations,
    directory: &Path,
    path: &Path,
) -> Result<(), OpenError> {
    // The data format that this program writes.
    let current = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let engine = |error: rusqlite::Error| open_error(path, &error);
    // The usual start: nothing to do, nothing locked, nothing written.
    let found = data_format(connection).map_err(engine)?;
    let found = match found {
        Found::Format(found) if found > current => {
            return Err(OpenError::Newer { path: directory.to_owned(), found, known: current });
        }
        Found::Format(found) if found >= 1 => found,
        Found::Nothing => 0,
        Found::Format(_) | Found::Foreign => {
            let reason = "it has tables, but none that says its data format".to_owned();
            return Err(OpenError::NotOurs { path: path.to_owned(), reason });
        }
    };
    if found == current {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(engine)?;
    apply(&transaction, migrations, found, current).map_err(engine)?;
    transaction.commit().map_err(engine)
}

enum Found {
    /// An empty database.
    Nothing,
    /// Ours, of that data format.
    Format(i64),
    /// Somebody else's.
    Foreign,
}

fn data_format(connection: &Connection) -> rusqlite::Result<Found> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(Found::Nothing);
    }
    let ours = "SELECT count(*) FROM pragma_table_info('meta') WHERE name IN ('name', 'value')";
    let columns: i64 = connection.query_row(ours, [], |row| row.get(0))?;
    if columns != 2 {
        return Ok(Found::Foreign);
    }
    let format =
        connection.query_row("SELECT value FROM meta WHERE name = 'data_format'", [], |row| row.get(0)).optional()?;
    Ok(format.map_or(Found::Foreign, Found::Format))
}

fn apply(transaction: &Transaction<'_>, migrations: &Migrations, found: i64, current: i64) -> rusqlite::Result<()> {
    for (number, sql) in (1..).zip(migrations) {
        if number > found {
            transaction.execute_batch(sql)?;
        }
    }
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES ('data_format', ?1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [current],
    )?;
    Ok(())
}
