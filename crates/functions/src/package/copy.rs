//! Where one environment finds its code and its temporary folder: mounted, or else in folders of its own.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Tree;

/// Where the code of an environment comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodeAt<'a> {
    /// An unpacked package, of which the environment gets a copy.
    Package(&'a Path),
    /// A folder of the user's, from which the function runs.
    Folder(&'a Path),
}

/// The folders of one environment: its code (not writable, AWS's `/var/task`), the content of its layers (`/opt`) and a
/// temporary one (empty, its own).
#[derive(Debug)]
pub(crate) enum WorkingCopy {
    /// The shared trees are mounted in the environment's own root, where the paths are AWS's. Held, so that nobody removes
    /// them meanwhile.
    Mounted(#[expect(dead_code, reason = "it is there to be held")] Vec<Arc<Tree>>),
    /// `task`, `opt` and `tmp` in a folder of the environment's own: without a mount namespace nothing can make a shared
    /// tree read-only for a process of the same user. The code may be a folder of the user's instead.
    Copied(PathBuf, Option<PathBuf>),
}

impl WorkingCopy {
    /// Makes `root` and copies a package's code into it, and the merged layers at `opt`.
    ///
    /// # Errors
    /// The file system's; nothing is left behind then.
    pub(crate) fn make(root: PathBuf, code: CodeAt<'_>, opt: Option<&Path>) -> io::Result<WorkingCopy> {
        let folder = match code {
            CodeAt::Package(_) => None,
            CodeAt::Folder(folder) => Some(folder.to_owned()),
        };
        let copy = WorkingCopy::Copied(root.clone(), folder);
        let made = DirBuilder::new()
            .mode(0o700)
            .create(&root)
            .and_then(|()| fs::create_dir(copy.temporary()))
            .and_then(|()| match code {
                CodeAt::Package(code) => copy_tree(code, &copy.task()),
                CodeAt::Folder(_) => Ok(()),
            })
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
        match self {
            WorkingCopy::Copied(_, Some(folder)) => folder.clone(),
            _ => self.folder("/var/task", "task"),
        }
    }

    /// The content of the layers; where it is copied, there is no such folder without layers.
    pub(crate) fn opt(&self) -> PathBuf {
        self.folder("/opt", "opt")
    }

    /// The temporary folder.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder("/tmp", "tmp")
    }

    fn folder(&self, mounted: &str, copied: &str) -> PathBuf {
        match self {
            WorkingCopy::Mounted(_) => PathBuf::from(mounted),
            WorkingCopy::Copied(root, _) => root.join(copied),
        }
    }

    /// Removes the folders. Blocks as long as there are files.
    pub(crate) fn remove(&self) {
        let WorkingCopy::Copied(root, _) = self else { return };
        if let Err(error) = remove_tree(root) {
            tracing::warn!(path = %root.display(), %error, "cannot remove an environment's folder");
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
