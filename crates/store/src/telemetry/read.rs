//! Reads of the logs, each on a connection that only reads.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement, params, params_from_iter};

use super::{EventQuery, EventSource, GroupFilter, LogEvent, LogGroup, LogStream, Position, StreamOrder, StreamPage};
use crate::Scope;

/// The columns that [`group_of`] reads.
macro_rules! select_groups {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, created, retention_days, stored_bytes, document, account, region FROM log_groups ",
            $rest
        )
    };
}

/// The columns that [`stream_of`] reads.
const STREAMS: &str = "SELECT id, name, created, first_event, last_event, last_ingestion FROM log_streams";

pub(super) fn group(connection: &Connection, scope: &Scope, name: &str) -> rusqlite::Result<Option<LogGroup>> {
    connection
        .prepare_cached(select_groups!("WHERE account = ?1 AND region = ?2 AND name = ?3"))?
        .query_row(params![&*scope.account, &*scope.region, name], group_of)
        .optional()
}

pub(super) fn groups(
    connection: &Connection,
    scope: &Scope,
    filter: &GroupFilter,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<LogGroup>> {
    let mut statement = connection.prepare_cached(select_groups!(
        "WHERE account = ?1 AND region = ?2 AND name > ?3 AND name >= ?4 AND name < ?5
         AND (?6 = '' OR instr(lower(name), ?6) > 0) ORDER BY name LIMIT ?7"
    ))?;
    let prefix = filter.prefix.as_deref().unwrap_or("");
    // Names have ASCII characters only, so that all that begin with a prefix are before it and the last character.
    let end = format!("{prefix}\u{10ffff}");
    let contains = filter.contains.as_deref().unwrap_or("").to_ascii_lowercase();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement
        .query_map(
            params![&*scope.account, &*scope.region, after.unwrap_or(""), prefix, end, contains, limit],
            group_of,
        )?
        .collect()
}

pub(super) fn all_groups(connection: &Connection) -> rusqlite::Result<Vec<(Scope, LogGroup)>> {
    let mut statement = connection.prepare_cached(select_groups!("ORDER BY id"))?;
    statement
        .query_map([], |row| {
            let scope = Scope::new(row.get::<_, String>(6)?, row.get::<_, String>(7)?);
            Ok((scope, group_of(row)?))
        })?
        .collect()
}

pub(super) fn stream(connection: &Connection, group_id: i64, name: &str) -> rusqlite::Result<Option<LogStream>> {
    connection
        .prepare_cached(&format!("{STREAMS} WHERE group_id = ?1 AND name = ?2"))?
        .query_row(params![group_id, name], stream_of)
        .optional()
}

pub(super) fn streams(connection: &Connection, page: &StreamPage) -> rusqlite::Result<Vec<LogStream>> {
    let prefix = page.prefix.as_deref().unwrap_or("");
    let end = format!("{prefix}\u{10ffff}");
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let (sign, direction) = if page.descending { ("<", "DESC") } else { (">", "ASC") };
    let behind = match (page.order, &page.after) {
        (_, None) => String::new(),
        (StreamOrder::Name, Some(_)) => format!("AND name {sign} ?6"),
        (StreamOrder::LastEvent, Some(_)) => format!("AND (last_event, name) {sign} (?5, ?6)"),
    };
    let order = match page.order {
        StreamOrder::Name => format!("name {direction}"),
        StreamOrder::LastEvent => format!("last_event {direction}, name {direction}"),
    };
    // The parameters stay the same, so that those that are not used must be named, too.
    let mut statement = connection.prepare_cached(&format!(
        "{STREAMS} WHERE group_id = ?1 AND name >= ?2 AND name < ?3 {behind}
         AND (?5 IS NULL OR ?6 IS NOT NULL) ORDER BY {order} LIMIT ?4"
    ))?;
    let (last_event, name) = page.after.clone().unzip();
    statement.query_map(params![page.group_id, prefix, end, limit, last_event, name], stream_of)?.collect()
}

pub(super) fn stream_names(connection: &Connection, ids: &[i64]) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut statement = connection.prepare_cached("SELECT name FROM log_streams WHERE id = ?1")?;
    let mut names = Vec::new();
    for id in ids {
        // A stream may have been removed since.
        if let Some(name) = statement.query_row([id], |row| row.get(0)).optional()? {
            names.push((*id, name));
        }
    }
    Ok(names)
}

/// The query of one cursor.
pub(super) fn scan_sql(column: &str, newest_first: bool) -> String {
    let direction = if newest_first { "DESC" } else { "ASC" };
    format!(
        "SELECT timestamp, sequence, ingestion, stream_id, message FROM log_events
         WHERE {column} = ?1 AND (timestamp, sequence) > (?2, ?3) AND (timestamp, sequence) < (?4, ?5)
         ORDER BY timestamp {direction}, sequence {direction}"
    )
}

/// Hands events to `visit` in their order; several streams are merged.
pub(super) fn scan(
    connection: &Connection,
    query: &EventQuery,
    visit: &mut dyn FnMut(LogEvent) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let (column, ids) = match &query.source {
        EventSource::Group(id) => ("group_id", std::slice::from_ref(id)),
        EventSource::Streams(ids) => ("stream_id", &**ids),
    };
    let sql = scan_sql(column, query.newest_first);
    let mut statements: Vec<Statement<'_>> =
        ids.iter().map(|_| connection.prepare(&sql)).collect::<rusqlite::Result<_>>()?;
    let mut cursors = Vec::with_capacity(ids.len());
    for (id, statement) in ids.iter().zip(&mut statements) {
        let bounds = [*id, query.after.timestamp, query.after.sequence, query.before.timestamp, query.before.sequence];
        cursors.push(statement.query(params_from_iter(bounds.map(Value::Integer)))?);
    }
    let mut heads = BinaryHeap::with_capacity(cursors.len());
    for (at, cursor) in cursors.iter_mut().enumerate() {
        heads.extend(head(cursor, at, query.newest_first)?);
    }
    while let Some(Head { event, cursor, .. }) = heads.pop() {
        if visit(event).is_break() {
            break;
        }
        heads.extend(head(&mut cursors[cursor], cursor, query.newest_first)?);
    }
    Ok(())
}

/// The next event of a cursor; the greatest is the one whose turn it is.
struct Head {
    event: LogEvent,
    cursor: usize,
    newest_first: bool,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        let order = self.event.position.cmp(&other.event.position);
        if self.newest_first { order } else { order.reverse() }
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.event.position == other.event.position
    }
}

impl Eq for Head {}

fn head(rows: &mut Rows<'_>, cursor: usize, newest_first: bool) -> rusqlite::Result<Option<Head>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    let position = Position { timestamp: row.get(0)?, sequence: row.get(1)? };
    let event = LogEvent { position, ingestion: row.get(2)?, stream_id: row.get(3)?, message: row.get(4)? };
    Ok(Some(Head { event, cursor, newest_first }))
}

fn group_of(row: &Row<'_>) -> rusqlite::Result<LogGroup> {
    Ok(LogGroup {
        id: row.get(0)?,
        name: row.get(1)?,
        created: row.get(2)?,
        retention_days: row.get(3)?,
        stored_bytes: row.get(4)?,
        document: row.get(5)?,
    })
}

fn stream_of(row: &Row<'_>) -> rusqlite::Result<LogStream> {
    let moment = |at: i64| (at != 0).then_some(at);
    Ok(LogStream {
        id: row.get(0)?,
        name: row.get(1)?,
        created: row.get(2)?,
        first_event: moment(row.get(3)?),
        last_event: moment(row.get(4)?),
        last_ingestion: moment(row.get(5)?),
    })
}
