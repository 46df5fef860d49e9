//! Published versions.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::FunctionConfiguration;
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::describe::{Shown, code_sha256, describe};
use super::functions::PAGE;
use super::names::Named;
use super::{Failure, attempts, check_revision, invalid, page_size};
use crate::Functions;
use crate::records::{Configuration, LATEST, VersionRecord, version_key};

pub(super) async fn publish_version(
    functions: Arc<Functions>,
    call: Call,
    input: model::PublishVersionRequest,
) -> Result<FunctionConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(super::configure::not_yet("PublishTo"));
    }
    functions.publish(&named, &input, Shown::Settled).await
}

pub(super) async fn list_versions_by_function(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListVersionsByFunctionRequest,
) -> Result<model::ListVersionsByFunctionResponse, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    let Stored { record, .. } = functions.function(&named).await?.ok_or_else(|| named.missing())?;
    let size = page_size(input.max_items, PAGE);
    let mut shown = Vec::new();
    // The marker is the last number shown; `$LATEST` comes before the first.
    let after = match input.marker.as_deref() {
        None => {
            let arn = format!("{}:{LATEST}", named.arn());
            shown.push(describe(&named.scope, &named.name, arn, LATEST, &record.latest, Shown::Listed));
            None
        }
        Some(LATEST) => None,
        Some(marker) => Some(marker.parse::<u64>().map_err(|_| invalid("The marker is not one that was given out."))?),
    };
    let key = after.map(|number| version_key(&named.name, number));
    let room = size - shown.len().min(size);
    let mut page = functions
        .store
        .list::<VersionRecord>(&named.scope, &named.name, key.as_deref(), room + 1)
        .await
        .map_err(ApiError::internal)?;
    let more = page.len() > room;
    page.truncate(room);
    for version in page {
        let VersionRecord { number, configuration, .. } = version.record;
        let arn = format!("{}:{number}", named.arn());
        shown.push(describe(&named.scope, &named.name, arn, &number.to_string(), &configuration, Shown::Listed));
    }
    let next_marker = if more { shown.last().and_then(|last| last.version.clone()) } else { None };
    Ok(model::ListVersionsByFunctionResponse { next_marker, versions: Some(shown) })
}

impl Functions {
    /// Makes a version of `$LATEST`, or shows the last one if nothing has changed since.
    pub(super) async fn publish(
        &self,
        named: &Named,
        input: &model::PublishVersionRequest,
        shown: Shown,
    ) -> Result<FunctionConfiguration, ApiError> {
        let version = attempts(|| self.try_publish(named, input)).await?;
        self.refresh(&named.scope, &named.name).await?;
        let number = version.number.to_string();
        let arn = format!("{}:{number}", named.arn());
        Ok(describe(&named.scope, &named.name, arn, &number, &version.configuration, shown))
    }

    async fn try_publish(&self, named: &Named, input: &model::PublishVersionRequest) -> Result<VersionRecord, Failure> {
        let function = self.function(named).await?.ok_or_else(|| named.missing())?;
        let mut record = function.record;
        check_revision(input.revision_id.as_deref(), &record.latest.revision_id, "GetFunction/GetAlias")?;
        let current = code_sha256(&record.latest.code);
        if let Some(given) = input.code_sha256.as_ref().filter(|given| **given != current) {
            let message = format!(
                "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with the CodeSHA256 in $LATEST."
            );
            return Err(invalid(message).into());
        }
        let versions = self.store.list_tree::<VersionRecord>(&named.scope, &named.name).await?;
        if let Some(last) = versions.into_iter().next_back()
            && last.record.configuration.is_like(&record.latest)
        {
            return Ok(last.record);
        }
        self.check_code_storage(&named.scope, record.latest.code_size).await?;
        let description = input.description.clone().unwrap_or_else(|| record.latest.description.clone());
        let configuration = Configuration { description, revision_id: base::ids::uuid(), ..record.latest.clone() };
        let version = VersionRecord { function: named.name.clone(), number: record.next_version, configuration };
        record.next_version += 1;
        record.latest.revision_id = base::ids::uuid();
        let transaction =
            Transaction::new().update(&named.scope, &record, function.revision).insert(&named.scope, &version);
        self.store.commit(transaction).await?;
        Ok(version)
    }
}
