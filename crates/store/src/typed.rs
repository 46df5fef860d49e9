//! The typed methods that services call, on top of an engine's raw rows.

use crate::{Record, Scope, Store, StoreError, Stored};

impl dyn Store {
    /// The record of that scope and key.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when its document cannot be read, [`StoreError::Unavailable`].
    pub async fn get<R: Record>(&self, scope: &Scope, key: &str) -> Result<Option<Stored<R>>, StoreError> {
        self.row(R::KIND, scope, key).await?.map(|row| row.read()).transpose()
    }

    /// Up to `limit` records of that scope and parent with a key after `after`, ordered by key.
    ///
    /// # Errors
    /// As [`get`](#method.get).
    pub async fn list<R: Record>(
        &self,
        scope: &Scope,
        parent: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Stored<R>>, StoreError> {
        self.children(R::KIND, scope, parent, after, limit).await?.iter().map(|row| row.read()).collect()
    }

    /// All records of that scope whose key is `prefix` or starts with `prefix` and `/`, ordered by key: one consistent
    /// picture of everything of `R` below a parent.
    ///
    /// # Errors
    /// As [`get`](#method.get).
    pub async fn list_tree<R: Record>(&self, scope: &Scope, prefix: &str) -> Result<Vec<Stored<R>>, StoreError> {
        self.tree(R::KIND, scope, prefix).await?.iter().map(|row| row.read()).collect()
    }

    /// All records of every scope, ordered by account, region and key; for start-up.
    ///
    /// # Errors
    /// As [`get`](#method.get).
    pub async fn list_all<R: Record>(&self) -> Result<Vec<(Scope, Stored<R>)>, StoreError> {
        self.rows(R::KIND).await?.iter().map(|row| Ok((row.scope.clone(), row.read()?))).collect()
    }

    /// Up to `limit` records of every scope after the one of scope and key `after`, ordered by key, account and region: for
    /// what there may be too much of to be read at once.
    ///
    /// # Errors
    /// As [`get`](#method.get).
    pub async fn page_all<R: Record>(
        &self,
        after: Option<(&Scope, &str)>,
        limit: usize,
    ) -> Result<Vec<(Scope, Stored<R>)>, StoreError> {
        let rows = self.rows_after(R::KIND, after, limit).await?;
        rows.iter().map(|row| Ok((row.scope.clone(), row.read()?))).collect()
    }

    /// The record of that key in whatever scope (API ids are unique in the process).
    ///
    /// # Errors
    /// As [`get`](#method.get).
    pub async fn find<R: Record>(&self, key: &str) -> Result<Option<(Scope, Stored<R>)>, StoreError> {
        match self.row_anywhere(R::KIND, key).await? {
            Some(row) => Ok(Some((row.scope.clone(), row.read()?))),
            None => Ok(None),
        }
    }
}
