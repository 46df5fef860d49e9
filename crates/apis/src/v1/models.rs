//! Models: what bodies may look like, and the template that one of them makes.

use std::collections::BTreeMap;

use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};
use templates::model_template::model_template;
use templates::schema::{ModelError, SCHEMA_BYTES, check_model, flatten};

use super::page::page;
use super::{EVERY, validate};
use crate::Apis;
use crate::patch::Op::Replace;
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{ApiHead, Model, Resource};

const PATCHES: Table =
    Table { wording: Wording::Listing, entries: &[("/description", &[Replace]), ("/schema", &[Replace])] };

/// How many models an API may have. The bound is ours: AWS names none.
const MODELS_PER_API: usize = 1_000;

/// The model that accepts everything, and the one for errors: every API starts with both.
const DEFAULTS: [(&str, &str, &str); 2] = [
    (
        "Empty",
        "This is a default empty schema model",
        "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \
         \"object\"\n}",
    ),
    (
        "Error",
        "This is a default error schema model",
        "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \
         \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}",
    ),
];

/// The models that an API starts with.
pub(crate) fn default_models(api: &str) -> impl Iterator<Item = Model> {
    DEFAULTS.into_iter().map(move |(name, description, schema)| Model {
        api: api.to_owned(),
        id: base::ids::api_gateway_id(6),
        name: name.to_owned(),
        description: Some(description.to_owned()),
        content_type: "application/json".to_owned(),
        schema: schema.to_owned(),
    })
}

/// Whether a model of this name and schema is the one that accepts everything.
pub(crate) fn accepts_everything(name: &str, schema: &str) -> bool {
    let (empty, _, default) = DEFAULTS[0];
    name == empty && schema == default
}

impl Apis {
    pub(crate) async fn create_model(&self, scope: &Scope, input: model::CreateModelRequest) -> Answer<model::Model> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            apis.rest_api(&scope, &input.rest_api_id).await?;
            let head = apis.head(&scope, &input.rest_api_id).await?.ok_or(Refusal::Raced)?;
            let model = new_model(&input)?;
            let others = apis.store.list::<Model>(&scope, &model.api, None, EVERY).await?;
            if others.iter().any(|other| other.record.name == model.name) {
                return Err(Refusal::conflict("Model name already exists for this REST API"));
            }
            if others.len() >= MODELS_PER_API {
                return Err(Refusal::quota("Models", "API"));
            }
            let made =
                Transaction::new().update(&scope, &ApiHead::clone(&head.record), head.revision).insert(&scope, &model);
            apis.store.commit(made).await?;
            Ok(shown(&model))
        })
        .await
    }

    pub(crate) async fn get_model(&self, scope: &Scope, input: model::GetModelRequest) -> Answer<model::Model> {
        let mut model = self.model(scope, &input.rest_api_id, &input.model_name).await?.record;
        if input.flatten == Some(true) {
            let all = self.models_of(scope, &model.api).await?;
            model.schema = flatten(&model.api, &texts(&all), &model.name).unwrap_or(model.schema);
        }
        Ok(shown(&model))
    }

    pub(crate) async fn get_models(&self, scope: &Scope, input: model::GetModelsRequest) -> Answer<model::Models> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let models = self.models_of(scope, &input.rest_api_id).await?;
        let (page, position) = page(models, |model| model.name.clone(), input.position.as_deref(), input.limit)?;
        Ok(model::Models { position, items: Some(page.iter().map(shown).collect()) })
    }

    pub(crate) async fn update_model(&self, scope: &Scope, input: model::UpdateModelRequest) -> Answer<model::Model> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.model(&scope, &input.rest_api_id, &input.model_name).await?;
            let mut model = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut model, apply)?;
            if model != stored.record {
                apis.store.commit(Transaction::new().update(&scope, &model, stored.revision)).await?;
            }
            Ok(shown(&model))
        })
        .await
    }

    pub(crate) async fn delete_model(&self, scope: &Scope, input: model::DeleteModelRequest) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let model = apis.model(&scope, &input.rest_api_id, &input.model_name).await?;
            let head = apis.head(&scope, &input.rest_api_id).await?.ok_or(Refusal::Raced)?;
            let resources = apis.resources_of(&scope, &input.rest_api_id).await?;
            if let Some(user) = user_of(&input.model_name, resources) {
                return Err(Refusal::Conflict(format!(
                    "Cannot delete model '{}', is referenced in method {user}",
                    input.model_name
                )));
            }
            let gone = Transaction::new().update(&scope, &ApiHead::clone(&head.record), head.revision).delete::<Model>(
                &scope,
                &model.record.key(),
                model.revision,
            );
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn get_model_template(
        &self,
        scope: &Scope,
        input: model::GetModelTemplateRequest,
    ) -> Answer<model::Template> {
        let model = self.model(scope, &input.rest_api_id, &input.model_name).await?.record;
        let all = self.models_of(scope, &model.api).await?;
        let value = model_template(&model.api, &texts(&all), &model.name);
        let value = value.ok_or_else(|| Refusal::bad_request("Model schema is not JSON"))?;
        Ok(model::Template { value: Some(value) })
    }

    /// The models of an API by name.
    pub(super) async fn models_of(&self, scope: &Scope, api: &str) -> Answer<Vec<Model>> {
        let mut models: Vec<Model> =
            self.store.list::<Model>(scope, api, None, EVERY).await?.into_iter().map(|model| model.record).collect();
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(models)
    }

    async fn model(&self, scope: &Scope, api: &str, name: &str) -> Answer<Stored<Model>> {
        let found = self.find_below(scope, api, name).await?;
        found.ok_or_else(|| Refusal::NotFound(format!("Invalid model name specified: {name}")))
    }

    /// Gives an API that an earlier version made the models that it should have started with.
    pub(crate) async fn give_default_models(&self, scope: &Scope, api: &str) -> Answer<()> {
        let Some(head) = self.head(scope, api).await?.filter(|head| !head.record.has_models) else { return Ok(()) };
        let mut given = Transaction::new().update(scope, &ApiHead { has_models: true, ..head.record }, head.revision);
        for model in default_models(api) {
            if self.store.get::<Model>(scope, &model.key()).await?.is_none() {
                given = given.insert(scope, &model);
            }
        }
        self.store.commit(given).await?;
        Ok(())
    }
}

/// The schemas of models by their names.
fn texts(models: &[Model]) -> BTreeMap<&str, &str> {
    models.iter().map(|model| (model.name.as_str(), model.schema.as_str())).collect()
}

fn new_model(input: &model::CreateModelRequest) -> Answer<Model> {
    if input.name.is_empty() {
        return Err(Refusal::bad_request("Model name must be non-empty"));
    }
    if !input.name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::BadRequest(format!("Model name must be alphanumeric: {}", input.name)));
    }
    validate::content_type(&input.content_type)?;
    let schema = input.schema.clone().unwrap_or_default();
    check_schema(&input.content_type, &schema)?;
    Ok(Model {
        api: input.rest_api_id.clone(),
        id: base::ids::api_gateway_id(6),
        name: input.name.clone(),
        description: input.description.clone().filter(|text| !text.is_empty()),
        content_type: input.content_type.clone(),
        schema,
    })
}

/// A schema of JSON must be one of draft 4 without unknown keywords; of other content only its size is known.
fn check_schema(content_type: &str, schema: &str) -> Answer<()> {
    if schema.trim().is_empty() {
        return Err(Refusal::bad_request("Model schema must have at least 1 property or array items defined"));
    }
    let mime = content_type.split(';').next().unwrap_or_default().trim();
    let checked = match mime == "application/json" || mime.ends_with("+json") {
        true => check_model(schema),
        false if schema.len() > SCHEMA_BYTES => Err(ModelError::TooLarge),
        false => Ok(()),
    };
    checked.map_err(|error| {
        let problem = match &error {
            ModelError::Unsupported(names) => {
                let names = serde_json::Value::from(names.clone());
                format!("Invalid model schema specified. Unsupported keyword(s): {names}")
            }
            ModelError::NotCanonical(_) => {
                "Invalid model schema specified, Model reference must be in canonical form".to_owned()
            }
            _ => "Invalid model schema specified".to_owned(),
        };
        tracing::info!(%error, "a model is refused");
        Refusal::BadRequest(format!("Invalid model specified: Validation Result: warnings : [], errors : [{problem}]"))
    })
}

fn apply(model: &mut Model, edit: Edit) -> Answer<()> {
    match edit.place {
        "/description" => model.description = edit.optional(),
        _ => {
            check_schema(&model.content_type, edit.text())?;
            model.schema = edit.text().to_owned();
        }
    }
    Ok(())
}

/// The method that has a model, as AWS tells it: `request: /pets/POST`, `response: //GET`. Of several the one with the
/// last path, as in AWS's recording.
fn user_of(name: &str, resources: Vec<Stored<Resource>>) -> Option<String> {
    let mut resources: Vec<Resource> = resources.into_iter().map(|resource| resource.record).collect();
    resources.sort_by(|one, other| other.path.cmp(&one.path));
    let has = |models: &Option<BTreeMap<String, String>>| models.iter().flatten().any(|(_, used)| used == name);
    resources.iter().find_map(|resource| {
        resource.methods.iter().find_map(|(verb, method)| {
            let kind = match () {
                () if has(&method.request_models) => "request",
                () if method.responses.values().any(|response| has(&response.models)) => "response",
                () => return None,
            };
            Some(format!("{kind}: {}/{verb}", resource.path))
        })
    })
}

fn shown(model: &Model) -> model::Model {
    model::Model {
        id: Some(model.id.clone()),
        name: Some(model.name.clone()),
        description: model.description.clone(),
        schema: Some(model.schema.clone()),
        content_type: Some(model.content_type.clone()),
    }
}
