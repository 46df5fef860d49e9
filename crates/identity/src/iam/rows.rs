//! What is kept of roles and managed policies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use store::Record;

/// A role with its inline policies, in one row, so that its quotas and its removal need no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) name: String,
    /// `AROA` and 17 more.
    pub(crate) id: String,
    /// `/`, or `/a/b/`.
    pub(crate) path: String,
    /// Who may assume it; JSON as it was given.
    pub(crate) trust_policy: String,
    pub(crate) description: Option<String>,
    /// In seconds.
    pub(crate) max_session_duration: i32,
    /// ARN of a managed policy.
    pub(crate) permissions_boundary: Option<String>,
    pub(crate) tags: Vec<Tag>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Documents of the inline policies by their names.
    pub(crate) inline: BTreeMap<String, String>,
    /// ARNs of the managed policies.
    pub(crate) attached: BTreeSet<String>,
}

/// A managed policy of an account, of which there is one version so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManagedPolicy {
    pub(crate) name: String,
    /// `ANPA` and 17 more.
    pub(crate) id: String,
    /// `/`, or `/a/b/`.
    pub(crate) path: String,
    /// JSON as it was given.
    pub(crate) document: String,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<Tag>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Roles that have it attached; changed together with them.
    pub(crate) attachments: u32,
    /// Roles that have it as their permissions boundary.
    pub(crate) boundary_uses: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Record for Role {
    const KIND: &'static str = "role";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        key(&self.name)
    }
}

impl Record for ManagedPolicy {
    const KIND: &'static str = "managed_policy";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        key(&self.name)
    }
}

/// Names are unique in an account whatever their path and their case. They hold no `/`.
pub(crate) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
