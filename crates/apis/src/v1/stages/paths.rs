//! The patch paths of stages, which AWS words unlike those of every other resource: what is not a path of the stage
//! itself is taken for a method setting.

use model_apigateway::PatchOperation;

use super::access_log;
use super::method_settings::{self, Meaning, Setting};
use crate::patch::unescape;
use crate::refusal::{Answer, Refusal};
use crate::v1::validate;

/// AWS's list of paths, blanks and missing commas as it sends them.
const PATHS: &str = "[/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, \
    /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, \
    /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, \
    /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit\
    /{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, \
    /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, \
    /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, \
    /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, \
    /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit \
    /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, \
    /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, \
    /variables/{variable_name}, /tracingEnabled]";

/// What one operation does to a stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StageEdit {
    Deployment(String),
    /// Looked up before it is refused, for AWS refuses an unknown one.
    CanaryDeployment(String),
    Description(Option<String>),
    SetVariable(String, String),
    RemoveVariable(String),
    /// A setting of a method, `pets/GET`.
    Method(String, Setting),
    RemoveMethod(String),
    /// A setting of a method that the account's role for CloudWatch must allow.
    Logging(String, Setting),
    /// A setting of the access log.
    AccessLog(access_log::Edit),
    RemoveAccessLog,
    /// Looked up.
    DocumentationVersion(Option<String>),
    Tracing(bool),
    /// What is asked for is as it is.
    Nothing,
}

/// The edits that the operations ask for, in order, up to the first refusal.
pub(super) fn edits(operations: &[PatchOperation]) -> impl Iterator<Item = Answer<StageEdit>> + '_ {
    operations.iter().map(edit)
}

fn edit(operation: &PatchOperation) -> Answer<StageEdit> {
    let path = operation.path.as_deref().ok_or_else(|| Refusal::bad_request("Invalid patch path null"))?;
    let value = operation.value.as_deref().unwrap_or_default();
    match operation.op.as_deref().unwrap_or_default() {
        "replace" => replace(path, value),
        "add" if is_canary_path(path) => Err(Refusal::BadRequest(format!("Invalid add operation with path: {path}"))),
        "add" => set(path, value),
        "remove" => remove(path),
        "copy" => Err(copy(path, operation.from.as_deref().unwrap_or("null"))),
        op => Err(Refusal::BadRequest(format!("Invalid {op} operation with path: {path}"))),
    }
}

fn replace(path: &str, value: &str) -> Answer<StageEdit> {
    let unbuilt = |on: bool, what: &str| if on { Err(Refusal::not_built(what)) } else { Ok(StageEdit::Nothing) };
    match path {
        "/deploymentId" => Ok(StageEdit::Deployment(value.to_owned())),
        "/description" => Ok(StageEdit::Description(Some(value.to_owned()).filter(|text| !text.is_empty()))),
        "/cacheClusterEnabled" => unbuilt(value.eq_ignore_ascii_case("true"), "cacheClusterEnabled"),
        "/tracingEnabled" => Ok(StageEdit::Tracing(value.eq_ignore_ascii_case("true"))),
        "/cacheClusterSize" => unbuilt(!value.is_empty(), "cacheClusterSize"),
        "/clientCertificateId" => unbuilt(!value.is_empty(), "clientCertificateId"),
        "/documentationVersion" => {
            Ok(StageEdit::DocumentationVersion(Some(value.to_owned()).filter(|text| !text.is_empty())))
        }
        "/canarySettings/deploymentId" => Ok(StageEdit::CanaryDeployment(value.to_owned())),
        "/canarySettings/percentTraffic" | "/canarySettings/useStageCache" => unbuilt(true, "canarySettings"),
        _ if path.starts_with("/canarySettings/stageVariableOverrides/") => unbuilt(true, "canarySettings"),
        _ => set(path, value),
    }
}

/// What `add` and `replace` both take.
fn set(path: &str, value: &str) -> Answer<StageEdit> {
    if let Some(name) = path.strip_prefix("/variables/").filter(|name| !name.contains('/')) {
        let name = unescape(name);
        validate::stage_variable(&name, value)?;
        return Ok(StageEdit::SetVariable(name, value.to_owned()));
    }
    if path.starts_with("/accessLogSettings") {
        return access_log::read(path, value).map(StageEdit::AccessLog);
    }
    if let Some(setting) = method_settings::read(path, value) {
        return setting.map(|(method, meaning)| match meaning {
            Meaning::Set(setting) => StageEdit::Method(method, setting),
            Meaning::Logging(setting) => StageEdit::Logging(method, setting),
        });
    }
    Err(Refusal::BadRequest(format!("Invalid method setting path: {path}. Must be one of: {PATHS}")))
}

/// A path of the canary that `replace` takes.
fn is_canary_path(path: &str) -> bool {
    path.strip_prefix("/canarySettings/").is_some_and(|child| {
        matches!(child, "deploymentId" | "percentTraffic" | "useStageCache")
            || child.starts_with("stageVariableOverrides/")
    })
}

fn remove(path: &str) -> Answer<StageEdit> {
    match path {
        "/description" => return Ok(StageEdit::Description(None)),
        "/documentationVersion" => return Ok(StageEdit::DocumentationVersion(None)),
        "/accessLogSettings" => return Ok(StageEdit::RemoveAccessLog),
        "/canarySettings" => return Ok(StageEdit::Nothing),
        _ => {}
    }
    if let Some(name) = path.strip_prefix("/variables/").filter(|name| !name.contains('/')) {
        return Ok(StageEdit::RemoveVariable(unescape(name)));
    }
    // Whatever is no path of the stage itself is taken for a method.
    Ok(StageEdit::RemoveMethod(path.trim_start_matches('/').to_owned()))
}

/// Copying promotes a canary, and there are none.
fn copy(path: &str, from: &str) -> Refusal {
    match (path, from) {
        ("/deploymentId", "/canarySettings/deploymentId")
        | ("/variables", "/canarySettings/stageVariableOverrides") => {
            Refusal::bad_request("Promotion not available. Canary does not exist.")
        }
        _ => Refusal::BadRequest(format!(
            "Invalid copy operation with path: {path} and from {from}. Valid copy:path are [/deploymentId, /variables] \
             and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
        )),
    }
}
