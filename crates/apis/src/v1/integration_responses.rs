//! Integration responses: how an answer of the backend becomes one of the method.

use std::collections::BTreeMap;

use model_apigateway as model;
use store::Scope;

use super::integrations::{content_handling, edit_mappings, edit_templates};
use super::validate;
use crate::Apis;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{Integration, IntegrationResponse, Method, MethodResponse, Resource};

const PATCHES: Table = Table {
    wording: Wording::Terse,
    entries: &[
        ("/selectionPattern", &[Replace, Remove]),
        ("/contentHandling", &[Replace, Remove]),
        ("/responseTemplates/{}", &[Add, Remove, Replace]),
        ("/responseParameters/{}", &[Add, Remove, Replace]),
    ],
};

impl Apis {
    pub(crate) async fn put_integration_response(
        &self,
        scope: &Scope,
        input: model::PutIntegrationResponseRequest,
    ) -> Answer<model::IntegrationResponse> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let (integration, declared) = parts(resource, &input.http_method)?;
            let response = IntegrationResponse {
                selection_pattern: input.selection_pattern.clone(),
                parameters: input.response_parameters.clone(),
                templates: validate::templates(input.response_templates.clone())?,
                content_handling: content_handling(input.content_handling.as_deref())?,
            };
            check(&response, declared.get(&input.status_code))?;
            let answer = shown(&input.status_code, &response);
            integration.responses.insert(input.status_code.clone(), response);
            Ok(answer)
        })
        .await
    }

    pub(crate) async fn get_integration_response(
        &self,
        scope: &Scope,
        input: model::GetIntegrationResponseRequest,
    ) -> Answer<model::IntegrationResponse> {
        let mut resource = self.resource(scope, &input.rest_api_id, &input.resource_id).await?.record;
        let (integration, _) = parts(&mut resource, &input.http_method)?;
        let response = integration.responses.get(&input.status_code).ok_or_else(Refusal::unknown_status_code)?;
        Ok(shown(&input.status_code, response))
    }

    pub(crate) async fn update_integration_response(
        &self,
        scope: &Scope,
        input: model::UpdateIntegrationResponseRequest,
    ) -> Answer<model::IntegrationResponse> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let (integration, declared) = parts(resource, &input.http_method)?;
            let response =
                integration.responses.get_mut(&input.status_code).ok_or_else(Refusal::unknown_status_code)?;
            PATCHES.patch(input.patch_operations.clone(), response, apply)?;
            check(response, declared.get(&input.status_code))?;
            Ok(shown(&input.status_code, response))
        })
        .await
    }

    pub(crate) async fn delete_integration_response(
        &self,
        scope: &Scope,
        input: model::DeleteIntegrationResponseRequest,
    ) -> Answer<()> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let (integration, _) = parts(resource, &input.http_method)?;
            integration.responses.remove(&input.status_code).map(|_| ()).ok_or_else(Refusal::unknown_status_code)
        })
        .await
    }
}

/// A method's integration and its declared responses. AWS does not tell a missing method from a missing integration
/// here.
fn parts<'a>(
    resource: &'a mut Resource,
    verb: &str,
) -> Answer<(&'a mut Integration, &'a BTreeMap<String, MethodResponse>)> {
    let method = resource.methods.get_mut(verb).ok_or_else(Refusal::unknown_integration)?;
    let Method { integration, responses, .. } = method;
    Ok((integration.as_mut().ok_or_else(Refusal::unknown_integration)?, responses))
}

fn check(response: &IntegrationResponse, declared: Option<&MethodResponse>) -> Answer<()> {
    let declared = declared.and_then(|declared| declared.parameters.as_ref());
    for (key, value) in response.parameters.iter().flatten() {
        validate::response_mapping(key, value, declared)?;
    }
    Ok(())
}

fn apply(response: &mut IntegrationResponse, edit: Edit) -> Answer<()> {
    match edit.place {
        "/selectionPattern" => response.selection_pattern = if edit.op == Remove { None } else { edit.value },
        "/contentHandling" => response.content_handling = content_handling(edit.optional().as_deref())?,
        "/responseTemplates/{}" => edit_templates(&mut response.templates, edit, "responseTemplates")?,
        _ => edit_mappings(&mut response.parameters, edit, "responseParameters")?,
    }
    Ok(())
}

/// An integration response as AWS shows it.
pub(super) fn shown(status: &str, response: &IntegrationResponse) -> model::IntegrationResponse {
    model::IntegrationResponse {
        status_code: Some(status.to_owned()),
        selection_pattern: response.selection_pattern.clone(),
        response_parameters: response.parameters.clone(),
        response_templates: response.templates.clone(),
        content_handling: response.content_handling.map(|handling| handling.text().to_owned()),
    }
}
