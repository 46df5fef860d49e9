//! Blobs: immutable files named by the SHA-256 of their content, for function code and whatever else is large.
//!
//! A blob lives at `blobs/{first two hex digits}/{next two}/{all of them}`. It is written beside, synced and renamed, so a
//! file under its name is whole; `put` returns only when its name is on disk too.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use base::clock::Moment;
use bytes::Bytes;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use crate::data_dir::{DirectoryLock, create_directory, sync_directory, system};
use crate::{OpenError, StoreError};

/// Name of the kind in [`StoreError::Corrupt`].
const KIND: &str = "blob";

/// SHA-256 of a blob's content, and its name. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The blobs of a data directory. Clones share it.
#[derive(Clone)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Number of blobs.
    pub blobs: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

struct Inner {
    root: PathBuf,
    /// Numbers the files that are being written.
    next_incoming: AtomicU64,
    /// Held while a blob gets its name or loses it, so that a sweep cannot take a blob that a `put` has just found there.
    names: Mutex<()>,
    _lock: Arc<DirectoryLock>,
}

impl BlobStore {
    pub(crate) fn open(root: PathBuf, lock: Arc<DirectoryLock>) -> Result<Self, OpenError> {
        let incoming = root.join(INCOMING);
        // What a crash left half-written; nobody else writes here, for the directory is locked.
        if incoming.is_dir() {
            fs::remove_dir_all(&incoming).map_err(|error| system("clear", &incoming, &error))?;
        }
        create_directory(&incoming)?;
        let inner = Inner { root, next_incoming: AtomicU64::new(0), names: Mutex::new(()), _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Keeps the bytes and returns their name once they are on disk. Keeping the same bytes again is cheap, and renews the
    /// age that [`sweep`](Self::sweep) looks at.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, StoreError> {
        self.run(move |inner| inner.put(&bytes).map_err(|error| failure("write a blob", &error))).await
    }

    /// The bytes of that name, or nothing if there is no such blob.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are no longer those that were put, [`StoreError::Unavailable`].
    pub async fn get(&self, digest: Digest) -> Result<Option<Bytes>, StoreError> {
        self.run(move |inner| {
            let bytes = match fs::read(inner.path(digest)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failure("read a blob", &error)),
            };
            if Digest::of(&bytes) != digest {
                let reason = "its content does not have the digest that names it".to_owned();
                return Err(StoreError::Corrupt { kind: KIND, key: digest.to_string(), reason });
            }
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    /// Where the blob is, or would be; for those who read it as a file. It must not be changed.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.inner.path(digest)
    }

    /// Removes the blobs that are not `referenced` and were last put before `before`; a moment well in the past spares those
    /// whose record is not committed yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; some blobs may be gone by then.
    pub async fn sweep(&self, referenced: HashSet<Digest>, before: Moment) -> Result<Swept, StoreError> {
        self.run(move |inner| inner.sweep(&referenced, before).map_err(|error| failure("remove unused blobs", &error)))
            .await
    }

    /// Runs file work on a blocking thread.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        }
    }
}

/// Folder of the files that are being written.
const INCOMING: &str = "incoming";

impl Inner {
    fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(&name[..2]).join(&name[2..4]).join(&name)
    }

    fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        let path = self.path(digest);
        let folder = path.parent().expect("a blob's path has two folders above it");
        if !self.renew(&path, bytes.len() as u64)? {
            let number = self.next_incoming.fetch_add(1, Ordering::Relaxed);
            let incoming = self.root.join(INCOMING).join(number.to_string());
            let written = write_synced(&incoming, bytes)
                .and_then(|()| fs::create_dir_all(folder))
                .and_then(|()| self.with_names(|| fs::rename(&incoming, &path)));
            if let Err(error) = written {
                // The first error is the one to tell; what is left behind goes at the next start.
                let _ = fs::remove_file(&incoming);
                return Err(error);
            }
        }
        // The folders may be new, or be another caller's who has not synced them yet.
        for directory in folder.ancestors().take(3) {
            sync_directory(directory)?;
        }
        Ok(digest)
    }

    /// Makes a blob that is there already look new; false if there is none (or one cut short).
    fn renew(&self, path: &Path, length: u64) -> io::Result<bool> {
        self.with_names(|| match OpenOptions::new().write(true).open(path) {
            Ok(file) if file.metadata()?.len() == length => {
                let (now, as_it_is) =
                    (Timespec { tv_sec: 0, tv_nsec: UTIME_NOW }, Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT });
                futimens(&file, &Timestamps { last_access: as_it_is, last_modification: now })?;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn sweep(&self, referenced: &HashSet<Digest>, before: Moment) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for first in subdirectories(&self.root)? {
            for second in subdirectories(&first)? {
                for entry in fs::read_dir(&second)? {
                    let entry = entry?;
                    let named = entry.file_name().to_str().and_then(|name| name.parse::<Digest>().ok());
                    let Some(digest) = named.filter(|digest| !referenced.contains(digest)) else { continue };
                    let path = self.path(digest);
                    let removed = self.with_names(|| -> io::Result<Option<u64>> {
                        let metadata = fs::metadata(&path)?;
                        let put = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                        if put.as_millis() >= u128::from(before.0) {
                            return Ok(None);
                        }
                        fs::remove_file(&path)?;
                        Ok(Some(metadata.len()))
                    })?;
                    if let Some(bytes) = removed {
                        swept.blobs += 1;
                        swept.bytes += bytes;
                    }
                }
            }
        }
        Ok(swept)
    }

    fn with_names<T>(&self, work: impl FnOnce() -> T) -> T {
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Folders named by two hexadecimal digits.
fn subdirectories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().len() == 2 && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn failure(action: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Unavailable(format!("cannot {action}: {error}")),
    }
}

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes, as Lambda's `CodeSha256` encodes in base64.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a digest is 64 lower-case hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).map_err(|_| WRONG)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
