//! Layers and their versions.

use std::sync::Arc;

use base::clock::Moment;
use model_lambda as model;
use store::{Scope, Stored, Transaction};
use wire::{ApiError, Call};

use super::compatible::{self, Filter};
use super::describe::code_sha256;
use super::functions::PAGE;
use super::package::Source;
use super::{Failure, attempts, invalid, not_found, page_size, scope};
use crate::Functions;
use crate::layers::{LAYERS_PER_FUNCTION, LayerName, LayerRecord, LayerUse, LayerVersionRecord, layer_version_key};
use crate::package::UNPACKED_BYTES;
use crate::time::last_modified;

pub(super) async fn publish_layer_version(
    functions: Arc<Functions>,
    call: Call,
    input: model::PublishLayerVersionRequest,
) -> Result<model::PublishLayerVersionResponse, ApiError> {
    let layer = own_layer(&call, &input.layer_name)?;
    let runtimes = input.compatible_runtimes.unwrap_or_default();
    let architectures = input.compatible_architectures.unwrap_or_default();
    compatible::check(&runtimes, &architectures)?;
    let source = Source {
        zip_file: input.content.zip_file,
        s3_bucket: input.content.s3_bucket,
        s3_key: input.content.s3_key,
        s3_object_version: input.content.s3_object_version,
        image_uri: None,
        source_kms_key_arn: None,
    };
    let package = functions.take_package(&layer.scope, source).await?;
    let Some(code) = package.package() else {
        return Err(ApiError::not_implemented(
            "Frontgate runs functions from a folder (bucket hot-reload), but not layers.",
        ));
    };
    let version = attempts(async || {
        let before = functions.layer(&layer).await?;
        let mut record = before.as_ref().map_or_else(
            || LayerRecord { name: layer.name.clone(), next_version: 1, code_size: 0, tags: Default::default() },
            |before| before.record.clone(),
        );
        let version = LayerVersionRecord {
            layer: layer.name.clone(),
            number: record.next_version,
            description: input.description.clone().unwrap_or_default(),
            license_info: input.license_info.clone(),
            compatible_runtimes: runtimes.clone(),
            compatible_architectures: architectures.clone(),
            code,
            code_size: package.size,
            created: functions.engine.clock.now().0,
            statements: Vec::new(),
            policy_revision_id: base::ids::uuid(),
        };
        record.next_version += 1;
        record.code_size += package.size;
        let transaction = match before {
            Some(before) => Transaction::new().update(&layer.scope, &record, before.revision),
            None => Transaction::new().insert(&layer.scope, &record),
        };
        functions.store.commit(transaction.insert(&layer.scope, &version)).await?;
        Ok::<_, Failure>(version)
    })
    .await?;
    let shown = functions.show_version(&call, &layer, version);
    Ok(model::PublishLayerVersionResponse {
        content: shown.content,
        layer_arn: shown.layer_arn,
        layer_version_arn: shown.layer_version_arn,
        description: shown.description,
        created_date: shown.created_date,
        version: shown.version,
        compatible_runtimes: shown.compatible_runtimes,
        license_info: shown.license_info,
        compatible_architectures: shown.compatible_architectures,
    })
}

pub(super) async fn get_layer_version(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetLayerVersionRequest,
) -> Result<model::GetLayerVersionResponse, ApiError> {
    let layer = LayerName::read(&scope(&call), &input.layer_name);
    functions.get_version(&call, &layer, number(input.version_number)?).await
}

pub(super) async fn get_layer_version_by_arn(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetLayerVersionByArnRequest,
) -> Result<model::GetLayerVersionResponse, ApiError> {
    let (layer, number) = LayerName::read_version(&input.arn).ok_or_else(missing)?;
    functions.get_version(&call, &layer, number).await
}

pub(super) async fn delete_layer_version(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteLayerVersionRequest,
) -> Result<(), ApiError> {
    let layer = own_layer(&call, &input.layer_name)?;
    let key = layer_version_key(&layer.name, number(input.version_number)?);
    attempts(async || {
        // A version that is not there is as good as deleted.
        let Some(Stored { record: mut of, revision }) = functions.layer(&layer).await? else { return Ok(()) };
        let found = functions.store.get::<LayerVersionRecord>(&layer.scope, &key).await?;
        let Some(version) = found else { return Ok(()) };
        of.code_size = of.code_size.saturating_sub(version.record.code_size);
        let transaction = Transaction::new().update(&layer.scope, &of, revision).delete::<LayerVersionRecord>(
            &layer.scope,
            &key,
            version.revision,
        );
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(())
    })
    .await
}

pub(super) async fn list_layers(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListLayersRequest,
) -> Result<model::ListLayersResponse, ApiError> {
    let filter = Filter::read(input.compatible_runtime, input.compatible_architecture)?;
    let (scope, size) = (scope(&call), page_size(input.max_items, PAGE));
    let (mut after, mut shown) = (input.marker, Vec::new());
    loop {
        let page = functions.store.list::<LayerRecord>(&scope, "", after.as_deref(), PAGE).await;
        let page = page.map_err(ApiError::internal)?;
        let is_last = page.len() < PAGE;
        for Stored { record, .. } in page {
            let layer = LayerName { scope: scope.clone(), name: record.name };
            let latest = functions.versions(&layer).await?.into_iter().rev().find(|version| filter.fits(version));
            // A layer whose versions are gone, or that has none for this runtime, is not listed.
            let Some(latest) = latest else {
                after = Some(layer.name);
                continue;
            };
            if shown.len() == size {
                return Ok(model::ListLayersResponse { next_marker: after, layers: Some(shown) });
            }
            after = Some(layer.name.clone());
            shown.push(model::LayersListItem {
                layer_arn: Some(layer.arn()),
                latest_matching_version: Some(list_item(&layer, latest)),
                layer_name: Some(layer.name),
            });
        }
        if is_last {
            return Ok(model::ListLayersResponse { next_marker: None, layers: Some(shown) });
        }
    }
}

pub(super) async fn list_layer_versions(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListLayerVersionsRequest,
) -> Result<model::ListLayerVersionsResponse, ApiError> {
    let filter = Filter::read(input.compatible_runtime, input.compatible_architecture)?;
    let layer = own_layer(&call, &input.layer_name)?;
    // The latest comes first; the marker is the last number shown.
    let marker = input.marker.map(|marker| marker.parse::<u64>()).transpose();
    let before = marker.map_err(|_| invalid("The marker is not one that was given out."))?.unwrap_or(u64::MAX);
    let size = page_size(input.max_items, PAGE);
    let versions = functions.versions(&layer).await?;
    let mut fitting =
        versions.into_iter().rev().filter(|version| version.number < before && filter.fits(version)).peekable();
    let mut shown = Vec::new();
    while let Some(version) = fitting.next_if(|_| shown.len() < size) {
        shown.push(list_item(&layer, version));
    }
    let last = shown.last().and_then(|last: &model::LayerVersionsListItem| last.version);
    let next_marker = last.filter(|_| fitting.peek().is_some()).map(|number| number.to_string());
    Ok(model::ListLayerVersionsResponse { next_marker, layer_versions: Some(shown) })
}

/// A layer that is to be changed or listed: only one's own can be.
pub(super) fn own_layer(call: &Call, text: &str) -> Result<LayerName, ApiError> {
    let own = scope(call);
    let layer = LayerName::read(&own, text);
    check_region(&layer, &own)?;
    if layer.scope.account != own.account {
        return Err(denied(call, &own, &layer.arn()));
    }
    Ok(layer)
}

fn check_region(layer: &LayerName, own: &Scope) -> Result<(), ApiError> {
    if layer.scope.region == own.region {
        return Ok(());
    }
    let (other, own) = (&layer.scope.region, &own.region);
    Err(not_found(format!("Layers from '{other}' are not reachable in this region ('{own}')")))
}

fn denied(call: &Call, own: &Scope, arn: &str) -> ApiError {
    let (operation, account) =
        (if call.operation.starts_with("Get") { "GetLayerVersion" } else { call.operation }, &own.account);
    ApiError::access_denied(format!(
        "User: arn:aws:iam::{account}:root is not authorized to perform: lambda:{operation} on resource: {arn} because no resource-based policy allows the lambda:{operation} action"
    ))
}

/// `VersionNumber`.
pub(super) fn number(given: i64) -> Result<u64, ApiError> {
    u64::try_from(given).ok().filter(|number| *number > 0).ok_or_else(|| invalid("Layer Version Cannot be less than 1"))
}

fn missing() -> ApiError {
    not_found("The resource you requested does not exist.")
}

fn list_item(layer: &LayerName, version: LayerVersionRecord) -> model::LayerVersionsListItem {
    model::LayerVersionsListItem {
        layer_version_arn: Some(layer.version_arn(version.number)),
        version: i64::try_from(version.number).ok(),
        description: Some(version.description),
        created_date: Some(last_modified(Moment(version.created))),
        compatible_runtimes: Some(version.compatible_runtimes).filter(|named| !named.is_empty()),
        license_info: version.license_info,
        compatible_architectures: Some(version.compatible_architectures).filter(|named| !named.is_empty()),
    }
}

impl Functions {
    /// The row of a layer.
    pub(super) async fn layer(&self, layer: &LayerName) -> Result<Option<Stored<LayerRecord>>, ApiError> {
        self.store.get(&layer.scope, &layer.name).await.map_err(ApiError::internal)
    }

    /// The row of a version of a layer.
    pub(super) async fn layer_version(
        &self,
        layer: &LayerName,
        number: u64,
    ) -> Result<Option<Stored<LayerVersionRecord>>, ApiError> {
        self.store.get(&layer.scope, &layer_version_key(&layer.name, number)).await.map_err(ApiError::internal)
    }

    /// All versions of a layer, the oldest first.
    async fn versions(&self, layer: &LayerName) -> Result<Vec<LayerVersionRecord>, ApiError> {
        let versions = self.store.list_tree::<LayerVersionRecord>(&layer.scope, &layer.name).await;
        Ok(versions.map_err(ApiError::internal)?.into_iter().map(|version| version.record).collect())
    }

    async fn get_version(
        &self,
        call: &Call,
        layer: &LayerName,
        number: u64,
    ) -> Result<model::GetLayerVersionResponse, ApiError> {
        let own = scope(call);
        check_region(layer, &own)?;
        let found = self.layer_version(layer, number).await?.map(|found| found.record);
        if layer.scope.account != own.account && !found.as_ref().is_some_and(|found| found.permits(&own.account)) {
            return Err(denied(call, &own, &layer.version_arn(number)));
        }
        Ok(self.show_version(call, layer, found.ok_or_else(missing)?))
    }

    fn show_version(
        &self,
        call: &Call,
        layer: &LayerName,
        version: LayerVersionRecord,
    ) -> model::GetLayerVersionResponse {
        let content = model::LayerVersionContentOutput {
            location: Some(self.location(call, version.code)),
            code_sha256: Some(code_sha256(&version.code)),
            code_size: i64::try_from(version.code_size).ok(),
            ..model::LayerVersionContentOutput::default()
        };
        let item = list_item(layer, version);
        model::GetLayerVersionResponse {
            content: Some(content),
            layer_arn: Some(layer.arn()),
            layer_version_arn: item.layer_version_arn,
            description: item.description,
            created_date: item.created_date,
            version: item.version,
            compatible_runtimes: item.compatible_runtimes,
            license_info: item.license_info,
            compatible_architectures: item.compatible_architectures,
        }
    }

    /// The `Layers` of a function, which must be there and may be used by its owner.
    pub(crate) async fn layers(&self, own: &Scope, arns: &[String]) -> Result<Vec<LayerUse>, ApiError> {
        if arns.len() > LAYERS_PER_FUNCTION {
            return Err(invalid(format!("Cannot reference more than {LAYERS_PER_FUNCTION} layers.")));
        }
        let (mut names, mut uses): (Vec<LayerName>, Vec<LayerUse>) = (Vec::new(), Vec::new());
        for arn in arns {
            let not_there = || invalid(format!("Layer version {arn} does not exist."));
            let (layer, number) = LayerName::read_version(arn).ok_or_else(not_there)?;
            let (is_own, is_near) = (layer.scope.account == own.account, layer.scope.region == own.region);
            if is_own && !is_near {
                return Err(invalid(format!(
                    "Layers are not in the same region as the function. Layers are expected to be in region {}.",
                    own.region
                )));
            }
            let found = self.layer_version(&layer, number).await?.map(|found| found.record);
            let permitted = found.as_ref().is_some_and(|found| found.permits(&own.account));
            if !(is_own || is_near && permitted) {
                return Err(ApiError::access_denied(format!(
                    "User: arn:aws:iam::{}:root is not authorized to perform: lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows the lambda:GetLayerVersion action",
                    own.account
                )));
            }
            let found = found.ok_or_else(not_there)?;
            if let Some(other) = names.iter().position(|other| *other == layer) {
                return Err(invalid(format!(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. {} and {arn} are versions of the same layer.",
                    arns[other]
                )));
            }
            names.push(layer);
            uses.push(LayerUse { arn: arn.clone(), code: found.code, code_size: found.code_size });
        }
        Ok(uses)
    }

    /// Checks that a function's code and its layers go together: within AWS's size, and sound when they are merged.
    pub(super) async fn check_unpacked(
        self: &Arc<Self>,
        code: Option<store::blobs::Digest>,
        layers: &[LayerUse],
    ) -> Result<(), ApiError> {
        if layers.is_empty() {
            return Ok(());
        }
        let (functions, layers) = (Arc::clone(self), layers.iter().map(|layer| layer.code).collect::<Vec<_>>());
        let unpack = move || {
            let mut size = 0;
            for package in code.iter().chain(&layers) {
                size += functions.engine.unpacked(*package, None)?.size();
            }
            if size <= UNPACKED_BYTES {
                functions.engine.opt(&layers)?;
            }
            Ok(size)
        };
        let unpacked = self.engine.control.spawn_blocking(unpack).await.map_err(ApiError::internal)?;
        let size = unpacked.map_err(super::package::refused)?;
        if size > UNPACKED_BYTES {
            return Err(invalid(format!(
                "Function code combined with layers exceeds the maximum allowed size of {UNPACKED_BYTES} bytes. The actual size is {size} bytes."
            )));
        }
        Ok(())
    }
}

impl LayerVersionRecord {
    /// Whether its policy lets the users of an account have it.
    fn permits(&self, account: &str) -> bool {
        self.statements.iter().any(|statement| statement.permits(account))
    }
}
