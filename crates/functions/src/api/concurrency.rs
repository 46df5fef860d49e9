//! Reserved and provisioned concurrency.

use std::sync::Arc;

use base::clock::Moment;
use model_lambda as model;
use model_lambda::errors;
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::configure::not_yet;
use super::names::Named;
use super::{Failure, attempts, conflict, invalid, not_found, not_kept, page_size, refuse};
use crate::Functions;
use crate::concurrency::{Claim, ProvisionedRecord, ReservedRecord, Status, UNRESERVED_AT_LEAST, provisioned_key};
use crate::records::{AliasRecord, FunctionRecord, LATEST, VersionRecord, version_key};

/// The most configurations that a page shows.
const PAGE: usize = 50;

pub(super) async fn put_function_concurrency(
    functions: Arc<Functions>,
    call: Call,
    input: model::PutFunctionConcurrencyRequest,
) -> Result<model::Concurrency, ApiError> {
    let named = whole_function(&call, &input.function_name)?;
    let executions = u32::try_from(input.reserved_concurrent_executions).unwrap_or(0);
    // Nobody else may claim a part of the quota between the look at what is left and the commit.
    let _claiming = functions.claiming.lock().await;
    attempts(async || {
        let function = functions.function(&named).await?.ok_or_else(|| missing_latest(&named))?;
        let account = functions.index.account(&functions.engine, &named.scope).await;
        let claim = account.claim(&named.name);
        if (executions as usize) < claim.provisioned {
            let message = format!(
                " ReservedConcurrentExecutions  {executions} should not be lower than function's total provisioned concurrency [{}].",
                claim.provisioned
            );
            return Err(untyped(message).into());
        }
        // What is not asked of the others needs no look at them.
        let left = (account.unreserved() + claim.size()).checked_sub(executions as usize);
        if executions > 0 && left.is_none_or(|left| left < UNRESERVED_AT_LEAST) {
            return Err(untyped(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_AT_LEAST}]."
            ))
            .into());
        }
        let record = ReservedRecord { function: named.name.clone(), executions };
        let transaction = Transaction::new()
            .put(&named.scope, &record)
            .expect::<FunctionRecord>(&named.scope, &named.name, function.revision);
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    Ok(model::Concurrency { reserved_concurrent_executions: i32::try_from(executions).ok() })
}

pub(super) async fn get_function_concurrency(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionConcurrencyRequest,
) -> Result<model::GetFunctionConcurrencyResponse, ApiError> {
    let named = whole_function(&call, &input.function_name)?;
    if functions.function(&named).await?.is_none() {
        return Err(missing_latest(&named));
    }
    let reserved = functions.reserved(&named).await?;
    let reserved_concurrent_executions = reserved.and_then(|reserved| reserved.reserved_concurrent_executions);
    Ok(model::GetFunctionConcurrencyResponse { reserved_concurrent_executions })
}

pub(super) async fn delete_function_concurrency(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteFunctionConcurrencyRequest,
) -> Result<(), ApiError> {
    let named = whole_function(&call, &input.function_name)?;
    let _claiming = functions.claiming.lock().await;
    if functions.function(&named).await?.is_none() {
        return Err(missing_latest(&named));
    }
    let transaction = Transaction::new().delete_tree::<ReservedRecord>(&named.scope, &named.name);
    functions.store.commit(transaction).await.map_err(not_kept)?;
    functions.refresh(&named.scope, &named.name).await
}

pub(super) async fn put_provisioned_concurrency_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::PutProvisionedConcurrencyConfigRequest,
) -> Result<model::PutProvisionedConcurrencyConfigResponse, ApiError> {
    let named = Named::read(&call, &input.function_name, Some(&input.qualifier))?;
    let unpublished = || invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
    if input.qualifier == LATEST {
        return Err(unpublished());
    }
    let executions = u32::try_from(input.provisioned_concurrent_executions).unwrap_or(1);
    let _claiming = functions.claiming.lock().await;
    let record = attempts(async || {
        let version = functions.target(&named).await?;
        if version == LATEST {
            return Err(unpublished().into());
        }
        if functions.look_up(&named).await?.2.folder.is_some() {
            // What is started beforehand would be out of date with the next save.
            return Err(not_yet("provisioned concurrency with code from a folder (bucket hot-reload)").into());
        }
        let function = functions.function(&named).await?.ok_or_else(|| named.missing())?;
        let configured = functions.configured(&named).await?;
        let account = functions.index.account(&functions.engine, &named.scope).await;
        let own = configured.iter().find(|record| record.qualifier == input.qualifier);
        let own = own.map_or(0, |record| record.executions as usize);
        check_claim(account.claim(&named.name), own, executions as usize, account.unreserved())?;
        functions.check_overlap(&named, &version, &configured).await?;
        let record = ProvisionedRecord {
            function: named.name.clone(),
            qualifier: input.qualifier.clone(),
            executions,
            last_modified: functions.engine.clock.now().0,
        };
        let transaction = Transaction::new().put(&named.scope, &record).expect::<FunctionRecord>(
            &named.scope,
            &named.name,
            function.revision,
        );
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(record)
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    Ok(show(&functions, &named, &record))
}

/// Whether a function may have so much more provisioned.
fn check_claim(claim: Claim, own: usize, wanted: usize, unreserved: usize) -> Result<(), ApiError> {
    match claim.reserved {
        Some(reserved) if claim.provisioned - own + wanted > reserved => Err(invalid(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
        )),
        Some(_) => Ok(()),
        None => match (unreserved + own).checked_sub(wanted) {
            None => Err(untyped(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{}].",
                unreserved + own
            ))),
            Some(left) if left < UNRESERVED_AT_LEAST => Err(untyped(format!(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_AT_LEAST}]."
            ))),
            Some(_) => Ok(()),
        },
    }
}

pub(super) async fn get_provisioned_concurrency_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetProvisionedConcurrencyConfigRequest,
) -> Result<model::GetProvisionedConcurrencyConfigResponse, ApiError> {
    let named = published(&call, &input.function_name, &input.qualifier)?;
    functions.target(&named).await?;
    let key = provisioned_key(&named.name, &input.qualifier);
    let record = functions.store.get::<ProvisionedRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
    let none = || {
        let message = "No Provisioned Concurrency Config found for this function";
        refuse(&errors::PROVISIONED_CONCURRENCY_CONFIG_NOT_FOUND_EXCEPTION, message)
    };
    let shown = show(&functions, &named, &record.ok_or_else(none)?.record);
    Ok(model::GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: shown.requested_provisioned_concurrent_executions,
        available_provisioned_concurrent_executions: shown.available_provisioned_concurrent_executions,
        allocated_provisioned_concurrent_executions: shown.allocated_provisioned_concurrent_executions,
        status: shown.status,
        status_reason: shown.status_reason,
        last_modified: shown.last_modified,
    })
}

pub(super) async fn delete_provisioned_concurrency_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteProvisionedConcurrencyConfigRequest,
) -> Result<(), ApiError> {
    let named = published(&call, &input.function_name, &input.qualifier)?;
    let _claiming = functions.claiming.lock().await;
    functions.target(&named).await?;
    let key = provisioned_key(&named.name, &input.qualifier);
    let transaction = Transaction::new().delete_tree::<ProvisionedRecord>(&named.scope, &key);
    functions.store.commit(transaction).await.map_err(not_kept)?;
    functions.refresh(&named.scope, &named.name).await
}

pub(super) async fn list_provisioned_concurrency_configs(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListProvisionedConcurrencyConfigsRequest,
) -> Result<model::ListProvisionedConcurrencyConfigsResponse, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    if functions.function(&named).await?.is_none() {
        return Err(named.missing());
    }
    let marker = input.marker.as_deref();
    let mut configured = functions.configured(&named).await?;
    configured.retain(|record| marker.is_none_or(|marker| record.qualifier.as_str() > marker));
    let size = page_size(input.max_items, PAGE);
    let more = configured.len() > size;
    configured.truncate(size);
    let next_marker = configured.last().filter(|_| more).map(|last| last.qualifier.clone());
    let item = |record: &ProvisionedRecord| {
        let shown = show(&functions, &named, record);
        model::ProvisionedConcurrencyConfigListItem {
            function_arn: Some(format!("{}:{}", named.arn(), record.qualifier)),
            requested_provisioned_concurrent_executions: shown.requested_provisioned_concurrent_executions,
            available_provisioned_concurrent_executions: shown.available_provisioned_concurrent_executions,
            allocated_provisioned_concurrent_executions: shown.allocated_provisioned_concurrent_executions,
            status: shown.status,
            status_reason: shown.status_reason,
            last_modified: shown.last_modified,
        }
    };
    let configs = configured.iter().map(item).collect();
    Ok(model::ListProvisionedConcurrencyConfigsResponse { provisioned_concurrency_configs: Some(configs), next_marker })
}

impl Functions {
    /// What a function has reserved, as GetFunction shows it.
    pub(super) async fn reserved(&self, named: &Named) -> Result<Option<model::Concurrency>, ApiError> {
        let reserved = self.store.get::<ReservedRecord>(&named.scope, &named.name).await.map_err(ApiError::internal)?;
        Ok(reserved.map(|reserved| model::Concurrency {
            reserved_concurrent_executions: i32::try_from(reserved.record.executions).ok(),
        }))
    }

    /// What is provisioned for a function, in the order of the qualifiers.
    async fn configured(&self, named: &Named) -> Result<Vec<ProvisionedRecord>, ApiError> {
        let all = self.store.list_tree::<ProvisionedRecord>(&named.scope, &named.name).await;
        Ok(all.map_err(ApiError::internal)?.into_iter().map(|Stored { record, .. }| record).collect())
    }

    /// The version that a number or an alias means; it must be there.
    async fn target(&self, named: &Named) -> Result<String, ApiError> {
        let qualifier = named.qualifier();
        if let Ok(number) = qualifier.parse::<u64>() {
            let key = version_key(&named.name, number);
            let found = self.store.get::<VersionRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
            return found.map(|_| qualifier.to_owned()).ok_or_else(|| named.missing());
        }
        let key = format!("{}/{qualifier}", named.name);
        let alias = self.store.get::<AliasRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
        let missing = || not_found(format!("Cannot find alias arn: {}", named.qualified_arn()));
        alias.map(|alias| alias.record.version).ok_or_else(missing)
    }

    /// A version has at most one configuration, its own or that of an alias.
    async fn check_overlap(
        &self,
        named: &Named,
        version: &str,
        configured: &[ProvisionedRecord],
    ) -> Result<(), ApiError> {
        for record in configured.iter().filter(|record| record.qualifier != named.qualifier()) {
            let other = Named { qualifier: Some(record.qualifier.clone()), ..named.clone() };
            if self.target(&other).await.is_ok_and(|other| other == version) {
                return Err(conflict(if named.qualifier() == version {
                    "Version is pointed by a Provisioned Concurrency alias"
                } else {
                    "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
                }));
            }
        }
        Ok(())
    }
}

fn show(
    functions: &Functions,
    named: &Named,
    record: &ProvisionedRecord,
) -> model::PutProvisionedConcurrencyConfigResponse {
    let version = functions.index.version(&named.scope, &named.name, &record.qualifier);
    let allocation = version.map(|version| version.provisioning.allocation());
    let allocated = allocation.and_then(|allocation| i32::try_from(allocation.allocated).ok()).unwrap_or(0);
    let (status, reason) = match allocation.map(|allocation| allocation.status) {
        Some(Status::Ready) => ("READY", None),
        Some(Status::Failed(reason)) => ("FAILED", Some(reason)),
        Some(Status::InProgress) | None => ("IN_PROGRESS", None),
    };
    model::PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: i32::try_from(record.executions).ok(),
        available_provisioned_concurrent_executions: Some(allocated),
        allocated_provisioned_concurrent_executions: Some(allocated),
        status: Some(status.to_owned()),
        status_reason: reason.map(str::to_owned),
        last_modified: Some(crate::time::to_the_second(Moment(record.last_modified))),
    }
}

/// Reads the name of a function of which no part may be named.
fn whole_function(call: &Call, name: &str) -> Result<Named, ApiError> {
    let named = Named::unqualified(call, name)?;
    match named.qualifier {
        None => Ok(named),
        Some(_) => Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
        )),
    }
}

/// Reads the name of an alias or a published version.
fn published(call: &Call, name: &str, qualifier: &str) -> Result<Named, ApiError> {
    let named = Named::read(call, name, Some(qualifier))?;
    match qualifier {
        LATEST => Err(invalid("The function resource provided must be an alias or a published version.")),
        _ => Ok(named),
    }
}

fn missing_latest(named: &Named) -> ApiError {
    not_found(format!("Function not found: {}:{LATEST}", named.arn()))
}

/// `InvalidParameterValueException` as AWS sends it about limits: without `Type`.
fn untyped(message: String) -> ApiError {
    let model = &errors::INVALID_PARAMETER_VALUE_EXCEPTION;
    ApiError::custom(model.code, model.status, message)
}
