//! Makes one tree of several: what a later one has replaces what an earlier one has under the same name.
//!
//! Links are replaced and never followed, so nothing is written outside the target; and when all is there, no link may
//! lead outside, which one of a layer can by way of another layer's though each layer alone is sound.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::package::{PackageError, Tree, remove_tree};

/// Merges `trees` into `target`, a folder that exists and is empty; returns the bytes in it. Files are linked, not copied,
/// where the file system can: trees are never changed.
pub(super) fn merge(trees: &[Arc<Tree>], target: &Path) -> Result<u64, PackageError> {
    let mut links = Vec::new();
    for tree in trees {
        lay(tree.path(), target, &mut links)?;
    }
    let root = target.canonicalize()?;
    for link in links {
        // One that leads nowhere, and one that has been replaced, leads nowhere outside.
        if let Ok(resolved) = link.canonicalize()
            && !resolved.starts_with(&root)
        {
            let shown = link.strip_prefix(target).unwrap_or(&link).display();
            return Err(PackageError::Invalid(format!("the link {shown} leads outside the layers")));
        }
    }
    Ok(size(target)?)
}

/// Lays the content of `from` over that of `to`. Trees are of bounded depth, as packages are.
fn lay(from: &Path, to: &Path, links: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        let present = fs::symlink_metadata(&target).ok();
        if kind.is_dir() {
            if !present.as_ref().is_some_and(fs::Metadata::is_dir) {
                if present.is_some() {
                    fs::remove_file(&target)?;
                }
                fs::create_dir(&target)?;
            }
            lay(&source, &target, links)?;
            continue;
        }
        if present.is_some() {
            remove_tree(&target)?;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
            links.push(target);
        } else if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

/// How many bytes the files of a tree hold.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += size(&entry.path())?;
        } else if kind.is_file() {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
