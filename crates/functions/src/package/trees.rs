//! The unpacked trees of packages: one for each content, shared by all versions with that content, removed when the last
//! user is gone. They are only a cache: the blobs are what lasts.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use store::blobs::Digest;
use tokio::runtime::Handle;

use super::{PackageError, remove_tree, unpack};

/// How many trees are kept though no version has been run from them lately: those that have just been made.
const RECENT: usize = 16;

/// An unpacked package, or several merged. It must not be changed; copies are made from it.
#[derive(Debug)]
pub(crate) struct Tree {
    path: PathBuf,
    /// Of all files, in bytes.
    size: u64,
    control: Handle,
}

impl Tree {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes its files hold.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        // Removing may take long; who drops the last reference may be a data thread.
        self.control.spawn_blocking(move || {
            if let Err(error) = remove_tree(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove unpacked code");
            }
        });
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Trees {
    directory: PathBuf,
    control: Handle,
    known: Mutex<Known>,
    /// Held while a package is unpacked: one at a time, for each may take 250 MB, and two callers may want the same.
    unpacking: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Known {
    trees: HashMap<Digest, Weak<Tree>>,
    recent: VecDeque<Arc<Tree>>,
}

impl Trees {
    /// Trees are made in `directory`, which must be empty.
    pub(crate) fn new(directory: PathBuf, control: Handle) -> Trees {
        Trees { directory, control, known: Mutex::default(), unpacking: Mutex::default() }
    }

    /// The tree of a package; unpacked from what `read` returns if it is not there. Blocks.
    pub(crate) fn get(
        &self,
        code: Digest,
        read: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<Arc<Tree>, PackageError> {
        self.get_or_make(code, |target| unpack(&read()?, target))
    }

    /// The tree of that name; if it is not there, what `make` writes into the empty folder that it is given. It returns
    /// how many bytes that are, and must not ask for another tree. Blocks.
    pub(crate) fn get_or_make(
        &self,
        name: Digest,
        make: impl FnOnce(&Path) -> Result<u64, PackageError>,
    ) -> Result<Arc<Tree>, PackageError> {
        if let Some(tree) = self.find(name) {
            return Ok(tree);
        }
        let mut number = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = self.find(name) {
            return Ok(tree);
        }
        *number += 1;
        // Numbered, so that a tree that is still being removed is not in the way.
        let path = self.directory.join(format!("{}-{number}", &name.to_string()[..16]));
        fs::create_dir(&path)?;
        // A tree from here on, so that what is half-made is removed.
        let mut tree = Tree { path, size: 0, control: self.control.clone() };
        tree.size = make(&tree.path)?;
        let tree = Arc::new(tree);
        let mut known = self.known();
        known.trees.retain(|_, tree| tree.strong_count() > 0);
        known.trees.insert(name, Arc::downgrade(&tree));
        known.recent.push_back(Arc::clone(&tree));
        let _oldest = if known.recent.len() > RECENT { known.recent.pop_front() } else { None };
        drop(known);
        Ok(tree)
    }

    fn find(&self, code: Digest) -> Option<Arc<Tree>> {
        self.known().trees.get(&code)?.upgrade()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
