//! How a version is shown: `FunctionConfiguration`.

use base::clock::Moment;
use base::shape::Sensitive;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model_lambda::{
    DeadLetterConfig, EnvironmentResponse, EphemeralStorage, FunctionConfiguration, Layer, LoggingConfig,
    RuntimeVersionConfig, SnapStartResponse, TracingConfigResponse,
};
use store::Scope;
use store::blobs::Digest;

use crate::layers::LayerUse;
use crate::records::Configuration;
use crate::runtimes::version_arn;
use crate::time::last_modified;

/// The states that AWS shows while it works, which here is over before the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// As CreateFunction answers.
    Creating,
    /// As an update answers.
    Updating,
    /// As GetFunction answers.
    Settled,
    /// As lists show it: without states.
    Listed,
}

/// `CodeSha256`.
pub(super) fn code_sha256(code: &Digest) -> String {
    STANDARD.encode(code.as_bytes())
}

/// Shows a version. `arn` is the ARN to show, qualified as the request asked.
pub(super) fn describe(
    scope: &Scope,
    name: &str,
    arn: String,
    version: &str,
    configuration: &Configuration,
    shown: Shown,
) -> FunctionConfiguration {
    let text = |text: &str| Some(text.to_owned());
    let number = |number: u32| i32::try_from(number).ok();
    let variables = configuration.variables.clone();
    let log_group = configuration.log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{name}"));
    let levels = configuration.json_log.as_ref();
    let mut shape = FunctionConfiguration {
        function_name: text(name),
        function_arn: Some(arn),
        runtime: text(&configuration.runtime),
        role: text(&configuration.role),
        handler: text(&configuration.handler),
        code_size: i64::try_from(configuration.code_size).ok(),
        description: text(&configuration.description),
        timeout: number(configuration.timeout),
        memory_size: number(configuration.memory_size),
        last_modified: Some(last_modified(Moment(configuration.last_modified))),
        code_sha256: Some(code_sha256(&configuration.code)),
        version: text(version),
        environment: variables
            .map(|variables| EnvironmentResponse { variables: Some(Sensitive(variables)), error: None }),
        dead_letter_config: configuration
            .dead_letter
            .clone()
            .map(|target_arn| DeadLetterConfig { target_arn: Some(target_arn) }),
        tracing_config: Some(TracingConfigResponse {
            mode: text(if configuration.traced { "Active" } else { "PassThrough" }),
        }),
        revision_id: text(&configuration.revision_id),
        package_type: text("Zip"),
        architectures: Some(vec![configuration.architecture.clone()]),
        ephemeral_storage: Some(EphemeralStorage {
            size: i32::try_from(configuration.ephemeral_storage).unwrap_or(i32::MAX),
        }),
        snap_start: Some(SnapStartResponse { apply_on: text("None"), optimization_status: text("Off") }),
        logging_config: Some(LoggingConfig {
            log_format: text(if levels.is_some() { "JSON" } else { "Text" }),
            application_log_level: levels.map(|levels| levels.application.clone()),
            system_log_level: levels.map(|levels| levels.system.clone()),
            log_group: Some(log_group),
        }),
        layers: (!configuration.layers.is_empty()).then(|| configuration.layers.iter().map(layer).collect()),
        ..FunctionConfiguration::default()
    };
    if shown != Shown::Listed {
        shape.runtime_version_config = Some(RuntimeVersionConfig {
            runtime_version_arn: Some(version_arn(&scope.region, &configuration.runtime)),
            error: None,
        });
    }
    let reason = || (text("The function is being created."), text("Creating"));
    match shown {
        Shown::Creating => {
            shape.state = text("Pending");
            (shape.state_reason, shape.state_reason_code) = reason();
        }
        Shown::Updating => {
            shape.state = text("Active");
            shape.last_update_status = text("InProgress");
            (shape.last_update_status_reason, shape.last_update_status_reason_code) = reason();
        }
        Shown::Settled => {
            shape.state = text("Active");
            shape.last_update_status = text("Successful");
        }
        Shown::Listed => {}
    }
    shape
}

fn layer(layer: &LayerUse) -> Layer {
    Layer { arn: Some(layer.arn.clone()), code_size: i64::try_from(layer.code_size).ok(), ..Layer::default() }
}
