//! Stages: names under which deployments are served.

mod access_log;
mod method_settings;
mod paths;

use std::collections::BTreeMap;

use base::shape::Timestamp;
use model_apigateway as model;
use store::{Scope, Stored, Transaction};

use self::paths::{StageEdit, edits};
use super::{EVERY, validate};
use crate::Apis;
use crate::patch::check_count;
use crate::refusal::{Answer, Refusal};
use crate::rows::{AccessLog, Account, ApiHead, RestApi, Stage};

/// What the maker of a stage decides.
pub(super) struct NewStage {
    pub(super) deployment_id: String,
    pub(super) description: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    /// One that there is.
    pub(super) documentation_version: Option<String>,
    pub(super) tracing_enabled: bool,
}

impl Apis {
    pub(crate) async fn create_stage(&self, scope: &Scope, input: model::CreateStageRequest) -> Answer<model::Stage> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let (_, head) = apis.api_and_head(&scope, &input.rest_api_id).await?;
            validate::stage_name(&input.stage_name)?;
            let wanted = wanted(&input)?;
            if apis.deployment(&scope, &input.rest_api_id, &input.deployment_id).await?.is_none() {
                return Err(unknown_deployment());
            }
            refuse_unbuilt(input.cache_cluster_enabled, input.cache_cluster_size.as_deref())?;
            if let Some(canary) = &input.canary_settings {
                let deployment = canary.deployment_id.as_deref().unwrap_or(&input.deployment_id);
                let known = apis.deployment(&scope, &input.rest_api_id, deployment).await?.is_some();
                return Err(if known { Refusal::not_built("canarySettings") } else { unknown_deployment() });
            }
            let version = wanted.documentation_version.as_deref();
            apis.check_documentation_version(&scope, &input.rest_api_id, version).await?;
            if apis.stage(&scope, &input.rest_api_id, &input.stage_name).await.is_ok() {
                return Err(Refusal::conflict("Stage already exists"));
            }
            let stage = apis.new_stage(&scope, &input.rest_api_id, &input.stage_name, wanted).await?;
            let plan = apis.plan_of(&scope, &stage).await?;
            let made = Transaction::new().update(&scope, &head.record, head.revision).insert(&scope, &stage);
            apis.store.commit(made).await?;
            apis.index.set_stage(&stage.api, &stage.name, Some(plan));
            Ok(shown(&stage))
        })
        .await
    }

    /// A new stage, if the API may have one more.
    pub(super) async fn new_stage(&self, scope: &Scope, api: &str, name: &str, wanted: NewStage) -> Answer<Stage> {
        let existing = self.store.list::<Stage>(scope, api, None, EVERY).await?;
        if existing.len() >= self.settings.limits.stages_per_api {
            return Err(Refusal::quota("Stages", "API"));
        }
        let now = self.now();
        Ok(Stage {
            api: api.to_owned(),
            name: name.to_owned(),
            deployment_id: wanted.deployment_id,
            description: wanted.description.filter(|text| !text.is_empty()),
            variables: wanted.variables,
            tags: wanted.tags,
            created: now,
            last_updated: now,
            method_settings: BTreeMap::new(),
            documentation_version: wanted.documentation_version,
            tracing_enabled: wanted.tracing_enabled,
            access_log: AccessLog::default(),
        })
    }

    pub(crate) async fn get_stage(&self, scope: &Scope, input: model::GetStageRequest) -> Answer<model::Stage> {
        self.rest_api(scope, &input.rest_api_id).await?;
        Ok(shown(&self.stage(scope, &input.rest_api_id, &input.stage_name).await?.record))
    }

    pub(crate) async fn get_stages(&self, scope: &Scope, input: model::GetStagesRequest) -> Answer<model::Stages> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let stages = self.store.list::<Stage>(scope, &input.rest_api_id, None, EVERY).await?;
        let wanted = input.deployment_id.filter(|id| !id.is_empty());
        let matching = stages
            .iter()
            .map(|stage| &stage.record)
            .filter(|stage| wanted.as_ref().is_none_or(|wanted| stage.deployment_id == *wanted));
        Ok(model::Stages { item: Some(matching.map(shown).collect()) })
    }

    pub(crate) async fn update_stage(&self, scope: &Scope, input: model::UpdateStageRequest) -> Answer<model::Stage> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let (_, head) = apis.api_and_head(&scope, &input.rest_api_id).await?;
            let stored = apis.stage(&scope, &input.rest_api_id, &input.stage_name).await?;
            let mut stage = stored.record.clone();
            let operations = input.patch_operations.as_deref().unwrap_or_default();
            check_count(operations.len())?;
            for edit in edits(operations) {
                apis.apply(&scope, &mut stage, edit?).await?;
            }
            if stage == stored.record {
                return Ok(shown(&stage));
            }
            stage.last_updated = apis.now();
            let plan = apis.plan_of(&scope, &stage).await?;
            let changed =
                Transaction::new().update(&scope, &head.record, head.revision).update(&scope, &stage, stored.revision);
            apis.store.commit(changed).await?;
            apis.index.set_stage(&stage.api, &stage.name, Some(plan));
            Ok(shown(&stage))
        })
        .await
    }

    pub(crate) async fn delete_stage(&self, scope: &Scope, input: model::DeleteStageRequest) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let (_, head) = apis.api_and_head(&scope, &input.rest_api_id).await?;
            let stage = apis.stage(&scope, &input.rest_api_id, &input.stage_name).await?;
            let key = store::Record::key(&stage.record);
            let gone = Transaction::new().update(&scope, &head.record, head.revision).delete::<Stage>(
                &scope,
                &key,
                stage.revision,
            );
            apis.store.commit(gone).await?;
            apis.index.remove_stage(&stage.record.api, &stage.record.name);
            Ok(())
        })
        .await
    }

    /// There is no cache to flush; AWS answers the same.
    pub(crate) async fn flush_stage_cache(&self, scope: &Scope, input: model::FlushStageCacheRequest) -> Answer<()> {
        self.rest_api(scope, &input.rest_api_id).await?;
        self.stage(scope, &input.rest_api_id, &input.stage_name).await.map(|_| ())
    }

    /// There is no cache of authorizers' answers to flush.
    pub(crate) async fn flush_stage_authorizers_cache(
        &self,
        scope: &Scope,
        input: model::FlushStageAuthorizersCacheRequest,
    ) -> Answer<()> {
        self.rest_api(scope, &input.rest_api_id).await?;
        self.stage(scope, &input.rest_api_id, &input.stage_name).await.map(|_| ())
    }

    /// A stage can point at documentation that there is.
    async fn check_documentation_version(&self, scope: &Scope, api: &str, version: Option<&str>) -> Answer<()> {
        let Some(version) = version else { return Ok(()) };
        match self.documentation_version(scope, api, version).await {
            Err(Refusal::NotFound(text)) => Err(Refusal::BadRequest(text)),
            other => other.map(|_| ()),
        }
    }

    /// Logging needs the account's role, as on AWS.
    async fn check_logging_role(&self, scope: &Scope) -> Answer<()> {
        let account = self.store.get::<Account>(scope, Account::KEY).await?;
        match account.and_then(|account| account.record.cloudwatch_role_arn) {
            Some(_) => Ok(()),
            None => {
                Err(Refusal::bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging"))
            }
        }
    }

    async fn api_and_head(&self, scope: &Scope, api: &str) -> Answer<(Stored<RestApi>, Stored<ApiHead>)> {
        let stored = self.rest_api(scope, api).await?;
        let head = self.head(scope, api).await?.ok_or(Refusal::Raced)?;
        Ok((stored, head))
    }

    async fn apply(&self, scope: &Scope, stage: &mut Stage, edit: StageEdit) -> Answer<()> {
        match edit {
            StageEdit::Deployment(id) => {
                if self.deployment(scope, &stage.api, &id).await?.is_none() {
                    return Err(unknown_deployment());
                }
                stage.deployment_id = id;
            }
            StageEdit::CanaryDeployment(id) => {
                let known = self.deployment(scope, &stage.api, &id).await?.is_some();
                return Err(if known { Refusal::not_built("canarySettings") } else { unknown_deployment() });
            }
            StageEdit::Description(text) => stage.description = text,
            StageEdit::SetVariable(name, value) => {
                stage.variables.insert(name, value);
                validate::stage_variables(&stage.variables)?;
            }
            StageEdit::RemoveVariable(name) => {
                stage.variables.remove(&name);
            }
            StageEdit::Method(method, setting) => {
                method_settings::set(&mut stage.method_settings, &method, setting)?;
            }
            StageEdit::RemoveMethod(method) => method_settings::remove(&mut stage.method_settings, &method)?,
            StageEdit::Tracing(enabled) => stage.tracing_enabled = enabled,
            StageEdit::Logging(method, setting) => {
                self.check_logging_role(scope).await?;
                method_settings::set(&mut stage.method_settings, &method, setting)?;
            }
            // The account's role is not asked for: the recorded stage took a log group without naming a role before.
            StageEdit::AccessLog(edit) => access_log::set(&mut stage.access_log, edit)?,
            StageEdit::RemoveAccessLog => stage.access_log = AccessLog::default(),
            StageEdit::DocumentationVersion(version) => {
                self.check_documentation_version(scope, &stage.api, version.as_deref()).await?;
                stage.documentation_version = version;
            }
            StageEdit::Nothing => {}
        }
        Ok(())
    }
}

fn unknown_deployment() -> Refusal {
    Refusal::bad_request("Deployment id does not exist")
}

fn wanted(input: &model::CreateStageRequest) -> Answer<NewStage> {
    let variables = input.variables.clone().unwrap_or_default();
    validate::stage_variables(&variables)?;
    let tags = input.tags.clone().unwrap_or_default();
    validate::tags(&tags)?;
    Ok(NewStage {
        deployment_id: input.deployment_id.clone(),
        description: input.description.clone(),
        variables,
        tags,
        documentation_version: input.documentation_version.clone().filter(|version| !version.is_empty()),
        tracing_enabled: input.tracing_enabled == Some(true),
    })
}

/// What AWS has and this version has not; switched off, it is as it is.
pub(super) fn refuse_unbuilt(cache_cluster_enabled: Option<bool>, cache_cluster_size: Option<&str>) -> Answer<()> {
    let unbuilt = [
        ("cacheClusterEnabled", cache_cluster_enabled == Some(true)),
        ("cacheClusterSize", cache_cluster_size.is_some_and(|size| !size.is_empty())),
    ];
    match unbuilt.into_iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(Refusal::not_built(what)),
        None => Ok(()),
    }
}

/// A stage as AWS shows it.
fn shown(stage: &Stage) -> model::Stage {
    model::Stage {
        deployment_id: Some(stage.deployment_id.clone()),
        stage_name: Some(stage.name.clone()),
        description: stage.description.clone(),
        cache_cluster_enabled: Some(false),
        cache_cluster_status: Some("NOT_AVAILABLE".into()),
        method_settings: Some(
            stage.method_settings.iter().map(|(key, setting)| (key.clone(), method_settings::shown(setting))).collect(),
        ),
        access_log_settings: access_log::shown(stage),
        documentation_version: stage.documentation_version.clone(),
        variables: (!stage.variables.is_empty()).then(|| stage.variables.clone()),
        tracing_enabled: Some(stage.tracing_enabled),
        tags: (!stage.tags.is_empty()).then(|| stage.tags.clone()),
        created_date: Some(Timestamp(stage.created as f64)),
        last_updated_date: Some(Timestamp(stage.last_updated as f64)),
        ..model::Stage::default()
    }
}
