//! Rows: who owns them (`Scope`), what a type must tell to be stored (`Record`), and both their forms, typed and raw.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;

/// Account and region that own a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// 12 digits.
    pub account: Arc<str>,
    /// Such as `us-east-1`.
    pub region: Arc<str>,
}

impl Scope {
    /// The region of records that a whole account shares (IAM's).
    pub const GLOBAL: &'static str = "global";

    /// The scope of that account and region.
    pub fn new(account: impl Into<Arc<str>>, region: impl Into<Arc<str>>) -> Self {
        Self { account: account.into(), region: region.into() }
    }

    /// The scope of records that belong to an account and to no region of it.
    pub fn global(account: impl Into<Arc<str>>) -> Self {
        Self::new(account, Self::GLOBAL)
    }
}

/// A typed row. It is stored as a JSON document with its [`SCHEMA_VERSION`](Record::SCHEMA_VERSION), and the columns that are
/// searched beside it.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the type in the store, `[a-z_]+`: "rest_api", "resource", "function_version". Never changes.
    const KIND: &'static str;

    /// Version of the document's shape, from 1. Raise it when old documents no longer deserialize, and teach
    /// [`upgrade`](Record::upgrade) the earlier ones.
    const SCHEMA_VERSION: u32;

    /// Unique in kind and scope; like a path, its parts joined by `/` and the parent's first: `{api}/{resource}`. A part that
    /// may itself hold a `/` goes through [`key_part`].
    fn key(&self) -> String;

    /// What the record is listed by: its key before the last `/`, or nothing.
    fn parent(&self) -> String {
        let key = self.key();
        key.rfind('/').map_or_else(String::new, |slash| key[..slash].to_owned())
    }

    /// Turns a document of schema version `from` (below [`SCHEMA_VERSION`](Record::SCHEMA_VERSION)) into one of this version.
    ///
    /// # Errors
    /// Why the document cannot be read; the caller gets it as [`StoreError::Corrupt`].
    fn upgrade(_from: u32, document: serde_json::Value) -> Result<serde_json::Value, String> {
        Ok(document)
    }
}

/// A record as it was read, with the revision to give back when it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// Revision of the row: the global revision of the commit that wrote it.
    pub revision: u64,
}

/// A row as an engine keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Owner of the row.
    pub scope: Scope,
    /// [`Record::key`].
    pub key: String,
    /// Global revision of the commit that wrote the row.
    pub revision: u64,
    /// [`Record::SCHEMA_VERSION`] of the program that wrote the row.
    pub schema_version: u32,
    /// The record as JSON.
    pub document: String,
}

impl Row {
    /// Reads the document, upgrading it if an earlier version wrote it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the document is not one of `R`, or is of a later version than this program knows.
    pub fn read<R: Record>(&self) -> Result<Stored<R>, StoreError> {
        let corrupt = |reason: String| StoreError::Corrupt { kind: R::KIND, key: self.key.clone(), reason };
        let record = if self.schema_version == R::SCHEMA_VERSION {
            serde_json::from_str(&self.document).map_err(|error| corrupt(error.to_string()))?
        } else if self.schema_version > R::SCHEMA_VERSION {
            return Err(corrupt(format!(
                "written with schema version {}, this program knows {}",
                self.schema_version,
                R::SCHEMA_VERSION
            )));
        } else {
            let document = serde_json::from_str(&self.document).map_err(|error| corrupt(error.to_string()))?;
            let document = R::upgrade(self.schema_version, document).map_err(corrupt)?;
            serde_json::from_value(document).map_err(|error| corrupt(error.to_string()))?
        };
        Ok(Stored { record, revision: self.revision })
    }
}

/// A name as one part of a key: `/` and `%` are percent-encoded, so that a name cannot reach into another's tree.
#[must_use]
pub fn key_part(name: &str) -> Cow<'_, str> {
    if name.contains(['/', '%']) {
        Cow::Owned(name.replace('%', "%25").replace('/', "%2F"))
    } else {
        Cow::Borrowed(name)
    }
}
