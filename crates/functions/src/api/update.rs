//! Changes of `$LATEST`: its code and its configuration.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::FunctionConfiguration;
use store::Transaction;
use wire::{ApiError, Call};

use super::configure::{self, NotYet, not_yet};
use super::describe::{Shown, describe};
use super::functions::number;
use super::names::Named;
use super::package::Source;
use super::{Failure, attempts, check_revision};
use crate::Functions;
use crate::records::{Configuration, LATEST};

pub(super) async fn update_function_code(
    functions: Arc<Functions>,
    call: Call,
    input: model::UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(not_yet("PublishTo"));
    }
    // First of all, so that a wrong name costs no upload.
    let function = functions.function(&named).await?.ok_or_else(|| named.missing())?;
    check_revision(input.revision_id.as_deref(), &function.record.latest.revision_id, "GetFunction/GetAlias")?;
    let source = Source {
        zip_file: input.zip_file,
        s3_bucket: input.s3_bucket,
        s3_key: input.s3_key,
        s3_object_version: input.s3_object_version,
        image_uri: input.image_uri,
        source_kms_key_arn: input.source_kms_key_arn,
    };
    let package = functions.take_package(&named.scope, source).await?;
    functions.check_unpacked(package.package(), &function.record.latest.layers).await?;
    let change = |latest: &mut Configuration| {
        package.put_into(latest);
        if let Some(architectures) = &input.architectures {
            latest.architecture = configure::architecture(Some(architectures.clone()));
        }
        Ok(())
    };
    if input.dry_run == Some(true) {
        let mut latest = function.record.latest;
        change(&mut latest)?;
        return Ok(describe(&named.scope, &named.name, named.arn(), LATEST, &latest, Shown::Settled));
    }
    let shown = functions.update_latest(&named, input.revision_id.as_deref(), change).await?;
    if input.publish == Some(true) {
        return functions.publish(&named, &model::PublishVersionRequest::default(), Shown::Creating).await;
    }
    Ok(shown)
}

pub(super) async fn update_function_configuration(
    functions: Arc<Functions>,
    call: Call,
    input: model::UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
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
    let function = functions.function(&named).await?.ok_or_else(|| named.missing())?;
    let layers = match &input.layers {
        Some(layers) => Some(functions.layers(&named.scope, layers).await?),
        None => None,
    };
    functions.check_unpacked(function.record.latest.package(), layers.as_deref().unwrap_or_default()).await?;
    if let Some(runtime) = &input.runtime {
        functions.check_runtime(runtime).await?;
    }
    let variables = configure::variables(input.environment)?;
    let traced = configure::traced(input.tracing_config);
    let ephemeral_storage = configure::ephemeral_storage(input.ephemeral_storage);
    let dead_letter = configure::dead_letter(input.dead_letter_config)?;
    let change = |latest: &mut Configuration| {
        let replace = |field: &mut String, given: &Option<String>| {
            if let Some(given) = given {
                field.clone_from(given);
            }
        };
        replace(&mut latest.runtime, &input.runtime);
        replace(&mut latest.handler, &input.handler);
        replace(&mut latest.role, &input.role);
        replace(&mut latest.description, &input.description);
        latest.timeout = number(input.timeout, latest.timeout);
        latest.memory_size = number(input.memory_size, latest.memory_size);
        if variables.is_some() {
            latest.variables.clone_from(&variables);
        }
        if let Some(layers) = &layers {
            latest.layers.clone_from(layers);
        }
        if let Some(dead_letter) = &dead_letter {
            latest.dead_letter.clone_from(dead_letter);
        }
        latest.traced = traced.unwrap_or(latest.traced);
        latest.ephemeral_storage = ephemeral_storage.unwrap_or(latest.ephemeral_storage);
        configure::logging(input.logging_config.as_ref(), &mut latest.log_group, &mut latest.json_log)
    };
    functions.update_latest(&named, input.revision_id.as_deref(), change).await
}

impl Functions {
    /// Changes `$LATEST` and shows it as it is during an update.
    async fn update_latest(
        &self,
        named: &Named,
        revision_id: Option<&str>,
        change: impl Fn(&mut Configuration) -> Result<(), ApiError>,
    ) -> Result<FunctionConfiguration, ApiError> {
        let changed = attempts(async || {
            let function = self.function(named).await?.ok_or_else(|| named.missing())?;
            check_revision(revision_id, &function.record.latest.revision_id, "GetFunction/GetAlias")?;
            let mut record = function.record;
            change(&mut record.latest)?;
            // Time does not stand still between two updates, or else the second would not be seen as one.
            record.latest.last_modified = self.engine.clock.now().0.max(record.latest.last_modified + 1);
            record.latest.revision_id = base::ids::uuid();
            self.store.commit(Transaction::new().update(&named.scope, &record, function.revision)).await?;
            Ok::<_, Failure>(record.latest)
        })
        .await?;
        self.refresh(&named.scope, &named.name).await?;
        let shown = Configuration { revision_id: base::ids::uuid(), ..changed };
        Ok(describe(&named.scope, &named.name, named.arn(), LATEST, &shown, Shown::Updating))
    }
}
