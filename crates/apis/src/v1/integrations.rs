//! Integrations: where the requests of a method go.

use std::collections::BTreeMap;

use model_apigateway as model;
use store::Scope;

use super::methods::{self, content_type_not_found, edit_map, parameter_not_found};
use super::vpc_links::{check_connection, connection};
use super::{integration_responses, validate};
use crate::Apis;
use crate::compile::uri::{AwsUri, AwsUriError};
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{Integration, Method, Templates};
use crate::words::{ContentHandling, IntegrationType, Passthrough};

const PATCHES: Table = Table {
    wording: Wording::Terse,
    entries: &[
        ("/uri", &[Replace]),
        ("/httpMethod", &[Replace]),
        ("/credentials", &[Replace, Remove]),
        ("/passthroughBehavior", &[Replace]),
        ("/contentHandling", &[Replace, Remove]),
        ("/timeoutInMillis", &[Replace]),
        ("/cacheNamespace", &[Replace]),
        ("/connectionType", &[Replace]),
        ("/connectionId", &[Replace, Remove]),
        ("/integrationTarget", &[Replace, Remove]),
        ("/responseTransferMode", &[Replace]),
        ("/tlsConfig/insecureSkipVerification", &[Replace]),
        ("/requestTemplates/{}", &[Add, Remove, Replace]),
        ("/requestParameters/{}", &[Add, Remove, Replace]),
        ("/cacheKeyParameters/{}", &[Add, Remove]),
    ],
};

impl Apis {
    pub(crate) async fn put_integration(
        &self,
        scope: &Scope,
        input: model::PutIntegrationRequest,
    ) -> Answer<model::Integration> {
        self.check_vpc_link(scope, input.connection_id.as_deref()).await?;
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let namespace = resource.id.clone();
            let method = methods::of_mut(resource, &input.http_method)?;
            let integration = new_integration(input, namespace)?;
            check(&integration, method.request_parameters.as_ref())?;
            let answer = shown(&integration);
            method.integration = Some(integration);
            Ok(answer)
        })
        .await
    }

    pub(crate) async fn get_integration(
        &self,
        scope: &Scope,
        input: model::GetIntegrationRequest,
    ) -> Answer<model::Integration> {
        let resource = self.resource(scope, &input.rest_api_id, &input.resource_id).await?.record;
        let method = resource.methods.get(&input.http_method).ok_or_else(Refusal::unknown_method)?;
        Ok(shown(method.integration.as_ref().ok_or_else(Refusal::unknown_integration)?))
    }

    pub(crate) async fn update_integration(
        &self,
        scope: &Scope,
        input: model::UpdateIntegrationRequest,
    ) -> Answer<model::Integration> {
        for operation in input.patch_operations.iter().flatten() {
            if operation.path.as_deref() == Some("/connectionId") {
                self.check_vpc_link(scope, operation.value.as_deref()).await?;
            }
        }
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let method = methods::of_mut(resource, &input.http_method)?;
            let Method { integration, request_parameters, .. } = method;
            let integration = integration.as_mut().ok_or_else(Refusal::unknown_integration)?;
            PATCHES.patch(input.patch_operations.clone(), integration, apply)?;
            check(integration, request_parameters.as_ref())?;
            Ok(shown(integration))
        })
        .await
    }

    pub(crate) async fn delete_integration(&self, scope: &Scope, input: model::DeleteIntegrationRequest) -> Answer<()> {
        let place = (input.rest_api_id.clone(), input.resource_id.clone());
        self.edit_resource(scope, (&place.0, &place.1), input, |resource, input| {
            let method = methods::of_mut(resource, &input.http_method)?;
            method.integration.take().map(|_| ()).ok_or_else(Refusal::unknown_integration)
        })
        .await
    }
}

fn new_integration(input: &model::PutIntegrationRequest, resource_id: String) -> Answer<Integration> {
    refuse_unbuilt(input)?;
    let kind = IntegrationType::parse(&input.r#type).ok_or_else(|| Refusal::bad_request("Invalid integration type"))?;
    let parameters = input.cache_key_parameters.clone().unwrap_or_default();
    // A mock has no backend: AWS takes an address and a verb, and forgets them.
    let has_backend = kind != IntegrationType::Mock;
    Ok(Integration {
        kind,
        http_method: input.integration_http_method.clone().filter(|verb| has_backend && !verb.is_empty()),
        uri: input.uri.clone().filter(|uri| has_backend && !uri.is_empty()),
        credentials: input.credentials.clone().filter(|role| !role.is_empty()),
        connection: connection(input.connection_type.as_deref())?,
        connection_id: input.connection_id.clone().filter(|id| !id.is_empty()),
        integration_target: input.integration_target.clone().filter(|target| !target.is_empty()),
        request_parameters: input.request_parameters.clone(),
        request_templates: validate::templates(input.request_templates.clone())?,
        passthrough: match input.passthrough_behavior.as_deref() {
            None | Some("") => Passthrough::WhenNoMatch,
            Some(text) => passthrough(text)?,
        },
        content_handling: content_handling(input.content_handling.as_deref())?,
        // A timeout below zero is out of bounds however the answer comes.
        timeout_in_millis: input.timeout_in_millis.map_or(29_000, |timeout| u32::try_from(timeout).unwrap_or(0)),
        streams: streams(input.response_transfer_mode.as_deref())?,
        shows_transfer_mode: input.response_transfer_mode.as_deref().is_some_and(|mode| !mode.is_empty()),
        cache_namespace: input.cache_namespace.clone().filter(|name| !name.is_empty()).unwrap_or(resource_id),
        cache_key_parameters: parameters,
        responses: BTreeMap::new(),
    })
}

/// What AWS has and this version has not, each by its name.
fn refuse_unbuilt(input: &model::PutIntegrationRequest) -> Answer<()> {
    let skips = input.tls_config.as_ref().and_then(|tls| tls.insecure_skip_verification).unwrap_or(false);
    match skips {
        true => Err(Refusal::not_built("tlsConfig insecureSkipVerification")),
        false => Ok(()),
    }
}

/// Whether the answer is passed on while it comes.
fn streams(mode: Option<&str>) -> Answer<bool> {
    match mode {
        None | Some("" | "BUFFERED") => Ok(false),
        Some("STREAM") => Ok(true),
        Some(_) => {
            Err(Refusal::bad_request("Invalid responseTransferMode specified. Valid options are BUFFERED,STREAM"))
        }
    }
}

/// Only proxy integrations stream, and a function that is to stream has an address of its own.
///
/// The refusal of a streaming address without `STREAM` is known of AWS; the others are worded after it.
fn check_transfer_mode(integration: &Integration) -> Answer<()> {
    let refused = |mode: &str, what: &str| {
        Err(Refusal::BadRequest(format!(
            "Invalid ResponseTransferMode. Cannot use ResponseTransferMode {mode} for {what} integrations."
        )))
    };
    let kind = integration.kind;
    let address = AwsUri::parse(integration.uri.as_deref().unwrap_or_default()).ok().filter(|_| kind.is_aws());
    let (buffers, streams) =
        address.map_or((false, false), |uri| (uri.lambda_function().is_some(), uri.lambda_stream().is_some()));
    match integration.streams {
        true if !kind.is_proxy() => refused("STREAM", kind.text()),
        true if buffers => refused("STREAM", "Lambda functions invoked by Invoke for AWS_PROXY"),
        false if streams => {
            refused("BUFFERED", &format!("Lambda functions invoked by InvokeWithResponseStream for {}", kind.text()))
        }
        _ => Ok(()),
    }
}

fn passthrough(text: &str) -> Answer<Passthrough> {
    Passthrough::parse(text).ok_or_else(|| {
        Refusal::bad_request(
            "Invalid passthroughBehavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER",
        )
    })
}

/// `contentHandling`, absent or empty for none.
pub(super) fn content_handling(text: Option<&str>) -> Answer<Option<ContentHandling>> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => ContentHandling::parse(text).map(Some).ok_or_else(|| {
            Refusal::bad_request(
                "Invalid contentHandling specified. Valid options are CONVERT_TO_BINARY,CONVERT_TO_TEXT",
            )
        }),
    }
}

/// The longest timeout: 29 s, and 15 minutes for an answer that streams.
fn check_timeout(integration: &Integration) -> Answer<()> {
    let longest = if integration.streams { 900_000 } else { 29_000 };
    match (50..=longest).contains(&integration.timeout_in_millis) {
        true => Ok(()),
        false => Err(Refusal::BadRequest(format!("Timeout should be between 50 ms and {longest} ms"))),
    }
}

/// Checks an integration as a whole, in AWS's order: timeout, verb, address, mode of transfer, mappings.
fn check(integration: &Integration, declared: Option<&BTreeMap<String, bool>>) -> Answer<()> {
    check_timeout(integration)?;
    match &integration.http_method {
        Some(verb) => validate::verb(verb)?,
        None if integration.kind == IntegrationType::Mock => {}
        None => return Err(Refusal::bad_request("Enumeration value for HttpMethod must be non-empty")),
    }
    check_connection(integration)?;
    let uri = integration.uri.as_deref().unwrap_or_default();
    if integration.kind.is_http() {
        check_http_uri(uri)?;
    } else if integration.kind.is_aws() {
        check_aws_uri(uri, integration.kind)?;
        check_credentials(integration.credentials.as_deref())?;
        if integration.credentials.is_none() && AwsUri::parse(uri).is_ok_and(|uri| uri.service != "lambda") {
            return Err(Refusal::bad_request("Role ARN must be specified for AWS integrations"));
        }
    }
    check_transfer_mode(integration)?;
    for (key, value) in integration.request_parameters.iter().flatten() {
        validate::request_mapping(key, value, declared)?;
        if integration.kind == IntegrationType::Aws && AwsUri::parse(uri).is_ok_and(|uri| uri.service == "lambda") {
            check_lambda_parameter(key, value)?;
        }
    }
    Ok(())
}

/// A parameter of the Invoke call that a mapping sets. Behind a proxy integration it has no effect on AWS either.
///
/// A value that is only known when a request comes is judged then.
fn check_lambda_parameter(key: &str, value: &str) -> Answer<()> {
    let name = key.strip_prefix("integration.request.").unwrap_or(key).to_ascii_lowercase();
    let harmless = match name.as_str() {
        "header.x-amz-invocation-type" => !value.starts_with('\'') || matches!(value, "'RequestResponse'" | "'Event'"),
        "header.x-amz-log-type" => value == "'None'",
        "header.x-amz-client-context" | "querystring.qualifier" => false,
        _ => true,
    };
    match harmless {
        true => Ok(()),
        false => Err(Refusal::not_built(format_args!("the mapping of {value} to {key} of a Lambda function"))),
    }
}

/// An address of a scheme and a host that we can call; stage variables may stand for any part of it.
fn check_http_uri(uri: &str) -> Answer<()> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| uri.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let sound = match host {
        Some(host) => {
            !host.is_empty() && !uri.contains(|character: char| character.is_whitespace() || character.is_control())
        }
        None => uri.starts_with("${stageVariables."),
    };
    match sound {
        true => Ok(()),
        false => Err(Refusal::bad_request("Invalid HTTP endpoint specified for URI")),
    }
}

fn check_aws_uri(uri: &str, kind: IntegrationType) -> Answer<()> {
    let parsed = AwsUri::parse(uri).map_err(|error| {
        Refusal::bad_request(match error {
            AwsUriError::NotAnArn => "Invalid ARN specified in the request",
            AwsUriError::NeitherPathNorAction => "AWS ARN for integration must contain path or action",
        })
    })?;
    if let Some(function) = parsed.lambda_function() {
        let places = function.replace("${stageVariables.", "");
        return match kind == IntegrationType::Aws && places.contains('{') {
            true => Err(Refusal::not_built("a path parameter in the ARN of a Lambda function")),
            false => Ok(()),
        };
    }
    if parsed.lambda_stream().is_some() {
        // What a mapped integration would do with a stream, AWS does not say.
        return match kind == IntegrationType::Aws {
            true => Err(Refusal::not_built("an AWS integration with response-streaming-invocations")),
            false => Ok(()),
        };
    }
    let firehose = parsed.service == "firehose" && parsed.is_action;
    if kind == IntegrationType::AwsProxy && !firehose {
        return Err(Refusal::bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
        ));
    }
    if parsed.service == "lambda" {
        return Err(Refusal::not_built("an AWS integration with Lambda other than functions/{arn}/invocations"));
    }
    if kind == IntegrationType::AwsProxy {
        return Err(Refusal::not_built("an AWS_PROXY integration with Firehose"));
    }
    match base::services::OWN.contains(&base::services::canonical_name(parsed.service)) {
        true => Err(Refusal::not_built(format_args!(
            "an AWS integration with {}, a service of Frontgate itself",
            parsed.service
        ))),
        false => Ok(()),
    }
}

/// A role of the API's owner; calling with the client's own identity needs what this version has not.
fn check_credentials(credentials: Option<&str>) -> Answer<()> {
    match credentials {
        Some(role) if role.ends_with(":user/*") => Err(Refusal::not_built(format_args!("credentials {role}"))),
        Some(role) if !role.starts_with("arn:") && !role.starts_with("${stageVariables.") => {
            Err(Refusal::bad_request("Invalid ARN specified in the request"))
        }
        _ => Ok(()),
    }
}

fn apply(integration: &mut Integration, edit: Edit) -> Answer<()> {
    match edit.place {
        "/uri" => integration.uri = edit.optional(),
        "/httpMethod" => integration.http_method = edit.optional(),
        "/credentials" => integration.credentials = edit.optional(),
        "/passthroughBehavior" => integration.passthrough = passthrough(edit.text())?,
        "/contentHandling" => integration.content_handling = content_handling(edit.optional().as_deref())?,
        // What is no number is out of bounds, too.
        "/timeoutInMillis" => integration.timeout_in_millis = edit.text().parse().unwrap_or(0),
        "/cacheNamespace" => integration.cache_namespace = edit.text().to_owned(),
        "/connectionType" => integration.connection = connection(edit.value.as_deref())?,
        "/connectionId" => integration.connection_id = edit.optional(),
        "/integrationTarget" => integration.integration_target = edit.optional(),
        "/responseTransferMode" => {
            integration.streams = streams(edit.value.as_deref())?;
            integration.shows_transfer_mode = edit.optional().is_some();
        }
        "/tlsConfig/insecureSkipVerification" if !edit.flag() => {}
        "/requestTemplates/{}" => edit_templates(&mut integration.request_templates, edit, "requestTemplates")?,
        "/requestParameters/{}" => edit_mappings(&mut integration.request_parameters, edit, "requestParameters")?,
        "/cacheKeyParameters/{}" => {
            integration.cache_key_parameters.retain(|parameter| *parameter != edit.key);
            if edit.op == Add {
                integration.cache_key_parameters.push(edit.key);
            }
        }
        setting => return Err(Refusal::not_built(setting.trim_start_matches('/').replace('/', " "))),
    }
    Ok(())
}

/// Edits a map of templates; `member` is its name in AWS's message.
pub(super) fn edit_templates(templates: &mut Option<Templates>, edit: Edit, member: &str) -> Answer<()> {
    if edit.op != Remove {
        non_empty(&edit, member)?;
        validate::template(edit.key.clone(), edit.text().to_owned())?;
    }
    edit_map(templates, edit, content_type_not_found, |edit| edit.value.clone())
}

/// Edits a map of parameter mappings; what they say is checked with the whole. `member` is the map's name in AWS's
/// message.
pub(super) fn edit_mappings(mappings: &mut Option<BTreeMap<String, String>>, edit: Edit, member: &str) -> Answer<()> {
    if edit.op != Remove {
        non_empty(&edit, member)?;
    }
    edit_map(mappings, edit, parameter_not_found, |edit| edit.text().to_owned())
}

fn non_empty(edit: &Edit, member: &str) -> Answer<()> {
    match edit.text() {
        "" => Err(Refusal::BadRequest(format!("Invalid null or empty value in {member}"))),
        _ => Ok(()),
    }
}

/// An integration as GetIntegration shows it, with its responses.
pub(super) fn shown(integration: &Integration) -> model::Integration {
    let responses = integration
        .responses
        .iter()
        .map(|(status, response)| (status.clone(), integration_responses::shown(status, response)));
    model::Integration {
        r#type: Some(integration.kind.text().to_owned()),
        http_method: integration.http_method.clone(),
        uri: integration.uri.clone(),
        connection_type: integration.kind.is_http().then(|| integration.connection.text().to_owned()),
        connection_id: integration.connection_id.clone(),
        integration_target: integration.integration_target.clone(),
        credentials: integration.credentials.clone(),
        request_parameters: integration.request_parameters.clone(),
        request_templates: integration.request_templates.clone(),
        passthrough_behavior: Some(integration.passthrough.text().to_owned()),
        content_handling: integration.content_handling.map(|handling| handling.text().to_owned()),
        timeout_in_millis: i32::try_from(integration.timeout_in_millis).ok(),
        cache_namespace: Some(integration.cache_namespace.clone()),
        cache_key_parameters: Some(integration.cache_key_parameters.clone()),
        integration_responses: (!integration.responses.is_empty()).then(|| responses.collect()),
        response_transfer_mode: integration
            .shows_transfer_mode
            .then(|| if integration.streams { "STREAM" } else { "BUFFERED" }.to_owned()),
        ..model::Integration::default()
    }
}
