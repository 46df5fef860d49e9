//! Method responses: which headers and models a method declares for a status.

use model_apigateway as model;
use store::Scope;

use super::references::{References, patches_below};
use super::{methods, validate};
use crate::Apis;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::MethodResponse;

const PATCHES: Table = Table {
    wording: Wording::Terse,
    entries: &[("/responseModels/{}", &[Add, Remove, Replace]), ("/responseParameters/{}", &[Add, Remove, Replace])],
};

impl Apis {
    pub(crate) async fn put_method_response(
        &self,
        scope: &Scope,
        input: model::PutMethodResponseRequest,
    ) -> Answer<model::MethodResponse> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        let refers = |input: &model::PutMethodResponseRequest| input.response_models.is_some();
        self.edit_referring(scope, (&place.0, &place.1), input, refers, |resource, input, references| {
            let method = methods::of_mut(resource, &input.http_method)?;
            if method.responses.contains_key(&input.status_code) {
                return Err(Refusal::conflict("Response already exists for this resource"));
            }
            references.check_models(input.response_models.as_ref())?;
            for key in input.response_parameters.iter().flat_map(|parameters| parameters.keys()) {
                validate::response_parameter(key)?;
            }
            let response =
                MethodResponse { parameters: input.response_parameters.clone(), models: input.response_models.clone() };
            let answer = shown(&input.status_code, &response);
            method.responses.insert(input.status_code.clone(), response);
            Ok(answer)
        })
        .await
    }

    pub(crate) async fn get_method_response(
        &self,
        scope: &Scope,
        input: model::GetMethodResponseRequest,
    ) -> Answer<model::MethodResponse> {
        let resource = self.resource(scope, &input.rest_api_id, &input.resource_id).await?.record;
        let method = resource.methods.get(&input.http_method).ok_or_else(Refusal::unknown_method)?;
        let response = method.responses.get(&input.status_code).ok_or_else(Refusal::unknown_status_code)?;
        Ok(shown(&input.status_code, response))
    }

    pub(crate) async fn update_method_response(
        &self,
        scope: &Scope,
        input: model::UpdateMethodResponseRequest,
    ) -> Answer<model::MethodResponse> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        let refers = |input: &model::UpdateMethodResponseRequest| {
            patches_below(input.patch_operations.as_deref(), &["/responseModels/"])
        };
        self.edit_referring(scope, (&place.0, &place.1), input, refers, |resource, input, references| {
            let method = methods::of_mut(resource, &input.http_method)?;
            let response = method.responses.get_mut(&input.status_code).ok_or_else(Refusal::unknown_status_code)?;
            let apply = |response: &mut MethodResponse, edit| apply(response, edit, references);
            PATCHES.patch(input.patch_operations.clone(), response, apply)?;
            Ok(shown(&input.status_code, response))
        })
        .await
    }

    pub(crate) async fn delete_method_response(
        &self,
        scope: &Scope,
        input: model::DeleteMethodResponseRequest,
    ) -> Answer<()> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let method = methods::of_mut(resource, &input.http_method)?;
            method.responses.remove(&input.status_code).map(|_| ()).ok_or_else(Refusal::unknown_status_code)
        })
        .await
    }
}

fn apply(response: &mut MethodResponse, edit: Edit, references: &References) -> Answer<()> {
    if edit.place == "/responseModels/{}" {
        return methods::edit_models(&mut response.models, edit, references);
    }
    if edit.op == Add {
        validate::response_parameter(&edit.key)?;
    }
    methods::edit_flags(&mut response.parameters, edit)
}

/// A method response as AWS shows it.
pub(super) fn shown(status: &str, response: &MethodResponse) -> model::MethodResponse {
    model::MethodResponse {
        status_code: Some(status.to_owned()),
        response_parameters: response.parameters.clone(),
        response_models: response.models.clone(),
    }
}
