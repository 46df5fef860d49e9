//! Log streams: made, listed, removed.

use std::sync::Arc;

use model_logs as model;
use store::Scope;
use store::telemetry::{LogError, LogStream, StreamOrder, StreamPage};
use wire::{ApiError, Call};

use super::groups::page_size;
use super::{Logs, failed, names, put_events, refusals, scope, tokens, unavailable};

impl Logs {
    pub(super) async fn create_log_stream(
        self: Arc<Self>,
        call: Call,
        input: model::CreateLogStreamRequest,
    ) -> Result<(), ApiError> {
        let (group, name) = (names::checked(input.log_group_name)?, names::checked(input.log_stream_name)?);
        let made = self.store.create_stream(&scope(&call), &group, &name).await;
        made.map_err(|error| if error == LogError::Exists { refusals::stream_exists() } else { failed(error) })
    }

    pub(super) async fn delete_log_stream(
        self: Arc<Self>,
        call: Call,
        input: model::DeleteLogStreamRequest,
    ) -> Result<(), ApiError> {
        let (group, name) = (names::checked(input.log_group_name)?, names::checked(input.log_stream_name)?);
        self.store.delete_stream(&scope(&call), &group, &name).await.map_err(failed)
    }

    pub(super) async fn describe_log_streams(
        self: Arc<Self>,
        call: Call,
        input: model::DescribeLogStreamsRequest,
    ) -> Result<model::DescribeLogStreamsResponse, ApiError> {
        let scope = scope(&call);
        let group = names::group(&scope, input.log_group_name, input.log_group_identifier)?;
        let order = match input.order_by.as_deref() {
            Some("LastEventTime") => StreamOrder::LastEvent,
            _ => StreamOrder::Name,
        };
        if order == StreamOrder::LastEvent && input.log_stream_name_prefix.is_some() {
            return Err(refusals::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let after = match input.next_token.as_deref().map(tokens::unpack::<2>).transpose()? {
            Some([last_event, name]) => Some((last_event.parse().map_err(|_| refusals::bad_token())?, name)),
            None => None,
        };
        let group_id = self.group(&scope, &group).await?.id;
        let size = page_size(input.limit);
        let page = StreamPage {
            group_id,
            prefix: input.log_stream_name_prefix,
            order,
            descending: input.descending.unwrap_or(false),
            after,
            limit: size + 1,
        };
        let mut streams = self.store.streams(page).await.map_err(unavailable)?;
        let has_more = streams.len() > size;
        streams.truncate(size);
        let next_token = streams
            .last()
            .filter(|_| has_more)
            .map(|last| tokens::pack(&[&last.last_event.unwrap_or(0).to_string(), &last.name]));
        let log_streams = streams.iter().map(|stream| shown(&scope, &group, stream)).collect();
        Ok(model::DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
    }
}

fn shown(scope: &Scope, group: &str, stream: &LogStream) -> model::LogStream {
    model::LogStream {
        log_stream_name: Some(stream.name.clone()),
        creation_time: Some(stream.created),
        first_event_timestamp: stream.first_event,
        last_event_timestamp: stream.last_event,
        last_ingestion_time: stream.last_ingestion,
        upload_sequence_token: stream.last_ingestion.map(put_events::sequence_token),
        arn: Some(format!("{}:log-stream:{}", names::group_arn(scope, group), stream.name)),
        // AWS has answered so since 2019.
        stored_bytes: Some(0),
    }
}
