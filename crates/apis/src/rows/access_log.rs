//! The access log of a stage, as it is stored.

use serde::{Deserialize, Serialize};

/// Where a stage's access log goes and what it says. Each can be there without the other; then nothing is logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessLog {
    /// The ARN of a log group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destination_arn: Option<String>,
    /// One line with names of `$context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<String>,
}

impl AccessLog {
    /// Whether nothing is set.
    pub(crate) fn is_empty(&self) -> bool {
        *self == AccessLog::default()
    }
}
