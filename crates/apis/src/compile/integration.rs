//! Integrations: from the stored form to the one that runs.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method as Verb;
use plan::{Backend, Integration as Plan, Passthrough as PlannedPassthrough, RequestMapping, Service, UriTemplate};

use super::uri::{AwsUri, fill};
use super::{Variables, parts};
use crate::rows::{Integration, Method, MethodResponse};
use crate::words::{IntegrationType, Passthrough};

/// Compiles the integration of a method of this verb that declares these responses, for a stage with these variables.
pub(super) fn compile(
    verb: &str,
    integration: &Integration,
    declared: &BTreeMap<String, MethodResponse>,
    variables: &Variables,
) -> Plan {
    Plan {
        backend: backend(verb, integration, variables)
            .unwrap_or_else(|reason| Backend::Broken { reason: reason.into() }),
        timeout: Duration::from_millis(u64::from(integration.timeout_in_millis)),
        streams: integration.streams && integration.kind.is_proxy(),
        request: request(integration),
        responses: match integration.kind.is_proxy() {
            true => Vec::new(),
            false => parts::responses(&integration.responses, declared),
        },
    }
}

/// An integration with which every call fails.
pub(super) fn broken(reason: &str) -> Plan {
    Plan {
        backend: Backend::Broken { reason: reason.into() },
        timeout: Duration::from_secs(29),
        streams: false,
        request: RequestMapping::default(),
        responses: Vec::new(),
    }
}

fn request(integration: &Integration) -> RequestMapping {
    RequestMapping {
        // The data plane wants those of AWS_PROXY too: they have no effect, but a header that must not be mapped fails.
        parameters: parts::request_mappings(integration.request_parameters.as_ref()),
        templates: match integration.kind.is_proxy() {
            true => Vec::new(),
            false => parts::templates(integration.request_templates.as_ref()),
        },
        passthrough: match integration.passthrough {
            Passthrough::WhenNoMatch => PlannedPassthrough::WhenNoMatch,
            Passthrough::WhenNoTemplates => PlannedPassthrough::WhenNoTemplates,
            Passthrough::Never => PlannedPassthrough::Never,
        },
        content_handling: parts::content_handling(integration.content_handling),
    }
}

/// Where the requests go, or why every call fails.
fn backend(method_verb: &str, integration: &Integration, variables: &Variables) -> Result<Backend, String> {
    let uri = integration.uri.as_deref().unwrap_or_default();
    let proxy = integration.kind.is_proxy();
    match integration.kind {
        IntegrationType::Mock => Ok(Backend::Mock),
        IntegrationType::Http | IntegrationType::HttpProxy => {
            let uri = UriTemplate::parse(&fill(uri, variables));
            Ok(Backend::Http { method: verb(integration.http_method.as_deref()), uri, proxy })
        }
        IntegrationType::Aws if !is_lambda(uri) => {
            let filled = fill(uri, variables);
            let uri = AwsUri::parse(&filled).map_err(|_| format!("{filled} is not the address of an AWS service"))?;
            Ok(Backend::Service(Box::new(Service {
                method: verb(integration.http_method.as_deref()),
                credentials: integration.credentials.as_deref().map(|role| fill(role, variables).into()),
                ..Service::new(uri.region, uri.service, uri.is_action, uri.rest)
            })))
        }
        IntegrationType::Aws | IntegrationType::AwsProxy => {
            let verb = integration.http_method.as_deref().filter(|verb| *verb != "ANY").unwrap_or(method_verb);
            if verb != "POST" {
                return Err("a Lambda function is invoked by POST".into());
            }
            let address = AwsUri::parse(uri).ok();
            let function = match integration.streams {
                true => address.and_then(|uri| uri.lambda_stream()),
                false => address.and_then(|uri| uri.lambda_function()),
            };
            let function = function.ok_or_else(|| format!("{uri} is not the address of a Lambda function"))?;
            let credentials = integration.credentials.as_deref().map(|role| fill(role, variables).into());
            Ok(Backend::Lambda { function_arn: fill(function, variables).into(), credentials, proxy })
        }
    }
}

/// Whether a method's integration calls a function by the client's verb.
pub(super) fn takes_clients_verb(method: &Method) -> bool {
    method.integration.as_ref().is_some_and(|integration| {
        integration.kind.is_aws()
            && integration.http_method.as_deref() == Some("ANY")
            && integration.uri.as_deref().is_some_and(is_lambda)
    })
}

/// Whether an address is one of Lambda's, which the stage's variables do not change.
fn is_lambda(uri: &str) -> bool {
    AwsUri::parse(uri).is_ok_and(|uri| uri.service == "lambda")
}

/// The verb of an HTTP backend; `ANY` is the client's.
fn verb(verb: Option<&str>) -> Option<Verb> {
    verb.filter(|verb| *verb != "ANY").and_then(|verb| Verb::from_bytes(verb.as_bytes()).ok())
}
