//! Takes a stranger's zip apart: bounded in entries and bytes, and never outside its folder.

use std::fs::{self, File, Permissions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

/// The most a package may hold once unpacked, as AWS: 250 MB.
pub(crate) const UNPACKED_BYTES: u64 = 262_144_000;

/// How many files and folders a package may hold. AWS names no number; this one keeps a small zip from making millions.
const ENTRIES: usize = 100_000;

/// How deep folders may be nested. AWS names no number; this one keeps every walk through a package shallow.
const DEPTH: usize = 128;

/// The longest target of a symbolic link.
const LINK_BYTES: u64 = 4096;

/// Why a package was refused.
#[derive(Debug, Error)]
pub(crate) enum PackageError {
    /// Not a zip, damaged, or reaching outside its folder.
    #[error("the package cannot be unpacked: {0}")]
    Invalid(String),
    /// It has no files.
    #[error("the package is empty")]
    Empty,
    /// More than [`UNPACKED_BYTES`].
    #[error("the package unpacks to more than {UNPACKED_BYTES} bytes")]
    TooLarge,
    /// Our own disk refused.
    #[error("cannot write the package: {0}")]
    Disk(#[from] io::Error),
}

/// Unpacks `bytes` into `target`, a folder that exists and is empty; returns how many bytes its files hold. On an error,
/// what was written stays behind for the caller to remove.
pub(crate) fn unpack(bytes: &[u8], target: &Path) -> Result<u64, PackageError> {
    unpack_within(bytes, target, UNPACKED_BYTES)
}

/// As [`unpack`], with a bound of its own.
pub(super) fn unpack_within(bytes: &[u8], target: &Path, most: u64) -> Result<u64, PackageError> {
    let mut left = most;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(invalid)?;
    if archive.is_empty() {
        return Err(PackageError::Empty);
    }
    if archive.len() > ENTRIES {
        return Err(PackageError::Invalid(format!("more than {ENTRIES} entries")));
    }
    let mut folders = ENTRIES;
    // Links are made when all files are there, so that no file can be written through one.
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(invalid)?;
        let path = inside(&entry.name().map_err(invalid)?)?;
        if path.as_os_str().is_empty() {
            continue;
        }
        if entry.is_symlink() {
            let mut text = String::new();
            (&mut entry).take(LINK_BYTES).read_to_string(&mut text).map_err(damaged)?;
            links.push((path, PathBuf::from(text)));
        } else if entry.is_dir() {
            make_folder(&target.join(path), &mut folders)?;
        } else {
            let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            let path = target.join(path);
            make_folder(path.parent().unwrap_or(target), &mut folders)?;
            write_file(&mut entry, &path, executable, &mut left)?;
        }
    }
    make_links(target, &links, &mut folders)?;
    Ok(most - left)
}

/// Makes a folder and those above it, as long as `left` allows: a short zip can name very many.
fn make_folder(path: &Path, left: &mut usize) -> Result<(), PackageError> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(path.parent().unwrap_or(Path::new("/")), left)?;
            fs::create_dir(path).map_err(conflict)?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(error) => return Err(conflict(error)),
    }
    *left = left.checked_sub(1).ok_or_else(|| PackageError::Invalid(format!("more than {ENTRIES} folders")))?;
    Ok(())
}

fn write_file(entry: &mut impl Read, path: &Path, executable: bool, left: &mut u64) -> Result<(), PackageError> {
    let mut file = File::create(path).map_err(conflict)?;
    // The sizes that the zip claims are not believed: what arrives is counted.
    let mut bounded = entry.take(*left + 1);
    let mut buffer = [0; 65_536];
    loop {
        let count = bounded.read(&mut buffer).map_err(damaged)?;
        if count == 0 {
            break;
        }
        *left = left.checked_sub(count as u64).ok_or(PackageError::TooLarge)?;
        io::Write::write_all(&mut file, &buffer[..count])?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    Ok(file.set_permissions(Permissions::from_mode(mode))?)
}

fn make_links(target: &Path, links: &[(PathBuf, PathBuf)], folders: &mut usize) -> Result<(), PackageError> {
    for (path, to) in links {
        let folder = path.parent().unwrap_or(Path::new(""));
        let lexical = folder.join(to);
        if to.is_absolute() || normalise(&lexical).is_none() {
            return Err(outward(path));
        }
        let full = target.join(path);
        make_folder(&target.join(folder), folders)?;
        symlink(to, &full).map_err(conflict)?;
    }
    // A chain of links may lead out though each one alone does not.
    let root = target.canonicalize()?;
    for (path, _) in links {
        if let Ok(resolved) = target.join(path).canonicalize()
            && !resolved.starts_with(&root)
        {
            return Err(outward(path));
        }
    }
    Ok(())
}

/// The entry's path, relative and without `..`.
fn inside(name: &str) -> Result<PathBuf, PackageError> {
    let path = Path::new(name);
    if name.contains(['\0', '\\']) || path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(PackageError::Invalid(format!("the entry {name:?} lies outside the package")));
    }
    let path =
        normalise(path).ok_or_else(|| PackageError::Invalid(format!("the entry {name:?} lies outside the package")))?;
    match path.components().count() {
        0..=DEPTH => Ok(path),
        _ => Err(PackageError::Invalid(format!("an entry lies more than {DEPTH} folders deep"))),
    }
}

/// Resolves `.` and `..` by their names alone; `None` where that leads above the start.
fn normalise(path: &Path) -> Option<PathBuf> {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => result.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !result.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(result)
}

fn outward(path: &Path) -> PackageError {
    PackageError::Invalid(format!("the link {} leads outside the package", path.display()))
}

fn invalid(error: ZipError) -> PackageError {
    PackageError::Invalid(error.to_string())
}

/// An error while an entry is read is the zip's: its bytes are in memory.
fn damaged(error: io::Error) -> PackageError {
    PackageError::Invalid(error.to_string())
}

/// Two entries that cannot both be (a file and a folder of one name) and names too long are the zip's fault too.
fn conflict(error: io::Error) -> PackageError {
    match error.kind() {
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => PackageError::Invalid(error.to_string()),
        _ => PackageError::Disk(error),
    }
}
