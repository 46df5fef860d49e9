//! From a deployment's snapshot and a stage's row to the plan that is served.
//!
//! Everything that can be worked out once is worked out here: routes, templates, patterns, addresses with the stage's
//! variables filled in. What AWS accepts and then fails at run time (a broken template, a function that is not called
//! by POST) never fails a deployment; it becomes a part of the plan that fails as AWS's does.

mod integration;
mod method_settings;
mod parts;
pub(crate) mod throttles;
pub(crate) mod uri;
mod validation;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::throttle::MethodThrottles;
use plan::{Api, Guard, MediaTypes, MethodPlan, ResourcePlan, Router, StagePlan, Throttle};
use store::Scope;

use validation::{NoSuchValidator, Validators};

use crate::rows::{Method, Resource, RestApi, Snapshot, Stage};
use crate::words::EndpointType;

/// The variables of a stage.
pub(crate) type Variables = BTreeMap<Arc<str>, Arc<str>>;

/// Compiles a stage.
///
/// # Errors
/// A text for the operator, when the snapshot has two resources at one path; the control plane never makes such a one.
pub(crate) fn stage_plan(
    scope: &Scope,
    snapshot: &Snapshot,
    stage: &Stage,
    account_throttle: Option<Arc<Throttle>>,
) -> Result<StagePlan, String> {
    let variables: Variables =
        stage.variables.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    let validators = Validators::new(snapshot);
    let mut router = Router::default();
    for resource in snapshot.resources.iter().filter(|resource| !resource.methods.is_empty()) {
        router
            .insert(&resource.path, resource_plan(resource, &variables, &validators))
            .map_err(|conflict| format!("resource {} of API {}: {conflict:?}", resource.path, snapshot.api.id))?;
    }
    Ok(StagePlan {
        api: Arc::new(Api {
            id: snapshot.api.id.as_str().into(),
            account: Arc::clone(&scope.account),
            region: Arc::clone(&scope.region),
            edge: snapshot.api.endpoint_type == EndpointType::Edge,
        }),
        stage: stage.name.as_str().into(),
        deployment_id: stage.deployment_id.as_str().into(),
        variables,
        router,
        binary_media_types: MediaTypes::new(snapshot.api.binary_media_types.iter().map(String::as_str)),
        minimum_compression_size: snapshot.api.minimum_compression_size,
        guard: api_guard(&snapshot.api),
        gateway_responses: parts::gateway_responses(&snapshot.gateway_responses),
        account_throttle,
        method_throttles: MethodThrottles::default(),
        sampling: stage.tracing_enabled.then(plan::Sampling::default),
        access_log: parts::access_log(&stage.access_log),
        execution_logs: method_settings::execution_logs(scope, snapshot, stage),
    })
}

fn resource_plan(resource: &Resource, variables: &Variables, validators: &Validators<'_>) -> ResourcePlan {
    let mut plan = ResourcePlan {
        id: resource.id.as_str().into(),
        path: resource.path.as_str().into(),
        methods: Vec::with_capacity(resource.methods.len()),
        any: None,
    };
    for (verb, method) in &resource.methods {
        let compiled = method_plan(verb, method, variables, validators);
        if verb == "ANY" {
            // An integration by the client's verb calls a function only for the one that Lambda's Invoke takes.
            if integration::takes_clients_verb(method) && !resource.methods.contains_key("POST") {
                plan.methods.push(method_plan("POST", method, variables, validators));
            }
            plan.any = Some(compiled);
        } else {
            plan.methods.push(compiled);
        }
    }
    plan
}

fn method_plan(verb: &str, method: &Method, variables: &Variables, validators: &Validators<'_>) -> MethodPlan {
    let (validation, unvalidated) = match validators.validation(method) {
        Ok(validation) => (validation, None),
        // Never made by the control plane; nobody gets past what cannot be checked.
        Err(NoSuchValidator) => (None, Some(Guard { what: "requestValidatorId".into() })),
    };
    MethodPlan {
        verb: verb.into(),
        operation_name: method.operation_name.as_deref().map(Arc::from),
        guard: method_guard(method).or(unvalidated),
        validation,
        integration: match &method.integration {
            Some(integration) => integration::compile(verb, integration, &method.responses, variables),
            None => integration::broken("no integration"),
        },
    }
}

/// What guards the whole API and cannot be enforced by this version.
fn api_guard(api: &RestApi) -> Option<Guard> {
    let what = if api.disable_execute_api_endpoint {
        // There are no other endpoints yet, so nothing of the API is served.
        "disableExecuteApiEndpoint"
    } else if api.policy.is_some() {
        "resource policy"
    } else if api.endpoint_type == EndpointType::Private {
        "endpoint type PRIVATE"
    } else {
        return None;
    };
    Some(Guard { what: what.into() })
}

fn method_guard(method: &Method) -> Option<Guard> {
    if method.authorization_type != "NONE" {
        return Some(Guard { what: format!("authorizationType {}", method.authorization_type).into() });
    }
    method.api_key_required.then(|| Guard { what: "apiKeyRequired".into() })
}
