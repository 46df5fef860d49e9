//! The Lambda API: one method per operation, grouped by resource.
//!
//! A handler reads, decides and commits with the revisions that it read; when somebody was faster it starts again. It
//! then refreshes the index, so that what it acknowledges is seen by the next invocation.

mod account_settings;
mod aliases;
mod code_signing;
mod compatible;
mod concurrency;
mod configure;
mod describe;
mod event_invoke;
mod functions;
mod invoke;
mod invoke_stream;
mod layer_permissions;
mod layers;
mod listing;
mod locations;
mod names;
mod on_behalf;
mod package;
mod permissions;
mod recursion;
mod runtime_management;
mod tags;
mod update;
mod urls;
mod versions;

use std::future::Future;
use std::sync::Arc;

use base::shape::ErrorModel;
use model_lambda as model;
use model_lambda::errors;
use store::{Scope, StoreError};
use wire::{ApiError, Call, Service};

use crate::Functions;
pub(crate) use locations::Locations;

/// How often an operation that others keep overtaking is begun anew.
const ATTEMPTS: usize = 64;

/// The API with all of its handlers.
pub(crate) fn service(functions: Arc<Functions>) -> Service<Functions> {
    Service::new(&model::SERVICE, functions)
        .on_behalf(on_behalf::owner)
        .operation(model::CreateFunction, functions::create_function)
        .operation(model::GetFunction, functions::get_function)
        .operation(model::GetFunctionConfiguration, functions::get_function_configuration)
        .operation(model::ListFunctions, listing::list_functions)
        .operation(model::DeleteFunction, functions::delete_function)
        .operation(model::UpdateFunctionCode, update::update_function_code)
        .operation(model::UpdateFunctionConfiguration, update::update_function_configuration)
        .operation(model::PublishVersion, versions::publish_version)
        .operation(model::ListVersionsByFunction, versions::list_versions_by_function)
        .operation(model::CreateAlias, aliases::create_alias)
        .operation(model::GetAlias, aliases::get_alias)
        .operation(model::UpdateAlias, aliases::update_alias)
        .operation(model::DeleteAlias, aliases::delete_alias)
        .operation(model::ListAliases, aliases::list_aliases)
        .operation(model::AddPermission, permissions::add_permission)
        .operation(model::RemovePermission, permissions::remove_permission)
        .operation(model::GetPolicy, permissions::get_policy)
        .operation(model::CreateFunctionUrlConfig, urls::create_function_url_config)
        .operation(model::GetFunctionUrlConfig, urls::get_function_url_config)
        .operation(model::UpdateFunctionUrlConfig, urls::update_function_url_config)
        .operation(model::DeleteFunctionUrlConfig, urls::delete_function_url_config)
        .operation(model::ListFunctionUrlConfigs, urls::list_function_url_configs)
        .operation(model::PutFunctionConcurrency, concurrency::put_function_concurrency)
        .operation(model::GetFunctionConcurrency, concurrency::get_function_concurrency)
        .operation(model::DeleteFunctionConcurrency, concurrency::delete_function_concurrency)
        .operation(model::PutProvisionedConcurrencyConfig, concurrency::put_provisioned_concurrency_config)
        .operation(model::GetProvisionedConcurrencyConfig, concurrency::get_provisioned_concurrency_config)
        .operation(model::DeleteProvisionedConcurrencyConfig, concurrency::delete_provisioned_concurrency_config)
        .operation(model::ListProvisionedConcurrencyConfigs, concurrency::list_provisioned_concurrency_configs)
        .operation(model::PutFunctionEventInvokeConfig, event_invoke::put_function_event_invoke_config)
        .operation(model::UpdateFunctionEventInvokeConfig, event_invoke::update_function_event_invoke_config)
        .operation(model::GetFunctionEventInvokeConfig, event_invoke::get_function_event_invoke_config)
        .operation(model::DeleteFunctionEventInvokeConfig, event_invoke::delete_function_event_invoke_config)
        .operation(model::ListFunctionEventInvokeConfigs, event_invoke::list_function_event_invoke_configs)
        .operation(model::Invoke, invoke::invoke)
        .operation(model::PublishLayerVersion, layers::publish_layer_version)
        .operation(model::GetLayerVersion, layers::get_layer_version)
        .operation(model::GetLayerVersionByArn, layers::get_layer_version_by_arn)
        .operation(model::DeleteLayerVersion, layers::delete_layer_version)
        .operation(model::ListLayers, layers::list_layers)
        .operation(model::ListLayerVersions, layers::list_layer_versions)
        .operation(model::AddLayerVersionPermission, layer_permissions::add_layer_version_permission)
        .operation(model::RemoveLayerVersionPermission, layer_permissions::remove_layer_version_permission)
        .operation(model::GetLayerVersionPolicy, layer_permissions::get_layer_version_policy)
        .operation(model::TagResource, tags::tag_resource)
        .operation(model::UntagResource, tags::untag_resource)
        .operation(model::ListTags, tags::list_tags)
        .operation(model::GetAccountSettings, account_settings::get_account_settings)
        .operation(model::PutFunctionRecursionConfig, recursion::put_function_recursion_config)
        .operation(model::GetFunctionRecursionConfig, recursion::get_function_recursion_config)
        .operation(model::PutRuntimeManagementConfig, runtime_management::put_runtime_management_config)
        .operation(model::GetRuntimeManagementConfig, runtime_management::get_runtime_management_config)
        .operation(code_signing::GetFunctionCodeSigningConfig, code_signing::get_function_code_signing_config)
        .operation(model::InvokeAsync, invoke::invoke_async)
        .operation(model::InvokeWithResponseStream, invoke_stream::invoke_with_response_stream)
}

/// Why an attempt failed.
#[derive(Debug)]
enum Failure {
    /// The caller is told this.
    Refused(ApiError),
    /// The store failed, or somebody was faster.
    Store(StoreError),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Failure::Refused(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Store(error)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Store(error) => not_kept(error),
        }
    }
}

/// Lambda's error for what the store could not write. What its owner can mend, a full disk above all, is told in words.
fn not_kept(error: StoreError) -> ApiError {
    match error {
        StoreError::Full | StoreError::Unavailable(_) => {
            refuse(&errors::SERVICE_EXCEPTION, format!("The change was not kept: {error}."))
        }
        error => ApiError::internal(error),
    }
}

/// Runs `attempt` until nobody was faster.
async fn attempts<T, F>(attempt: impl FnMut() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let overtaken = |failure: &Failure| matches!(failure, Failure::Store(error) if error.is_overtaken());
    Ok(store::attempts(ATTEMPTS, overtaken, attempt).await?)
}

impl Functions {
    /// Brings the index up to what has been committed.
    async fn refresh(&self, scope: &Scope, name: &str) -> Result<(), ApiError> {
        self.index.refresh(&self.store, &self.engine, scope, name).await.map_err(ApiError::internal)
    }
}

/// The owner of what a call is about.
fn scope(call: &Call) -> Scope {
    let (account, region) = call.scope();
    Scope::new(account, region)
}

fn refuse(model: &ErrorModel, message: impl Into<String>) -> ApiError {
    ApiError::new(model, message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse(&errors::INVALID_PARAMETER_VALUE_EXCEPTION, message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    refuse(&errors::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

fn conflict(message: impl Into<String>) -> ApiError {
    refuse(&errors::RESOURCE_CONFLICT_EXCEPTION, message)
}

/// A revision id that was given must be the latest; `operation` names who tells it.
fn check_revision(given: Option<&str>, latest: &str, operation: &str) -> Result<(), ApiError> {
    if given.is_none_or(|given| given == latest) {
        return Ok(());
    }
    let message = format!(
        "The Revision Id provided does not match the latest Revision Id. Call the {operation} API to retrieve the latest Revision Id"
    );
    Err(refuse(&errors::PRECONDITION_FAILED_EXCEPTION, message))
}

/// How many items a page has: what was asked for, at most `most`.
fn page_size(asked: Option<i32>, most: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).filter(|asked| *asked > 0).map_or(most, |asked| asked.min(most))
}
