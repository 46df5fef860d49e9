//! The steps of one transaction, applied inside the writer's SQLite transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::reader::{signed, tree_bounds, unsigned};
use crate::{RowContent, Scope, Step, StoreError};

/// Why a transaction was not applied.
pub(super) enum Refusal {
    /// A step's condition does not hold; the fault is with this transaction alone.
    Condition(StoreError),
    /// The engine failed, and may have undone more than this transaction.
    Engine(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

/// Applies the steps as commit `revision`; returns how many changes it recorded in the feed.
pub(super) fn apply(connection: &Connection, steps: &[Step], revision: u64) -> Result<u64, Refusal> {
    let mut commit = Commit { connection, revision: signed(revision), changes: 0 };
    for step in steps {
        commit.step(step)?;
    }
    Ok(commit.changes)
}

struct Commit<'a> {
    connection: &'a Connection,
    revision: i64,
    /// Changes recorded so far; the position of the next one.
    changes: u64,
}

impl Commit<'_> {
    fn step(&mut self, step: &Step) -> Result<(), Refusal> {
        match step {
            Step::Insert { kind, content } => self.insert(kind, content),
            Step::Update { kind, content, revision } => self.update(kind, content, *revision),
            Step::Put { kind, content } => {
                if self.overwrite(kind, content)? {
                    Ok(())
                } else {
                    self.insert(kind, content)
                }
            }
            Step::Delete { kind, scope, key, revision } => {
                self.expect(kind, scope, key, *revision)?;
                self.delete(kind, scope, key)
            }
            Step::DeleteTree { kind, scope, prefix } => self.delete_tree(kind, scope, prefix),
            Step::Expect { kind, scope, key, revision } => self.expect(kind, scope, key, *revision),
            Step::ExpectAbsent { kind, scope, key } => match self.current(kind, scope, key)? {
                None => Ok(()),
                Some(_) => Err(Refusal::Condition(StoreError::Exists { kind, key: key.clone() })),
            },
        }
    }

    fn insert(&mut self, kind: &'static str, content: &RowContent) -> Result<(), Refusal> {
        let RowContent { scope, key, parent, schema_version, document } = content;
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO records (kind, account, region, key, parent, revision, schema_version, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (kind, key, account, region) DO NOTHING",
            )?
            .execute(params![
                kind,
                &*scope.account,
                &*scope.region,
                key,
                parent,
                self.revision,
                schema_version,
                document
            ])?;
        if inserted == 0 {
            return Err(Refusal::Condition(StoreError::Exists { kind, key: key.clone() }));
        }
        self.record(kind, scope, key, false)
    }

    fn update(&mut self, kind: &'static str, content: &RowContent, revision: u64) -> Result<(), Refusal> {
        self.expect(kind, &content.scope, &content.key, revision)?;
        self.overwrite(kind, content)?;
        Ok(())
    }

    /// Replaces the row if it is there.
    fn overwrite(&mut self, kind: &'static str, content: &RowContent) -> Result<bool, Refusal> {
        let RowContent { scope, key, parent, schema_version, document } = content;
        let updated = self
            .connection
            .prepare_cached(
                "UPDATE records SET parent = ?5, revision = ?6, schema_version = ?7, document = ?8
                 WHERE kind = ?1 AND key = ?2 AND account = ?3 AND region = ?4",
            )?
            .execute(params![
                kind,
                key,
                &*scope.account,
                &*scope.region,
                parent,
                self.revision,
                schema_version,
                document
            ])?;
        if updated == 0 {
            return Ok(false);
        }
        self.record(kind, scope, key, false)?;
        Ok(true)
    }

    fn delete(&mut self, kind: &'static str, scope: &Scope, key: &str) -> Result<(), Refusal> {
        self.connection
            .prepare_cached("DELETE FROM records WHERE kind = ?1 AND key = ?2 AND account = ?3 AND region = ?4")?
            .execute(params![kind, key, &*scope.account, &*scope.region])?;
        self.record(kind, scope, key, true)
    }

    fn delete_tree(&mut self, kind: &'static str, scope: &Scope, prefix: &str) -> Result<(), Refusal> {
        let (from, to) = tree_bounds(prefix);
        let keys: Vec<String> = self
            .connection
            .prepare_cached(
                "SELECT key FROM records
                 WHERE kind = ?1 AND (key = ?2 OR (key > ?3 AND key < ?4)) AND account = ?5 AND region = ?6
                 ORDER BY key",
            )?
            .query_map(params![kind, prefix, from, to, &*scope.account, &*scope.region], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        keys.iter().try_for_each(|key| self.delete(kind, scope, key))
    }

    fn expect(&self, kind: &'static str, scope: &Scope, key: &str, revision: u64) -> Result<(), Refusal> {
        if self.current(kind, scope, key)? == Some(revision) {
            Ok(())
        } else {
            Err(Refusal::Condition(StoreError::Changed { kind, key: key.to_owned() }))
        }
    }

    /// Revision of a row, as it is at this point of the transaction.
    fn current(&self, kind: &str, scope: &Scope, key: &str) -> rusqlite::Result<Option<u64>> {
        self.connection
            .prepare_cached(
                "SELECT revision FROM records WHERE kind = ?1 AND key = ?2 AND account = ?3 AND region = ?4",
            )?
            .query_row(params![kind, key, &*scope.account, &*scope.region], |row| row.get(0).map(unsigned))
            .optional()
    }

    fn record(&mut self, kind: &str, scope: &Scope, key: &str, deleted: bool) -> Result<(), Refusal> {
        self.connection
            .prepare_cached(
                "INSERT INTO changes (revision, position, account, region, kind, key, deleted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.revision,
                signed(self.changes),
                &*scope.account,
                &*scope.region,
                kind,
                key,
                deleted
            ])?;
        self.changes += 1;
        Ok(())
    }
}
