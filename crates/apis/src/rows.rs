//! What the control plane stores: one row per API, resource (with its methods and what belongs to them), deployment,
//! snapshot and stage. Everything that a deployment freezes is a part of [`Snapshot`].

mod access_log;
mod authorizer;
mod documentation;
mod method_setting;
mod model;
mod vpc_link;

use std::collections::BTreeMap;

pub(crate) use access_log::AccessLog;
pub(crate) use authorizer::Authorizer;
pub(crate) use documentation::{DocumentationPart, DocumentationSnapshot, DocumentationVersion, Location};
pub(crate) use method_setting::{ACCOUNT_BURST, ACCOUNT_RATE, LoggingLevel, MethodSetting};
pub(crate) use model::{Model, RequestValidator};
use serde::{Deserialize, Serialize};
use store::Record;
pub(crate) use vpc_link::VpcLink;

use crate::words::{Connection, ContentHandling, EndpointType, IntegrationType, IpAddressType, Passthrough};

/// A REST API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestApi {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Whole seconds since 1970.
    pub(crate) created: u64,
    /// The milliseconds of that second, 0 to 999, so that APIs of one second keep their order.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) created_millisecond: u16,
    pub(crate) root_resource_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) binary_media_types: Vec<String>,
    /// `HEADER` or `AUTHORIZER`.
    pub(crate) api_key_source: String,
    pub(crate) endpoint_type: EndpointType,
    pub(crate) ip_address_type: IpAddressType,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) vpc_endpoint_ids: Vec<String>,
    /// The resource policy, JSON text as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) disable_execute_api_endpoint: bool,
    /// From how many bytes on bodies are compressed; absent is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_compression_size: Option<u32>,
}

/// Whether a number is not written.
fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl Record for RestApi {
    const KIND: &'static str = "rest_api";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// What edits across several rows of an API agree on: each of them replaces this row, so that two of them never hold
/// on what the other changes (a resource made below one that is being deleted, a stage on a deployment that goes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiHead {
    pub(crate) api: String,
    /// How many resources the API has, without the root.
    pub(crate) resources: usize,
    /// Whether the API has got the models that every API starts with; those of early versions had none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_models: bool,
}

impl Record for ApiHead {
    const KIND: &'static str = "rest_api_head";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.api.clone()
    }
}

/// A resource and its methods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub(crate) api: String,
    pub(crate) id: String,
    /// Absent for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent_id: Option<String>,
    /// Absent for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path_part: Option<String>,
    /// The whole path template.
    pub(crate) path: String,
    /// By verb.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) methods: BTreeMap<String, Method>,
}

impl Record for Resource {
    const KIND: &'static str = "rest_resource";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.id)
    }
}

/// The claim of a resource on its place below its parent: a literal on its own name, a variable on the one place that
/// the parent has for variables. Making a resource thus never reads its siblings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PathClaim {
    pub(crate) api: String,
    pub(crate) parent_id: String,
    pub(crate) path_part: String,
}

impl PathClaim {
    /// The key under which a resource of that path part claims its place.
    pub(crate) fn place(api: &str, parent: &str, path_part: &str) -> String {
        let place = if path_part.starts_with('{') { "{}" } else { path_part };
        format!("{api}/{parent}/{place}")
    }
}

impl Record for PathClaim {
    const KIND: &'static str = "rest_path_claim";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        PathClaim::place(&self.api, &self.parent_id, &self.path_part)
    }
}

/// A method: what it asks of a request, and what stands behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Method {
    /// `NONE`, `AWS_IAM`, `CUSTOM` or `COGNITO_USER_POOLS`.
    pub(crate) authorization_type: String,
    /// Where the type asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorizer_id: Option<String>,
    #[serde(default)]
    pub(crate) api_key_required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation_name: Option<String>,
    /// `method.request.header.x` and whether it is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_parameters: Option<BTreeMap<String, bool>>,
    /// Model names by content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_models: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_validator_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) authorization_scopes: Vec<String>,
    /// By status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) responses: BTreeMap<String, MethodResponse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) integration: Option<Integration>,
}

/// What a method declares to answer with one status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MethodResponse {
    /// `method.response.header.x` and whether it is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<BTreeMap<String, bool>>,
    /// Model names by content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) models: Option<BTreeMap<String, String>>,
}

/// Templates by content type; an empty one is kept as absent text, as AWS shows it.
pub(crate) type Templates = BTreeMap<String, Option<String>>;

/// Where a method's requests go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Integration {
    pub(crate) kind: IntegrationType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) http_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<String>,
    #[serde(default, skip_serializing_if = "Connection::is_internet")]
    pub(crate) connection: Connection,
    /// The VPC link, or a stage variable that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    /// The load balancer behind the VPC link; it is shown and does nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) integration_target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_parameters: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_templates: Option<Templates>,
    pub(crate) passthrough: Passthrough,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<ContentHandling>,
    pub(crate) timeout_in_millis: u32,
    /// `responseTransferMode` is `STREAM`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) streams: bool,
    /// Whether `responseTransferMode` was given: AWS shows it only then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shows_transfer_mode: bool,
    pub(crate) cache_namespace: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cache_key_parameters: Vec<String>,
    /// By status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) responses: BTreeMap<String, IntegrationResponse>,
}

/// How one kind of backend answer becomes the method's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IntegrationResponse {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) selection_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) templates: Option<Templates>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<ContentHandling>,
}

/// What an API answers to one type of refusal, in place of the gateway's own error body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayResponse {
    pub(crate) api: String,
    /// `MISSING_AUTHENTICATION_TOKEN`, `DEFAULT_4XX`, ...
    pub(crate) response_type: String,
    /// Three digits; absent, each refusal keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<String>,
    /// `gatewayresponse.header.x` and where its value comes from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) templates: Templates,
}

impl Record for GatewayResponse {
    const KIND: &'static str = "rest_gateway_response";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.response_type)
    }
}

/// What an account has set for all its APIs of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The role with which execution logs are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cloudwatch_role_arn: Option<String>,
}

impl Account {
    /// An account has one such row in a region.
    pub(crate) const KEY: &'static str = "account";
}

impl Record for Account {
    const KIND: &'static str = "rest_account";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        Account::KEY.to_owned()
    }
}

/// A deployment, without its snapshot, so that listing deployments stays cheap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) api: String,
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Milliseconds since 1970, so that deployments of one second keep their order; shown as whole seconds.
    pub(crate) created: u64,
}

impl Record for Deployment {
    const KIND: &'static str = "rest_deployment";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.id)
    }
}

/// The API's rows as they were when the deployment was made. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) deployment_id: String,
    pub(crate) api: RestApi,
    pub(crate) resources: Vec<Resource>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gateway_responses: Vec<GatewayResponse>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) models: Vec<Model>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) request_validators: Vec<RequestValidator>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) authorizers: Vec<Authorizer>,
}

impl Record for Snapshot {
    const KIND: &'static str = "rest_snapshot";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api.id, self.deployment_id)
    }
}

/// A stage: a name, the deployment that it serves, and its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) api: String,
    pub(crate) name: String,
    pub(crate) deployment_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) variables: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// Whole seconds since 1970.
    pub(crate) created: u64,
    /// Whole seconds since 1970.
    pub(crate) last_updated: u64,
    /// By `*/*` or path and verb as they stood in the patch (`pets/GET`, `~1pets~1{id}/GET`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) method_settings: BTreeMap<String, MethodSetting>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) documentation_version: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) tracing_enabled: bool,
    #[serde(default, skip_serializing_if = "AccessLog::is_empty")]
    pub(crate) access_log: AccessLog,
}

impl Record for Stage {
    const KIND: &'static str = "rest_stage";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a document that the first version wrote: later ones must read it, with everything that is in it.
    fn check<R: Record>(document: &str, kind: &str, key: &str) {
        let record: R = serde_json::from_str(document).unwrap();
        assert_eq!((R::KIND, record.key().as_str()), (kind, key));
        assert_eq!(serde_json::to_string_pretty(&record).unwrap(), document.trim_end());
    }

    #[test]
    fn documents_of_version_1_are_read_and_written_the_same() {
        macro_rules! document {
            ($kind:literal) => {
                include_str!(concat!("../cases/rows/", $kind, "-1.json"))
            };
        }
        check::<RestApi>(document!("rest_api"), "rest_api", "a1b2c3d4e5");
        check::<ApiHead>(document!("rest_api_head"), "rest_api_head", "a1b2c3d4e5");
        check::<Resource>(document!("rest_resource"), "rest_resource", "a1b2c3d4e5/r1r1r1");
        check::<PathClaim>(document!("rest_path_claim"), "rest_path_claim", "a1b2c3d4e5/r0r0r0r0r0/{}");
        check::<GatewayResponse>(
            document!("rest_gateway_response"),
            "rest_gateway_response",
            "a1b2c3d4e5/MISSING_AUTHENTICATION_TOKEN",
        );
        check::<Account>(document!("rest_account"), "rest_account", "account");
        check::<Deployment>(document!("rest_deployment"), "rest_deployment", "a1b2c3d4e5/d1d1d1");
        check::<Snapshot>(document!("rest_snapshot"), "rest_snapshot", "a1b2c3d4e5/d1d1d1");
        check::<Snapshot>(
            include_str!("../cases/rows/rest_snapshot-1-gateway_responses.json"),
            "rest_snapshot",
            "a1b2c3d4e5/d1d1d1",
        );
        check::<ApiHead>(document!("rest_api_head_models"), "rest_api_head", "a1b2c3d4e5");
        check::<Snapshot>(document!("rest_snapshot_models"), "rest_snapshot", "a1b2c3d4e5/d1d1d1");
        check::<Model>(document!("rest_model"), "rest_model", "a1b2c3d4e5/Pet");
        check::<RequestValidator>(document!("rest_request_validator"), "rest_request_validator", "a1b2c3d4e5/v1v1v1");
        check::<Stage>(document!("rest_stage"), "rest_stage", "a1b2c3d4e5/dev");
        check::<Authorizer>(document!("rest_authorizer"), "rest_authorizer", "a1b2c3d4e5/u1u1u1");
        check::<VpcLink>(document!("rest_vpc_link"), "rest_vpc_link", "v1v1v1");
        let part = document!("rest_documentation_part");
        check::<DocumentationPart>(part, "rest_documentation_part", "a1b2c3d4e5/p1p1p1");
        let version = document!("rest_documentation_version");
        check::<DocumentationVersion>(version, "rest_documentation_version", "a1b2c3d4e5/v1");
        let frozen = document!("rest_documentation_snapshot");
        check::<DocumentationSnapshot>(frozen, "rest_documentation_snapshot", "a1b2c3d4e5/v1");
        check::<Stage>(document!("rest_stage_settings"), "rest_stage", "a1b2c3d4e5/dev");
        check::<Stage>(document!("rest_stage_access_log"), "rest_stage", "a1b2c3d4e5/dev");
    }
}
