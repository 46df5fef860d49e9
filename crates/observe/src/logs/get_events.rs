//! GetLogEvents: the events of one stream, page by page, forwards and backwards.

use std::ops::ControlFlow;
use std::sync::Arc;

use model_logs as model;
use store::telemetry::{EventQuery, EventSource, LogEvent, Position};
use wire::{ApiError, Call};

use super::tokens::Turn;
use super::{Logs, names, refusals, scope, unavailable};

/// Events and bytes of a page.
pub(super) const PAGE_EVENTS: usize = 10_000;
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

impl Logs {
    pub(super) async fn get_log_events(
        self: Arc<Self>,
        call: Call,
        input: model::GetLogEventsRequest,
    ) -> Result<model::GetLogEventsResponse, ApiError> {
        let scope = scope(&call);
        let group = names::group(&scope, input.log_group_name, input.log_group_identifier)?;
        let turn = input.next_token.as_deref().map(Turn::parse).transpose()?;
        let group_id = self.group(&scope, &group).await?.id;
        let stream = self.store.stream(group_id, &names::checked(input.log_stream_name)?).await.map_err(unavailable)?;
        let stream_id = stream.ok_or_else(refusals::no_stream)?.id;
        let mut query = EventQuery {
            source: EventSource::Streams(vec![stream_id]),
            after: Position::before(input.start_time.unwrap_or(0)),
            before: Position::before(input.end_time.unwrap_or(i64::MAX)),
            newest_first: !input.start_from_head.unwrap_or(false),
        };
        match turn {
            Some(Turn::Forward(position)) => {
                query.after = query.after.max(position);
                query.newest_first = false;
            }
            Some(Turn::Backward(position)) => {
                query.before = query.before.min(position);
                query.newest_first = true;
            }
            None => {}
        }
        let events = self.page(query.clone(), input.limit).await?;
        let (forward, backward) = turns(&events, turn, &query);
        let shown = events.into_iter().map(|event| model::OutputLogEvent {
            timestamp: Some(event.position.timestamp),
            message: Some(event.message),
            ingestion_time: Some(event.ingestion),
        });
        Ok(model::GetLogEventsResponse {
            events: Some(shown.collect()),
            next_forward_token: Some(forward.text()),
            next_backward_token: Some(backward.text()),
        })
    }

    /// The events of a page, the oldest first.
    async fn page(&self, query: EventQuery, limit: Option<i32>) -> Result<Vec<LogEvent>, ApiError> {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE_EVENTS);
        let newest_first = query.newest_first;
        let mut room = PAGE_BYTES;
        let page = self.store.scan(query, Vec::new(), move |page: &mut Vec<LogEvent>, event| {
            // The first always fits, so that a page goes on.
            if !page.is_empty() && event.message.len() > room {
                return ControlFlow::Break(());
            }
            room = room.saturating_sub(event.message.len());
            page.push(event);
            if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let mut page = page.await.map_err(unavailable)?;
        if newest_first {
            page.reverse();
        }
        Ok(page)
    }
}

/// Where to go on behind a page and before it. A page without events leads back to itself: the caller sees the token that
/// it has sent, and knows that there is no more for now.
fn turns(events: &[LogEvent], turn: Option<Turn>, query: &EventQuery) -> (Turn, Turn) {
    if let [first, ..] = events
        && let Some(last) = events.last()
    {
        return (Turn::Forward(last.position), Turn::Backward(first.position));
    }
    match turn {
        Some(Turn::Forward(position)) => (
            Turn::Forward(position),
            Turn::Backward(Position { sequence: position.sequence.saturating_add(1), ..position }),
        ),
        Some(Turn::Backward(position)) => (
            Turn::Forward(Position { sequence: position.sequence.saturating_sub(1), ..position }),
            Turn::Backward(position),
        ),
        None => (Turn::Forward(query.after), Turn::Backward(query.after)),
    }
}
