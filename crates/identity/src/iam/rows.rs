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

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents as the first version writes them; later ones must read them.
    #[test]
    fn documents_of_version_1_are_read_and_written_the_same() {
        let role = include_str!("../../cases/rows/role-1.json");
        let read: Role = serde_json::from_str(role).unwrap();
        assert_eq!((read.key(), read.inline.len(), read.attached.len()), ("items-role".to_owned(), 1, 1));
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), role.trim_end());
        let policy = include_str!("../../cases/rows/managed_policy-1.json");
        let read: ManagedPolicy = serde_json::from_str(policy).unwrap();
        assert_eq!((read.key(), read.attachments, read.boundary_uses), ("logs".to_owned(), 1, 0));
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), policy.trim_end());
    }
}
