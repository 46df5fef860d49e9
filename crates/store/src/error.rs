//! What can go wrong: with a call (`StoreError`), and when a data directory is opened (`OpenError`).

use std::path::PathBuf;

/// Why a call failed. Nothing of a failed transaction is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An insert, or an assertion of absence, met a row.
    #[error("{kind} {key} exists already")]
    Exists {
        /// [`Record::KIND`](crate::Record::KIND).
        kind: &'static str,
        /// Key of the row.
        key: String,
    },
    /// The row was changed or removed since it was read.
    #[error("{kind} {key} was changed or removed in the meantime")]
    Changed {
        /// [`Record::KIND`](crate::Record::KIND).
        kind: &'static str,
        /// Key of the row.
        key: String,
    },
    /// A document cannot be read as its record (or a record not written as a document).
    #[error("{kind} {key} is damaged: {reason}")]
    Corrupt {
        /// [`Record::KIND`](crate::Record::KIND).
        kind: &'static str,
        /// Key of the row.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Changes as old as those asked for are no longer held; those after `oldest` are.
    #[error("changes before revision {oldest} are no longer held")]
    Trimmed {
        /// The least revision that `changes_since` still takes.
        oldest: u64,
    },
    /// The disk, or the size that the operator allows, is used up.
    #[error("the disk of the data directory is full")]
    Full,
    /// The engine cannot answer: an I/O error, or the store is closing. Of a commit: it was not acknowledged.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("data directory {} is in use by another frontgate (process {process})", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Process id of the holder, or "unknown".
        process: String,
    },
    /// A later release wrote it.
    #[error(
        "data directory {} was written by a newer frontgate: its data format is {found}, this program knows up to {known}",
        path.display()
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Data format of the directory.
        found: i64,
        /// Latest data format that this program reads.
        known: i64,
    },
    /// The file is there, but no Frontgate made it, or it is damaged.
    #[error("{} is not a Frontgate database, or is damaged: {reason}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    System {
        /// What was tried, such as "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's or the engine's words.
        reason: String,
    },
}
