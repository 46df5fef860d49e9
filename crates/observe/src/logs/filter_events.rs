//! FilterLogEvents: the events of a group that a pattern finds; and TestMetricFilter, which tries a pattern.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use model_logs as model;
use store::telemetry::{EventQuery, EventSource, LogEvent, Position, StreamOrder, StreamPage};
use wire::{ApiError, Call};

use super::get_events::{PAGE_BYTES, PAGE_EVENTS};
use super::pattern::{Pattern, PatternError};
use super::{Logs, names, refusals, scope, tokens, unavailable};

/// Events that one call looks at; a page may be empty and yet lead to another.
const LOOKED_AT: usize = 200_000;

/// Streams that are read side by side. Where there are more, all events of the group are looked at.
const CURSORS: usize = 100;

/// Streams that are listed at a time.
const LISTED: usize = 1000;

/// Which streams events are looked for in.
enum Searched {
    All,
    /// Those with these numbers, each with a cursor of its own.
    Few(Vec<i64>),
    Many(HashSet<i64>),
}

/// What a call has found.
#[derive(Default)]
struct Found {
    events: Vec<LogEvent>,
    bytes: usize,
    looked_at: usize,
    /// The last event that was looked at, where there may be more.
    stopped_at: Option<Position>,
}

impl Logs {
    pub(super) async fn filter_log_events(
        self: Arc<Self>,
        call: Call,
        input: model::FilterLogEventsRequest,
    ) -> Result<model::FilterLogEventsResponse, ApiError> {
        let scope = scope(&call);
        let group = names::group(&scope, input.log_group_name, input.log_group_identifier)?;
        let pattern = parse(input.filter_pattern.as_deref().unwrap_or_default())?;
        let after = input.next_token.as_deref().map(tokens::after_of).transpose()?;
        let start = Position::before(input.start_time.unwrap_or(0));
        // Here, unlike with GetLogEvents, the end belongs to it.
        let end = Position::before(input.end_time.map_or(i64::MAX, |end| end.saturating_add(1)));
        let group_id = self.group(&scope, &group).await?.id;
        let searched = self.searched(group_id, input.log_stream_names, input.log_stream_name_prefix).await?;
        let (source, only) = match searched {
            Searched::All => (EventSource::Group(group_id), None),
            Searched::Few(streams) => (EventSource::Streams(streams), None),
            Searched::Many(streams) => (EventSource::Group(group_id), Some(streams)),
        };
        let query = EventQuery {
            source,
            after: after.map_or(start, |after| after.max(start)),
            before: end,
            newest_first: false,
        };
        let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_EVENTS);
        let look = move |found: &mut Found, event: LogEvent| {
            let is_searched = only.as_ref().is_none_or(|streams| streams.contains(&event.stream_id));
            found.look_at(event, limit, |message| is_searched && pattern.matches(message))
        };
        let found = self.store.scan(query, Found::default(), look).await.map_err(unavailable)?;
        self.shown(found).await
    }

    /// Which streams a request is about.
    async fn searched(
        &self,
        group_id: i64,
        names: Option<Vec<String>>,
        prefix: Option<String>,
    ) -> Result<Searched, ApiError> {
        match (names, prefix) {
            (Some(_), Some(_)) => {
                Err(refusals::invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."))
            }
            (Some(names), None) => {
                let mut ids = Vec::new();
                for name in names.into_iter().collect::<BTreeSet<_>>() {
                    let stream = self.store.stream(group_id, &names::checked(name)?).await.map_err(unavailable)?;
                    ids.push(stream.ok_or_else(refusals::no_stream)?.id);
                }
                Ok(Searched::Few(ids))
            }
            (None, Some(prefix)) => self.with_prefix(group_id, prefix).await,
            (None, None) => Ok(Searched::All),
        }
    }

    /// The streams whose names begin so.
    async fn with_prefix(&self, group_id: i64, prefix: String) -> Result<Searched, ApiError> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = StreamPage {
                group_id,
                prefix: Some(prefix.clone()),
                order: StreamOrder::Name,
                descending: false,
                after,
                limit: LISTED,
            };
            let streams = self.store.streams(page).await.map_err(unavailable)?;
            ids.extend(streams.iter().map(|stream| stream.id));
            match streams.last() {
                Some(last) if streams.len() == LISTED => after = Some((0, last.name.clone())),
                _ => break,
            }
        }
        Ok(if ids.len() <= CURSORS { Searched::Few(ids) } else { Searched::Many(ids.into_iter().collect()) })
    }

    async fn shown(&self, found: Found) -> Result<model::FilterLogEventsResponse, ApiError> {
        let streams: BTreeSet<i64> = found.events.iter().map(|event| event.stream_id).collect();
        let names = self.store.stream_names(streams.into_iter().collect()).await.map_err(unavailable)?;
        let names: HashMap<i64, String> = names.into_iter().collect();
        // Events of streams that are gone are still to be removed.
        let events = found.events.into_iter().filter_map(|event| {
            Some(model::FilteredLogEvent {
                log_stream_name: Some(names.get(&event.stream_id)?.clone()),
                timestamp: Some(event.position.timestamp),
                message: Some(event.message),
                ingestion_time: Some(event.ingestion),
                event_id: Some(tokens::event_id(event.position)),
            })
        });
        Ok(model::FilterLogEventsResponse {
            events: Some(events.collect()),
            searched_log_streams: Some(Vec::new()),
            next_token: found.stopped_at.map(tokens::after),
        })
    }

    pub(super) async fn test_metric_filter(
        self: Arc<Self>,
        _call: Call,
        input: model::TestMetricFilterRequest,
    ) -> Result<model::TestMetricFilterResponse, ApiError> {
        let pattern = parse(&input.filter_pattern)?;
        let matches = (1..).zip(input.log_event_messages).filter_map(|(number, message)| {
            Some(model::MetricFilterMatchRecord {
                event_number: Some(number),
                extracted_values: Some(pattern.extract(&message)?),
                event_message: Some(message),
            })
        });
        Ok(model::TestMetricFilterResponse { matches: Some(matches.collect()) })
    }
}

/// A pattern of a request.
pub(super) fn parse(pattern: &str) -> Result<Pattern, ApiError> {
    Pattern::parse(pattern).map_err(|PatternError(message)| refusals::invalid(message))
}

impl Found {
    /// Takes an event if it is looked for and there is room.
    fn look_at(&mut self, event: LogEvent, limit: usize, is_wanted: impl Fn(&str) -> bool) -> ControlFlow<()> {
        self.looked_at += 1;
        let position = event.position;
        let is_wanted = is_wanted(&event.message);
        let bytes = self.bytes + event.message.len();
        if is_wanted && !self.events.is_empty() && (bytes > PAGE_BYTES || self.events.len() == limit) {
            // It is the first of the next page.
            self.stopped_at = Some(Position { sequence: position.sequence - 1, ..position });
            return ControlFlow::Break(());
        }
        if is_wanted {
            self.bytes = bytes;
            self.events.push(event);
        }
        if self.looked_at == LOOKED_AT {
            self.stopped_at = Some(position);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
