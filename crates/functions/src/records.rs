//! What Lambda keeps in the store.
//!
//! A function's row holds its `$LATEST`; published versions, aliases and policies have rows of their own below its name,
//! so that `{name}/...` is all that belongs to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Record;
use store::blobs::Digest;

use crate::layers::LayerUse;

/// The qualifier of what has none.
pub(crate) const LATEST: &str = "$LATEST";

/// A function and its `$LATEST`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FunctionRecord {
    /// `FunctionName`.
    pub(crate) name: String,
    /// `$LATEST`.
    pub(crate) latest: Configuration,
    /// The number that the next published version gets; numbers are never used again.
    pub(crate) next_version: u64,
    /// `Tags`.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// `RecursiveLoop` is `Allow`: it may call itself by way of others without end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allows_recursion: bool,
}

impl Record for FunctionRecord {
    const KIND: &'static str = "function";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// An asynchronous invocation that has been acknowledged and is not settled yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueuedInvocation {
    /// The same for every try: a UUID.
    pub(crate) request_id: String,
    /// With the qualifier that the caller gave.
    pub(crate) function_arn: String,
    /// `X-Amzn-Trace-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_context: Option<String>,
    /// When it was acknowledged, in milliseconds since 1970.
    pub(crate) accepted: u64,
    /// When it is tried next, in milliseconds since 1970.
    pub(crate) due: u64,
    /// How often the function has failed on it.
    #[serde(default)]
    pub(crate) failures: u32,
    /// How often it could not be run at all since then.
    #[serde(default)]
    pub(crate) refusals: u32,
    /// Where the event is to be sent, if it is not to be run: what has become of another invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivery: Option<Delivery>,
}

/// What has become of an asynchronous invocation, on its way to somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// The ARN of a queue, a topic, a bus, a bucket or a function.
    pub(crate) target: String,
    /// The id of the invocation.
    pub(crate) request_id: String,
    /// Whether the function has run and not failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) succeeded: bool,
    /// What goes with an event to a dead letter queue; none with the record of an invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letter: Option<DeadLetter>,
}

/// Why an event is given up, as a dead letter queue is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// `ErrorCode`, a status.
    pub(crate) error_code: u16,
    /// `ErrorMessage`, at most 1 KB.
    pub(crate) error_message: String,
}

impl QueuedInvocation {
    /// One that is accepted at this moment, in milliseconds since 1970, under an id of its own.
    pub(crate) fn accepted(function_arn: String, at: u64) -> QueuedInvocation {
        QueuedInvocation {
            request_id: base::ids::uuid(),
            function_arn,
            trace_id: None,
            client_context: None,
            accepted: at,
            due: at,
            failures: 0,
            refusals: 0,
            delivery: None,
        }
    }
}

impl Record for QueuedInvocation {
    const KIND: &'static str = "queued_invocation";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.request_id.clone()
    }
}

/// The event of a [`QueuedInvocation`], apart from it, so that the queue can be read without the events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueuedEvent {
    /// That of the invocation.
    pub(crate) request_id: String,
    /// JSON text of at most 1 MB.
    pub(crate) payload: String,
}

impl Record for QueuedEvent {
    const KIND: &'static str = "queued_event";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.request_id.clone()
    }
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// `1`, `2`, ...
    pub(crate) number: u64,
    /// As it was when it was published.
    pub(crate) configuration: Configuration,
}

impl Record for VersionRecord {
    const KIND: &'static str = "function_version";
    const SCHEMA_VERSION: u32 = 1;

    /// With leading zeros, so that rows are in the order of their numbers.
    fn key(&self) -> String {
        version_key(&self.function, self.number)
    }
}

/// The key of a published version.
pub(crate) fn version_key(function: &str, number: u64) -> String {
    format!("{function}/{number:020}")
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AliasRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// `Name`.
    pub(crate) name: String,
    /// `FunctionVersion`.
    pub(crate) version: String,
    /// `Description`.
    pub(crate) description: String,
    /// `RoutingConfig`: another version and the part of the calls that it gets, 0 to 1.
    #[serde(default)]
    pub(crate) additional: Option<(String, f64)>,
    /// `RevisionId`.
    pub(crate) revision_id: String,
}

impl Record for AliasRecord {
    const KIND: &'static str = "function_alias";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.function, self.name)
    }
}

/// The resource policy of a function, or of one version or alias of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// The version or alias; [`LATEST`] for the function itself.
    pub(crate) qualifier: String,
    /// In the order in which they were added.
    pub(crate) statements: Vec<Statement>,
    /// `RevisionId`.
    pub(crate) revision_id: String,
}

impl Record for PolicyRecord {
    const KIND: &'static str = "function_policy";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.function, self.qualifier)
    }
}

/// One permission, as AddPermission was given it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// `StatementId`.
    pub(crate) sid: String,
    /// `lambda:InvokeFunction`, `lambda:*`, ...
    pub(crate) action: String,
    /// A service, an account, an ARN, or `*`.
    pub(crate) principal: String,
    /// `SourceArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_arn: Option<String>,
    /// `SourceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_account: Option<String>,
    /// `EventSourceToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event_source_token: Option<String>,
    /// `PrincipalOrgID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) principal_org_id: Option<String>,
    /// `FunctionUrlAuthType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) function_url_auth_type: Option<String>,
    /// `InvokedViaFunctionUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invoked_via_function_url: Option<bool>,
}

/// Code and configuration of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Configuration {
    /// `Runtime`, as it was given.
    pub(crate) runtime: String,
    /// `Handler`.
    pub(crate) handler: String,
    /// `Role`.
    pub(crate) role: String,
    /// `Description`.
    pub(crate) description: String,
    /// `Timeout`, seconds.
    pub(crate) timeout: u32,
    /// `MemorySize`, MB.
    pub(crate) memory_size: u32,
    /// `Environment.Variables`; absent where none were ever set, which AWS shows.
    #[serde(default)]
    pub(crate) variables: Option<BTreeMap<String, String>>,
    /// `Architectures`.
    pub(crate) architecture: String,
    /// `LoggingConfig.LogGroup`, where it is not the usual one.
    #[serde(default)]
    pub(crate) log_group: Option<String>,
    /// `LoggingConfig` with `LogFormat` JSON; absent for Text, which has no levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json_log: Option<LogLevels>,
    /// `TracingConfig.Mode` is `Active`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) traced: bool,
    /// `EphemeralStorage.Size`, MB: how much `/tmp` holds.
    #[serde(default = "default_ephemeral_storage", skip_serializing_if = "is_default_ephemeral_storage")]
    pub(crate) ephemeral_storage: u32,
    /// `DeadLetterConfig.TargetArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letter: Option<String>,
    /// The package; its SHA-256 is `CodeSha256`.
    pub(crate) code: Digest,
    /// The folder of this machine that the function runs from, in place of a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<String>,
    /// `CodeSize`, bytes.
    pub(crate) code_size: u64,
    /// `Layers`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<LayerUse>,
    /// What PutRuntimeManagementConfig has set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runtime_management: Option<RuntimeManagement>,
    /// `LastModified`, milliseconds since 1970.
    pub(crate) last_modified: u64,
    /// `RevisionId`.
    pub(crate) revision_id: String,
}

/// `EphemeralStorage.Size` of who names none, MB.
pub(crate) const EPHEMERAL_STORAGE: u32 = 512;

fn default_ephemeral_storage() -> u32 {
    EPHEMERAL_STORAGE
}

fn is_default_ephemeral_storage(size: &u32) -> bool {
    *size == EPHEMERAL_STORAGE
}

/// How much of a JSON log is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogLevels {
    /// `ApplicationLogLevel`: `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`.
    pub(crate) application: String,
    /// `SystemLogLevel`: `DEBUG`, `INFO` or `WARN`.
    pub(crate) system: String,
}

/// When the runtime of a version is updated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuntimeManagement {
    /// `UpdateRuntimeOn`: `FunctionUpdate` or `Manual`; the default, `Auto`, is not kept.
    pub(crate) update_on: String,
    /// `RuntimeVersionArn`, with `Manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version_arn: Option<String>,
}

impl Configuration {
    /// The package, where there is one.
    pub(crate) fn package(&self) -> Option<Digest> {
        self.folder.is_none().then_some(self.code)
    }

    /// Whether the other is the same update of the same function: an environment of one may serve the other, and
    /// publishing it again makes no new version. Descriptions and revision ids may differ, and when runtimes are updated.
    pub(crate) fn is_like(&self, other: &Configuration) -> bool {
        let blank = |configuration: &Configuration| Configuration {
            description: String::new(),
            revision_id: String::new(),
            runtime_management: None,
            ..configuration.clone()
        };
        blank(self) == blank(other)
    }
}
