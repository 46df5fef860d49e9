//! Optimistic edits: an attempt reads, decides and commits, and begins anew when its commit meets rows that somebody
//! changed in between.

use crate::StoreError;

impl StoreError {
    /// Whether somebody else was faster, so that the edit can be attempted anew.
    pub fn is_overtaken(&self) -> bool {
        matches!(self, StoreError::Changed { .. } | StoreError::Exists { .. })
    }
}

/// Runs `attempt` up to `attempts` times (at least once), as long as it fails because it was overtaken.
///
/// # Errors
/// The last attempt's failure: another one, or that it was overtaken once more.
pub async fn attempts<T, E, F>(
    attempts: usize,
    overtaken: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    for _ in 1..attempts {
        match attempt().await {
            Err(failure) if overtaken(&failure) => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn overtaken() -> StoreError {
        StoreError::Changed { kind: "note", key: "a".into() }
    }

    /// How many attempts are made of `most` when the first `losing` are overtaken, and how they end.
    async fn run(most: usize, losing: usize) -> (usize, bool) {
        let made = Cell::new(0);
        let outcome = attempts(most, StoreError::is_overtaken, || {
            made.set(made.get() + 1);
            let outcome = if made.get() <= losing { Err(overtaken()) } else { Ok(()) };
            async move { outcome }
        })
        .await;
        (made.get(), outcome.is_ok())
    }

    #[tokio::test]
    async fn an_edit_is_attempted_until_nobody_is_faster() {
        assert_eq!(run(8, 0).await, (1, true));
        assert_eq!(run(8, 7).await, (8, true));
        assert_eq!(run(8, 8).await, (8, false));
        assert_eq!(run(0, 0).await, (1, true));
    }

    #[tokio::test]
    async fn another_failure_ends_it() {
        let made = Cell::new(0);
        let outcome: Result<(), StoreError> = attempts(8, StoreError::is_overtaken, || {
            made.set(made.get() + 1);
            async { Err(StoreError::Full) }
        })
        .await;
        assert_eq!((made.get(), outcome.is_err()), (1, true));
    }
}
