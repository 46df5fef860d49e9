//! The data directory: made private, held by one process at a time, and the owner of `state.sqlite` and `blobs/`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base::clock::Clock;
use rustix::fs::FlockOperation;

use crate::blobs::BlobStore;
use crate::telemetry::LogStore;
use crate::{OpenError, SharedStore, SqliteOptions, SqliteStore};

/// How long a directory in use is tried again: a process that was just killed may live on for a moment in a child that has
/// not yet executed its program.
const LOCK_PATIENCE: Duration = Duration::from_millis(200);
/// Time between two tries.
const LOCK_RETRY: Duration = Duration::from_millis(5);

/// An open data directory. The directory stays locked until this and everything taken from it is dropped.
pub struct DataDir {
    path: PathBuf,
    store: SharedStore,
    blobs: BlobStore,
    options: SqliteOptions,
    lock: Arc<DirectoryLock>,
}

/// The exclusive lock of a data directory; the system releases it when the process ends, however it ends.
pub(crate) struct DirectoryLock {
    file: File,
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file is not enough while a child that was just forked still has it, until it executes its program.
        // The lock goes with the last holder anyway if this fails.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl DataDir {
    /// Opens the directory, making it (mode 0700) and what belongs in it if it is not there. It is quick enough to be done
    /// before the first request is taken: a few milliseconds.
    ///
    /// # Errors
    /// [`OpenError`], each variant with a message for the operator.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// As [`open`](Self::open), with options of the engine.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        create_directory(path)?;
        let lock = Arc::new(DirectoryLock::take(path)?);
        let store: SharedStore = Arc::new(SqliteStore::open(path, options.clone(), Arc::clone(&lock))?);
        let blobs = BlobStore::open(path.join("blobs"), Arc::clone(&lock))?;
        // The names of the files just made must be on disk before anything in them is acknowledged.
        sync_directory(path).map_err(|error| system("sync", path, &error))?;
        Ok(Self { path: path.to_owned(), store, blobs, options, lock })
    }

    /// Where the directory is, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rows.
    #[must_use]
    pub fn store(&self) -> SharedStore {
        Arc::clone(&self.store)
    }

    /// Opens what CloudWatch Logs keeps, in a file of its own. To be called once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_logs(&self, clock: Clock) -> Result<LogStore, OpenError> {
        LogStore::open(&self.path, &self.options, clock, Arc::clone(&self.lock))
    }

    /// The blobs.
    #[must_use]
    pub fn blobs(&self) -> BlobStore {
        self.blobs.clone()
    }
}

impl DirectoryLock {
    #[expect(clippy::disallowed_methods, reason = "a directory is opened at start, before there is a data thread")]
    fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| system("open", &path, &error))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(LOCK_RETRY),
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(OpenError::InUse { path: directory.to_owned(), process: holder(&mut file) });
                }
                Err(error) => return Err(system("lock", &path, &error)),
            }
        }
        // The number only serves the message above, so it need not be on disk, and a torn one does no harm.
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| system("write", &path, &error))?;
        Ok(Self { file })
    }
}

/// The process that the lock file names.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(20).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// Makes a private directory, and its parents as `mkdir -p` would, each synced into the one above it.
pub(crate) fn create_directory(path: &Path) -> Result<(), OpenError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_directory(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_directory(parent).map_err(|error| system("sync", parent, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(system("create", path, &error)),
    }
}

/// Writes the names in a directory to disk.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// An [`OpenError::System`].
pub(crate) fn system(action: &'static str, path: &Path, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::System { action, path: path.to_owned(), reason: error.to_string() }
}
