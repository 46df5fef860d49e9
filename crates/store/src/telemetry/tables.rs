//! The tables of the logs, as the writer changes them within a commit.

use std::collections::HashMap;
use std::sync::Arc;

use base::arn::Arn;
use base::clock::Clock;
use base::ids::random_bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::inbox::OfferedLine;
use super::{Ingested, LogEvent, LogGroup, Position};
use crate::Scope;

/// Places that are remembered.
const PLACES: usize = 10_000;

/// Where lines go, by how they name it: the group's ARN, and the stream if it is named.
type Place = (Arc<str>, Option<Arc<str>>);

/// A stream that is there.
#[derive(Clone, Debug)]
struct Target {
    group_id: i64,
    stream_id: i64,
    stream: Arc<str>,
}

/// What the writer remembers from one commit to the next.
#[derive(Debug)]
pub(super) struct Memory {
    clock: Clock,
    last_sequence: i64,
    places: HashMap<Place, Target>,
}

impl Memory {
    pub(super) fn read(connection: &Connection, clock: Clock) -> rusqlite::Result<Memory> {
        let last =
            connection.query_row("SELECT max(sequence) FROM log_events", [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(Memory { clock, last_sequence: last.unwrap_or(0), places: HashMap::new() })
    }

    /// What is in the database is not what was thought, for instance because a commit was undone.
    pub(super) fn forget(&mut self) {
        self.places.clear();
    }

    /// The present, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.clock.now().0).unwrap_or(i64::MAX)
    }
}

/// What a commit adds to a stream.
#[derive(Clone, Copy, Debug)]
struct Total {
    group_id: i64,
    first: i64,
    last: i64,
    bytes: i64,
}

/// The tables within a commit.
pub(super) struct Tables<'c> {
    pub(super) connection: &'c Connection,
    memory: &'c mut Memory,
    now: i64,
    /// By stream.
    totals: HashMap<i64, Total>,
    /// Events for those who follow, if anyone does.
    pub(super) ingested: Option<Vec<Ingested>>,
    /// Where those of a stream are among them.
    ingested_at: HashMap<i64, usize>,
    pub(super) written: u64,
}

impl<'c> Tables<'c> {
    pub(super) fn new(connection: &'c Connection, memory: &'c mut Memory, is_followed: bool) -> Tables<'c> {
        let now = memory.now();
        let ingested = is_followed.then(Vec::new);
        Tables { connection, memory, now, totals: HashMap::new(), ingested, ingested_at: HashMap::new(), written: 0 }
    }

    pub(super) fn last_sequence(&self) -> i64 {
        self.memory.last_sequence
    }

    /// Writes lines that were offered; the ARNs of those that have no group.
    pub(super) fn insert_lines(&mut self, lines: Vec<OfferedLine>) -> rusqlite::Result<Vec<Arc<str>>> {
        let mut homeless = Vec::new();
        for OfferedLine { group_arn, stream, timestamp, message } in lines {
            let place = (group_arn, stream);
            match self.target(&place)? {
                Some(Target { group_id, stream_id, stream }) => {
                    self.insert_events(group_id, stream_id, &stream, [(timestamp, message)])?;
                }
                None => homeless.push(place.0),
            }
        }
        self.finish_totals()?;
        Ok(homeless)
    }

    fn target(&mut self, place: &Place) -> rusqlite::Result<Option<Target>> {
        if let Some(target) = self.memory.places.get(place) {
            return Ok(Some(target.clone()));
        }
        let (group_arn, stream) = place;
        let Some(arn) = Arn::parse(group_arn) else { return Ok(None) };
        let Some(group) = arn.resource.strip_prefix("log-group:") else { return Ok(None) };
        let scope = Scope::new(arn.account, arn.region);
        let group_id = match (self.group_id(&scope, group)?, stream) {
            (Some(id), _) => id,
            (None, Some(_)) => self.insert_group(&scope, group, "{}")?,
            (None, None) => return Ok(None),
        };
        let stream = stream.clone().unwrap_or_else(|| own_stream_name().into());
        let stream_id = match self.stream_id(group_id, &stream)? {
            Some(id) => id,
            None => self.insert_stream(group_id, &stream)?,
        };
        if self.memory.places.len() >= PLACES {
            self.memory.places.clear();
        }
        let target = Target { group_id, stream_id, stream };
        self.memory.places.insert(place.clone(), target.clone());
        Ok(Some(target))
    }

    /// Writes events to a stream. [`finish_totals`](Self::finish_totals) is to follow.
    pub(super) fn insert_events(
        &mut self,
        group_id: i64,
        stream_id: i64,
        stream: &Arc<str>,
        events: impl IntoIterator<Item = (i64, String)>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO log_events (sequence, group_id, stream_id, timestamp, ingestion, message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (timestamp, message) in events {
            self.memory.last_sequence += 1;
            let sequence = self.memory.last_sequence;
            statement.execute(params![sequence, group_id, stream_id, timestamp, self.now, message])?;
            self.written += 1;
            let bytes = i64::try_from(message.len()).unwrap_or(i64::MAX);
            let total =
                self.totals.entry(stream_id).or_insert(Total { group_id, first: timestamp, last: timestamp, bytes: 0 });
            total.first = total.first.min(timestamp);
            total.last = total.last.max(timestamp);
            total.bytes += bytes;
            if let Some(ingested) = &mut self.ingested {
                let position = Position { timestamp, sequence };
                let event = LogEvent { position, ingestion: self.now, stream_id, message };
                let at = *self.ingested_at.entry(stream_id).or_insert(ingested.len());
                if at == ingested.len() {
                    ingested.push(Ingested { group_id, stream: Arc::clone(stream), events: Vec::new() });
                }
                ingested[at].events.push(event);
            }
        }
        Ok(())
    }

    /// Brings streams and groups up to date with the events that were written.
    pub(super) fn finish_totals(&mut self) -> rusqlite::Result<()> {
        let mut groups: HashMap<i64, i64> = HashMap::new();
        for (stream_id, total) in self.totals.drain() {
            self.connection
                .prepare_cached(
                    "UPDATE log_streams SET last_event = max(last_event, ?2), last_ingestion = ?3,
                     first_event = CASE first_event WHEN 0 THEN ?4 ELSE min(first_event, ?4) END WHERE id = ?1",
                )?
                .execute(params![stream_id, total.last, self.now, total.first])?;
            *groups.entry(total.group_id).or_default() += total.bytes;
        }
        groups.into_iter().try_for_each(|(group_id, bytes)| add_bytes(self.connection, group_id, bytes))
    }

    pub(super) fn group_id(&self, scope: &Scope, name: &str) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT id FROM log_groups WHERE account = ?1 AND region = ?2 AND name = ?3")?
            .query_row(params![&*scope.account, &*scope.region, name], |row| row.get(0))
            .optional()
    }

    pub(super) fn stream_id(&self, group_id: i64, name: &str) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT id FROM log_streams WHERE group_id = ?1 AND name = ?2")?
            .query_row(params![group_id, name], |row| row.get(0))
            .optional()
    }

    pub(super) fn insert_group(&self, scope: &Scope, name: &str, document: &str) -> rusqlite::Result<i64> {
        self.connection
            .prepare_cached(
                "INSERT INTO log_groups (account, region, name, created, stored_bytes, document)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5)",
            )?
            .execute(params![&*scope.account, &*scope.region, name, self.now, document])?;
        Ok(self.connection.last_insert_rowid())
    }

    pub(super) fn insert_stream(&self, group_id: i64, name: &str) -> rusqlite::Result<i64> {
        self.connection
            .prepare_cached(
                "INSERT INTO log_streams (group_id, name, created, first_event, last_event, last_ingestion)
                 VALUES (?1, ?2, ?3, 0, 0, 0)",
            )?
            .execute(params![group_id, name, self.now])?;
        Ok(self.connection.last_insert_rowid())
    }

    pub(super) fn update_group(&self, group: &LogGroup) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE log_groups SET retention_days = ?2, document = ?3 WHERE id = ?1")?
            .execute(params![group.id, group.retention_days, group.document])?;
        Ok(())
    }

    pub(super) fn delete_group(&mut self, group_id: i64) -> rusqlite::Result<()> {
        self.memory.forget();
        self.connection.prepare_cached("DELETE FROM log_groups WHERE id = ?1")?.execute([group_id])?;
        self.connection.prepare_cached("DELETE FROM log_streams WHERE group_id = ?1")?.execute([group_id])?;
        self.remove_later(group_id, 0)
    }

    pub(super) fn delete_stream(&mut self, stream_id: i64) -> rusqlite::Result<()> {
        self.memory.forget();
        self.connection.prepare_cached("DELETE FROM log_streams WHERE id = ?1")?.execute([stream_id])?;
        self.remove_later(0, stream_id)
    }

    fn remove_later(&self, group_id: i64, stream_id: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("INSERT INTO removed_logs (group_id, stream_id) VALUES (?1, ?2)")?
            .execute([group_id, stream_id])?;
        Ok(())
    }
}

/// Corrects how many bytes a group has.
fn add_bytes(connection: &Connection, group_id: i64, bytes: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE log_groups SET stored_bytes = max(0, stored_bytes + ?2) WHERE id = ?1")?
        .execute([group_id, bytes])?;
    Ok(())
}

/// Removes up to `limit` events of groups and streams that are gone; whether there was something to do.
pub(super) fn remove_some(connection: &Connection, limit: usize) -> rusqlite::Result<bool> {
    let found: Option<(i64, i64, i64)> = connection
        .prepare_cached("SELECT rowid, group_id, stream_id FROM removed_logs LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((row, group_id, stream_id)) = found else { return Ok(false) };
    let (events, bytes) = match stream_id {
        0 => delete_events(connection, "group_id", group_id, i64::MAX, limit)?,
        _ => delete_events(connection, "stream_id", stream_id, i64::MAX, limit)?,
    };
    for (group_id, bytes) in bytes {
        add_bytes(connection, group_id, -bytes)?;
    }
    if events < limit {
        connection.prepare_cached("DELETE FROM removed_logs WHERE rowid = ?1")?.execute([row])?;
    }
    Ok(true)
}

/// Removes up to `limit` events that a group has kept for long enough; whether there was something to do.
pub(super) fn expire_some(connection: &Connection, group_id: i64, now: i64, limit: usize) -> rusqlite::Result<bool> {
    let days: Option<Option<i64>> = connection
        .prepare_cached("SELECT retention_days FROM log_groups WHERE id = ?1")?
        .query_row([group_id], |row| row.get(0))
        .optional()?;
    let Some(Some(days)) = days else { return Ok(false) };
    let before = now.saturating_sub(days.saturating_mul(DAY));
    let (events, bytes) = delete_events(connection, "group_id", group_id, before, limit)?;
    for (group_id, bytes) in bytes {
        add_bytes(connection, group_id, -bytes)?;
    }
    Ok(events > 0)
}

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The groups that do not keep their events for ever.
pub(super) fn groups_with_retention(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM log_groups WHERE retention_days IS NOT NULL")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Removes the oldest events of a group or a stream; how many, and their bytes by group.
fn delete_events(
    connection: &Connection,
    column: &str,
    id: i64,
    before: i64,
    limit: usize,
) -> rusqlite::Result<(usize, HashMap<i64, i64>)> {
    let mut statement = connection.prepare_cached(&format!(
        "DELETE FROM log_events WHERE sequence IN
         (SELECT sequence FROM log_events WHERE {column} = ?1 AND timestamp < ?2 ORDER BY timestamp, sequence LIMIT ?3)
         RETURNING group_id, octet_length(message)"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query([id, before, limit])?;
    let (mut events, mut bytes) = (0, HashMap::new());
    while let Some(row) = rows.next()? {
        events += 1;
        *bytes.entry(row.get(0)?).or_insert(0) += row.get::<_, i64>(1)?;
    }
    Ok((events, bytes))
}

/// Sixteen random bytes in hexadecimal digits, as AWS names the streams of access logs.
fn own_stream_name() -> String {
    random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}
