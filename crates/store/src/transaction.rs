//! A transaction: steps collected in memory, applied in order, all or none.

use crate::{Record, Scope, StoreError};

/// Steps that are applied together or not at all. Each method adds one and hands the transaction on:
/// `Transaction::new().expect::<RestApi>(&scope, api, revision).insert(&scope, &resource)`.
#[derive(Clone, Debug, Default)]
#[must_use = "a transaction does nothing until it is committed"]
pub struct Transaction {
    steps: Vec<Step>,
    /// The first record that could not be written as JSON; told by `commit`, so that building needs no `?`.
    error: Option<StoreError>,
}

/// The stored form of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowContent {
    /// Owner of the row.
    pub scope: Scope,
    /// [`Record::key`].
    pub key: String,
    /// [`Record::parent`].
    pub parent: String,
    /// [`Record::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The record as JSON.
    pub document: String,
}

/// One step, as an engine applies it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented at the method of Transaction that adds it")]
pub enum Step {
    Insert { kind: &'static str, content: RowContent },
    Update { kind: &'static str, content: RowContent, revision: u64 },
    Put { kind: &'static str, content: RowContent },
    Delete { kind: &'static str, scope: Scope, key: String, revision: u64 },
    DeleteTree { kind: &'static str, scope: Scope, prefix: String },
    Expect { kind: &'static str, scope: Scope, key: String, revision: u64 },
    ExpectAbsent { kind: &'static str, scope: Scope, key: String },
}

impl Transaction {
    /// No steps yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row; the commit fails with [`StoreError::Exists`] if its key is taken.
    pub fn insert<R: Record>(self, scope: &Scope, record: &R) -> Self {
        self.with(scope, record, |content| Step::Insert { kind: R::KIND, content })
    }

    /// Replaces a row that was read at `revision`; [`StoreError::Changed`] if it has another one by now, or is gone.
    pub fn update<R: Record>(self, scope: &Scope, record: &R, revision: u64) -> Self {
        self.with(scope, record, |content| Step::Update { kind: R::KIND, content, revision })
    }

    /// Adds or replaces a row, whatever was there.
    pub fn put<R: Record>(self, scope: &Scope, record: &R) -> Self {
        self.with(scope, record, |content| Step::Put { kind: R::KIND, content })
    }

    /// Removes a row that was read at `revision`; [`StoreError::Changed`] if it has another one by now, or is gone.
    pub fn delete<R: Record>(self, scope: &Scope, key: &str, revision: u64) -> Self {
        self.step(Step::Delete { kind: R::KIND, scope: scope.clone(), key: key.to_owned(), revision })
    }

    /// Removes the rows of `R` whose key is `prefix` or starts with `prefix` and `/`; there may be none.
    pub fn delete_tree<R: Record>(self, scope: &Scope, prefix: &str) -> Self {
        self.step(Step::DeleteTree { kind: R::KIND, scope: scope.clone(), prefix: prefix.to_owned() })
    }

    /// Asserts that a row is as it was read at `revision` (guards a parent); [`StoreError::Changed`] otherwise.
    pub fn expect<R: Record>(self, scope: &Scope, key: &str, revision: u64) -> Self {
        self.step(Step::Expect { kind: R::KIND, scope: scope.clone(), key: key.to_owned(), revision })
    }

    /// Asserts that there is no such row; [`StoreError::Exists`] otherwise.
    pub fn expect_absent<R: Record>(self, scope: &Scope, key: &str) -> Self {
        self.step(Step::ExpectAbsent { kind: R::KIND, scope: scope.clone(), key: key.to_owned() })
    }

    /// The steps in order, for an engine.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record could not be written as JSON.
    pub fn into_steps(self) -> Result<Vec<Step>, StoreError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.steps),
        }
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn with<R: Record>(mut self, scope: &Scope, record: &R, step: impl FnOnce(RowContent) -> Step) -> Self {
        let key = record.key();
        match serde_json::to_string(record) {
            Ok(document) => {
                let parent = record.parent();
                let schema_version = R::SCHEMA_VERSION;
                self.step(step(RowContent { scope: scope.clone(), key, parent, schema_version, document }))
            }
            Err(error) => {
                let reason = error.to_string();
                self.error.get_or_insert(StoreError::Corrupt { kind: R::KIND, key, reason });
                self
            }
        }
    }
}
