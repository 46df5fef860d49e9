//! Functions themselves: create, get, delete.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::{FunctionConfiguration, GetFunctionResponse};
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::configure::{self, NotYet, not_yet};
use super::describe::{Shown, describe};
use super::names::Named;
use super::package::Source;
use super::{Failure, attempts, conflict, invalid, not_kept, tags};
use crate::Functions;
use crate::concurrency::{ProvisionedRecord, ReservedRecord, provisioned_key};
use crate::event_invoke::EventInvokeRecord;
use crate::records::{
    AliasRecord, Configuration, EPHEMERAL_STORAGE, FunctionRecord, LATEST, PolicyRecord, VersionRecord, version_key,
};
use crate::urls::UrlRecord;

/// The longest name.
const NAME_LENGTH: usize = 64;

/// The most functions, versions or aliases that a page shows.
pub(super) const PAGE: usize = 50;

pub(super) async fn create_function(
    functions: Arc<Functions>,
    call: Call,
    input: model::CreateFunctionRequest,
) -> Result<FunctionConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    if named.qualifier.is_some() {
        return Err(invalid("A function cannot be created with a version or an alias in its name."));
    }
    if named.name.len() > NAME_LENGTH {
        return Err(invalid(format!(
            "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to {NAME_LENGTH}",
            named.name
        )));
    }
    let publish = input.publish == Some(true);
    let layers = input.layers.clone().unwrap_or_default();
    let (source, tags, mut configuration) = configuration(input)?;
    functions.check_runtime(&configuration.runtime).await?;
    let exists = || conflict(format!("Function already exist: {}", named.name));
    if functions.function(&named).await?.is_some() {
        return Err(exists());
    }
    configuration.layers = functions.layers(&named.scope, &layers).await?;
    let package = functions.take_package(&named.scope, source).await?;
    package.put_into(&mut configuration);
    functions.check_unpacked(configuration.package(), &configuration.layers).await?;
    configuration.last_modified = functions.engine.clock.now().0;
    let record = FunctionRecord {
        name: named.name.clone(),
        latest: configuration.clone(),
        next_version: if publish { 2 } else { 1 },
        tags,
        allows_recursion: false,
    };
    let mut transaction = Transaction::new().insert(&named.scope, &record);
    let mut version = LATEST.to_owned();
    if publish {
        let configuration = Configuration { revision_id: base::ids::uuid(), ..configuration.clone() };
        let first = VersionRecord { function: named.name.clone(), number: 1, configuration };
        transaction = transaction.insert(&named.scope, &first);
        version = first.number.to_string();
    }
    match functions.store.commit(transaction).await {
        Ok(_) => {}
        Err(store::StoreError::Exists { .. }) => return Err(exists()),
        Err(error) => return Err(not_kept(error)),
    }
    functions.refresh(&named.scope, &named.name).await?;
    // The revision shown while a function is being created is not that of the function once it is there.
    configuration.revision_id = base::ids::uuid();
    Ok(describe(&named.scope, &named.name, named.arn(), &version, &configuration, Shown::Creating))
}

type Parts = (Source, std::collections::BTreeMap<String, String>, Configuration);

/// Checks everything of the request that needs no look at anything else.
fn configuration(input: model::CreateFunctionRequest) -> Result<Parts, ApiError> {
    if input.package_type.as_deref().is_some_and(|kind| kind != "Zip") || input.code.image_uri.is_some() {
        return Err(not_yet("PackageType Image"));
    }
    for (name, given) in [
        ("CodeSigningConfigArn", input.code_signing_config_arn.is_some()),
        ("PublishTo", input.publish_to.is_some()),
        ("TenancyConfig", input.tenancy_config.is_some()),
    ] {
        if given {
            return Err(not_yet(name));
        }
    }
    let not_yet = NotYet {
        vpc_config: input.vpc_config,
        kms_key_arn: input.kms_key_arn,
        file_system_configs: input.file_system_configs,
        image_config: input.image_config,
        snap_start: input.snap_start,
        capacity_provider_config: input.capacity_provider_config,
        durable_config: input.durable_config,
    };
    not_yet.check()?;
    configure::check_bounds(input.timeout, input.memory_size)?;
    let (Some(runtime), Some(handler)) = (input.runtime, input.handler) else {
        let message = "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
        return Err(invalid(message));
    };
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let source = Source {
        zip_file: input.code.zip_file,
        s3_bucket: input.code.s3_bucket,
        s3_key: input.code.s3_key,
        s3_object_version: input.code.s3_object_version,
        image_uri: None,
        source_kms_key_arn: input.code.source_kms_key_arn,
    };
    let (mut log_group, mut json_log) = (None, None);
    configure::logging(input.logging_config.as_ref(), &mut log_group, &mut json_log)?;
    let configuration = Configuration {
        runtime,
        handler,
        role: input.role,
        description: input.description.unwrap_or_default(),
        timeout: number(input.timeout, 3),
        memory_size: number(input.memory_size, 128),
        variables: configure::variables(input.environment)?,
        architecture: configure::architecture(input.architectures),
        log_group,
        json_log,
        traced: configure::traced(input.tracing_config).unwrap_or(false),
        ephemeral_storage: configure::ephemeral_storage(input.ephemeral_storage).unwrap_or(EPHEMERAL_STORAGE),
        dead_letter: configure::dead_letter(input.dead_letter_config)?.flatten(),
        code: store::blobs::Digest::of(b""),
        folder: None,
        code_size: 0,
        layers: Vec::new(),
        runtime_management: None,
        last_modified: 0,
        revision_id: base::ids::uuid(),
    };
    Ok((source, tags, configuration))
}

/// A number that has passed the model's range, or its default.
pub(super) fn number(given: Option<i32>, default: u32) -> u32 {
    given.and_then(|given| u32::try_from(given).ok()).unwrap_or(default)
}

pub(super) async fn get_function(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionRequest,
) -> Result<GetFunctionResponse, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    let (function, number, configuration) = functions.look_up(&named).await?;
    let shown = describe(&named.scope, &named.name, named.qualified_arn(), &number, &configuration, Shown::Settled);
    Ok(GetFunctionResponse {
        configuration: Some(shown),
        code: Some(model::FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: configuration.package().map(|code| functions.location(&call, code)),
            ..model::FunctionCodeLocation::default()
        }),
        tags: (!function.tags.is_empty()).then_some(function.tags),
        concurrency: functions.reserved(&named).await?,
        ..GetFunctionResponse::default()
    })
}

pub(super) async fn get_function_configuration(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    let (_, number, configuration) = functions.look_up(&named).await?;
    Ok(describe(&named.scope, &named.name, named.qualified_arn(), &number, &configuration, Shown::Settled))
}

pub(super) async fn delete_function(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteFunctionRequest,
) -> Result<model::DeleteFunctionResponse, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    match named.qualifier.as_deref() {
        None => attempts(|| functions.delete_whole(&named)).await?,
        Some(qualifier) => match qualifier.parse::<u64>() {
            Ok(number) => attempts(|| functions.delete_version(&named, number)).await?,
            Err(_) if qualifier == LATEST => {
                return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
            }
            Err(_) if qualifier.starts_with('$') => return Err(Named { qualifier: None, ..named }.missing()),
            Err(_) => return Err(invalid("Deletion of aliases is not currently supported.")),
        },
    }
    functions.refresh(&named.scope, &named.name).await?;
    Ok(model::DeleteFunctionResponse { status_code: Some(204) })
}

impl Functions {
    /// The row of a function.
    pub(super) async fn function(&self, named: &Named) -> Result<Option<Stored<FunctionRecord>>, ApiError> {
        self.store.get(&named.scope, &named.name).await.map_err(ApiError::internal)
    }

    /// The function, the version's number and the version that a name and a qualifier mean.
    pub(super) async fn look_up(&self, named: &Named) -> Result<(FunctionRecord, String, Configuration), ApiError> {
        let function = self.function(named).await?.ok_or_else(|| named.missing())?.record;
        let mut number = named.qualifier().to_owned();
        if number != LATEST && number.parse::<u64>().is_err() {
            let key = format!("{}/{number}", named.name);
            let alias = self.store.get::<AliasRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
            number = alias.ok_or_else(|| named.missing())?.record.version;
        }
        let configuration = match number.parse::<u64>() {
            Ok(number) => {
                let key = version_key(&named.name, number);
                let version = self.store.get::<VersionRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
                version.ok_or_else(|| named.missing())?.record.configuration
            }
            Err(_) => function.latest.clone(),
        };
        Ok((function, number, configuration))
    }

    async fn delete_whole(&self, named: &Named) -> Result<(), Failure> {
        let function = self.function(named).await?.ok_or_else(|| named.missing())?;
        let (scope, name) = (&named.scope, &named.name);
        let transaction = Transaction::new()
            .delete::<FunctionRecord>(scope, name, function.revision)
            .delete_tree::<VersionRecord>(scope, name)
            .delete_tree::<AliasRecord>(scope, name)
            .delete_tree::<ReservedRecord>(scope, name)
            .delete_tree::<ProvisionedRecord>(scope, name)
            .delete_tree::<PolicyRecord>(scope, name)
            .delete_tree::<UrlRecord>(scope, name)
            .delete_tree::<EventInvokeRecord>(scope, name);
        self.store.commit(transaction).await?;
        Ok(())
    }

    async fn delete_version(&self, named: &Named, number: u64) -> Result<(), Failure> {
        let unqualified = Named { qualifier: None, ..named.clone() };
        let function = self.function(named).await?.ok_or_else(|| unqualified.missing())?;
        let key = version_key(&named.name, number);
        let Some(version) = self.store.get::<VersionRecord>(&named.scope, &key).await? else {
            // A version that is not there is as good as deleted.
            return Ok(());
        };
        let aliases = self.store.list_tree::<AliasRecord>(&named.scope, &named.name).await?;
        let text = number.to_string();
        let points = |alias: &AliasRecord| {
            alias.version == text || alias.additional.as_ref().is_some_and(|(version, _)| *version == text)
        };
        let pointing: Vec<&str> =
            aliases.iter().map(|alias| &alias.record).filter(|alias| points(alias)).map(|alias| &*alias.name).collect();
        if !pointing.is_empty() {
            let message = format!("Version ({text}) is still in use by aliases ({}).", pointing.join(", "));
            return Err(conflict(message).into());
        }
        // The expectation of the function's row keeps an alias from being made at the same time.
        let transaction = Transaction::new()
            .update(&named.scope, &function.record, function.revision)
            .delete::<VersionRecord>(&named.scope, &key, version.revision)
            .delete_tree::<PolicyRecord>(&named.scope, &format!("{}/{text}", named.name))
            .delete_tree::<ProvisionedRecord>(&named.scope, &provisioned_key(&named.name, &text))
            .delete_tree::<EventInvokeRecord>(&named.scope, &format!("{}/{text}", named.name));
        self.store.commit(transaction).await?;
        Ok(())
    }
}
