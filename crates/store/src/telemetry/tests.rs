//! The logs' store through its public face, and the plans of its queries.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::clock::{Clock, Moment};
use rusqlite::Connection;
use tempfile::TempDir;

use super::read::scan_sql;
use super::*;
use crate::DataDir;

const NOW: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;
const ARN: &str = "arn:aws:logs:us-east-1:000000000000:log-group:";

struct Node {
    logs: LogStore,
    scope: Scope,
    clock: Clock,
    _directory: Arc<TempDir>,
}

fn node() -> Node {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let clock = Clock::fake(Moment(NOW as u64));
    let logs = DataDir::open(directory.path()).unwrap().open_logs(clock.clone()).unwrap();
    Node { logs, scope: Scope::new("000000000000", "us-east-1"), clock, _directory: directory }
}

impl Node {
    async fn made(groups: &[(&str, &[&str])]) -> Node {
        let node = node();
        for (group, streams) in groups {
            node.logs.create_group(&node.scope, group, "{}".into()).await.unwrap();
            for stream in *streams {
                node.logs.create_stream(&node.scope, group, stream).await.unwrap();
            }
        }
        node
    }

    async fn append(&self, group: &str, stream: &str, events: &[(i64, &str)]) {
        let events = events.iter().map(|(at, text)| (NOW + at, (*text).to_owned())).collect();
        self.logs.append(&self.scope, group, stream, events).await.unwrap();
    }

    async fn group(&self, name: &str) -> LogGroup {
        self.logs.group(&self.scope, name).await.unwrap().unwrap()
    }

    async fn stream(&self, group: &str, name: &str) -> LogStream {
        self.logs.stream(self.group(group).await.id, name).await.unwrap().unwrap()
    }

    /// The messages that a query gives, up to `limit`.
    async fn messages(&self, query: EventQuery, limit: usize) -> Vec<String> {
        self.logs
            .scan(query, Vec::new(), move |found: &mut Vec<String>, event| {
                found.push(event.message);
                if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .await
            .unwrap()
    }

    /// Waits until something holds of the messages of a source.
    async fn until(&self, source: EventSource, expected: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.messages(all(source.clone()), 100).await;
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{found:?} instead of {expected:?}");
            tokio::task::yield_now().await;
        }
    }
}

fn all(source: EventSource) -> EventQuery {
    let (after, before) = (Position::before(0), Position::before(i64::MAX));
    EventQuery { source, after, before, newest_first: false }
}

#[tokio::test]
async fn events_are_read_by_group_and_by_stream_in_their_order() {
    let node = Node::made(&[("g", &["a", "b"]), ("other", &["a"])]).await;
    node.append("g", "a", &[(0, "a0"), (2, "a2"), (2, "a2 again")]).await;
    node.append("g", "b", &[(1, "b1"), (2, "b2")]).await;
    node.append("other", "a", &[(1, "elsewhere")]).await;
    let group = node.group("g").await;
    let (a, b) = (node.stream("g", "a").await, node.stream("g", "b").await);
    let order = ["a0", "b1", "a2", "a2 again", "b2"];
    assert_eq!(node.messages(all(EventSource::Group(group.id)), 100).await, order);
    assert_eq!(node.messages(all(EventSource::Streams(vec![b.id, a.id])), 100).await, order);
    assert_eq!(node.messages(all(EventSource::Streams(vec![b.id])), 100).await, ["b1", "b2"]);
    let newest = EventQuery { newest_first: true, ..all(EventSource::Streams(vec![a.id, b.id])) };
    assert_eq!(node.messages(newest, 2).await, ["b2", "a2 again"]);
    let between = EventQuery {
        after: Position::before(NOW + 1),
        before: Position { timestamp: NOW + 2, sequence: 3 },
        ..all(EventSource::Group(group.id))
    };
    assert_eq!(node.messages(between, 100).await, ["b1", "a2"]);
    assert_eq!((a.first_event, a.last_event, a.last_ingestion), (Some(NOW), Some(NOW + 2), Some(NOW)));
    assert_eq!(group.stored_bytes, 16);
    assert_eq!(node.logs.counts(), LogCounts { written: 6, dropped: 0 });
}

#[tokio::test]
async fn offered_lines_make_their_groups_and_streams() {
    let node = Node::made(&[("there", &[])]).await;
    let line = |group: &str, stream: Option<&str>, message: &str| OfferedLine {
        group_arn: format!("{ARN}{group}").into(),
        stream: stream.map(Into::into),
        timestamp: NOW,
        message: message.to_owned(),
    };
    let mut follower = node.logs.follow();
    node.logs.offer(line("made", Some("s"), "one"));
    node.logs.offer(line("made", Some("s"), "two"));
    node.logs.offer(line("there", None, "three"));
    node.logs.offer(line("missing", None, "lost"));
    node.logs.offer(OfferedLine { group_arn: "no ARN".into(), ..line("", None, "lost") });
    let ingested = follower.recv().await.unwrap();
    let counts: Vec<_> = ingested.iter().map(|part| (&*part.stream, part.events.len())).collect();
    assert_eq!((counts[0], counts.len()), (("s", 2), 2));
    let made = node.group("made").await;
    assert_eq!(node.messages(all(EventSource::Group(made.id)), 100).await, ["one", "two"]);
    let there = node.group("there").await;
    let page = StreamPage {
        group_id: there.id,
        prefix: None,
        order: StreamOrder::Name,
        descending: false,
        after: None,
        limit: 10,
    };
    let streams = node.logs.streams(page).await.unwrap();
    assert_eq!((streams.len(), streams[0].name.len()), (1, 32));
    assert_eq!(node.logs.counts(), LogCounts { written: 3, dropped: 2 });
    node.logs.close();
    node.logs.offer(line("made", Some("s"), "too late"));
    assert_eq!(node.logs.counts().dropped, 3);
    assert!(node.logs.create_group(&node.scope, "late", "{}".into()).await.is_err());
}

#[tokio::test]
async fn what_there_is_no_room_for_is_counted() {
    let inbox = Inbox::default();
    let line = |stream: Option<&str>, message: String| OfferedLine {
        group_arn: ARN.into(),
        stream: stream.map(Into::into),
        timestamp: NOW,
        message,
    };
    assert!(!inbox.offer(line(Some("s"), "x".repeat(33 << 20))));
    let taken = |stream| (0..60_000).filter(|_| inbox.offer(line(stream, "x".into()))).count();
    // There is room left for access logs when functions have used up theirs.
    assert_eq!((taken(Some("s")), taken(None), taken(Some("s"))), (40_000, 10_000, 0));
    assert_eq!(inbox.take(Duration::ZERO).lines.len(), 50_000);
    assert!(inbox.offer(line(Some("s"), "x".into())));
}

#[tokio::test]
async fn refusals_change_nothing() {
    let node = Node::made(&[("g", &["s"])]).await;
    let (logs, scope) = (&node.logs, &node.scope);
    let other = Scope::new("000000000000", "eu-west-1");
    assert_eq!(logs.create_group(scope, "g", "{}".into()).await, Err(LogError::Exists));
    assert_eq!(logs.create_group(&other, "g", "{}".into()).await, Ok(()));
    assert_eq!(logs.create_stream(scope, "g", "s").await, Err(LogError::Exists));
    assert_eq!(logs.create_stream(scope, "none", "s").await, Err(LogError::NoGroup));
    assert_eq!(logs.create_stream(&other, "g", "s").await, Ok(()));
    assert_eq!(logs.append(scope, "none", "s", vec![]).await, Err(LogError::NoGroup));
    assert_eq!(logs.append(scope, "g", "none", vec![]).await, Err(LogError::NoStream));
    assert_eq!(logs.delete_stream(scope, "g", "none").await, Err(LogError::NoStream));
    let refused = logs.delete_group(scope, "g", |group| Err::<(), _>(group.name.clone())).await;
    assert_eq!(refused, Ok(Err("g".to_owned())));
    let refused = logs
        .change_group(scope, "g", |group| {
            group.document = "{\"changed\":true}".into();
            Err::<(), _>("no")
        })
        .await;
    assert_eq!(refused, Ok(Err("no")));
    assert_eq!(node.group("g").await.document, "{}");
}

#[tokio::test]
async fn what_is_removed_goes_with_its_events() {
    let node = Node::made(&[("g", &["a", "b"]), ("kept", &["s"])]).await;
    node.append("g", "a", &[(0, "a")]).await;
    node.append("g", "b", &[(1, "b"), (2, "c")]).await;
    node.append("kept", "s", &[(0, "kept")]).await;
    let (group, kept) = (node.group("g").await.id, node.group("kept").await.id);
    node.logs.delete_stream(&node.scope, "g", "a").await.unwrap();
    node.until(EventSource::Group(group), &["b", "c"]).await;
    assert_eq!(node.group("g").await.stored_bytes, 2);
    node.logs.delete_group(&node.scope, "g", |_| Ok::<(), ()>(())).await.unwrap().unwrap();
    node.logs.create_group(&node.scope, "g", "{}".into()).await.unwrap();
    assert_ne!(node.group("g").await.id, group);
    node.until(EventSource::Group(group), &[]).await;
    node.until(EventSource::Group(kept), &["kept"]).await;
}

#[tokio::test]
async fn events_are_kept_as_long_as_their_group_says() {
    let node = Node::made(&[("g", &["s"]), ("kept", &["s"])]).await;
    for group in ["g", "kept"] {
        node.append(group, "s", &[(-2 * DAY, "older"), (-DAY + 1, "old"), (0, "new")]).await;
    }
    let retain = |group: &mut LogGroup| {
        group.retention_days = Some(1);
        Ok::<(), ()>(())
    };
    node.logs.change_group(&node.scope, "g", retain).await.unwrap().unwrap();
    let group = EventSource::Group(node.group("g").await.id);
    node.until(group.clone(), &["old", "new"]).await;
    node.clock.advance(DAY as u64);
    // Any change has the writer look.
    node.logs.create_stream(&node.scope, "g", "t").await.unwrap();
    node.until(group, &["new"]).await;
    assert_eq!(node.group("g").await.stored_bytes, 3);
    node.until(EventSource::Group(node.group("kept").await.id), &["older", "old", "new"]).await;
}

#[tokio::test]
async fn pages_of_groups_and_streams_go_on_where_they_ended() {
    let node = Node::made(&[("app/a", &[]), ("app/b", &[]), ("App/c", &[]), ("z", &["s1", "s2", "t1"])]).await;
    let names = async |filter: GroupFilter, after: Option<&str>, limit| {
        let groups = node.logs.groups(&node.scope, filter, after.map(str::to_owned), limit).await.unwrap();
        groups.into_iter().map(|group| group.name).collect::<Vec<_>>()
    };
    assert_eq!(names(GroupFilter::default(), None, 2).await, ["App/c", "app/a"]);
    assert_eq!(names(GroupFilter::default(), Some("app/a"), 9).await, ["app/b", "z"]);
    let prefix = GroupFilter { prefix: Some("app/".into()), ..GroupFilter::default() };
    assert_eq!(names(prefix, None, 9).await, ["app/a", "app/b"]);
    let contains = GroupFilter { contains: Some("PP/".into()), ..GroupFilter::default() };
    assert_eq!(names(contains, None, 9).await, ["App/c", "app/a", "app/b"]);
    node.append("z", "s2", &[(1, "x")]).await;
    node.append("z", "t1", &[(0, "x")]).await;
    let page = StreamPage {
        group_id: node.group("z").await.id,
        prefix: None,
        order: StreamOrder::LastEvent,
        descending: true,
        after: None,
        limit: 2,
    };
    let streams = async |page: &StreamPage| {
        let streams = node.logs.streams(page.clone()).await.unwrap();
        streams.into_iter().map(|stream| stream.name).collect::<Vec<_>>()
    };
    assert_eq!(streams(&page).await, ["s2", "t1"]);
    let rest = StreamPage { after: Some((NOW, "t1".into())), ..page.clone() };
    assert_eq!(streams(&rest).await, ["s1"]);
    let by_name = StreamPage { prefix: Some("s".into()), order: StreamOrder::Name, ..page };
    assert_eq!(streams(&by_name).await, ["s2", "s1"]);
    assert_eq!(streams(&StreamPage { after: Some((0, "s2".into())), ..by_name }).await, ["s1"]);
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { maximum_bytes: Some(512 << 10), ..SqliteOptions::default() };
    let logs = DataDir::open_with(directory.path(), options).unwrap().open_logs(Clock::System).unwrap();
    let scope = Scope::new("000000000000", "us-east-1");
    logs.create_group(&scope, "g", "{}".into()).await.unwrap();
    logs.create_stream(&scope, "g", "s").await.unwrap();
    let mut written = 0;
    let error = loop {
        match logs.append(&scope, "g", "s", vec![(NOW, "x".repeat(10_000))]).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "the limit does not hold");
    };
    assert_eq!((error, logs.counts().written), (LogError::Store(StoreError::Full), written));
    let group = logs.group(&scope, "g").await.unwrap().unwrap();
    assert_eq!(group.stored_bytes, written as i64 * 10_000);
    let count = logs.scan(all(EventSource::Group(group.id)), 0, |count, _| {
        *count += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(count.await.unwrap(), written);
    // What is removed makes room.
    logs.delete_stream(&scope, "g", "s").await.unwrap();
    logs.create_stream(&scope, "g", "s").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while logs.append(&scope, "g", "s", vec![(NOW, "x".repeat(10_000))]).await.is_err() {
        assert!(Instant::now() < deadline, "there is no room again");
    }
}

#[tokio::test]
async fn a_restart_finds_everything() {
    let directory = tempfile::tempdir().unwrap();
    let scope = Scope::new("000000000000", "us-east-1");
    let last = {
        let logs = DataDir::open(directory.path()).unwrap().open_logs(Clock::System).unwrap();
        logs.create_group(&scope, "g", "{\"tags\":{}}".into()).await.unwrap();
        logs.create_stream(&scope, "g", "s").await.unwrap();
        logs.offer(OfferedLine {
            group_arn: format!("{ARN}g").into(),
            stream: Some("s".into()),
            timestamp: NOW,
            message: "waits".into(),
        });
        logs.append(&scope, "g", "s", vec![(NOW, "x".into())]).await.unwrap()
    };
    let logs = DataDir::open(directory.path()).unwrap().open_logs(Clock::System).unwrap();
    let group = logs.group(&scope, "g").await.unwrap().unwrap();
    assert_eq!((group.document.as_str(), group.stored_bytes), ("{\"tags\":{}}", 6));
    assert_eq!(logs.append(&scope, "g", "s", vec![(NOW, "y".into())]).await.unwrap(), last + 1);
    assert_eq!(logs.all_groups().await.unwrap(), [(scope, LogGroup { stored_bytes: 7, ..group })]);
}

/// A page must not cost more the more events there are: each query goes straight to its place in an index, and sorts nothing.
#[test]
fn every_scan_goes_by_an_index() {
    let connection = Connection::open_in_memory().unwrap();
    TELEMETRY.iter().for_each(|migration| connection.execute_batch(migration).unwrap());
    for (column, index) in [("group_id", "log_events_by_group"), ("stream_id", "log_events_by_stream")] {
        for newest_first in [false, true] {
            let sql = format!("EXPLAIN QUERY PLAN {}", scan_sql(column, newest_first));
            let mut statement = connection.prepare(&sql).unwrap();
            let steps: Vec<String> =
                statement.query_map([1, 1, 1, 2, 2], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            let expected = format!("USING INDEX {index} ({column}=? AND timestamp>? AND timestamp<?)");
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps[0].contains(&expected), "{steps:?}");
        }
    }
}
