//! Gateway responses: what an API answers in place of the gateway's own error bodies.

use std::collections::BTreeMap;

use http::HeaderValue;
use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};
use templates::mapping::{Source, Target};
use templates::plain::PlainTemplate;

use super::integrations::{edit_mappings, edit_templates};
use super::{EVERY, validate};
use crate::Apis;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{GatewayResponse, RestApi, Templates};

const PATCHES: Table = Table {
    wording: Wording::PathAlone,
    entries: &[
        ("/statusCode", &[Replace]),
        ("/responseTemplates/{}", &[Add, Remove, Replace]),
        ("/responseParameters/{}", &[Add, Remove, Replace]),
    ],
};

/// Every response type with its status, in the order of AWS's documents. The two defaults leave each refusal its own.
const TYPES: [(&str, Option<&str>); 21] = [
    ("INTEGRATION_FAILURE", Some("504")),
    ("RESOURCE_NOT_FOUND", Some("404")),
    ("REQUEST_TOO_LARGE", Some("413")),
    ("THROTTLED", Some("429")),
    ("UNSUPPORTED_MEDIA_TYPE", Some("415")),
    ("AUTHORIZER_CONFIGURATION_ERROR", Some("500")),
    (DEFAULT_5XX, None),
    (DEFAULT_4XX, None),
    ("BAD_REQUEST_PARAMETERS", Some("400")),
    ("BAD_REQUEST_BODY", Some("400")),
    ("EXPIRED_TOKEN", Some("403")),
    ("ACCESS_DENIED", Some("403")),
    ("INVALID_API_KEY", Some("403")),
    ("UNAUTHORIZED", Some("401")),
    ("API_CONFIGURATION_ERROR", Some("500")),
    ("QUOTA_EXCEEDED", Some("429")),
    ("INTEGRATION_TIMEOUT", Some("504")),
    ("MISSING_AUTHENTICATION_TOKEN", Some("403")),
    ("INVALID_SIGNATURE", Some("403")),
    ("AUTHORIZER_FAILURE", Some("500")),
    ("WAF_FILTERED", Some("403")),
];

const DEFAULT_4XX: &str = "DEFAULT_4XX";
const DEFAULT_5XX: &str = "DEFAULT_5XX";

/// The template of a response that names none.
const DEFAULT_TEMPLATE: &str = "{\"message\":$context.error.messageString}";

/// How often the templates of one response may name a value. The bound is ours: each is looked up in the request.
const REFERENCES: usize = 1_000;

/// What the templates and headers of one response may take together, in bytes. The bound is ours.
const DEFINITION_BYTES: usize = 1024 * 1024;

impl Apis {
    pub(crate) async fn put_gateway_response(
        &self,
        scope: &Scope,
        input: model::PutGatewayResponseRequest,
    ) -> Answer<model::GatewayResponse> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let api = apis.rest_api(&scope, &input.rest_api_id).await?;
            let response = GatewayResponse {
                api: api.record.id.clone(),
                response_type: input.response_type.clone(),
                status_code: input.status_code.clone(),
                parameters: input.response_parameters.clone().unwrap_or_default(),
                templates: or_default(validate::templates(input.response_templates.clone())?),
            };
            check(&response)?;
            apis.put(&scope, &api, &response).await
        })
        .await
    }

    pub(crate) async fn get_gateway_response(
        &self,
        scope: &Scope,
        input: model::GetGatewayResponseRequest,
    ) -> Answer<model::GatewayResponse> {
        let api = self.rest_api(scope, &input.rest_api_id).await?;
        let defined = self.gateway_responses_of(scope, &api.record.id).await?;
        Ok(effective(&input.response_type, &defined))
    }

    /// The collection has no pages.
    pub(crate) async fn get_gateway_responses(
        &self,
        scope: &Scope,
        input: model::GetGatewayResponsesRequest,
    ) -> Answer<model::GatewayResponses> {
        let api = self.rest_api(scope, &input.rest_api_id).await?;
        let defined = self.gateway_responses_of(scope, &api.record.id).await?;
        let items = TYPES.iter().map(|(response_type, _)| effective(response_type, &defined)).collect();
        Ok(model::GatewayResponses { position: None, items: Some(items) })
    }

    pub(crate) async fn update_gateway_response(
        &self,
        scope: &Scope,
        input: model::UpdateGatewayResponseRequest,
    ) -> Answer<model::GatewayResponse> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let api = apis.rest_api(&scope, &input.rest_api_id).await?;
            let stored = apis.gateway_response(&scope, &api.record.id, &input.response_type).await?;
            let mut response = stored.map(|stored| stored.record).unwrap_or_else(|| GatewayResponse {
                api: api.record.id.clone(),
                response_type: input.response_type.clone(),
                status_code: None,
                parameters: BTreeMap::new(),
                templates: or_default(None),
            });
            PATCHES.patch(input.patch_operations.clone(), &mut response, apply)?;
            check(&response)?;
            apis.put(&scope, &api, &response).await
        })
        .await
    }

    pub(crate) async fn delete_gateway_response(
        &self,
        scope: &Scope,
        input: model::DeleteGatewayResponseRequest,
    ) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let api = apis.rest_api(&scope, &input.rest_api_id).await?;
            let stored = apis.gateway_response(&scope, &api.record.id, &input.response_type).await?;
            let stored = stored.ok_or_else(|| Refusal::not_found("Gateway response type not defined on api"))?;
            let gone = Transaction::new().delete::<GatewayResponse>(&scope, &stored.record.key(), stored.revision);
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    /// What an API defines, by type.
    pub(super) async fn gateway_responses_of(&self, scope: &Scope, api: &str) -> Answer<Vec<GatewayResponse>> {
        let stored = self.store.list::<GatewayResponse>(scope, api, None, EVERY).await?;
        Ok(stored.into_iter().map(|response| response.record).collect())
    }

    async fn gateway_response(
        &self,
        scope: &Scope,
        api: &str,
        response_type: &str,
    ) -> Answer<Option<Stored<GatewayResponse>>> {
        Ok(self.store.get::<GatewayResponse>(scope, &format!("{api}/{response_type}")).await?)
    }

    /// Stores a definition, unless the API goes in the meantime.
    async fn put(
        &self,
        scope: &Scope,
        api: &Stored<RestApi>,
        response: &GatewayResponse,
    ) -> Answer<model::GatewayResponse> {
        let change = Transaction::new().expect::<RestApi>(scope, &api.record.key(), api.revision).put(scope, response);
        self.store.commit(change).await?;
        Ok(effective(&response.response_type, std::slice::from_ref(response)))
    }
}

fn or_default(templates: Option<Templates>) -> Templates {
    let given = templates.filter(|templates| !templates.is_empty());
    given.unwrap_or_else(|| Templates::from([("application/json".into(), Some(DEFAULT_TEMPLATE.into()))]))
}

/// Checks a response: its size, the headers that it sets, and where their values come from.
fn check(response: &GatewayResponse) -> Answer<()> {
    let templates = response.templates.iter().map(|(kind, text)| (kind.len(), text.as_deref().unwrap_or_default()));
    let parameters = response.parameters.iter().map(|(key, value)| (key.len(), value.as_str()));
    let bytes: usize = templates.clone().chain(parameters).map(|(key, text)| key + text.len()).sum();
    if bytes > DEFINITION_BYTES {
        return Err(Refusal::bad_request("A gateway response can have at most 1 MB of templates and parameters."));
    }
    let references: usize = templates.map(|(_, text)| PlainTemplate::parse(text).names().count()).sum();
    if references > REFERENCES {
        return Err(Refusal::BadRequest(format!("A gateway response can name at most {REFERENCES} values.")));
    }
    for (key, value) in &response.parameters {
        if !matches!(Target::parse(key), Ok(Target::GatewayHeader(_))) {
            return Err(validate::bad_mapping(key));
        }
        match Source::parse_gateway_response(value) {
            // Fixed text that no header can carry would never be sent.
            Ok(Source::Literal(text)) if HeaderValue::try_from(text.as_ref()).is_err() => {
                return Err(validate::bad_mapping(value));
            }
            Ok(_) => {}
            Err(_) => return Err(validate::bad_mapping(value)),
        }
    }
    Ok(())
}

fn apply(response: &mut GatewayResponse, edit: Edit) -> Answer<()> {
    match edit.place {
        "/statusCode" => response.status_code = status_code(edit.optional())?,
        "/responseTemplates/{}" => {
            let mut templates = Some(std::mem::take(&mut response.templates));
            edit_templates(&mut templates, edit, "responseTemplates")?;
            response.templates = or_default(templates);
        }
        _ => {
            let mut parameters = Some(std::mem::take(&mut response.parameters));
            edit_mappings(&mut parameters, edit, "responseParameters")?;
            response.parameters = parameters.unwrap_or_default();
        }
    }
    Ok(())
}

/// A status out of a patch; nothing gives each refusal its own back.
fn status_code(given: Option<String>) -> Answer<Option<String>> {
    let sound = |status: &str| matches!(status.as_bytes(), [b'1'..=b'5', tens, units] if tens.is_ascii_digit() && units.is_ascii_digit());
    match given {
        Some(status) if !sound(&status) => Err(Refusal::bad_request("Invalid Response status code specified")),
        status => Ok(status),
    }
}

/// What answers a type: its own definition, else that of the default of its hundreds, else the gateway's.
fn effective(response_type: &str, defined: &[GatewayResponse]) -> model::GatewayResponse {
    let find = |wanted: &str| defined.iter().find(|response| response.response_type == wanted);
    let status = TYPES.iter().find(|(known, _)| *known == response_type).and_then(|(_, status)| *status);
    let own = find(response_type);
    let inherited = || find(if status?.starts_with('5') { DEFAULT_5XX } else { DEFAULT_4XX });
    let source = own.or_else(inherited);
    let defined_status = source.and_then(|response| response.status_code.clone());
    model::GatewayResponse {
        response_type: Some(response_type.to_owned()),
        status_code: defined_status.or_else(|| status.map(str::to_owned)),
        response_parameters: Some(source.map(|response| response.parameters.clone()).unwrap_or_default()),
        response_templates: Some(source.map_or_else(|| or_default(None), |response| response.templates.clone())),
        default_response: Some(own.is_none()),
    }
}
