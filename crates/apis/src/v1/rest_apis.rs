//! REST APIs themselves.

use std::collections::BTreeMap;

use base::clock::Moment;
use base::shape::Timestamp;
use model_apigateway as model;
use store::{Record, Scope, Transaction};

use super::models::default_models;
use super::page::page;
use super::{EVERY, validate};
use crate::Apis;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{
    ApiHead, Authorizer, Deployment, DocumentationPart, DocumentationSnapshot, DocumentationVersion, GatewayResponse,
    Model, PathClaim, RequestValidator, Resource, RestApi, Snapshot, Stage,
};
use crate::words::{EndpointType, IpAddressType};

const PATCHES: Table = Table {
    wording: Wording::Terse,
    entries: &[
        ("/name", &[Replace]),
        ("/description", &[Replace, Remove]),
        ("/version", &[Replace, Remove]),
        ("/apiKeySource", &[Replace]),
        ("/minimumCompressionSize", &[Replace]),
        ("/disableExecuteApiEndpoint", &[Replace]),
        ("/policy", &[Replace, Remove]),
        ("/binaryMediaTypes/{}", &[Add, Remove, Replace]),
        ("/endpointConfiguration/types/{}", &[Replace, Add, Remove]),
        ("/endpointConfiguration/ipAddressType", &[Replace]),
        ("/endpointConfiguration/vpcEndpointIds", &[Add, Remove]),
        ("/securityPolicy", &[Replace]),
        ("/endpointAccessMode", &[Replace]),
    ],
};

impl Apis {
    pub(crate) async fn create_rest_api(
        &self,
        scope: &Scope,
        input: model::CreateRestApiRequest,
    ) -> Answer<model::RestApi> {
        let api = new_api(input, self.new_api_id(), self.settings.clock.now())?;
        // One at a time in a scope, so that the count holds.
        let turn = format!("{}/{}", scope.account, scope.region);
        self.edit(scope, &turn, api, |apis, scope, api| async move {
            let quota = apis.settings.limits.apis;
            if quota < usize::MAX && apis.store.list::<RestApi>(&scope, "", None, quota).await?.len() >= quota {
                return Err(Refusal::quota("APIs", "account"));
            }
            let root = Resource {
                api: api.id.clone(),
                id: api.root_resource_id.clone(),
                parent_id: None,
                path_part: None,
                path: "/".into(),
                methods: BTreeMap::new(),
            };
            let head = ApiHead { api: api.id.clone(), resources: 0, has_models: true };
            let made = Transaction::new().insert(&scope, &*api).insert(&scope, &head).insert(&scope, &root);
            let made = default_models(&api.id).fold(made, |made, model| made.insert(&scope, &model));
            apis.store.commit(made).await?;
            apis.index.add_api(&api.id);
            Ok(shown(&api, ShowTags::IfAny))
        })
        .await
    }

    pub(crate) async fn get_rest_api(&self, scope: &Scope, input: model::GetRestApiRequest) -> Answer<model::RestApi> {
        Ok(shown(&self.rest_api(scope, &input.rest_api_id).await?.record, ShowTags::Always))
    }

    pub(crate) async fn get_rest_apis(
        &self,
        scope: &Scope,
        input: model::GetRestApisRequest,
    ) -> Answer<model::RestApis> {
        let stored = self.store.list::<RestApi>(scope, "", None, EVERY).await?;
        let mut apis: Vec<RestApi> = stored.into_iter().map(|api| api.record).collect();
        let order = |api: &RestApi| format!("{:012}.{:03}/{}", api.created, api.created_millisecond, api.id);
        apis.sort_by_cached_key(order);
        let (page, position) = page(apis, order, input.position.as_deref(), input.limit)?;
        let items = page.iter().map(|api| shown(api, ShowTags::IfAny)).collect();
        Ok(model::RestApis { position, items: Some(items) })
    }

    pub(crate) async fn update_rest_api(
        &self,
        scope: &Scope,
        input: model::UpdateRestApiRequest,
    ) -> Answer<model::RestApi> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.rest_api(&scope, &input.rest_api_id).await?;
            let mut api = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut api, apply)?;
            if api != stored.record {
                apis.store.commit(Transaction::new().update(&scope, &api, stored.revision)).await?;
            }
            Ok(shown(&api, ShowTags::Always))
        })
        .await
    }

    pub(crate) async fn delete_rest_api(&self, scope: &Scope, input: model::DeleteRestApiRequest) -> Answer<()> {
        self.edit(scope, &input.rest_api_id, input.rest_api_id.clone(), |apis, scope, id| async move {
            let api = apis.rest_api(&scope, &id).await?;
            let gone = Transaction::new()
                .delete::<RestApi>(&scope, &api.record.key(), api.revision)
                .delete_tree::<ApiHead>(&scope, &id)
                .delete_tree::<Resource>(&scope, &id)
                .delete_tree::<PathClaim>(&scope, &id)
                .delete_tree::<GatewayResponse>(&scope, &id)
                .delete_tree::<Model>(&scope, &id)
                .delete_tree::<RequestValidator>(&scope, &id)
                .delete_tree::<Stage>(&scope, &id)
                .delete_tree::<Authorizer>(&scope, &id)
                .delete_tree::<DocumentationPart>(&scope, &id)
                .delete_tree::<DocumentationVersion>(&scope, &id)
                .delete_tree::<DocumentationSnapshot>(&scope, &id)
                .delete_tree::<Deployment>(&scope, &id)
                .delete_tree::<Snapshot>(&scope, &id);
            apis.store.commit(gone).await?;
            apis.index.remove_api(&id);
            Ok(())
        })
        .await
    }

    /// An id that no API of this process has, whatever its account and region.
    fn new_api_id(&self) -> String {
        loop {
            let id = base::ids::api_gateway_id(10);
            if !self.index.has_api(&id) {
                return id;
            }
        }
    }
}

fn new_api(input: model::CreateRestApiRequest, id: String, now: Moment) -> Answer<RestApi> {
    if input.description.as_deref() == Some("") {
        return Err(Refusal::bad_request("Description cannot be an empty string"));
    }
    check_name(&input.name)?;
    let minimum_compression_size =
        input.minimum_compression_size.map(|size| compression_size(&size.to_string())).transpose()?;
    let unbuilt = [
        ("cloneFrom", input.clone_from.is_some()),
        ("securityPolicy", input.security_policy.is_some()),
        ("endpointAccessMode", input.endpoint_access_mode.is_some_and(|mode| mode != "BASIC")),
    ];
    if let Some((what, _)) = unbuilt.into_iter().find(|(_, given)| *given) {
        return Err(Refusal::not_built(what));
    }
    if let Some(policy) = &input.policy {
        check_policy(policy)?;
    }
    let tags = input.tags.unwrap_or_default();
    validate::tags(&tags)?;
    let (endpoint_type, ip_address_type, vpc_endpoint_ids) =
        endpoint(input.endpoint_configuration.unwrap_or_default())?;
    Ok(RestApi {
        id,
        name: input.name,
        description: input.description,
        version: input.version,
        created: now.whole_seconds(),
        created_millisecond: (now.0 % 1000) as u16,
        root_resource_id: base::ids::api_gateway_id(10),
        binary_media_types: input.binary_media_types.unwrap_or_default(),
        api_key_source: input.api_key_source.unwrap_or_else(|| "HEADER".into()),
        endpoint_type,
        ip_address_type,
        vpc_endpoint_ids,
        policy: input.policy.filter(|policy| !policy.is_empty()),
        tags,
        disable_execute_api_endpoint: input.disable_execute_api_endpoint.unwrap_or(false),
        minimum_compression_size,
    })
}

fn check_name(name: &str) -> Answer<()> {
    match name.is_empty() {
        true => Err(Refusal::bad_request("Name cannot be an empty string")),
        false => Ok(()),
    }
}

fn endpoint(given: model::EndpointConfiguration) -> Answer<(EndpointType, IpAddressType, Vec<String>)> {
    let kind = match given.types.as_deref() {
        None => EndpointType::Edge,
        Some([]) => {
            return Err(Refusal::bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED."));
        }
        Some([kind]) => EndpointType::parse(kind).ok_or_else(wrong_endpoint_type)?,
        Some(_) => return Err(Refusal::bad_request("Cannot create an api with multiple Endpoint Types.")),
    };
    let default = if kind == EndpointType::Private { IpAddressType::Dualstack } else { IpAddressType::Ipv4 };
    let address = match given.ip_address_type.as_deref() {
        None | Some("") => default,
        Some(address) => IpAddressType::parse(address).ok_or_else(wrong_ip_address_type)?,
    };
    check_private(kind, address)?;
    Ok((kind, address, given.vpc_endpoint_ids.unwrap_or_default()))
}

fn check_private(kind: EndpointType, address: IpAddressType) -> Answer<()> {
    match (kind, address) {
        (EndpointType::Private, IpAddressType::Ipv4) => {
            Err(Refusal::bad_request("Only dualstack ipAddressType is supported for Private APIs."))
        }
        _ => Ok(()),
    }
}

fn wrong_endpoint_type() -> Refusal {
    Refusal::bad_request("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
}

fn wrong_ip_address_type() -> Refusal {
    Refusal::bad_request("ipAddressType must be either ipv4 or dualstack.")
}

/// From how many bytes on bodies are compressed.
fn compression_size(size: &str) -> Answer<u32> {
    let bounded = size.parse::<u32>().ok().filter(|size| *size <= 10_485_760);
    bounded.ok_or_else(|| Refusal::bad_request("Invalid minimum compression size, must be between 0 and 10485760"))
}

/// A policy must be a JSON object of at most 8,192 characters. What it says is not looked at here.
fn check_policy(policy: &str) -> Answer<()> {
    let sound = policy.is_empty() || serde_json::from_str::<serde_json::Map<_, _>>(policy).is_ok();
    match sound && policy.chars().count() <= 8_192 {
        true => Ok(()),
        false => Err(Refusal::bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.",
        )),
    }
}

fn apply(api: &mut RestApi, edit: Edit) -> Answer<()> {
    match edit.place {
        "/name" => {
            check_name(edit.text())?;
            api.name = edit.text().to_owned();
        }
        "/description" => api.description = edit.optional(),
        "/version" => api.version = edit.optional(),
        "/apiKeySource" if !matches!(edit.text(), "HEADER" | "AUTHORIZER") => {
            return Err(Refusal::bad_request("Invalid API key source specified. Valid options are HEADER,AUTHORIZER"));
        }
        "/apiKeySource" => api.api_key_source = edit.text().to_owned(),
        // Emptied: off.
        "/minimumCompressionSize" => {
            api.minimum_compression_size = edit.optional().map(|size| compression_size(&size)).transpose()?;
        }
        "/disableExecuteApiEndpoint" => api.disable_execute_api_endpoint = edit.flag(),
        "/policy" => {
            check_policy(edit.text())?;
            api.policy = edit.optional();
        }
        "/binaryMediaTypes/{}" => edit_media_types(&mut api.binary_media_types, edit)?,
        "/endpointConfiguration/types/{}" => edit_endpoint_type(api, &edit)?,
        "/endpointConfiguration/ipAddressType" => {
            let address = IpAddressType::parse(edit.text()).ok_or_else(wrong_ip_address_type)?;
            check_private(api.endpoint_type, address)?;
            api.ip_address_type = address;
        }
        "/endpointConfiguration/vpcEndpointIds" => {
            api.vpc_endpoint_ids.retain(|id| id != edit.text());
            if edit.op == Add {
                api.vpc_endpoint_ids.push(edit.text().to_owned());
            }
        }
        setting => return Err(Refusal::not_built(setting.trim_start_matches('/'))),
    }
    Ok(())
}

fn edit_media_types(types: &mut Vec<String>, edit: Edit) -> Answer<()> {
    let known = types.iter().position(|known| *known == edit.key);
    match (edit.op, known) {
        (Add, None) => types.push(edit.key),
        (Add, Some(_)) => {}
        (Remove, Some(at)) => {
            types.remove(at);
        }
        (_, Some(at)) => types[at] = edit.text().to_owned(),
        (_, None) => return Err(Refusal::not_found("Invalid binary media type specified")),
    }
    Ok(())
}

fn edit_endpoint_type(api: &mut RestApi, edit: &Edit) -> Answer<()> {
    if edit.op != Replace {
        // An API has exactly one type, so one can neither come nor go by itself.
        return Err(Refusal::bad_request("Cannot create an api with multiple Endpoint Types."));
    }
    let kind = EndpointType::parse(edit.text()).ok_or_else(wrong_endpoint_type)?;
    api.endpoint_type = kind;
    if kind == EndpointType::Private {
        api.ip_address_type = IpAddressType::Dualstack;
    }
    Ok(())
}

/// AWS shows an empty map of tags in some answers and none in others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ShowTags {
    IfAny,
    Always,
}

fn shown(api: &RestApi, tags: ShowTags) -> model::RestApi {
    let vpc_endpoint_ids = (!api.vpc_endpoint_ids.is_empty()).then(|| api.vpc_endpoint_ids.clone());
    model::RestApi {
        id: Some(api.id.clone()),
        name: Some(api.name.clone()),
        description: api.description.clone(),
        created_date: Some(Timestamp(api.created as f64)),
        version: api.version.clone(),
        binary_media_types: (!api.binary_media_types.is_empty()).then(|| api.binary_media_types.clone()),
        api_key_source: Some(api.api_key_source.clone()),
        endpoint_configuration: Some(model::EndpointConfiguration {
            types: Some(vec![api.endpoint_type.text().to_owned()]),
            ip_address_type: Some(api.ip_address_type.text().to_owned()),
            vpc_endpoint_ids,
        }),
        policy: api.policy.as_deref().map(escaped),
        tags: (tags == ShowTags::Always || !api.tags.is_empty()).then(|| api.tags.clone()),
        disable_execute_api_endpoint: Some(api.disable_execute_api_endpoint),
        minimum_compression_size: api.minimum_compression_size.and_then(|size| i32::try_from(size).ok()),
        root_resource_id: Some(api.root_resource_id.clone()),
        ..model::RestApi::default()
    }
}

/// AWS shows a policy as the inside of a JSON string: every quote has a backslash before it.
fn escaped(policy: &str) -> String {
    let quoted = serde_json::Value::from(policy).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
