//! Whether anything below a folder has changed since it was first looked at: the kernel keeps a list (inotify), and asking
//! costs two system calls.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// How many folders are watched at most.
const FOLDERS: usize = 100_000;

/// What processes leave beside the code that they read, and what is no code.
const IGNORED: [&str; 2] = ["__pycache__", ".git"];

/// File systems that others write to without our kernel's knowledge: NFS, SMB and CIFS, FUSE (virtiofs too), 9P, Ceph, AFS.
const REMOTE: [u64; 8] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f];

/// A folder that is watched, with all below it.
#[derive(Debug)]
pub(super) struct Watch {
    changes: OwnedFd,
    /// The path that was asked for, and what it led to: a link may come to lead elsewhere.
    path: PathBuf,
    identity: (u64, u64),
}

impl Watch {
    /// Watches `found`, the folder that `path` leads to. Blocks as long as there are folders.
    ///
    /// # Errors
    /// Why it cannot be, for the operator.
    pub(super) fn new(path: &Path, found: &Path) -> Result<Watch, String> {
        let kind = rustix::fs::statfs(found).map_err(|error| error.to_string())?.f_type;
        if REMOTE.contains(&(kind as u64)) {
            return Err("its file system does not tell of changes".to_owned());
        }
        let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|error| format!("{error} (see /proc/sys/fs/inotify/max_user_instances)"))?;
        let metadata = fs::metadata(found).map_err(|error| error.to_string())?;
        let watch = Watch { changes, path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) };
        let mut folders = vec![found.to_owned()];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            count += 1;
            if count > FOLDERS {
                return Err(format!("there are more than {FOLDERS} folders in it"));
            }
            match watch.add(&folder, &mut folders) {
                // Whoever removed it has changed the folder above, which is watched.
                Err(error) if error.kind() == io::ErrorKind::NotFound && count > 1 => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    return Err("too many folders (see /proc/sys/fs/inotify/max_user_watches)".to_owned());
                }
                other => other.map_err(|error| format!("{}: {error}", folder.display()))?,
            }
        }
        Ok(watch)
    }

    /// Watches one folder and adds those in it to `folders`.
    fn add(&self, folder: &Path, folders: &mut Vec<PathBuf>) -> io::Result<()> {
        // First, so that what is made while the folder is read is not missed.
        let what = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        inotify::add_watch(&self.changes, folder, what)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && !is_ignored(entry.file_name().as_encoded_bytes()) {
                folders.push(entry.path());
            }
        }
        Ok(())
    }

    /// Whether anything has changed. What has been told is forgotten: who has heard of a change makes a new watch.
    pub(super) fn has_changed(&self) -> bool {
        let same = fs::metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.identity);
        if !same {
            return true;
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.changes, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let ignored = event.file_name().is_some_and(|name| is_ignored(name.to_bytes()));
                    if !ignored || event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                        return true;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                // An error of any other kind tells nothing good.
                Err(error) => return error != rustix::io::Errno::AGAIN,
            }
        }
    }
}

fn is_ignored(name: &[u8]) -> bool {
    IGNORED.iter().any(|ignored| ignored.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(folder: &Path) -> Watch {
        Watch::new(folder, &folder.canonicalize().unwrap()).unwrap()
    }

    fn assert_seen(what: &str, prepare: impl Fn(&Path), change: impl Fn(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("code");
        fs::create_dir_all(root.join("lib/deep")).unwrap();
        fs::write(root.join("index.py"), "1").unwrap();
        fs::write(root.join("lib/deep/part.py"), "1").unwrap();
        prepare(&root);
        let watch = watched(&root);
        assert!(!watch.has_changed(), "{what}: before");
        let _ = fs::read(root.join("index.py")).unwrap();
        assert!(!watch.has_changed(), "{what}: reading is no change");
        change(&root);
        assert!(watch.has_changed(), "{what}");
    }

    #[test]
    fn every_way_to_save_is_seen() {
        let nothing = |_: &Path| {};
        assert_seen("a file written", nothing, |root| fs::write(root.join("index.py"), "1").unwrap());
        assert_seen("a file below", nothing, |root| fs::write(root.join("lib/deep/part.py"), "2").unwrap());
        assert_seen("a new file", nothing, |root| fs::write(root.join("lib/new.py"), "").unwrap());
        assert_seen("a file removed", nothing, |root| fs::remove_file(root.join("lib/deep/part.py")).unwrap());
        assert_seen("as editors save", nothing, |root| {
            fs::write(root.join("index.py~"), "2").unwrap();
            fs::rename(root.join("index.py~"), root.join("index.py")).unwrap();
        });
        let beside = |root: &Path| fs::write(root.parent().unwrap().join("beside"), "2").unwrap();
        assert_seen("moved in from elsewhere", beside, |root| {
            fs::rename(root.parent().unwrap().join("beside"), root.join("index.py")).unwrap();
        });
        assert_seen("made executable", nothing, |root| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(root.join("index.py"), fs::Permissions::from_mode(0o755)).unwrap();
        });
        assert_seen("the whole folder replaced", nothing, |root| {
            let aside = root.with_extension("old");
            fs::rename(root, &aside).unwrap();
            fs::create_dir(root).unwrap();
        });
        assert_seen("the whole folder removed", nothing, |root| fs::remove_dir_all(root).unwrap());
    }

    #[test]
    fn a_link_that_comes_to_lead_elsewhere_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let link = folder.path().join("current");
        std::os::unix::fs::symlink("one", &link).unwrap();
        let watch = watched(&link);
        assert!(!watch.has_changed());
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("two", &link).unwrap();
        assert!(watch.has_changed());
    }

    #[test]
    fn what_python_keeps_beside_the_code_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let watch = watched(folder.path());
        fs::create_dir(folder.path().join("__pycache__")).unwrap();
        fs::write(folder.path().join("__pycache__/index.cpython-313.pyc"), "x").unwrap();
        assert!(!watch.has_changed());
        let again = watched(folder.path());
        fs::write(folder.path().join("__pycache__/index.cpython-313.pyc"), "y").unwrap();
        assert!(!again.has_changed());
    }

    #[test]
    fn more_changes_than_the_kernel_keeps_are_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let watch = watched(folder.path());
        let path = folder.path().join("__pycache__");
        for _ in 0..20_000 {
            fs::create_dir(&path).unwrap();
            fs::remove_dir(&path).unwrap();
        }
        assert!(watch.has_changed());
    }
}
