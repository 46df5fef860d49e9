//! EventInvokeConfigs: how asynchronous invocations of a function, a version or an alias are handled.

use std::sync::Arc;

use base::clock::Moment;
use base::seams::{Caller, InvokeRefusal};
use model_lambda as model;
use model_lambda::{DestinationConfig, FunctionEventInvokeConfig};
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::functions::PAGE;
use super::names::Named;
use super::{Failure, attempts, invalid, not_found, page_size};
use crate::Functions;
use crate::event_invoke::{EventInvokeRecord, Target};
use crate::records::FunctionRecord;

/// What Put and Update are given.
struct Given {
    retries: Option<i32>,
    event_age_seconds: Option<i32>,
    destinations: Option<DestinationConfig>,
}

pub(super) async fn put_function_event_invoke_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::PutFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    let given = Given {
        retries: input.maximum_retry_attempts,
        event_age_seconds: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    functions.configure_events(&named, &given, |_| Ok(None)).await
}

pub(super) async fn update_function_event_invoke_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::UpdateFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    let given = Given {
        retries: input.maximum_retry_attempts,
        event_age_seconds: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    functions.configure_events(&named, &given, |before| before.map(Some).ok_or_else(|| missing(&named))).await
}

pub(super) async fn get_function_event_invoke_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    let config = functions.event_invoke_config(&named).await?.ok_or_else(|| missing(&named))?;
    Ok(show(&named, config.record))
}

pub(super) async fn delete_function_event_invoke_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteFunctionEventInvokeConfigRequest,
) -> Result<(), ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    attempts(async || {
        let config = functions.event_invoke_config(&named).await?.ok_or_else(|| missing(&named))?;
        let delete = Transaction::new().delete::<EventInvokeRecord>(&named.scope, &key(&named), config.revision);
        functions.store.commit(delete).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await
}

pub(super) async fn list_function_event_invoke_configs(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListFunctionEventInvokeConfigsRequest,
) -> Result<model::ListFunctionEventInvokeConfigsResponse, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    if functions.function(&named).await?.is_none() {
        return Err(no_function());
    }
    let size = page_size(input.max_items, PAGE);
    // The marker is the last qualifier that was shown.
    let after = input.marker.map(|marker| format!("{}/{marker}", named.name));
    let page = functions.store.list::<EventInvokeRecord>(&named.scope, &named.name, after.as_deref(), size + 1).await;
    let mut page: Vec<_> = page.map_err(ApiError::internal)?.into_iter().map(|config| config.record).collect();
    let more = page.len() > size;
    page.truncate(size);
    let next_marker = page.last().filter(|_| more).map(|last| last.qualifier.clone());
    let configs = page.into_iter().map(|config| show(&named, config)).collect();
    Ok(model::ListFunctionEventInvokeConfigsResponse { function_event_invoke_configs: Some(configs), next_marker })
}

fn no_function() -> ApiError {
    not_found("The function doesn't exist.")
}

fn missing(named: &Named) -> ApiError {
    let (arn, qualifier) = (named.arn(), named.qualifier());
    not_found(format!("The function {arn}:{qualifier} doesn't have an EventInvokeConfig"))
}

fn key(named: &Named) -> String {
    format!("{}/{}", named.name, named.qualifier())
}

fn show(named: &Named, config: EventInvokeRecord) -> FunctionEventInvokeConfig {
    let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
    FunctionEventInvokeConfig {
        last_modified: Some(Moment(config.last_modified).into()),
        function_arn: Some(format!("{}:{}", named.arn(), config.qualifier)),
        maximum_retry_attempts: number(config.retries),
        maximum_event_age_in_seconds: number(config.event_age_seconds),
        destination_config: Some(DestinationConfig {
            on_success: Some(model::OnSuccess { destination: config.on_success }),
            on_failure: Some(model::OnFailure { destination: config.on_failure }),
        }),
    }
}

/// The destinations of a config that has passed the model's pattern: an empty one is none.
fn destinations(config: &DestinationConfig) -> (Option<&String>, Option<&String>) {
    let on_success = config.on_success.as_ref().and_then(|target| target.destination.as_ref());
    let on_failure = config.on_failure.as_ref().and_then(|target| target.destination.as_ref());
    (on_success.filter(|arn| !arn.is_empty()), on_failure.filter(|arn| !arn.is_empty()))
}

/// The text of a config with a target that cannot be one, as AWS's own code writes it.
fn unusable(config: &DestinationConfig) -> ApiError {
    let text = |arn: Option<&String>| arn.map_or("null", String::as_str).to_owned();
    let on_success = config.on_success.as_ref();
    let on_failure = config.on_failure.as_ref();
    let success = on_success.map(|it| format!("OnSuccess(destination={})", text(it.destination.as_ref())));
    let failure = on_failure.map(|it| format!("OnFailure(destination={})", text(it.destination.as_ref())));
    invalid(format!(
        "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
        text(success.as_ref()),
        text(failure.as_ref())
    ))
}

impl Functions {
    async fn event_invoke_config(&self, named: &Named) -> Result<Option<Stored<EventInvokeRecord>>, ApiError> {
        self.store.get(&named.scope, &key(named)).await.map_err(ApiError::internal)
    }

    /// Writes a config: what is given, over what `keep` leaves of the one that is there.
    async fn configure_events(
        &self,
        named: &Named,
        given: &Given,
        keep: impl Fn(Option<EventInvokeRecord>) -> Result<Option<EventInvokeRecord>, ApiError>,
    ) -> Result<FunctionEventInvokeConfig, ApiError> {
        if given.retries.is_none() && given.event_age_seconds.is_none() && given.destinations.is_none() {
            return Err(invalid("You must specify at least one of error handling or destination setting."));
        }
        let written = attempts(async || {
            let function = self.function(named).await?.ok_or_else(no_function)?;
            match self.index.resolve(&named.qualified_arn(), &Caller::Trusted) {
                Err(InvokeRefusal::NotFound { .. }) => return Err(no_function().into()),
                _ => self.check_destinations(named, given.destinations.as_ref())?,
            }
            let before = self.event_invoke_config(named).await?;
            let revision = before.as_ref().map(|before| before.revision);
            let mut config = keep(before.map(|before| before.record))?.unwrap_or_else(|| EventInvokeRecord {
                function: named.name.clone(),
                qualifier: named.qualifier().to_owned(),
                retries: None,
                event_age_seconds: None,
                on_success: None,
                on_failure: None,
                last_modified: 0,
            });
            let number = |given: Option<i32>| given.and_then(|given| u32::try_from(given).ok());
            config.retries = number(given.retries).or(config.retries);
            config.event_age_seconds = number(given.event_age_seconds).or(config.event_age_seconds);
            if let Some(given) = &given.destinations {
                let (on_success, on_failure) = destinations(given);
                (config.on_success, config.on_failure) = (on_success.cloned(), on_failure.cloned());
            }
            config.last_modified = self.engine.clock.now().0;
            // The function must still be there when its config is written.
            let edit = Transaction::new().expect::<FunctionRecord>(&named.scope, &named.name, function.revision);
            let edit = match revision {
                Some(revision) => edit.update(&named.scope, &config, revision),
                None => edit.insert(&named.scope, &config),
            };
            self.store.commit(edit).await?;
            Ok::<_, Failure>(config)
        })
        .await?;
        self.refresh(&named.scope, &named.name).await?;
        Ok(show(named, written))
    }

    /// Refuses destinations that results cannot be sent to.
    fn check_destinations(&self, named: &Named, config: Option<&DestinationConfig>) -> Result<(), ApiError> {
        let Some(config) = config else { return Ok(()) };
        let (on_success, on_failure) = destinations(config);
        for (arn, is_failure) in on_success.map(|arn| (arn, false)).into_iter().chain(on_failure.map(|arn| (arn, true)))
        {
            match Target::parse(arn).map(|(_, target)| target) {
                // AWS sends failures to Kafka, too, which we do not.
                None if arn.starts_with("kafka://") && is_failure => {
                    return Err(super::configure::not_yet("destinations in Kafka"));
                }
                None => return Err(unusable(config)),
                Some(Target::Bucket(_)) if !is_failure => return Err(unusable(config)),
                Some(Target::Function) => self.check_function(named, arn)?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn check_function(&self, named: &Named, arn: &str) -> Result<(), ApiError> {
        if let Err(InvokeRefusal::NotFound { .. }) = self.index.resolve(arn, &Caller::Trusted) {
            return Err(invalid(format!("The destination ARN {arn} is invalid.")));
        }
        let own = named.arn();
        if arn.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) {
            return Err(invalid("You can't specify the function as a destination for itself."));
        }
        Ok(())
    }
}
