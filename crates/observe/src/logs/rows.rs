//! What is kept of a group beside what the store itself knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::telemetry::LogGroup;
use wire::ApiError;

/// The document of a group. One that the store made for a line has no members yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GroupDocument {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, String>,
    /// Whether the group is not to be removed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) deletion_protection: bool,
    /// By name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) subscriptions: Vec<Subscription>,
}

/// A subscription filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) name: String,
    pub(super) pattern: String,
    /// A function's.
    pub(super) destination_arn: String,
    /// `ByLogStream` or `Random`; functions get events by stream either way.
    pub(super) distribution: String,
    /// Milliseconds since 1970.
    pub(super) created: i64,
}

impl GroupDocument {
    /// The document of a group.
    ///
    /// # Errors
    /// A document that is damaged.
    pub(super) fn of(group: &LogGroup) -> Result<GroupDocument, ApiError> {
        serde_json::from_str(&group.document).map_err(ApiError::internal)
    }

    /// As it is kept.
    pub(super) fn text(&self) -> Result<String, ApiError> {
        serde_json::to_string(self).map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents as the first version writes them; later ones must read them.
    #[test]
    fn documents_of_version_1_are_read_and_written_the_same() {
        let kept = include_str!("../../cases/rows/log_group-1.json");
        let read: GroupDocument = serde_json::from_str(kept).unwrap();
        assert_eq!((read.tags.len(), read.deletion_protection, read.subscriptions.len()), (2, true, 1));
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), kept.trim_end());
        assert_eq!(GroupDocument::default().text().unwrap(), "{}");
    }
}
