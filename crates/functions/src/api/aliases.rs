//! Aliases.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::{AliasConfiguration, AliasRoutingConfiguration};
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::functions::PAGE;
use super::names::Named;
use super::{Failure, attempts, check_revision, conflict, invalid, not_found, page_size};
use crate::Functions;
use crate::concurrency::{ProvisionedRecord, provisioned_key};
use crate::event_invoke::EventInvokeRecord;
use crate::records::{AliasRecord, Configuration, FunctionRecord, LATEST, PolicyRecord, VersionRecord, version_key};
use crate::urls::UrlRecord;

pub(super) async fn create_alias(
    functions: Arc<Functions>,
    call: Call,
    input: model::CreateAliasRequest,
) -> Result<AliasConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    let alias = attempts(async || {
        let function = functions.function(&named).await?.ok_or_else(|| named.missing())?;
        let arn = alias_arn(&named, &input.name);
        if functions.alias(&named, &input.name).await?.is_some() {
            return Err(conflict(format!("Alias already exists: {arn}")).into());
        }
        functions.check_version(&named, &input.function_version).await?;
        let alias = AliasRecord {
            function: named.name.clone(),
            name: input.name.clone(),
            version: input.function_version.clone(),
            description: input.description.clone().unwrap_or_default(),
            additional: functions.routing(&named, &input.function_version, input.routing_config.as_ref()).await?,
            revision_id: base::ids::uuid(),
        };
        functions.commit_alias(&named, &function, Transaction::new().insert(&named.scope, &alias)).await?;
        Ok::<_, Failure>(alias)
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    Ok(show(&named, alias))
}

pub(super) async fn get_alias(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetAliasRequest,
) -> Result<AliasConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    let alias = functions.alias(&named, &input.name).await?;
    let alias = alias.ok_or_else(|| missing(&named, &input.name))?;
    Ok(show(&named, alias.record))
}

pub(super) async fn update_alias(
    functions: Arc<Functions>,
    call: Call,
    input: model::UpdateAliasRequest,
) -> Result<AliasConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    let alias = attempts(async || {
        let function = functions.function(&named).await?.ok_or_else(|| missing(&named, &input.name))?;
        let Stored { record: mut alias, revision } =
            functions.alias(&named, &input.name).await?.ok_or_else(|| missing(&named, &input.name))?;
        check_revision(input.revision_id.as_deref(), &alias.revision_id, "GetFunction/GetAlias")?;
        if let Some(version) = &input.function_version {
            functions.check_version(&named, version).await?;
            alias.version.clone_from(version);
        }
        if let Some(description) = &input.description {
            alias.description.clone_from(description);
        }
        if input.routing_config.is_some() {
            alias.additional = functions.routing(&named, &alias.version, input.routing_config.as_ref()).await?;
        } else if let Some((other, _)) = &alias.additional {
            functions.check_pair(&named, &alias.version, other).await?;
        }
        alias.revision_id = base::ids::uuid();
        functions.commit_alias(&named, &function, Transaction::new().update(&named.scope, &alias, revision)).await?;
        Ok::<_, Failure>(alias)
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    Ok(show(&named, alias))
}

pub(super) async fn delete_alias(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteAliasRequest,
) -> Result<(), ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    attempts(async || {
        if functions.function(&named).await?.is_none() {
            return Err(named.missing().into());
        }
        // An alias that is not there is as good as deleted.
        let Some(alias) = functions.alias(&named, &input.name).await? else { return Ok(()) };
        let key = format!("{}/{}", named.name, input.name);
        let transaction = Transaction::new()
            .delete::<AliasRecord>(&named.scope, &key, alias.revision)
            .delete_tree::<PolicyRecord>(&named.scope, &key)
            .delete_tree::<UrlRecord>(&named.scope, &key)
            .delete_tree::<ProvisionedRecord>(&named.scope, &provisioned_key(&named.name, &input.name))
            .delete_tree::<EventInvokeRecord>(&named.scope, &key);
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await
}

pub(super) async fn list_aliases(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListAliasesRequest,
) -> Result<model::ListAliasesResponse, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    if functions.function(&named).await?.is_none() {
        return Err(named.missing());
    }
    let size = page_size(input.max_items, PAGE);
    let all = functions.store.list_tree::<AliasRecord>(&named.scope, &named.name).await.map_err(ApiError::internal)?;
    let marker = input.marker.as_deref();
    let mut aliases: Vec<AliasRecord> = all
        .into_iter()
        .map(|alias| alias.record)
        .filter(|alias| marker.is_none_or(|marker| alias.name.as_str() > marker))
        .filter(|alias| input.function_version.as_ref().is_none_or(|version| alias.version == *version))
        .collect();
    let more = aliases.len() > size;
    aliases.truncate(size);
    let next_marker = aliases.last().filter(|_| more).map(|last| last.name.clone());
    let aliases = aliases.into_iter().map(|alias| show(&named, alias)).collect();
    Ok(model::ListAliasesResponse { next_marker, aliases: Some(aliases) })
}

fn alias_arn(named: &Named, alias: &str) -> String {
    format!("{}:{alias}", named.arn())
}

/// `Cannot find alias arn: {arn}`.
pub(super) fn missing(named: &Named, alias: &str) -> ApiError {
    not_found(format!("Cannot find alias arn: {}", alias_arn(named, alias)))
}

fn show(named: &Named, alias: AliasRecord) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: Some(alias_arn(named, &alias.name)),
        name: Some(alias.name),
        function_version: Some(alias.version),
        description: Some(alias.description),
        routing_config: alias
            .additional
            .map(|weight| AliasRoutingConfiguration { additional_version_weights: Some([weight].into()) }),
        revision_id: Some(alias.revision_id),
    }
}

impl Functions {
    /// The two versions of an alias must differ, be published and run as the same role.
    async fn check_pair(&self, named: &Named, version: &str, other: &str) -> Result<(), ApiError> {
        if version == other {
            return Err(invalid(format!(
                "Invalid function version {other}. Function version {other} is already included in routing configuration."
            )));
        }
        if version == LATEST || other == LATEST {
            return Err(invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
        }
        let (one, another) = (self.check_version(named, version).await?, self.check_version(named, other).await?);
        if one.map(|one| one.role) != another.map(|another| another.role) {
            return Err(invalid(format!(
                "Function versions {version} and {other} have different roles, which an alias cannot point to at once."
            )));
        }
        Ok(())
    }

    /// The row of an alias.
    pub(super) async fn alias(&self, named: &Named, alias: &str) -> Result<Option<Stored<AliasRecord>>, ApiError> {
        let key = format!("{}/{alias}", named.name);
        self.store.get(&named.scope, &key).await.map_err(ApiError::internal)
    }

    /// A version that an alias is to point to must be there. Returns its configuration; `None` for `$LATEST`.
    async fn check_version(&self, named: &Named, version: &str) -> Result<Option<Configuration>, ApiError> {
        if version == LATEST {
            return Ok(None);
        }
        let missing = || not_found(format!("Function not found: {}:{version}", named.arn()));
        let number = version.parse().map_err(|_| missing())?;
        let key = version_key(&named.name, number);
        let found = self.store.get::<VersionRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
        found.map(|found| Some(found.record.configuration)).ok_or_else(missing)
    }

    /// Checks `RoutingConfig`.
    async fn routing(
        &self,
        named: &Named,
        version: &str,
        config: Option<&AliasRoutingConfiguration>,
    ) -> Result<Option<(String, f64)>, ApiError> {
        let weights = config.and_then(|config| config.additional_version_weights.as_ref());
        let mut weights = weights.into_iter().flatten();
        let Some((other, weight)) = weights.next() else { return Ok(None) };
        if weights.next().is_some() {
            return Err(invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
        }
        self.check_pair(named, version, other).await?;
        Ok(Some((other.clone(), *weight)))
    }

    /// Commits a change of an alias, provided that the function, and so its versions, are still as they were read.
    async fn commit_alias(
        &self,
        named: &Named,
        function: &Stored<FunctionRecord>,
        transaction: Transaction,
    ) -> Result<(), Failure> {
        let transaction = transaction.expect::<FunctionRecord>(&named.scope, &named.name, function.revision);
        self.store.commit(transaction).await?;
        Ok(())
    }
}
