//! What may be configured: defaults, limits, and what Frontgate does not have yet, which is refused by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::shape::Sensitive;
use model_lambda as model;
use wire::ApiError;

use super::invalid;
use crate::Functions;
use crate::event_invoke::Target;
use crate::records::LogLevels;

/// What AWS accepts, in the order in which its error names them.
const RUNTIMES: [&str; 25] = [
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// What AWS has once accepted.
const DEPRECATED: [&str; 20] = [
    "java8",
    "go1.x",
    "provided",
    "ruby2.5",
    "ruby2.7",
    "python2.7",
    "python3.6",
    "python3.7",
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
];

/// Variables that are Lambda's own.
const RESERVED: [&str; 20] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "TZ",
];

/// How much the variables of a function may take, as JSON.
const VARIABLES_BYTES: usize = 4096;

/// The settings that CreateFunction and UpdateFunctionConfiguration share and that Frontgate does not have yet.
#[derive(Debug, Default)]
pub(super) struct NotYet {
    pub(super) vpc_config: Option<model::VpcConfig>,
    pub(super) kms_key_arn: Option<String>,
    pub(super) file_system_configs: Option<Vec<model::FileSystemConfig>>,
    pub(super) image_config: Option<model::ImageConfig>,
    pub(super) snap_start: Option<model::SnapStart>,
    pub(super) capacity_provider_config: Option<model::CapacityProviderConfig>,
    pub(super) durable_config: Option<model::DurableConfig>,
}

impl NotYet {
    /// Lets through what says nothing, or says AWS's default.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let any = |list: Option<usize>| list.is_some_and(|length| length > 0);
        let text = |text: Option<&String>| text.is_some_and(|text| !text.is_empty());
        let vpc = self.vpc_config.as_ref().is_some_and(|vpc| {
            any(vpc.subnet_ids.as_ref().map(Vec::len)) || any(vpc.security_group_ids.as_ref().map(Vec::len))
        });
        let snap_start = self.snap_start.as_ref().and_then(|config| config.apply_on.as_deref());
        let refused = [
            ("VpcConfig", vpc),
            ("KMSKeyArn", text(self.kms_key_arn.as_ref())),
            ("FileSystemConfigs", any(self.file_system_configs.as_ref().map(Vec::len))),
            ("ImageConfig", self.image_config.is_some()),
            ("SnapStart", snap_start.is_some_and(|apply| apply != "None")),
            ("CapacityProviderConfig", self.capacity_provider_config.is_some()),
            ("DurableConfig", self.durable_config.is_some()),
        ];
        match refused.iter().find(|(_, refused)| *refused) {
            Some((name, _)) => Err(not_yet(name)),
            None => Ok(()),
        }
    }
}

/// The bounds of `Timeout` and `MemorySize`, of which the model only has the lower ones for all kinds of functions.
pub(super) fn check_bounds(timeout: Option<i32>, memory_size: Option<i32>) -> Result<(), ApiError> {
    for (name, value, most) in [("timeout", timeout, 900), ("memorySize", memory_size, 10_240)] {
        if let Some(value) = value.filter(|value| *value > most) {
            return Err(ApiError::validation(format!(
                "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must have value less than or equal to {most}"
            )));
        }
    }
    Ok(())
}

/// The refusal of a setting that Frontgate does not have.
pub(super) fn not_yet(what: &str) -> ApiError {
    ApiError::not_implemented(format!("Frontgate does not have {what} of Lambda functions yet."))
}

/// `LoggingConfig`: changes what is said and keeps the rest. Levels are for JSON only, where they are `INFO` by default.
pub(super) fn logging(
    given: Option<&model::LoggingConfig>,
    log_group: &mut Option<String>,
    json_log: &mut Option<LogLevels>,
) -> Result<(), ApiError> {
    let Some(given) = given else { return Ok(()) };
    let is_json = given.log_format.as_deref().map_or(json_log.is_some(), |format| format == "JSON");
    let levels = (given.application_log_level.as_ref(), given.system_log_level.as_ref());
    if !is_json && levels != (None, None) {
        return Err(invalid("ApplicationLogLevel and SystemLogLevel can only be set where LogFormat is JSON."));
    }
    if given.log_group.is_some() {
        log_group.clone_from(&given.log_group);
    }
    let before = json_log.take();
    let level =
        |given: Option<&String>, before: Option<&String>| given.or(before).map_or("INFO", |level| level).to_owned();
    *json_log = is_json.then(|| LogLevels {
        application: level(levels.0, before.as_ref().map(|levels| &levels.application)),
        system: level(levels.1, before.as_ref().map(|levels| &levels.system)),
    });
    Ok(())
}

/// `TracingConfig`: whether the mode is `Active`; `None` where nothing is said.
pub(super) fn traced(config: Option<model::TracingConfig>) -> Option<bool> {
    Some(config?.mode? == "Active")
}

/// `EphemeralStorage`, MB, which has passed the model's range.
pub(super) fn ephemeral_storage(storage: Option<model::EphemeralStorage>) -> Option<u32> {
    u32::try_from(storage?.size).ok()
}

/// `DeadLetterConfig`: nothing is said (`None`), there is to be none, or this queue or topic.
pub(super) fn dead_letter(config: Option<model::DeadLetterConfig>) -> Result<Option<Option<String>>, ApiError> {
    let Some(arn) = config.and_then(|config| config.target_arn) else { return Ok(None) };
    match Target::parse(&arn) {
        _ if arn.is_empty() => Ok(Some(None)),
        Some((_, Target::Queue(_) | Target::Topic)) => Ok(Some(Some(arn))),
        _ => Err(invalid(format!("The provided dead letter config DeadLetterConfig(targetArn={arn}) is invalid."))),
    }
}

/// `Environment`: what was given, if it may be.
pub(super) fn variables(environment: Option<model::Environment>) -> Result<Option<BTreeMap<String, String>>, ApiError> {
    let Some(environment) = environment else { return Ok(None) };
    let variables = environment.variables.map_or_else(BTreeMap::new, Sensitive::into_inner);
    const UNABLE: &str =
        "Lambda was unable to configure your environment variables because the environment variables you have provided";
    let reserved: Vec<&str> = variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    if variables.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(invalid(format!("{UNABLE} contain a null character.")));
    }
    let measured = serde_json::to_string(&variables).map_err(ApiError::internal)?;
    if measured.len() > VARIABLES_BYTES {
        return Err(invalid(format!("{UNABLE} exceeded the 4KB limit. String measured: {measured}")));
    }
    Ok(Some(variables))
}

/// `Architectures`: one, `x86_64` by default. Both are taken on either kind of host: Python and Node code is the same for
/// both, and a binary module for the other one fails when it is imported, as on AWS.
pub(super) fn architecture(architectures: Option<Vec<String>>) -> String {
    architectures.and_then(|given| given.into_iter().next()).unwrap_or_else(|| "x86_64".to_owned())
}

impl Functions {
    /// Refuses a runtime that AWS does not have, or this host.
    pub(super) async fn check_runtime(self: &Arc<Self>, runtime: &str) -> Result<(), ApiError> {
        if DEPRECATED.contains(&runtime) {
            return Err(invalid(format!(
                "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
            )));
        }
        if !RUNTIMES.contains(&runtime) {
            return Err(invalid(format!(
                "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
                RUNTIMES.join(", ")
            )));
        }
        let (functions, runtime) = (Arc::clone(self), runtime.to_owned());
        let found = self.engine.control.spawn_blocking(move || functions.engine.runtimes.find(&runtime));
        found.await.map_err(ApiError::internal)?.map(|_| ()).map_err(invalid)
    }
}
