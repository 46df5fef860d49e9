//! VPC links, as they are stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Record;

/// A way into a private network. Ours is the network that this machine sees, so there is nothing behind the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VpcLink {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) target_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// Whole seconds since 1970.
    pub(crate) created: u64,
}

impl Record for VpcLink {
    const KIND: &'static str = "rest_vpc_link";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.id.clone()
    }
}
