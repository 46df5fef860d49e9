//! The group of one Frontgate process, in which each of its environments has one. It is gone when Frontgate has ended; what
//! one leaves that was killed, the next removes.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Dir, FileType, FlockOperation, flock};

use super::host;

/// What the names of our groups begin with.
const BEGIN: &str = "frontgate-functions-";

/// How often it is tried to remove a group whose processes have been killed, and how long is waited in between.
const ROUNDS: usize = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// How often another Frontgate may take a new group for one that was left behind.
const TRIES: usize = 5;

/// See the module. It is removed when this is dropped, and what is in it ends.
#[derive(Debug)]
pub(in super::super) struct Group {
    parent: OwnedFd,
    name: String,
    /// Locked as long as its processes have a use for it.
    folder: OwnedFd,
}

impl Group {
    /// Makes one in our own group, and removes those that nobody has a use for.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(in super::super) fn make() -> Result<Group, String> {
        let parent = host::own_group()?;
        Group::make_in(parent)
    }

    fn make_in(parent: OwnedFd) -> Result<Group, String> {
        sweep(&parent);
        host::give_on_controllers(&parent);
        for _ in 0..TRIES {
            let name = format!("{BEGIN}{}", base::ids::uuid());
            let folder = match super::make(&parent, &name) {
                Ok(folder) => folder,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("not delegated: no group can be made in its own ({error})")),
            };
            // Until it is locked, another Frontgate takes it for one that was left behind.
            if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() && super::open(&parent, &name).is_ok() {
                host::give_on_controllers(&folder);
                return Ok(Group { parent, name, folder });
            }
        }
        Err("others take its groups away".to_owned())
    }

    /// Its folder.
    pub(in super::super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Ends all environments that are in it, and removes their groups.
    pub(in super::super) fn clear(&self) {
        clear(&self.folder);
    }

    /// Ends what is in it and removes it. Blocks until that has ended, but not for long.
    pub(in super::super) fn end(&self) {
        destroy(&self.parent, &self.name, &self.folder);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// Removes the groups of those that have ended without doing so.
fn sweep(parent: &OwnedFd) {
    for name in groups_in(parent).iter().filter(|name| name.starts_with(BEGIN)) {
        let Ok(folder) = super::open(parent, name) else { continue };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            destroy(parent, name, &folder);
        }
    }
}

/// Ends what is in a group, and removes the groups below it.
fn clear(folder: &OwnedFd) {
    if groups_in(folder).is_empty() {
        return;
    }
    // An error means that it is gone, or not ours.
    let _ = super::kill(folder);
    for _ in 0..ROUNDS {
        let left = groups_in(folder);
        if left.iter().filter(|name| super::remove(folder, name).is_err()).count() == 0 {
            return;
        }
        std::thread::park_timeout(PAUSE);
    }
}

fn destroy(parent: &OwnedFd, name: &str, folder: &OwnedFd) {
    clear(folder);
    match super::remove(parent, name) {
        // The launcher may have been quicker, or another Frontgate.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, name, "a control group stays behind");
        }
        _ => {}
    }
}

/// The names of the groups in a group.
fn groups_in(folder: &OwnedFd) -> Vec<String> {
    let Ok(entries) = Dir::read_from(folder) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.file_type() == FileType::Directory);
    let names = folders.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
    names.filter(|name| name != "." && name != "..").collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn open(folder: &Path) -> OwnedFd {
        super::super::open(rustix::fs::CWD, folder.to_str().unwrap()).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names = groups_in(&open(folder));
        names.sort();
        names
    }

    #[test]
    fn what_was_left_behind_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["frontgate-functions-dead/environment-1", "frontgate-server", "other", "frontgate-functions-live"]
        {
            fs::create_dir_all(folder.path().join(inner)).unwrap();
        }
        let live = open(&folder.path().join("frontgate-functions-live"));
        flock(&live, FlockOperation::NonBlockingLockExclusive).unwrap();
        let group = Group::make_in(open(folder.path())).unwrap();
        let mut expected = vec!["frontgate-functions-live", &group.name, "frontgate-server", "other"];
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        // One that is in use is nobody else's to remove.
        let second = Group::make_in(open(folder.path())).unwrap();
        assert!(names(folder.path()).contains(&group.name));
        fs::create_dir(folder.path().join(&group.name).join("environment-7")).unwrap();
        group.clear();
        assert!(names(&folder.path().join(&group.name)).is_empty());
        drop((group, second));
        assert_eq!(names(folder.path()), ["frontgate-functions-live", "frontgate-server", "other"]);
    }

    #[test]
    fn where_no_group_can_be_made_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let parent = open(folder.path());
        drop(folder);
        assert!(Group::make_in(parent).unwrap_err().starts_with("others take its groups away"));
    }
}
