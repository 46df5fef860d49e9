//! CloudWatch Logs: groups, streams, events, and what is looked for in them.

mod filter_events;
mod get_events;
mod groups;
mod live_tail;
mod names;
pub mod pattern;
mod put_events;
mod refusals;
mod rows;
mod sink;
mod streams;
mod subscriptions;
mod tags;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::{Arc, OnceLock};

use base::clock::Clock;
use base::seams::{NotifyFunction, WriteLog};
use model_logs as model;
use store::telemetry::{LogError, LogStore};
use store::{Scope, StoreError};
use tokio::sync::Semaphore;
use wire::{ApiError, Call, Service};

use self::subscriptions::Subscriptions;

/// The state behind the service.
pub struct Logs {
    store: LogStore,
    clock: Clock,
    /// Whom subscriptions tell; set when the service is started.
    functions: OnceLock<Arc<dyn NotifyFunction>>,
    subscriptions: Subscriptions,
    /// Places of live tail sessions.
    sessions: Arc<Semaphore>,
}

impl Logs {
    /// Opens the service on its store.
    pub fn open(store: LogStore, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            functions: OnceLock::new(),
            subscriptions: Subscriptions::default(),
            sessions: Arc::new(Semaphore::new(live_tail::SESSIONS)),
        })
    }

    /// The service, to be mounted.
    pub fn service(self: &Arc<Self>) -> Service<Self> {
        Service::new(&model::SERVICE, Arc::clone(self))
            .operation(model::CreateLogGroup, Self::create_log_group)
            .operation(model::DeleteLogGroup, Self::delete_log_group)
            .operation(model::DescribeLogGroups, Self::describe_log_groups)
            .operation(model::ListLogGroups, Self::list_log_groups)
            .operation(model::PutLogGroupDeletionProtection, Self::put_log_group_deletion_protection)
            .operation(model::PutRetentionPolicy, Self::put_retention_policy)
            .operation(model::DeleteRetentionPolicy, Self::delete_retention_policy)
            .operation(model::TagLogGroup, Self::tag_log_group)
            .operation(model::UntagLogGroup, Self::untag_log_group)
            .operation(model::ListTagsLogGroup, Self::list_tags_log_group)
            .operation(model::TagResource, Self::tag_resource)
            .operation(model::UntagResource, Self::untag_resource)
            .operation(model::ListTagsForResource, Self::list_tags_for_resource)
            .operation(model::CreateLogStream, Self::create_log_stream)
            .operation(model::DeleteLogStream, Self::delete_log_stream)
            .operation(model::DescribeLogStreams, Self::describe_log_streams)
            .operation(model::PutLogEvents, Self::put_log_events)
            .operation(model::GetLogEvents, Self::get_log_events)
            .operation(model::FilterLogEvents, Self::filter_log_events)
            .operation(model::TestMetricFilter, Self::test_metric_filter)
            .operation(model::StartLiveTail, Self::start_live_tail)
            .operation(model::PutSubscriptionFilter, Self::put_subscription_filter)
            .operation(model::DescribeSubscriptionFilters, Self::describe_subscription_filters)
            .operation(model::DeleteSubscriptionFilter, Self::delete_subscription_filter)
    }

    /// Where functions and gateways write their lines.
    pub fn sink(&self) -> Arc<dyn WriteLog> {
        Arc::new(sink::Sink::new(self.store.clone()))
    }

    /// The present, in milliseconds since 1970.
    fn now(&self) -> i64 {
        i64::try_from(self.clock.now().0).unwrap_or(i64::MAX)
    }
}

/// Whose logs a call is about.
fn scope(call: &Call) -> Scope {
    Scope::new(Arc::clone(&call.account), Arc::clone(&call.region))
}

/// What the caller is told of a failure of the store, where it is not about what exists already.
fn failed(error: LogError) -> ApiError {
    match error {
        LogError::NoGroup => refusals::no_group(),
        LogError::NoStream => refusals::no_stream(),
        LogError::Exists => ApiError::internal("a group or stream exists already"),
        LogError::Store(error) => unavailable(error),
    }
}

/// The database failed.
fn unavailable(error: StoreError) -> ApiError {
    match error {
        StoreError::Full => {
            let text = format!("The change was not kept: {error}.");
            ApiError::new(&model::errors::SERVICE_UNAVAILABLE_EXCEPTION, text)
        }
        error => ApiError::internal(error),
    }
}
