//! What the store keeps of layers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Record;
use store::blobs::Digest;

/// A layer. It stays when its versions are gone, so that no number is used twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// `LayerName`.
    pub(crate) name: String,
    /// The number that the next version gets.
    pub(crate) next_version: u64,
    /// How many bytes the zips of the versions take that are there.
    pub(crate) code_size: u64,
    /// Tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
}

impl Record for LayerRecord {
    const KIND: &'static str = "layer";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// A version of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerVersionRecord {
    /// `LayerName`.
    pub(crate) layer: String,
    /// `1`, `2`, ...
    pub(crate) number: u64,
    /// `Description`.
    pub(crate) description: String,
    /// `LicenseInfo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) license_info: Option<String>,
    /// `CompatibleRuntimes`; none say nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) compatible_runtimes: Vec<String>,
    /// `CompatibleArchitectures`; none say nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) compatible_architectures: Vec<String>,
    /// The package; its SHA-256 is `CodeSha256`.
    pub(crate) code: Digest,
    /// `CodeSize`, bytes.
    pub(crate) code_size: u64,
    /// `CreatedDate`, milliseconds since 1970.
    pub(crate) created: u64,
    /// Its policy, in the order in which the statements were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) statements: Vec<LayerStatement>,
    /// The `RevisionId` of the policy.
    pub(crate) policy_revision_id: String,
}

impl Record for LayerVersionRecord {
    const KIND: &'static str = "layer_version";
    const SCHEMA_VERSION: u32 = 1;

    /// With leading zeros, so that rows are in the order of their numbers.
    fn key(&self) -> String {
        layer_version_key(&self.layer, self.number)
    }
}

/// The key of a version of a layer.
pub(crate) fn layer_version_key(layer: &str, number: u64) -> String {
    format!("{layer}/{number:020}")
}

/// Who may use a version of a layer, as AddLayerVersionPermission was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerStatement {
    /// `StatementId`.
    pub(crate) sid: String,
    /// `lambda:GetLayerVersion`.
    pub(crate) action: String,
    /// An account, the ARN of its root, or `*`.
    pub(crate) principal: String,
    /// `OrganizationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization_id: Option<String>,
}

impl LayerStatement {
    /// Whether it lets the users of an account have the layer. Frontgate has no organizations, so nobody is in one.
    pub(crate) fn permits(&self, account: &str) -> bool {
        let is_account = self.principal == account
            || self.principal.strip_suffix(":root").is_some_and(|arn| arn.ends_with(&format!("::{account}")));
        self.organization_id.is_none() && (self.principal == "*" || is_account)
    }
}

/// A layer that a function has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerUse {
    /// The version's ARN.
    pub(crate) arn: String,
    /// The package.
    pub(crate) code: Digest,
    /// `CodeSize`, bytes.
    pub(crate) code_size: u64,
}
