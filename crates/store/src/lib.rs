//! Everything that must last: rows, blobs and migrations, and the only SQL in the project.
//!
//! A service keeps typed [`Record`]s under a [`Scope`] (account and region) and changes them with a [`Transaction`], which
//! holds or fails as a whole. [`Store`] is the small object-safe core that an engine implements on raw rows; the typed
//! methods that services call are inherent methods of `dyn Store`, so a [`SharedStore`] needs no further import:
//!
//! ```no_run
//! # use store::{DataDir, Record, Scope, Transaction};
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct RestApi { id: String }
//! # impl Record for RestApi {
//! #     const KIND: &'static str = "rest_api";
//! #     const SCHEMA_VERSION: u32 = 1;
//! #     fn key(&self) -> String { self.id.clone() }
//! # }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let data = DataDir::open("./frontgate-data".as_ref())?;
//! let (store, scope) = (data.store(), Scope::new("000000000000", "us-east-1"));
//! store.commit(Transaction::new().insert(&scope, &RestApi { id: "a1b2c3".into() })).await?;
//! let found = store.get::<RestApi>(&scope, "a1b2c3").await?;
//! # Ok(()) }
//! ```
//!
//! What a service may rely on: an `Ok` from [`Store::commit`] means that the change is on disk; every read that starts
//! afterwards sees it; nothing of a transaction that failed is ever seen. It must not rely on which engine is behind.

pub mod blobs;
mod data_dir;
mod error;
mod record;
mod retry;
mod sqlite;
pub mod telemetry;
mod transaction;
mod typed;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

pub use data_dir::DataDir;
pub use error::{OpenError, StoreError};
pub use record::{Record, Row, Scope, Stored, key_part};
pub use retry::attempts;
pub use sqlite::{SqliteOptions, SqliteStore};
pub use transaction::{RowContent, Step, Transaction};

/// How every service holds the store; a clone is one reference count.
pub type SharedStore = Arc<dyn Store>;

/// One row that a commit wrote or removed, as the change feed tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit that did it; all changes of one transaction share it.
    pub revision: u64,
    /// Owner of the row.
    pub scope: Scope,
    /// [`Record::KIND`] of the row.
    pub kind: String,
    /// [`Record::key`] of the row.
    pub key: String,
    /// The row was removed (else inserted or replaced).
    pub deleted: bool,
}

/// What an engine does, on raw rows. Services call the typed methods of `dyn Store` (`get`, `list`, `list_tree`, `list_all`,
/// `page_all`, `find`) and, of these, only [`commit`](Store::commit), [`revision`](Store::revision), [`changes`](Store::changes) and
/// [`changes_since`](Store::changes_since).
///
/// Keys are compared by their UTF-8 bytes.
#[async_trait]
pub trait Store: Send + Sync {
    /// The row of that kind, scope and key.
    async fn row(&self, kind: &'static str, scope: &Scope, key: &str) -> Result<Option<Row>, StoreError>;

    /// Up to `limit` rows of that kind, scope and parent with a key after `after`, ordered by key.
    async fn children(
        &self,
        kind: &'static str,
        scope: &Scope,
        parent: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// All rows of that kind and scope whose key is `prefix` or starts with `prefix` and `/`, ordered by key.
    async fn tree(&self, kind: &'static str, scope: &Scope, prefix: &str) -> Result<Vec<Row>, StoreError>;

    /// All rows of that kind, ordered by account, region and key.
    async fn rows(&self, kind: &'static str) -> Result<Vec<Row>, StoreError>;

    /// Up to `limit` rows of that kind after the one of scope and key `after`, of all scopes, ordered by key, account and
    /// region.
    async fn rows_after(
        &self,
        kind: &'static str,
        after: Option<(&Scope, &str)>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// The row of that kind and key in whatever scope; the first by account and region if there are several.
    async fn row_anywhere(&self, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError>;

    /// Applies the steps in order, all or none, and answers the global revision after them once it is on disk.
    ///
    /// A transaction that changes no row (assertions alone, or removing an empty tree) leaves the revision as it was. If the
    /// future is dropped, the transaction may still be applied, as a whole.
    ///
    /// # Errors
    /// [`StoreError::Exists`] and [`StoreError::Changed`] when a step's condition does not hold, [`StoreError::Full`],
    /// [`StoreError::Unavailable`]; none of the steps is applied then.
    async fn commit(&self, transaction: Transaction) -> Result<u64, StoreError>;

    /// The revision of the last commit that changed a row; 0 in a new store. It never goes back, over restarts either.
    async fn revision(&self) -> u64;

    /// Follows [`revision`](Store::revision). It moves before the commit is acknowledged to its caller.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Changes of the commits after `revision`, oldest first: about `limit` of them, never a part of a commit, so that the
    /// last one's revision is where to go on.
    ///
    /// # Errors
    /// [`StoreError::Trimmed`] when commits after `revision` are no longer held: read everything anew.
    async fn changes_since(&self, revision: u64, limit: usize) -> Result<Vec<Change>, StoreError>;
}
