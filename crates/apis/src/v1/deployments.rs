//! Deployments: an API frozen as it is, for stages to serve.

use std::collections::BTreeMap;

use base::shape::Timestamp;
use model_apigateway as model;
use store::{Record, Scope, Transaction};

use super::page::page;
use super::stages::{self, NewStage};
use super::{EVERY, validate};
use crate::Apis;
use crate::patch::Op::Replace;
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{ApiHead, Deployment, Resource, RestApi, Snapshot, Stage};
use crate::words::EndpointType;

const PATCHES: Table = Table { wording: Wording::Listing, entries: &[("/description", &[Replace])] };

impl Apis {
    pub(crate) async fn create_deployment(
        &self,
        scope: &Scope,
        input: model::CreateDeploymentRequest,
    ) -> Answer<model::Deployment> {
        let api = input.rest_api_id.clone();
        self.edit(
            scope,
            &api,
            input,
            |apis, scope, input| async move { apis.try_create_deployment(&scope, &input).await },
        )
        .await
    }

    async fn try_create_deployment(
        &self,
        scope: &Scope,
        input: &model::CreateDeploymentRequest,
    ) -> Answer<model::Deployment> {
        let api = self.rest_api(scope, &input.rest_api_id).await?;
        let head = self.head(scope, &api.record.id).await?.ok_or(Refusal::Raced)?;
        self.check_canary(scope, input).await?;
        stages::refuse_unbuilt(input.cache_cluster_enabled, input.cache_cluster_size.as_deref())?;
        let id = base::ids::api_gateway_id(6);
        let snapshot = self.snapshot_of(scope, &api.record, &id).await?;
        check_deployable(&snapshot)?;

        let deployment = Deployment {
            api: api.record.id.clone(),
            id,
            description: input.description.clone(),
            created: self.settings.clock.now().0,
        };
        let mut change = Transaction::new()
            .expect::<RestApi>(scope, &api.record.key(), api.revision)
            .update(scope, &ApiHead::clone(&head.record), head.revision)
            .insert(scope, &deployment);
        change = change.insert(scope, &snapshot);
        let Some(stage_name) = input.stage_name.as_deref().filter(|name| !name.is_empty()) else {
            self.store.commit(change).await?;
            return Ok(shown(&deployment, None));
        };
        let stage = self.stage_for(scope, &deployment, stage_name, input).await?;
        // Compiled before it is acknowledged or even stored: a deployment that could not be served is not made.
        let plan = self.compile(scope, &snapshot, &stage)?;
        self.store.commit(change.put(scope, &stage)).await?;
        self.index.set_stage(&stage.api, &stage.name, Some(plan));
        Ok(shown(&deployment, None))
    }

    /// The API's rows as they are now.
    pub(super) async fn snapshot_of(&self, scope: &Scope, api: &RestApi, deployment_id: &str) -> Answer<Snapshot> {
        let mut resources: Vec<Resource> =
            self.resources_of(scope, &api.id).await?.into_iter().map(|resource| resource.record).collect();
        resources.sort_by(|one, other| one.path.cmp(&other.path));
        let mut authorizers = self.authorizers_of(scope, &api.id).await?;
        authorizers.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Snapshot {
            deployment_id: deployment_id.to_owned(),
            api: api.clone(),
            resources,
            gateway_responses: self.gateway_responses_of(scope, &api.id).await?,
            models: self.models_of(scope, &api.id).await?,
            request_validators: self.request_validators_of(scope, &api.id).await?,
            authorizers,
        })
    }

    /// The stage that a deployment makes or moves.
    async fn stage_for(
        &self,
        scope: &Scope,
        deployment: &Deployment,
        name: &str,
        input: &model::CreateDeploymentRequest,
    ) -> Answer<Stage> {
        validate::stage_name(name)?;
        let variables = input.variables.clone().unwrap_or_default();
        validate::stage_variables(&variables)?;
        let known = self.store.get::<Stage>(scope, &format!("{}/{name}", deployment.api)).await?;
        let Some(known) = known else {
            let wanted = NewStage {
                deployment_id: deployment.id.clone(),
                description: input.stage_description.clone(),
                variables,
                tags: BTreeMap::new(),
                documentation_version: None,
                tracing_enabled: input.tracing_enabled == Some(true),
            };
            return self.new_stage(scope, &deployment.api, name, wanted).await;
        };
        let mut stage = known.record;
        stage.deployment_id = deployment.id.clone();
        stage.last_updated = self.now();
        stage.variables.extend(variables);
        if let Some(description) = &input.stage_description {
            stage.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        stage.tracing_enabled = input.tracing_enabled.unwrap_or(stage.tracing_enabled);
        Ok(stage)
    }

    /// Canary releases are refused, after what AWS itself refuses.
    async fn check_canary(&self, scope: &Scope, input: &model::CreateDeploymentRequest) -> Answer<()> {
        if input.canary_settings.is_none() {
            return Ok(());
        }
        let problem = match input.stage_name.as_deref() {
            None => {
                "Non null and non empty stageName must be provided for canary deployment. Provided value is null".into()
            }
            Some("") => {
                "Non null and non empty stageName must be provided for canary deployment. Provided value is ".into()
            }
            Some(name) => match self.stage(scope, &input.rest_api_id, name).await {
                Ok(_) => return Err(Refusal::not_built("canarySettings")),
                Err(Refusal::NotFound(_)) => {
                    format!("Stage {name} must already be created before making a canary release deployment")
                }
                Err(other) => return Err(other),
            },
        };
        // No blank after the full stop, as AWS sends it.
        Err(Refusal::BadRequest(format!("Invalid deployment content specified.{problem}")))
    }

    pub(crate) async fn get_deployment(
        &self,
        scope: &Scope,
        input: model::GetDeploymentRequest,
    ) -> Answer<model::Deployment> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let deployment = self.deployment(scope, &input.rest_api_id, &input.deployment_id).await?;
        let deployment = deployment.ok_or_else(Refusal::unknown_deployment)?.record;
        let wants_summary = input.embed.iter().flatten().any(|name| name == "apisummary");
        let snapshot = match wants_summary {
            true => self.store.get::<Snapshot>(scope, &deployment.key()).await?,
            false => None,
        };
        Ok(shown(&deployment, snapshot.map(|snapshot| summary(&snapshot.record))))
    }

    pub(crate) async fn get_deployments(
        &self,
        scope: &Scope,
        input: model::GetDeploymentsRequest,
    ) -> Answer<model::Deployments> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let stored = self.store.list::<Deployment>(scope, &input.rest_api_id, None, EVERY).await?;
        let mut deployments: Vec<Deployment> = stored.into_iter().map(|deployment| deployment.record).collect();
        let order = |deployment: &Deployment| format!("{:015}/{}", deployment.created, deployment.id);
        deployments.sort_by_cached_key(order);
        let (page, position) = page(deployments, order, input.position.as_deref(), input.limit)?;
        Ok(model::Deployments {
            position,
            items: Some(page.iter().map(|deployment| shown(deployment, None)).collect()),
        })
    }

    pub(crate) async fn update_deployment(
        &self,
        scope: &Scope,
        input: model::UpdateDeploymentRequest,
    ) -> Answer<model::Deployment> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            apis.rest_api(&scope, &input.rest_api_id).await?;
            let stored = apis.deployment(&scope, &input.rest_api_id, &input.deployment_id).await?;
            let stored = stored.ok_or_else(Refusal::unknown_deployment)?;
            let mut deployment = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut deployment, |deployment, edit: Edit| {
                deployment.description = edit.optional();
                Ok(())
            })?;
            if deployment != stored.record {
                apis.store.commit(Transaction::new().update(&scope, &deployment, stored.revision)).await?;
            }
            Ok(shown(&deployment, None))
        })
        .await
    }

    pub(crate) async fn delete_deployment(&self, scope: &Scope, input: model::DeleteDeploymentRequest) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            apis.rest_api(&scope, &input.rest_api_id).await?;
            let deployment = apis.deployment(&scope, &input.rest_api_id, &input.deployment_id).await?;
            let deployment = deployment.ok_or_else(Refusal::unknown_deployment)?;
            let head = apis.head(&scope, &input.rest_api_id).await?.ok_or(Refusal::Raced)?;
            let stages = apis.store.list::<Stage>(&scope, &input.rest_api_id, None, EVERY).await?;
            if stages.iter().any(|stage| stage.record.deployment_id == input.deployment_id) {
                return Err(Refusal::bad_request("Active stages pointing to this deployment must be moved or deleted"));
            }
            let key = deployment.record.key();
            let gone = Transaction::new()
                .update(&scope, &head.record, head.revision)
                .delete::<Deployment>(&scope, &key, deployment.revision)
                .delete_tree::<Snapshot>(&scope, &key);
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }
}

/// An API can be deployed when it has a method and each method has an integration.
fn check_deployable(snapshot: &Snapshot) -> Answer<()> {
    let api = &snapshot.api;
    let mut methods = snapshot.resources.iter().flat_map(|resource| resource.methods.values()).peekable();
    if methods.peek().is_none() {
        return Err(Refusal::bad_request("The REST API doesn't contain any methods"));
    }
    if methods.any(|method| method.integration.is_none()) {
        return Err(Refusal::bad_request("No integration defined for method"));
    }
    if api.endpoint_type == EndpointType::Private && api.policy.is_none() {
        return Err(Refusal::bad_request("Private REST API doesn't have a resource policy attached to it"));
    }
    Ok(())
}

/// `apiSummary`: each path's verbs and how they are guarded.
fn summary(snapshot: &Snapshot) -> BTreeMap<String, BTreeMap<String, model::MethodSnapshot>> {
    let with_methods = snapshot.resources.iter().filter(|resource| !resource.methods.is_empty());
    let paths = with_methods.map(|resource| {
        let methods = resource.methods.iter().map(|(verb, method)| {
            let authorization_type = Some(method.authorization_type.clone());
            let api_key_required = Some(method.api_key_required);
            (verb.clone(), model::MethodSnapshot { authorization_type, api_key_required })
        });
        (resource.path.clone(), methods.collect())
    });
    paths.collect()
}

fn shown(
    deployment: &Deployment,
    api_summary: Option<BTreeMap<String, BTreeMap<String, model::MethodSnapshot>>>,
) -> model::Deployment {
    model::Deployment {
        id: Some(deployment.id.clone()),
        description: deployment.description.clone(),
        created_date: Some(Timestamp((deployment.created / 1000) as f64)),
        api_summary,
    }
}
