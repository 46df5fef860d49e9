//! Takes the code of a function in: checks it, keeps it as a blob and unpacks it, so that a bad package is refused at once.

use std::sync::Arc;

use base::shape::{Blob, Sensitive};
use model_lambda::errors;
use store::blobs::Digest;
use wire::ApiError;

use super::{invalid, refuse};
use crate::Functions;
use crate::package::PackageError;

/// The largest zip that a request may carry: 50 MB.
const ZIPPED_BYTES: usize = 52_428_800;

/// Where the code of a function is said to be.
#[derive(Debug)]
pub(super) struct Source {
    /// `ZipFile`.
    pub(super) zip_file: Option<Sensitive<Blob>>,
    /// `S3Bucket`.
    pub(super) s3_bucket: Option<String>,
    /// `ImageUri`.
    pub(super) image_uri: Option<String>,
    /// `SourceKMSKeyArn`.
    pub(super) source_kms_key_arn: Option<String>,
}

/// A package that has been taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) code: Digest,
    pub(super) size: u64,
}

impl Functions {
    /// Takes a package in. What is written is only a cache until a row names it.
    pub(super) async fn take_package(self: &Arc<Self>, source: Source) -> Result<Taken, ApiError> {
        if source.image_uri.is_some() {
            return Err(invalid("Please don't provide ImageUri when updating a function with packageType Zip."));
        }
        if source.source_kms_key_arn.is_some() {
            return Err(ApiError::not_implemented("Frontgate does not have SourceKMSKeyArn yet."));
        }
        let zip = match (source.zip_file, source.s3_bucket) {
            (Some(Sensitive(Blob(zip))), None) => zip,
            (None, Some(_)) => {
                return Err(ApiError::not_implemented(
                    "Frontgate does not read function code from S3 yet; give the zip with the request (ZipFile).",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(invalid("Please do not provide other FunctionCode parameters when providing a ZipFile."));
            }
            (None, None) => return Err(invalid("Please provide a source for function code.")),
        };
        if zip.len() >= ZIPPED_BYTES {
            let message = format!("Zipped size must be smaller than {ZIPPED_BYTES} bytes");
            return Err(ApiError::custom("RequestEntityTooLargeException", 413, message));
        }
        let functions = Arc::clone(self);
        let (code, bytes) = (Digest::of(&zip), zip.clone());
        let unpacked = self.engine.control.spawn_blocking(move || functions.engine.unpacked(code, Some(&bytes)));
        unpacked.await.map_err(ApiError::internal)?.map_err(refused)?;
        let size = zip.len() as u64;
        let code = self.blobs.put(zip).await.map_err(ApiError::internal)?;
        Ok(Taken { code, size })
    }
}

fn refused(error: PackageError) -> ApiError {
    match error {
        PackageError::Invalid(reason) => {
            tracing::debug!(reason, "refused a package");
            invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
        }
        PackageError::Empty => invalid("Uploaded file must be a non-empty zip"),
        PackageError::TooLarge => invalid("Unzipped size must be smaller than 262144000 bytes"),
        PackageError::Disk(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            refuse(&errors::CODE_STORAGE_EXCEEDED_EXCEPTION, "The disk of the data directory is full.")
        }
        PackageError::Disk(error) => ApiError::internal(error),
    }
}
