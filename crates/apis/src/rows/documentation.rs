//! An API's documentation, as it is stored: its parts, and versions that freeze them.

use serde::{Deserialize, Serialize};
use store::{Record, key_part};

/// What a documentation part is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Location {
    /// AWS's word, `METHOD`.
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// A piece of documentation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DocumentationPart {
    pub(crate) api: String,
    pub(crate) id: String,
    pub(crate) location: Location,
    /// A JSON object as text.
    pub(crate) properties: String,
}

impl Record for DocumentationPart {
    const KIND: &'static str = "rest_documentation_part";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.id)
    }
}

/// A version of the documentation, without its parts, so that listing versions stays cheap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DocumentationVersion {
    pub(crate) api: String,
    pub(crate) version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Whole seconds since 1970.
    pub(crate) created: u64,
}

impl DocumentationVersion {
    /// The key of a version of that name.
    pub(crate) fn key_of(api: &str, version: &str) -> String {
        format!("{api}/{}", key_part(version))
    }
}

impl Record for DocumentationVersion {
    const KIND: &'static str = "rest_documentation_version";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        DocumentationVersion::key_of(&self.api, &self.version)
    }
}

/// The parts as they were when the version was made. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DocumentationSnapshot {
    pub(crate) api: String,
    pub(crate) version: String,
    pub(crate) parts: Vec<DocumentationPart>,
}

impl Record for DocumentationSnapshot {
    const KIND: &'static str = "rest_documentation_snapshot";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        DocumentationVersion::key_of(&self.api, &self.version)
    }
}
