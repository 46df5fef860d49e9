//! Request validators: what a method may ask of its requests.

use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};

use super::EVERY;
use super::page::page;
use crate::Apis;
use crate::patch::Op::Replace;
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{ApiHead, RequestValidator};

/// In AWS's order.
const PATCHES: Table = Table {
    wording: Wording::Listing,
    entries: &[("/name", &[Replace]), ("/validateRequestParameters", &[Replace]), ("/validateRequestBody", &[Replace])],
};

/// How many validators an API may have. The bound is ours: AWS names none.
const VALIDATORS_PER_API: usize = 1_000;

impl Apis {
    pub(crate) async fn create_request_validator(
        &self,
        scope: &Scope,
        input: model::CreateRequestValidatorRequest,
    ) -> Answer<model::RequestValidator> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let head = apis.head(&scope, &input.rest_api_id).await?;
            let head = head.ok_or_else(|| Refusal::bad_request("Invalid REST API identifier specified"))?;
            let validator = RequestValidator {
                api: input.rest_api_id.clone(),
                id: base::ids::api_gateway_id(6),
                name: input.name.clone(),
                body: input.validate_request_body.unwrap_or(false),
                parameters: input.validate_request_parameters.unwrap_or(false),
            };
            let others = apis.request_validators_of(&scope, &validator.api).await?;
            check_name(&validator, &others)?;
            if others.len() >= VALIDATORS_PER_API {
                return Err(Refusal::quota("Request Validators", "API"));
            }
            let made = Transaction::new()
                .update(&scope, &ApiHead::clone(&head.record), head.revision)
                .insert(&scope, &validator);
            apis.store.commit(made).await?;
            Ok(shown(&validator))
        })
        .await
    }

    pub(crate) async fn get_request_validator(
        &self,
        scope: &Scope,
        input: model::GetRequestValidatorRequest,
    ) -> Answer<model::RequestValidator> {
        let id = &input.request_validator_id;
        Ok(shown(&self.request_validator(scope, &input.rest_api_id, id).await?.record))
    }

    pub(crate) async fn get_request_validators(
        &self,
        scope: &Scope,
        input: model::GetRequestValidatorsRequest,
    ) -> Answer<model::RequestValidators> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let validators = self.request_validators_of(scope, &input.rest_api_id).await?;
        let (page, position) =
            page(validators, |validator| validator.id.clone(), input.position.as_deref(), input.limit)?;
        Ok(model::RequestValidators { position, items: Some(page.iter().map(shown).collect()) })
    }

    pub(crate) async fn update_request_validator(
        &self,
        scope: &Scope,
        input: model::UpdateRequestValidatorRequest,
    ) -> Answer<model::RequestValidator> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.request_validator(&scope, &input.rest_api_id, &input.request_validator_id).await?;
            let mut validator = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut validator, apply)?;
            if validator != stored.record {
                check_name(&validator, &apis.request_validators_of(&scope, &validator.api).await?)?;
                apis.store.commit(Transaction::new().update(&scope, &validator, stored.revision)).await?;
            }
            Ok(shown(&validator))
        })
        .await
    }

    pub(crate) async fn delete_request_validator(
        &self,
        scope: &Scope,
        input: model::DeleteRequestValidatorRequest,
    ) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.request_validator(&scope, &input.rest_api_id, &input.request_validator_id).await?;
            let head = apis.head(&scope, &input.rest_api_id).await?.ok_or(Refusal::Raced)?;
            let validator = &stored.record;
            for resource in apis.resources_of(&scope, &validator.api).await? {
                let is_used = |id: &Option<String>| id.as_deref() == Some(&validator.id);
                let mut methods = resource.record.methods.iter();
                if let Some((verb, _)) = methods.find(|(_, method)| is_used(&method.request_validator_id)) {
                    let name = validator.name.as_deref().unwrap_or(&validator.id);
                    return Err(Refusal::Conflict(format!(
                        "Cannot delete request validator '{name}', is referenced in method: {verb}/{}",
                        resource.record.path
                    )));
                }
            }
            let gone = Transaction::new()
                .update(&scope, &ApiHead::clone(&head.record), head.revision)
                .delete::<RequestValidator>(&scope, &validator.key(), stored.revision);
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    /// The validators of an API by id.
    pub(super) async fn request_validators_of(&self, scope: &Scope, api: &str) -> Answer<Vec<RequestValidator>> {
        let stored = self.store.list::<RequestValidator>(scope, api, None, EVERY).await?;
        let mut validators: Vec<RequestValidator> = stored.into_iter().map(|validator| validator.record).collect();
        validators.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(validators)
    }

    async fn request_validator(&self, scope: &Scope, api: &str, id: &str) -> Answer<Stored<RequestValidator>> {
        let found = self.find_below(scope, api, id).await?;
        found.ok_or_else(|| Refusal::not_found("Invalid Request Validator identifier specified"))
    }
}

/// A name is not blank and, where there is one, no other's.
fn check_name(validator: &RequestValidator, others: &[RequestValidator]) -> Answer<()> {
    let Some(name) = &validator.name else { return Ok(()) };
    if name.trim().is_empty() {
        return Err(Refusal::bad_request("Request Validator name cannot be blank"));
    }
    match others.iter().any(|other| other.id != validator.id && other.name.as_ref() == Some(name)) {
        true => Err(Refusal::bad_request("Request Validator name must be unique")),
        false => Ok(()),
    }
}

fn apply(validator: &mut RequestValidator, edit: Edit) -> Answer<()> {
    match edit.place {
        "/name" => validator.name = Some(edit.text().to_owned()),
        "/validateRequestParameters" => validator.parameters = edit.flag(),
        _ => validator.body = edit.flag(),
    }
    Ok(())
}

fn shown(validator: &RequestValidator) -> model::RequestValidator {
    model::RequestValidator {
        id: Some(validator.id.clone()),
        name: validator.name.clone(),
        validate_request_body: Some(validator.body),
        validate_request_parameters: Some(validator.parameters),
    }
}
