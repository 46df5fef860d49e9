//! Methods: what a resource asks of the requests of one verb.

use std::collections::BTreeMap;

use model_apigateway as model;
use store::Scope;

use super::references::{References, patches_below};
use super::{integrations, method_responses, validate};
use crate::Apis;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{Method, Resource};

const PATCHES: Table = Table {
    wording: Wording::Terse,
    entries: &[
        ("/authorizationType", &[Replace]),
        ("/authorizerId", &[Replace]),
        ("/apiKeyRequired", &[Replace]),
        ("/operationName", &[Replace]),
        ("/requestValidatorId", &[Replace]),
        ("/requestModels/{}", &[Add, Remove, Replace]),
        ("/requestParameters/{}", &[Add, Remove, Replace]),
        ("/authorizationScopes", &[Add, Remove, Replace]),
    ],
};

impl Apis {
    pub(crate) async fn put_method(&self, scope: &Scope, input: model::PutMethodRequest) -> Answer<model::Method> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_referring(scope, (&place.0, &place.1), input, refers, |resource, input, references| {
            validate::verb(&input.http_method)?;
            if resource.methods.contains_key(&input.http_method) {
                return Err(Refusal::conflict("Method already exists for this resource"));
            }
            let mut method = new_method(input, references)?;
            references.check_authorizer(&mut method)?;
            let answer = shown(&input.http_method, &method);
            resource.methods.insert(input.http_method.clone(), method);
            Ok(answer)
        })
        .await
    }

    pub(crate) async fn get_method(&self, scope: &Scope, input: model::GetMethodRequest) -> Answer<model::Method> {
        let resource = self.resource(scope, &input.rest_api_id, &input.resource_id).await?.record;
        let method = resource.methods.get(&input.http_method).ok_or_else(Refusal::unknown_method)?;
        Ok(shown(&input.http_method, method))
    }

    pub(crate) async fn update_method(
        &self,
        scope: &Scope,
        input: model::UpdateMethodRequest,
    ) -> Answer<model::Method> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        let refers = |input: &model::UpdateMethodRequest| {
            patches_below(
                input.patch_operations.as_deref(),
                &["/requestModels/", "/requestValidatorId", "/authorizationType", "/authorizerId"],
            )
        };
        self.edit_referring(scope, (&place.0, &place.1), input, refers, |resource, input, references| {
            let method = of_mut(resource, &input.http_method)?;
            let apply = |method: &mut Method, edit| apply(method, edit, references);
            PATCHES.patch(input.patch_operations.clone(), method, apply)?;
            // The type may be changed before or after the authorizer, so both are looked at when all are through.
            check_authorization(&method.authorization_type)?;
            if patches_below(input.patch_operations.as_deref(), &["/authorizationType", "/authorizerId"]) {
                references.check_authorizer(method)?;
            }
            Ok(shown(&input.http_method, method))
        })
        .await
    }

    pub(crate) async fn delete_method(&self, scope: &Scope, input: model::DeleteMethodRequest) -> Answer<()> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            resource.methods.remove(&input.http_method).map(|_| ()).ok_or_else(Refusal::unknown_method)
        })
        .await
    }
}

/// The method of a verb, to be changed.
pub(super) fn of_mut<'a>(resource: &'a mut Resource, verb: &str) -> Answer<&'a mut Method> {
    resource.methods.get_mut(verb).ok_or_else(Refusal::unknown_method)
}

/// Whether a new method refers to models, a validator or an authorizer.
fn refers(input: &model::PutMethodRequest) -> bool {
    input.request_models.is_some() || input.request_validator_id.is_some() || input.authorizer_id.is_some()
}

fn new_method(input: &model::PutMethodRequest, references: &References) -> Answer<Method> {
    let authorization_type = authorization_type(&input.authorization_type);
    check_authorization(&authorization_type)?;
    let request_validator_id = input.request_validator_id.clone().filter(|id| !id.is_empty());
    if let Some(id) = &request_validator_id {
        references.check_validator(id)?;
    }
    references.check_models(input.request_models.as_ref())?;
    if let Some(parameters) = &input.request_parameters {
        validate::method_parameters(parameters)?;
    }
    Ok(Method {
        authorization_type,
        authorizer_id: input.authorizer_id.clone().filter(|id| !id.is_empty()),
        api_key_required: input.api_key_required.unwrap_or(false),
        operation_name: input.operation_name.clone(),
        request_parameters: input.request_parameters.clone(),
        request_models: input.request_models.clone(),
        request_validator_id,
        authorization_scopes: input.authorization_scopes.clone().unwrap_or_default(),
        responses: BTreeMap::new(),
        integration: None,
    })
}

/// A kind of authorization as it is stored and shown: AWS takes it in any case, and shows it in capitals.
fn authorization_type(given: &str) -> String {
    given.to_ascii_uppercase()
}

/// The kinds of authorization.
fn check_authorization(kind: &str) -> Answer<()> {
    match kind {
        "NONE" | "AWS_IAM" | "CUSTOM" | "COGNITO_USER_POOLS" => Ok(()),
        _ => Err(Refusal::bad_request(
            "Invalid authorization type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS",
        )),
    }
}

fn apply(method: &mut Method, edit: Edit, references: &References) -> Answer<()> {
    match edit.place {
        "/authorizationType" => method.authorization_type = authorization_type(edit.text()),
        "/authorizerId" => method.authorizer_id = edit.optional(),
        "/apiKeyRequired" => method.api_key_required = edit.flag(),
        "/operationName" => method.operation_name = edit.optional(),
        "/requestValidatorId" => {
            method.request_validator_id = edit.optional();
            method.request_validator_id.iter().try_for_each(|id| references.check_validator(id))?;
        }
        "/requestModels/{}" => edit_models(&mut method.request_models, edit, references)?,
        "/requestParameters/{}" => {
            edit_flags(&mut method.request_parameters, edit)?;
            validate::method_parameters(method.request_parameters.as_ref().unwrap_or(&BTreeMap::new()))?;
        }
        _ => edit_scopes(&mut method.authorization_scopes, &edit),
    }
    Ok(())
}

fn edit_scopes(scopes: &mut Vec<String>, edit: &Edit) {
    match edit.op {
        Replace => *scopes = edit.text().split(',').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
        _ => {
            scopes.retain(|scope| scope != edit.text());
            if edit.op == Add && !edit.text().is_empty() {
                scopes.push(edit.text().to_owned());
            }
        }
    }
}

/// Edits a map of model names by content type.
pub(super) fn edit_models(
    models: &mut Option<BTreeMap<String, String>>,
    edit: Edit,
    references: &References,
) -> Answer<()> {
    if edit.op != Remove {
        // A type that is not there is not there, whether it could be one or not.
        match edit.op == Add {
            true => validate::content_type(&edit.key)?,
            false if !models.as_ref().is_some_and(|models| models.contains_key(&edit.key)) => {
                return Err(content_type_not_found());
            }
            false => {}
        }
        references.check_model(edit.text())?;
    }
    edit_map(models, edit, content_type_not_found, |edit| edit.text().to_owned())
}

/// Edits a map of parameters and whether each is required.
pub(super) fn edit_flags(flags: &mut Option<BTreeMap<String, bool>>, edit: Edit) -> Answer<()> {
    edit_map(flags, edit, parameter_not_found, Edit::flag)
}

pub(super) fn content_type_not_found() -> Refusal {
    Refusal::not_found("Content-Type specified was not found")
}

pub(super) fn parameter_not_found() -> Refusal {
    Refusal::not_found("Invalid parameter name specified")
}

/// Adds, replaces or removes the entry of a map that the edit's key names. A map that loses its last entry goes.
pub(super) fn edit_map<V>(
    map: &mut Option<BTreeMap<String, V>>,
    edit: Edit,
    absent: fn() -> Refusal,
    value: impl FnOnce(&Edit) -> V,
) -> Answer<()> {
    let known = map.as_ref().is_some_and(|map| map.contains_key(&edit.key));
    if edit.op != Add && !known {
        return Err(absent());
    }
    let entries = map.get_or_insert_default();
    if edit.op == Remove {
        entries.remove(&edit.key);
    } else {
        let value = value(&edit);
        entries.insert(edit.key, value);
    }
    if entries.is_empty() {
        *map = None;
    }
    Ok(())
}

/// A method as GetMethod shows it, with its responses and its integration.
pub(super) fn shown(verb: &str, method: &Method) -> model::Method {
    let responses =
        method.responses.iter().map(|(status, response)| (status.clone(), method_responses::shown(status, response)));
    model::Method {
        http_method: Some(verb.to_owned()),
        authorization_type: Some(method.authorization_type.clone()),
        authorizer_id: method.authorizer_id.clone(),
        api_key_required: Some(method.api_key_required),
        operation_name: method.operation_name.clone(),
        request_parameters: method.request_parameters.clone(),
        request_models: method.request_models.clone(),
        request_validator_id: method.request_validator_id.clone(),
        method_responses: (!method.responses.is_empty()).then(|| responses.collect()),
        method_integration: method.integration.as_ref().map(integrations::shown),
        authorization_scopes: (!method.authorization_scopes.is_empty()).then(|| method.authorization_scopes.clone()),
    }
}
