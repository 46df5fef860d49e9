//! The seam to S3: whole objects, for those who are given a bucket and a key.

use std::fmt;

use bytes::Bytes;

use super::SendFuture;

/// Reads objects.
pub trait ReadObject: fmt::Debug + Send + Sync {
    /// Reads one whole.
    ///
    /// # Errors
    /// [`ReadObjectError`].
    fn read_object(&self, object: ObjectName) -> SendFuture<'_, Result<Bytes, ReadObjectError>>;
}

/// Which object, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// The account that asks, 12 digits.
    pub account: String,
    /// The region that it asks in.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version; the latest where none is named.
    pub version: Option<String>,
    /// How many bytes it may have at most.
    pub largest: usize,
}

/// Why there is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadObjectError {
    /// Nobody said where S3 is; the text is for the operator.
    NoEndpoint(String),
    /// S3 refused.
    Refused {
        /// `NoSuchKey`, ...
        code: String,
        /// What it said about it.
        message: String,
    },
    /// It has more bytes than it may have.
    TooLarge,
    /// S3 did not answer; the text says why.
    Unreachable(String),
}
