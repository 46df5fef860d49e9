//! Working copies: the folders that one environment has for itself.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The folders of one environment: `task` (the code, not writable, as AWS's `/var/task`), `opt` (the layers, likewise, if
/// there are any) and `tmp` (empty, its own).
#[derive(Debug)]
pub(crate) struct WorkingCopy {
    root: PathBuf,
}

impl WorkingCopy {
    /// Makes `root` and copies the unpacked package at `code` into it, and the merged layers at `opt`.
    ///
    /// # Errors
    /// The file system's; nothing is left behind then.
    pub(crate) fn make(root: PathBuf, code: &Path, opt: Option<&Path>) -> io::Result<WorkingCopy> {
        let copy = WorkingCopy { root };
        let made = DirBuilder::new()
            .mode(0o700)
            .create(&copy.root)
            .and_then(|()| fs::create_dir(copy.temporary()))
            .and_then(|()| copy_tree(code, &copy.task()))
            .and_then(|()| opt.map_or(Ok(()), |opt| copy_tree(opt, &copy.opt())));
        match made {
            Ok(()) => Ok(copy),
            Err(error) => {
                copy.remove();
                Err(error)
            }
        }
    }

    /// The code.
    pub(crate) fn task(&self) -> PathBuf {
        self.root.join("task")
    }

    /// The layers; there is no such folder where there are none.
    pub(crate) fn opt(&self) -> PathBuf {
        self.root.join("opt")
    }

    /// What `TMPDIR` names.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes the folders. Blocks as long as there are files.
    pub(crate) fn remove(&self) {
        if let Err(error) = remove_tree(&self.root) {
            tracing::warn!(path = %self.root.display(), %error, "cannot remove an environment's folder");
        }
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
            let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
            fs::set_permissions(&target, Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?;
        }
    }
    fs::set_permissions(to, Permissions::from_mode(0o555))
}

/// A path longer than the folder's own by this is made short before it is gone into, as the kernel names no path beyond
/// 4,096 bytes.
const LONG_PATH: usize = 2048;

/// Removes a folder and all in it, also where folders are not writable. Links are removed, not followed. A folder that is
/// not there is fine. A function may nest folders as deep as it likes: nothing here recurses or keeps them open.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.is_dir() {
        return fs::remove_file(path);
    }
    let (mut folders, mut shortened) = (vec![path.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        if fs::remove_dir(&folder).is_ok() {
            continue;
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let mut inner = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => inner.push(entry.path()),
                false => fs::remove_file(entry.path())?,
            }
        }
        if inner.is_empty() {
            fs::remove_dir(&folder)?;
            continue;
        }
        folders.push(folder);
        for deep in inner {
            let is_long = deep.as_os_str().len() > path.as_os_str().len() + LONG_PATH;
            let short = path.join(format!(".removed-{shortened}"));
            if is_long {
                // A folder can be moved only where it may be written to, for its `..` changes.
                fs::set_permissions(&deep, Permissions::from_mode(0o700))?;
                fs::rename(&deep, &short)?;
                shortened += 1;
            }
            folders.push(if is_long { short } else { deep });
        }
    }
    Ok(())
}
