//! An API's documentation: parts, and versions that freeze them.

mod import;
mod location;

use base::shape::Timestamp;
use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};

use self::location::{checked_location, checked_properties, described, shown_location};
use super::EVERY;
use super::page::page;
use crate::Apis;
use crate::patch::Op::Replace;
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{DocumentationPart, DocumentationSnapshot, DocumentationVersion, Stage};

const PART_PATCHES: Table = Table { wording: Wording::Listing, entries: &[("/properties", &[Replace])] };
const VERSION_PATCHES: Table = Table { wording: Wording::Listing, entries: &[("/description", &[Replace])] };

impl Apis {
    pub(crate) async fn create_documentation_part(
        &self,
        scope: &Scope,
        input: model::CreateDocumentationPartRequest,
    ) -> Answer<model::DocumentationPart> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let api = apis.rest_api(&scope, &input.rest_api_id).await?.record;
            let head = apis.head(&scope, &api.id).await?.ok_or(Refusal::Raced)?;
            let part = DocumentationPart {
                api: api.id.clone(),
                id: base::ids::api_gateway_id(6),
                location: checked_location(&input.location)?,
                properties: checked_properties(&input.properties)?,
            };
            let known = apis.parts_of(&scope, &api.id).await?;
            if known.iter().any(|known| known.location == part.location) {
                return Err(Refusal::Conflict(format!(
                    "Documentation part already exists for the specified location: {}",
                    described(&part.location)
                )));
            }
            if known.len() >= apis.settings.limits.documentation_parts_per_api {
                return Err(Refusal::quota("DocumentationParts", "API"));
            }
            let made = Transaction::new().update(&scope, &head.record, head.revision).insert(&scope, &part);
            apis.store.commit(made).await?;
            Ok(shown(&part))
        })
        .await
    }

    pub(crate) async fn get_documentation_part(
        &self,
        scope: &Scope,
        input: model::GetDocumentationPartRequest,
    ) -> Answer<model::DocumentationPart> {
        Ok(shown(&self.documentation_part(scope, &input.rest_api_id, &input.documentation_part_id).await?.record))
    }

    pub(crate) async fn get_documentation_parts(
        &self,
        scope: &Scope,
        input: model::GetDocumentationPartsRequest,
    ) -> Answer<model::DocumentationParts> {
        self.rest_api(scope, &input.rest_api_id).await?;
        if input.location_status.as_deref() == Some("UNDOCUMENTED") {
            return Err(Refusal::not_built("locationStatus UNDOCUMENTED"));
        }
        let wanted = |given: &Option<String>, actual: Option<&str>| match given.as_deref() {
            None | Some("") => true,
            Some(given) => actual == Some(given),
        };
        let mut parts = self.parts_of(scope, &input.rest_api_id).await?;
        parts.retain(|part| {
            let location = &part.location;
            let name = input.name_query.as_deref().unwrap_or_default();
            wanted(&input.r#type, Some(&location.kind))
                && wanted(&input.path, location.path.as_deref())
                && (name.is_empty() || location.name.as_deref().is_some_and(|known| known.contains(name)))
        });
        // AWS's order in the one recording there is fits this one.
        let order = |part: &DocumentationPart| format!("{}/{}", described(&part.location), part.id);
        parts.sort_by_cached_key(order);
        let (page, position) = page(parts, order, input.position.as_deref(), input.limit)?;
        Ok(model::DocumentationParts { position, items: Some(page.iter().map(shown).collect()) })
    }

    pub(crate) async fn update_documentation_part(
        &self,
        scope: &Scope,
        input: model::UpdateDocumentationPartRequest,
    ) -> Answer<model::DocumentationPart> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.documentation_part(&scope, &input.rest_api_id, &input.documentation_part_id).await?;
            let mut part = stored.record.clone();
            PART_PATCHES.patch(input.patch_operations.clone(), &mut part, |part, edit: Edit| {
                part.properties = checked_properties(edit.text())?;
                Ok(())
            })?;
            apis.store.commit(Transaction::new().update(&scope, &part, stored.revision)).await?;
            Ok(shown(&part))
        })
        .await
    }

    pub(crate) async fn delete_documentation_part(
        &self,
        scope: &Scope,
        input: model::DeleteDocumentationPartRequest,
    ) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            apis.rest_api(&scope, &input.rest_api_id).await?;
            let stored = apis.documentation_part(&scope, &input.rest_api_id, &input.documentation_part_id).await?;
            let gone = Transaction::new().delete::<DocumentationPart>(&scope, &stored.record.key(), stored.revision);
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn create_documentation_version(
        &self,
        scope: &Scope,
        input: model::CreateDocumentationVersionRequest,
    ) -> Answer<model::DocumentationVersion> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let api = apis.rest_api(&scope, &input.rest_api_id).await?.record;
            let head = apis.head(&scope, &api.id).await?.ok_or(Refusal::Raced)?;
            check_version_name(&input.documentation_version)?;
            let version = DocumentationVersion {
                api: api.id.clone(),
                version: input.documentation_version.clone(),
                description: input.description.clone().filter(|text| !text.is_empty()),
                created: apis.now(),
            };
            if apis.find::<DocumentationVersion>(&scope, &version.key()).await?.is_some() {
                return Err(Refusal::conflict("Documentation version already exists"));
            }
            let parts = apis.parts_of(&scope, &api.id).await?;
            let frozen = DocumentationSnapshot { api: api.id.clone(), version: version.version.clone(), parts };
            let mut made = Transaction::new()
                .update(&scope, &head.record, head.revision)
                .insert(&scope, &version)
                .insert(&scope, &frozen);
            if let Some(name) = input.stage_name.as_deref().filter(|name| !name.is_empty()) {
                let mut stage = apis.stage(&scope, &api.id, name).await?;
                stage.record.documentation_version = Some(version.version.clone());
                stage.record.last_updated = apis.now();
                made = made.update(&scope, &stage.record, stage.revision);
            }
            apis.store.commit(made).await?;
            Ok(shown_version(&version))
        })
        .await
    }

    pub(crate) async fn get_documentation_version(
        &self,
        scope: &Scope,
        input: model::GetDocumentationVersionRequest,
    ) -> Answer<model::DocumentationVersion> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let version = self.documentation_version(scope, &input.rest_api_id, &input.documentation_version).await?;
        Ok(shown_version(&version.record))
    }

    pub(crate) async fn get_documentation_versions(
        &self,
        scope: &Scope,
        input: model::GetDocumentationVersionsRequest,
    ) -> Answer<model::DocumentationVersions> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let stored = self.store.list::<DocumentationVersion>(scope, &input.rest_api_id, None, EVERY).await?;
        let mut versions: Vec<DocumentationVersion> = stored.into_iter().map(|version| version.record).collect();
        let order = |version: &DocumentationVersion| format!("{:012}/{}", version.created, version.version);
        versions.sort_by_cached_key(order);
        let (page, position) = page(versions, order, input.position.as_deref(), input.limit)?;
        Ok(model::DocumentationVersions { position, items: Some(page.iter().map(shown_version).collect()) })
    }

    pub(crate) async fn update_documentation_version(
        &self,
        scope: &Scope,
        input: model::UpdateDocumentationVersionRequest,
    ) -> Answer<model::DocumentationVersion> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            apis.rest_api(&scope, &input.rest_api_id).await?;
            let stored = apis.documentation_version(&scope, &input.rest_api_id, &input.documentation_version).await?;
            let mut version = stored.record.clone();
            VERSION_PATCHES.patch(input.patch_operations.clone(), &mut version, |version, edit: Edit| {
                version.description = edit.optional();
                Ok(())
            })?;
            apis.store.commit(Transaction::new().update(&scope, &version, stored.revision)).await?;
            Ok(shown_version(&version))
        })
        .await
    }

    pub(crate) async fn delete_documentation_version(
        &self,
        scope: &Scope,
        input: model::DeleteDocumentationVersionRequest,
    ) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            apis.rest_api(&scope, &input.rest_api_id).await?;
            let stored = apis.documentation_version(&scope, &input.rest_api_id, &input.documentation_version).await?;
            let head = apis.head(&scope, &input.rest_api_id).await?.ok_or(Refusal::Raced)?;
            let stages = apis.store.list::<Stage>(&scope, &input.rest_api_id, None, EVERY).await?;
            if stages.iter().any(|stage| stage.record.documentation_version.as_ref() == Some(&stored.record.version)) {
                return Err(Refusal::bad_request(
                    "Active stages pointing to this documentation version must be moved or deleted",
                ));
            }
            let key = stored.record.key();
            let gone = Transaction::new()
                .update(&scope, &head.record, head.revision)
                .delete::<DocumentationVersion>(&scope, &key, stored.revision)
                .delete_tree::<DocumentationSnapshot>(&scope, &key);
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    /// The version of that name.
    pub(super) async fn documentation_version(
        &self,
        scope: &Scope,
        api: &str,
        version: &str,
    ) -> Answer<Stored<DocumentationVersion>> {
        let found = self.find(scope, &DocumentationVersion::key_of(api, version)).await?;
        found.ok_or_else(|| Refusal::not_found("Invalid Documentation version specified"))
    }

    async fn documentation_part(&self, scope: &Scope, api: &str, id: &str) -> Answer<Stored<DocumentationPart>> {
        let found = self.find_below(scope, api, id).await?;
        found.ok_or_else(|| Refusal::not_found("Invalid Documentation part identifier specified"))
    }

    /// The documentation parts of an API, in no useful order.
    async fn parts_of(&self, scope: &Scope, api: &str) -> Answer<Vec<DocumentationPart>> {
        let stored = self.store.list::<DocumentationPart>(scope, api, None, EVERY).await?;
        Ok(stored.into_iter().map(|part| part.record).collect())
    }
}

/// A version's name: up to 64 of the characters that a path and an OpenAPI document take as they are.
fn check_version_name(name: &str) -> Answer<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match !name.is_empty() && name.len() <= 64 && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(Refusal::bad_request("Invalid Documentation version specified")),
    }
}

fn shown(part: &DocumentationPart) -> model::DocumentationPart {
    model::DocumentationPart {
        id: Some(part.id.clone()),
        location: Some(shown_location(&part.location)),
        properties: Some(part.properties.clone()),
    }
}

fn shown_version(version: &DocumentationVersion) -> model::DocumentationVersion {
    model::DocumentationVersion {
        version: Some(version.version.clone()),
        created_date: Some(Timestamp(version.created as f64)),
        description: version.description.clone(),
    }
}
