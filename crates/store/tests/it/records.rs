//! Record types that the tests keep.

use serde::{Deserialize, Serialize};
use store::Record;

/// A record with a key of its own choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Thing {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Thing {
    pub(crate) fn new(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: value.to_owned() }
    }
}

impl Record for Thing {
    const KIND: &'static str = "thing";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.key.clone()
    }
}

/// A second kind, to show that kinds do not mix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Record for Other {
    const KIND: &'static str = "other";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.key.clone()
    }
}
