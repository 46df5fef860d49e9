//! `$context` of a REST API: what templates, mappings and logs may read about the request.

use std::borrow::Cow;

use plan::TestCaller;
use serde_json::{Map, Value, json};

use super::facts::{Facts, Route};

/// The members that a template may read by name, and sees when it walks `$context`.
const NAMES: &[&str] = &[
    "accountId",
    "apiId",
    "deploymentId",
    "domainName",
    "domainPrefix",
    "extendedRequestId",
    "httpMethod",
    "identity",
    "operationName",
    "path",
    "protocol",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "resourceId",
    "resourcePath",
    "stage",
];

/// The members of `$context.identity`; without an authorizer all but two are null. `apiKey` and `apiKeyId` are there
/// only where a key is asked for, which is nowhere yet.
const IDENTITY_NAMES: &[&str] = &[
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
];

/// The value of `$context.{name}`; names have dots in them (`identity.sourceIp`).
pub(super) fn value<'f, 'e: 'f, R: Route<'e>>(facts: &'f Facts<'e, R>, name: &str) -> Option<Cow<'f, str>> {
    let exchange = facts.exchange;
    let (plan, routed) = (&exchange.plan, facts.routed.known());
    if let (Some(caller), Some(member)) = (&exchange.tested, name.strip_prefix("identity.")) {
        return test_identity(caller, &plan.api.account, member);
    }
    Some(match name {
        "requestId" => exchange.ids.request_id().into(),
        "extendedRequestId" => exchange.ids.extended_request_id().into(),
        "accountId" => plan.api.account.as_ref().into(),
        "apiId" => plan.api.id.as_ref().into(),
        "stage" => plan.stage.as_ref().into(),
        "deploymentId" => plan.deployment_id.as_ref().into(),
        "httpMethod" => routed.map_or(&exchange.head.method, |routed| routed.verb.as_ref()).as_str().into(),
        "path" => exchange.context_path().into(),
        "protocol" => exchange.protocol().into(),
        "resourceId" => routed?.resource.id.as_ref().into(),
        "resourcePath" => routed?.resource.path.as_ref().into(),
        "operationName" => routed?.method.operation_name.as_deref()?.into(),
        "requestTime" => exchange.request_time().into(),
        "requestTimeEpoch" => exchange.received.0.to_string().into(),
        "domainName" => exchange.domain_name().into(),
        "domainPrefix" => {
            let name = exchange.domain_name();
            name.split('.').next().unwrap_or(&name).to_owned().into()
        }
        "identity.sourceIp" => exchange.source_ip().to_string().into(),
        "identity.userAgent" => facts.header_of_any_spelling(&http::header::USER_AGENT)?,
        _ => return None,
    })
}

/// The members of `$context.identity` where a method is tried: those of the one who tries it, the account's root user
/// as long as nobody's signature is verified.
pub(super) fn test_identity<'f>(caller: &'f TestCaller, account: &'f str, member: &str) -> Option<Cow<'f, str>> {
    Some(match member {
        "accessKey" => caller.access_key_id.as_deref()?.into(),
        "accountId" | "caller" | "user" => account.into(),
        "apiKey" => "test-invoke-api-key".into(),
        "apiKeyId" => "test-invoke-api-key-id".into(),
        "sourceIp" => "test-invoke-source-ip".into(),
        "userAgent" => caller.user_agent.as_ref().into(),
        "userArn" => format!("arn:aws:iam::{account}:root").into(),
        _ => return None,
    })
}

/// All of `$context` as a tree, for templates that walk it.
pub(super) fn tree(facts: &Facts<'_>) -> Value {
    let text = |name: &str| value(facts, name).map_or(Value::Null, |value| Value::String(value.into_owned()));
    let mut all = Map::new();
    for name in NAMES {
        let member = match *name {
            "identity" => {
                let members = IDENTITY_NAMES.iter().map(|name| ((*name).to_owned(), text(&format!("identity.{name}"))));
                // Recorded: where no key is asked for, there is no member for one.
                let shown = members.filter(|(name, value)| !(value.is_null() && name.starts_with("apiKey")));
                Value::Object(shown.collect())
            }
            "requestTimeEpoch" => json!(facts.exchange.received.0),
            // Few methods have a name of their own; then it is no member.
            "operationName" if facts.routed.method.operation_name.is_none() => continue,
            _ => text(name),
        };
        all.insert((*name).to_owned(), member);
    }
    Value::Object(all)
}
