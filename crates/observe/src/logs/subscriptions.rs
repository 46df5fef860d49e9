//! Subscription filters: what a group's events hand to functions.
//!
//! While there is a filter, one task follows what is written and sends what the filters' patterns find, gathered by
//! stream, to the functions' queue of asynchronous invocations. Nothing waits for it: where it falls behind, commits are
//! missed and counted.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::arn::Arn;
use base::seams::{Caller, Invocation, NotifyFunction};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use model_logs::{self as model, errors};
use serde_json::json;
use store::telemetry::{Ingested, LogEvent, LogGroup};
use store::{Scope, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use wire::{ApiError, Call};

use super::groups::page_size;
use super::pattern::Pattern;
use super::rows::{GroupDocument, Subscription};
use super::{Logs, filter_events, names, refusals, scope, tokens};

/// Filters that a group may have.
const FILTERS: usize = 2;

/// Bytes of the messages in one invocation; packed, they stay below what an asynchronous invocation may have.
const BATCH_BYTES: usize = 128 * 1024;

/// In whose name functions are invoked.
const PRINCIPAL: &str = "logs.amazonaws.com";

/// The filters that are at work.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<AtWork>);

#[derive(Default)]
struct AtWork {
    /// By group.
    filters: HashMap<i64, Arc<[Filter]>>,
    task: Option<JoinHandle<()>>,
}

/// A filter, ready to be used.
struct Filter {
    scope: Scope,
    group: String,
    name: String,
    pattern: Pattern,
    destination_arn: Arc<str>,
}

impl Logs {
    /// Lets subscriptions invoke functions, and begins with those that are there.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(self: &Arc<Self>, functions: Arc<dyn NotifyFunction>) -> Result<(), StoreError> {
        // It is started once.
        let _ = self.functions.set(functions);
        for (scope, group) in self.store.all_groups().await? {
            match GroupDocument::of(&group) {
                Ok(document) => self.subscribe(&scope, &group, &document),
                Err(error) => {
                    tracing::error!(group = group.name, %error, "the group's subscription filters are not used");
                }
            }
        }
        Ok(())
    }

    pub(super) async fn put_subscription_filter(
        self: Arc<Self>,
        call: Call,
        input: model::PutSubscriptionFilterRequest,
    ) -> Result<(), ApiError> {
        let scope = scope(&call);
        let missing = [
            ("applyOnTransformedLogs", input.apply_on_transformed_logs == Some(true)),
            ("fieldSelectionCriteria", input.field_selection_criteria.is_some_and(|criteria| !criteria.is_empty())),
            ("emitSystemFields", input.emit_system_fields.is_some_and(|fields| !fields.is_empty())),
        ];
        if let Some((name, _)) = missing.into_iter().find(|(_, is_given)| *is_given) {
            return Err(refusals::not_built(&format!("{name} of subscription filters")));
        }
        filter_events::parse(&input.filter_pattern)?;
        let group = names::checked(input.log_group_name)?;
        self.check_destination(&scope, &group, &input.destination_arn, input.role_arn.is_some())?;
        let filter = Subscription {
            name: input.filter_name,
            pattern: input.filter_pattern,
            destination_arn: input.destination_arn,
            distribution: input.distribution.unwrap_or_else(|| "ByLogStream".to_owned()),
            created: self.now(),
        };
        self.edit(&scope, &group, move |document| {
            document.subscriptions.retain(|known| known.name != filter.name);
            if document.subscriptions.len() == FILTERS {
                return Err(ApiError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, "Resource limit exceeded."));
            }
            document.subscriptions.push(filter);
            document.subscriptions.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(())
        })
        .await?;
        self.resubscribe(&scope, &group).await
    }

    pub(super) async fn delete_subscription_filter(
        self: Arc<Self>,
        call: Call,
        input: model::DeleteSubscriptionFilterRequest,
    ) -> Result<(), ApiError> {
        let (scope, group) = (scope(&call), names::checked(input.log_group_name)?);
        self.edit(&scope, &group, move |document| {
            let before = document.subscriptions.len();
            document.subscriptions.retain(|known| known.name != input.filter_name);
            match document.subscriptions.len() == before {
                true => Err(ApiError::new(
                    &errors::RESOURCE_NOT_FOUND_EXCEPTION,
                    "The specified subscription filter does not exist.",
                )),
                false => Ok(()),
            }
        })
        .await?;
        self.resubscribe(&scope, &group).await
    }

    pub(super) async fn describe_subscription_filters(
        self: Arc<Self>,
        call: Call,
        input: model::DescribeSubscriptionFiltersRequest,
    ) -> Result<model::DescribeSubscriptionFiltersResponse, ApiError> {
        let group = self.group(&scope(&call), &names::checked(input.log_group_name)?).await?;
        let prefix = input.filter_name_prefix.unwrap_or_default();
        let after = input.next_token.as_deref().map(tokens::unpack::<1>).transpose()?.map(|[name]| name);
        let size = page_size(input.limit);
        let mut found = GroupDocument::of(&group)?.subscriptions;
        found.retain(|filter| {
            filter.name.starts_with(&prefix) && after.as_ref().is_none_or(|after| filter.name > *after)
        });
        let has_more = found.len() > size;
        found.truncate(size);
        let next_token = found.last().filter(|_| has_more).map(|last| tokens::pack(&[&last.name]));
        let shown = found.into_iter().map(|filter| model::SubscriptionFilter {
            filter_name: Some(filter.name),
            log_group_name: Some(group.name.clone()),
            filter_pattern: Some(filter.pattern),
            destination_arn: Some(filter.destination_arn),
            distribution: Some(filter.distribution),
            apply_on_transformed_logs: Some(false),
            creation_time: Some(filter.created),
            ..model::SubscriptionFilter::default()
        });
        Ok(model::DescribeSubscriptionFiltersResponse { subscription_filters: Some(shown.collect()), next_token })
    }

    /// Whether events may go there: to a function of the same account that lets CloudWatch Logs invoke it.
    fn check_destination(&self, scope: &Scope, group: &str, arn: &str, has_role: bool) -> Result<(), ApiError> {
        let Some(destination) = Arn::parse(arn) else {
            return Err(refusals::invalid(format!("Invalid destinationArn: {arn}")));
        };
        match destination.service {
            "lambda" => {}
            vendor if !has_role && matches!(vendor, "kinesis" | "firehose") => {
                let text = format!("destinationArn for vendor {vendor} cannot be used without roleArn");
                return Err(refusals::invalid(text));
            }
            vendor => return Err(refusals::not_built(&format!("subscription filters to {vendor}"))),
        }
        if destination.account != &*scope.account || destination.region != &*scope.region {
            return Err(ApiError::new(
                &errors::ACCESS_DENIED_EXCEPTION,
                "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross \
                 account lambda triggers.",
            ));
        }
        let functions = self.functions.get().ok_or_else(|| refusals::not_built("subscription filters"))?;
        functions.may_notify(arn, &caller(scope, group)).map_err(|_| {
            refusals::invalid(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute \
                 your function.",
            )
        })
    }

    /// Takes up what has changed about a group's filters.
    async fn resubscribe(self: &Arc<Self>, scope: &Scope, name: &str) -> Result<(), ApiError> {
        let group = self.group(scope, name).await?;
        self.subscribe(scope, &group, &GroupDocument::of(&group)?);
        Ok(())
    }

    fn subscribe(self: &Arc<Self>, scope: &Scope, group: &LogGroup, document: &GroupDocument) {
        let filters = document.subscriptions.iter().filter_map(|filter| {
            Some(Filter {
                scope: scope.clone(),
                group: group.name.clone(),
                name: filter.name.clone(),
                pattern: Pattern::parse(&filter.pattern).ok()?,
                destination_arn: filter.destination_arn.as_str().into(),
            })
        });
        self.subscriptions.set(group.id, filters.collect(), self);
    }

    /// Sends what the filters find among events that were just written.
    async fn notify(&self, ingested: &Ingested) {
        let Some(filters) = self.subscriptions.of(ingested.group_id) else { return };
        let Some(functions) = self.functions.get() else { return };
        for filter in filters.iter() {
            let found = ingested.events.iter().filter(|event| filter.pattern.matches(&event.message));
            for payload in filter.payloads(&ingested.stream, found) {
                let invocation = Invocation {
                    function_arn: Arc::clone(&filter.destination_arn),
                    payload,
                    caller: caller(&filter.scope, &filter.group),
                    trace_id: None,
                    client_context: None,
                    tail_log: false,
                    request_id: None,
                };
                if let Err(refusal) = functions.notify(invocation).await {
                    let (group, filter) = (&filter.group, &filter.name);
                    tracing::warn!(group, filter, ?refusal, "events of a subscription filter are lost");
                }
            }
        }
    }
}

/// As whom functions are invoked about a group.
fn caller(scope: &Scope, group: &str) -> Caller {
    Caller::Service {
        principal: PRINCIPAL,
        source_arn: format!("{}:*", names::group_arn(scope, group)),
        source_account: Arc::clone(&scope.account),
    }
}

impl Subscriptions {
    fn of(&self, group_id: i64) -> Option<Arc<[Filter]>> {
        self.lock().filters.get(&group_id).cloned()
    }

    /// The group is gone.
    pub(super) fn forget(&self, group_id: i64, logs: &Arc<Logs>) {
        self.set(group_id, Vec::new(), logs);
    }

    /// Sets the filters of a group, and has a task follow the store while there are any.
    fn set(&self, group_id: i64, filters: Vec<Filter>, logs: &Arc<Logs>) {
        let mut at_work = self.lock();
        match filters.is_empty() {
            true => drop(at_work.filters.remove(&group_id)),
            false => drop(at_work.filters.insert(group_id, filters.into())),
        }
        match (&at_work.task, at_work.filters.is_empty()) {
            (None, false) => {
                let follower = logs.store.follow();
                at_work.task = Some(tokio::spawn(follow(follower, Arc::downgrade(logs))));
            }
            (Some(task), true) => {
                task.abort();
                at_work.task = None;
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, AtWork> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(mut follower: Receiver<Arc<Vec<Ingested>>>, logs: std::sync::Weak<Logs>) {
    loop {
        match follower.recv().await {
            Ok(commit) => {
                let Some(logs) = logs.upgrade() else { return };
                for ingested in commit.iter() {
                    logs.notify(ingested).await;
                }
            }
            Err(RecvError::Lagged(commits)) => {
                tracing::warn!(
                    commits,
                    "subscription filters have missed events: they came faster than they were sent"
                );
            }
            Err(RecvError::Closed) => return,
        }
    }
}

impl Filter {
    /// The events that invocations are made of.
    fn payloads<'e>(&self, stream: &str, events: impl Iterator<Item = &'e LogEvent>) -> Vec<Bytes> {
        let (mut payloads, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
        for event in events {
            if !batch.is_empty() && bytes + event.message.len() > BATCH_BYTES {
                payloads.extend(self.payload(stream, std::mem::take(&mut batch)));
                bytes = 0;
            }
            bytes += event.message.len();
            batch.push(json!({
                "id": tokens::event_id(event.position),
                "timestamp": event.position.timestamp,
                "message": event.message,
            }));
        }
        if !batch.is_empty() {
            payloads.extend(self.payload(stream, batch));
        }
        payloads
    }

    /// One invocation's event: a document, packed.
    fn payload(&self, stream: &str, events: Vec<serde_json::Value>) -> Option<Bytes> {
        let document = json!({
            "messageType": "DATA_MESSAGE",
            "owner": &*self.scope.account,
            "logGroup": self.group,
            "logStream": stream,
            "subscriptionFilters": [self.name],
            "logEvents": events,
        });
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(document.to_string().as_bytes()).ok()?;
        let data = STANDARD.encode(packed.finish().ok()?);
        Some(json!({"awslogs": {"data": data}}).to_string().into())
    }
}
