//! Takes the code of a function in: checks it, keeps it as a blob and unpacks it, so that a bad package is refused at once.

use std::path::PathBuf;
use std::sync::Arc;

use base::seams::{ObjectName, ReadObjectError};
use base::shape::{Blob, Sensitive};
use bytes::Bytes;
use model_lambda::errors;
use store::blobs::Digest;
use store::{Scope, StoreError};
use wire::ApiError;

use super::{invalid, not_kept, refuse};
use crate::Functions;
use crate::hot_reload;
use crate::package::{PackageError, UNPACKED_BYTES};
use crate::records::Configuration;

/// The largest zip that a request may carry: 50 MB.
pub(super) const ZIPPED_BYTES: usize = 52_428_800;

/// Where the code of a function is said to be.
#[derive(Debug)]
pub(super) struct Source {
    /// `ZipFile`.
    pub(super) zip_file: Option<Sensitive<Blob>>,
    /// `S3Bucket`.
    pub(super) s3_bucket: Option<String>,
    /// `S3Key`.
    pub(super) s3_key: Option<String>,
    /// `S3ObjectVersion`.
    pub(super) s3_object_version: Option<String>,
    /// `ImageUri`.
    pub(super) image_uri: Option<String>,
    /// `SourceKMSKeyArn`.
    pub(super) source_kms_key_arn: Option<String>,
}

/// A package that has been taken in.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    code: Digest,
    pub(super) size: u64,
    /// There is no package but a folder.
    folder: Option<String>,
}

impl Taken {
    /// Makes it the code of a version.
    pub(super) fn put_into(&self, configuration: &mut Configuration) {
        (configuration.code, configuration.code_size) = (self.code, self.size);
        configuration.folder.clone_from(&self.folder);
    }

    /// The package, where there is one.
    pub(super) fn package(&self) -> Option<Digest> {
        self.folder.is_none().then_some(self.code)
    }
}

impl Functions {
    /// Takes a package in. What is written is only a cache until a row names it.
    pub(super) async fn take_package(self: &Arc<Self>, owner: &Scope, source: Source) -> Result<Taken, ApiError> {
        if source.image_uri.is_some() {
            return Err(invalid("Please don't provide ImageUri when updating a function with packageType Zip."));
        }
        if source.source_kms_key_arn.is_some() {
            return Err(ApiError::not_implemented("Frontgate does not have SourceKMSKeyArn yet."));
        }
        let zip = match (source.zip_file, (source.s3_bucket, source.s3_key), source.s3_object_version) {
            (Some(Sensitive(Blob(zip))), (None, None), None) => {
                if zip.len() >= ZIPPED_BYTES {
                    let message = format!("Zipped size must be smaller than {ZIPPED_BYTES} bytes");
                    return Err(ApiError::custom("RequestEntityTooLargeException", 413, message));
                }
                zip
            }
            (Some(_), ..) => {
                return Err(invalid("Please do not provide other FunctionCode parameters when providing a ZipFile."));
            }
            (None, (Some(bucket), Some(key)), None) if bucket == hot_reload::BUCKET => {
                return self.take_folder(key).await;
            }
            (None, (Some(bucket), Some(key)), version) => self.read_object(owner, bucket, key, version).await?,
            (None, ..) => return Err(invalid("Please provide a source for function code.")),
        };
        let functions = Arc::clone(self);
        let (code, bytes) = (Digest::of(&zip), zip.clone());
        let unpacked = self.engine.control.spawn_blocking(move || functions.engine.unpacked(code, Some(&bytes)));
        unpacked.await.map_err(ApiError::internal)?.map_err(refused)?;
        let size = zip.len() as u64;
        self.check_code_storage(owner, size).await?;
        let code = self.blobs.put(zip).await.map_err(|error| match error {
            StoreError::Full => refused(PackageError::Disk(std::io::ErrorKind::StorageFull.into())),
            error => not_kept(error),
        })?;
        Ok(Taken { code, size, folder: None })
    }

    /// Lets a function run from a folder of this machine, if the operator allows that.
    async fn take_folder(self: &Arc<Self>, path: String) -> Result<Taken, ApiError> {
        let (functions, of) = (Arc::clone(self), PathBuf::from(&path));
        let found = self.engine.control.spawn_blocking(move || functions.engine.hot_reload.find(&of));
        found.await.map_err(ApiError::internal)?.map_err(invalid)?;
        // There is no package that this could be the digest of; it tells one folder from another.
        Ok(Taken { code: Digest::of(path.as_bytes()), size: 0, folder: Some(path) })
    }
}

impl Functions {
    /// Reads a package from S3, where it may be as large as what it unpacks to.
    async fn read_object(
        &self,
        owner: &Scope,
        bucket: String,
        key: String,
        version: Option<String>,
    ) -> Result<Bytes, ApiError> {
        let Some(objects) = &self.objects else {
            return Err(ApiError::not_implemented("Function code cannot be read from S3 here: give it as ZipFile."));
        };
        let (account, region) = (owner.account.to_string(), owner.region.to_string());
        let largest = usize::try_from(UNPACKED_BYTES).unwrap_or(usize::MAX);
        let read = objects.read_object(ObjectName { account, region, bucket, key, version, largest }).await;
        read.map_err(|error| match error {
            ReadObjectError::NoEndpoint(text) => {
                ApiError::not_implemented(format!("Function code cannot be read from S3: {text}"))
            }
            ReadObjectError::Refused { code, message } => {
                invalid(format!("Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"))
            }
            ReadObjectError::TooLarge => refused(PackageError::TooLarge),
            ReadObjectError::Unreachable(reason) => {
                refuse(&errors::SERVICE_EXCEPTION, format!("S3 could not be asked for the code: {reason}"))
            }
        })
    }
}

/// What the caller is told of a package that cannot be used.
pub(super) fn refused(error: PackageError) -> ApiError {
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
