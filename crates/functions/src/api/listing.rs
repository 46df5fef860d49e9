//! ListFunctions: functions, or all of their versions, page by page.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::FunctionConfiguration;
use store::{Scope, StoreError, Stored};
use wire::{ApiError, Call};

use super::describe::{Shown, describe};
use super::functions::PAGE;
use super::page_size;
use crate::Functions;
use crate::index::function_arn;
use crate::records::{Configuration, FunctionRecord, LATEST, VersionRecord, version_key};

pub(super) async fn list_functions(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListFunctionsRequest,
) -> Result<model::ListFunctionsResponse, ApiError> {
    if input.master_region.is_some_and(|region| region != "ALL" && region != *call.region) {
        return Ok(model::ListFunctionsResponse { functions: Some(Vec::new()), next_marker: None });
    }
    let scope = super::scope(&call);
    let size = page_size(input.max_items, PAGE);
    let marker = input.marker.as_deref();
    let page = match input.function_version.as_deref() {
        Some("ALL") => functions.versions_after(&scope, marker, size + 1).await,
        _ => functions.functions_after(&scope, marker, size + 1).await,
    };
    let mut page = page.map_err(ApiError::internal)?;
    let more = page.len() > size;
    page.truncate(size);
    let next_marker = page.last().filter(|_| more).map(|(marker, _)| marker.clone());
    let shown = page.into_iter().map(|(_, configuration)| configuration).collect();
    Ok(model::ListFunctionsResponse { functions: Some(shown), next_marker })
}

/// What is shown, each with the marker of what comes after it.
type Page = Vec<(String, FunctionConfiguration)>;

impl Functions {
    /// Functions in the order of their names; the marker is a name.
    async fn functions_after(&self, scope: &Scope, marker: Option<&str>, count: usize) -> Result<Page, StoreError> {
        let page = self.store.list::<FunctionRecord>(scope, "", marker, count).await?;
        let show = |Stored { record, .. }: Stored<FunctionRecord>| {
            let arn = function_arn(scope, &record.name);
            let shown = describe(scope, &record.name, arn, LATEST, &record.latest, Shown::Listed);
            (record.name, shown)
        };
        Ok(page.into_iter().map(show).collect())
    }

    /// The same with each function's versions after it; the marker is `name:version`.
    async fn versions_after(&self, scope: &Scope, marker: Option<&str>, count: usize) -> Result<Page, StoreError> {
        let mut shown = Page::new();
        let mut add = |name: &str, version: &str, configuration: &Configuration| {
            let arn = format!("{}:{version}", function_arn(scope, name));
            let described = describe(scope, name, arn, version, configuration, Shown::Listed);
            shown.push((format!("{name}:{version}"), described));
            shown.len() >= count
        };
        // The function that the last page ended in comes first, from the version after the last one shown.
        let ended = marker.and_then(|marker| marker.rsplit_once(':'));
        let mut after = ended.map(|(name, version)| (name.to_owned(), version.parse::<u64>().unwrap_or(0)));
        loop {
            if let Some((name, number)) = &after {
                let (mut key, mut is_full) = (version_key(name, *number), false);
                while !is_full {
                    let page = self.store.list::<VersionRecord>(scope, name, Some(&key), PAGE).await?;
                    let Some(last) = page.last() else { break };
                    key = version_key(name, last.record.number);
                    is_full = page
                        .iter()
                        .any(|Stored { record, .. }| add(name, &record.number.to_string(), &record.configuration));
                }
                if is_full {
                    return Ok(shown);
                }
            }
            let name = after.as_ref().map(|(name, _)| name.as_str());
            let mut next = self.store.list::<FunctionRecord>(scope, "", name, 1).await?;
            let Some(Stored { record, .. }) = next.pop() else { return Ok(shown) };
            if add(&record.name, LATEST, &record.latest) {
                return Ok(shown);
            }
            after = Some((record.name, 0));
        }
    }
}
