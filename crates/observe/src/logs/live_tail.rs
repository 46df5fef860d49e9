//! StartLiveTail: the events of groups while they come, as a stream that an update joins each second.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use model_logs::{self as model, errors};
use serde_json::{Value, json};
use store::Scope;
use store::telemetry::Ingested;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use wire::{Answer, ApiError, Call, Event, EventStream, Events};

use super::pattern::Pattern;
use super::{Logs, filter_events, names, refusals, scope};

/// Sessions at the same time.
pub(super) const SESSIONS: usize = 15;

/// How often a session tells what has come, and how many events it then tells of.
const UPDATE_EVERY: Duration = Duration::from_secs(1);
const UPDATE_EVENTS: usize = 500;

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(3 * 60 * 60);

/// Updates that may wait for a slow client.
const WAITING_UPDATES: usize = 4;

/// What a session is about.
struct Wanted {
    /// The groups, and how results name them.
    groups: HashMap<i64, String>,
    streams: Vec<String>,
    prefixes: Vec<String>,
    pattern: Pattern,
}

/// The events of a session on their way to the client.
struct Session(mpsc::Receiver<Event>);

impl Events for Session {
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}

impl Logs {
    pub(super) async fn start_live_tail(
        self: Arc<Self>,
        call: Call,
        input: model::StartLiveTailRequest,
    ) -> Result<Answer<model::StartLiveTailResponse>, ApiError> {
        let scope = scope(&call);
        let streams = input.log_stream_names.unwrap_or_default();
        let prefixes = input.log_stream_name_prefixes.unwrap_or_default();
        if !streams.is_empty() && !prefixes.is_empty() {
            return Err(refusals::invalid(
                "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
            ));
        }
        if input.log_group_identifiers.len() > 1 && !(streams.is_empty() && prefixes.is_empty()) {
            return Err(refusals::invalid("Log streams can be named for a single log group only."));
        }
        let groups = self.tailed(&scope, &input.log_group_identifiers).await?;
        let pattern = input.log_event_filter_pattern.unwrap_or_default();
        let wanted = Wanted {
            groups,
            pattern: filter_events::parse(&pattern)?,
            streams: streams.clone(),
            prefixes: prefixes.clone(),
        };
        let place = Arc::clone(&self.sessions).try_acquire_owned().map_err(|_| {
            ApiError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, "Too many Live Tail sessions are open at the same time.")
        })?;
        let start = json!({
            "requestId": call.request_id,
            "sessionId": base::ids::uuid(),
            "logGroupIdentifiers": input.log_group_identifiers,
            "logStreamNames": streams,
            "logStreamNamePrefixes": prefixes,
            "logEventFilterPattern": pattern,
        });
        let (sender, receiver) = mpsc::channel(WAITING_UPDATES);
        tokio::spawn(tail(self.store.follow(), wanted, start, sender, place));
        let output = model::StartLiveTailResponse::default();
        Ok(Answer::from(output)
            .with_header(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static("application/vnd.amazon.eventstream"),
            )
            .with_events(EventStream::new(Session(receiver))))
    }

    /// The groups of some ARNs.
    async fn tailed(&self, scope: &Scope, identifiers: &[String]) -> Result<HashMap<i64, String>, ApiError> {
        let mut groups = HashMap::new();
        for identifier in identifiers {
            let group = self.group(scope, &names::identified(scope, identifier)?).await?;
            groups.insert(group.id, format!("{}:{}", scope.account, group.name));
        }
        Ok(groups)
    }
}

impl Wanted {
    /// The events of a commit that the client is told of.
    fn results(&self, commit: &[Ingested], results: &mut Vec<Value>) -> bool {
        let mut is_sampled = false;
        for ingested in commit {
            let Some(group) = self.groups.get(&ingested.group_id).filter(|_| self.has_stream(&ingested.stream)) else {
                continue;
            };
            for event in ingested.events.iter().filter(|event| self.pattern.matches(&event.message)) {
                if results.len() == UPDATE_EVENTS {
                    is_sampled = true;
                    break;
                }
                results.push(json!({
                    "logGroupIdentifier": group,
                    "logStreamName": &*ingested.stream,
                    "message": event.message,
                    "timestamp": event.position.timestamp,
                    "ingestionTime": event.ingestion,
                }));
            }
        }
        is_sampled
    }

    fn has_stream(&self, name: &str) -> bool {
        let is_all = self.streams.is_empty() && self.prefixes.is_empty();
        is_all
            || self.streams.iter().any(|stream| stream == name)
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// Runs a session until its client goes away or its time is up.
async fn tail(
    mut follower: Receiver<Arc<Vec<Ingested>>>,
    wanted: Wanted,
    start: Value,
    client: mpsc::Sender<Event>,
    _place: OwnedSemaphorePermit,
) {
    for event in [event("initial-response", &json!({})), event("sessionStart", &start)] {
        if client.send(event).await.is_err() {
            return;
        }
    }
    let ends = Instant::now() + LASTS;
    let mut ticks = tokio::time::interval(UPDATE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut results, mut is_sampled) = (Vec::new(), false);
    while Instant::now() < ends {
        tokio::select! {
            commit = follower.recv() => match commit {
                Ok(commit) => is_sampled |= wanted.results(&commit, &mut results),
                Err(RecvError::Lagged(_)) => is_sampled = true,
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => {
                let update = json!({
                    "sessionMetadata": {"sampled": std::mem::take(&mut is_sampled)},
                    "sessionResults": std::mem::take(&mut results),
                });
                if client.send(event("sessionUpdate", &update)).await.is_err() {
                    return;
                }
            }
            () = client.closed() => return,
        }
    }
}

fn event(name: &'static str, members: &Value) -> Event {
    Event { name, content_type: "application/json", payload: members.to_string().into() }
}
