//! What is kept about concurrency in the store.

use serde::{Deserialize, Serialize};
use store::Record;

/// What a function has reserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReservedRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// `ReservedConcurrentExecutions`.
    pub(crate) executions: u32,
}

impl Record for ReservedRecord {
    const KIND: &'static str = "function_concurrency";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.function.clone()
    }
}

/// What is provisioned for a version or an alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProvisionedRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// The version's number or the alias's name.
    pub(crate) qualifier: String,
    /// `RequestedProvisionedConcurrentExecutions`.
    pub(crate) executions: u32,
    /// `LastModified`, milliseconds since 1970.
    pub(crate) last_modified: u64,
}

impl Record for ProvisionedRecord {
    const KIND: &'static str = "provisioned_concurrency";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        provisioned_key(&self.function, &self.qualifier)
    }
}

/// The key of what is provisioned for a qualifier.
pub(crate) fn provisioned_key(function: &str, qualifier: &str) -> String {
    format!("{function}/{qualifier}")
}
