//! When the runtimes of versions are updated.
//!
//! Frontgate runs a function on this host's own interpreter, so there is one version of each runtime, and it changes when
//! the host's does. `Auto` and `FunctionUpdate` are therefore the same here, and `Manual` may name that one version.

use std::sync::Arc;

use model_lambda as model;
use store::Transaction;
use wire::{ApiError, Call};

use super::names::Named;
use super::{Failure, attempts, invalid};
use crate::Functions;
use crate::records::{LATEST, RuntimeManagement, VersionRecord, version_key};
use crate::runtimes::version_arn;

const AUTO: &str = "Auto";
const MANUAL: &str = "Manual";

pub(super) async fn put_runtime_management_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::PutRuntimeManagementConfigRequest,
) -> Result<model::PutRuntimeManagementConfigResponse, ApiError> {
    let named = versioned(&call, &input.function_name, input.qualifier.as_deref())?;
    let is_manual = input.update_runtime_on == MANUAL;
    if is_manual != input.runtime_version_arn.is_some() {
        return Err(invalid(if is_manual {
            "RuntimeVersionArn is required when UpdateRuntimeOn is Manual."
        } else {
            "RuntimeVersionArn can be given only when UpdateRuntimeOn is Manual."
        }));
    }
    let kept = (input.update_runtime_on != AUTO).then(|| RuntimeManagement {
        update_on: input.update_runtime_on.clone(),
        version_arn: input.runtime_version_arn.clone(),
    });
    attempts(async || {
        let function = functions.function(&named).await?.ok_or_else(|| named.missing())?;
        let (_, number, configuration) = functions.look_up(&named).await?;
        let own = version_arn(&named.scope.region, &configuration.runtime);
        if let Some(other) = input.runtime_version_arn.as_ref().filter(|arn| **arn != own) {
            return Err(invalid(format!(
                "The runtime version {other} is not one of {}: this host has {own}.",
                configuration.runtime
            ))
            .into());
        }
        let transaction = match number.parse::<u64>() {
            Ok(number) => {
                let key = version_key(&named.name, number);
                let found = functions.store.get::<VersionRecord>(&named.scope, &key).await?;
                let mut version = found.ok_or_else(|| named.missing())?;
                version.record.configuration.runtime_management.clone_from(&kept);
                Transaction::new().update(&named.scope, &version.record, version.revision)
            }
            Err(_) => {
                let mut record = function.record;
                record.latest.runtime_management.clone_from(&kept);
                Transaction::new().update(&named.scope, &record, function.revision)
            }
        };
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    Ok(model::PutRuntimeManagementConfigResponse {
        update_runtime_on: input.update_runtime_on,
        function_arn: named.qualified_arn(),
        runtime_version_arn: input.runtime_version_arn,
    })
}

pub(super) async fn get_runtime_management_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetRuntimeManagementConfigRequest,
) -> Result<model::GetRuntimeManagementConfigResponse, ApiError> {
    let named = versioned(&call, &input.function_name, input.qualifier.as_deref())?;
    let (_, _, configuration) = functions.look_up(&named).await?;
    let (update_on, version_arn) = match configuration.runtime_management {
        Some(kept) => (kept.update_on, kept.version_arn),
        None => (AUTO.to_owned(), None),
    };
    Ok(model::GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(update_on),
        runtime_version_arn: version_arn,
        function_arn: Some(named.qualified_arn()),
    })
}

/// The setting is one of `$LATEST` or of a published version.
fn versioned(call: &Call, text: &str, qualifier: Option<&str>) -> Result<Named, ApiError> {
    let named = Named::read(call, text, qualifier)?;
    match named.qualifier.as_deref() {
        Some(alias) if alias != LATEST && alias.parse::<u64>().is_err() => {
            Err(invalid("Runtimes are managed for versions, not for aliases: give $LATEST or a version's number."))
        }
        _ => Ok(named),
    }
}
