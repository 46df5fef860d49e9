//! What the launcher does for an environment: a group, made before its first process, which is born in it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::RecvFlags;
use rustix::process::{Signal, WaitOptions, waitpid};

use super::super::namespaces::{self, Cloned};
use super::super::{channel, init};
use super::limits::{self, Controllers};

/// The group in which it is tried once how all of this goes.
const TRIED: &str = "try";

/// How long a process that is to be killed there waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The groups of environments.
#[derive(Debug)]
pub(in super::super) struct Environments {
    /// Frontgate's, in which they are.
    folder: OwnedFd,
    controllers: Controllers,
    /// The number of the one that is made next.
    next: u64,
    /// One for the environment to come: to make a group takes longer than all else that is done with it.
    ready: Option<(u64, OwnedFd)>,
    /// Of environments that have ended, in which something still was.
    left: Vec<u64>,
}

impl Environments {
    /// Goes the whole way once: a group, a process in it, its end.
    ///
    /// # Errors
    /// The system's, with what was tried.
    pub(in super::super) fn find(folder: OwnedFd) -> io::Result<Environments> {
        let group = super::make(&folder, TRIED)?;
        let tried = attempt(&group);
        // What is left there is ended with Frontgate.
        let _ = super::remove(&folder, TRIED);
        let mut groups = Environments { folder, controllers: tried?, next: 0, ready: None, left: Vec::new() };
        groups.prepare();
        Ok(groups)
    }

    /// Which controllers they have.
    pub(in super::super) fn controllers(&self) -> Controllers {
        self.controllers
    }

    /// A group for an environment, with its limits, and the group's number; `files_mb` is how much of its `/tmp` is memory.
    ///
    /// # Errors
    /// The system's; a group that cannot have its limits is not there.
    pub(in super::super) fn add(&mut self, memory_mb: u32, files_mb: u32) -> io::Result<(u64, OwnedFd)> {
        let (number, group) = match self.ready.take() {
            Some(ready) => ready,
            None => self.make()?,
        };
        if let Err(error) = limits::apply(&group, self.controllers, memory_mb, files_mb) {
            self.end(number);
            return Err(error);
        }
        Ok((number, group))
    }

    /// Makes one for the next environment beforehand.
    pub(in super::super) fn prepare(&mut self) {
        if self.ready.is_none() {
            // Else it is made, or told why not, when it is needed.
            self.ready = self.make().ok();
        }
    }

    fn make(&mut self) -> io::Result<(u64, OwnedFd)> {
        let number = self.next;
        self.next += 1;
        Ok((number, super::make(&self.folder, &super::folder_name(number))?))
    }

    /// Ends what is left of an environment, and its group.
    pub(in super::super) fn end(&mut self, group: u64) {
        self.left.push(group);
        self.tidy_up();
    }

    /// Removes the groups of environments that have ended.
    pub(in super::super) fn tidy_up(&mut self) {
        let folder = &self.folder;
        self.left.retain(|number| {
            let name = super::folder_name(*number);
            let removed = super::remove(folder, &name);
            let is_in_use = removed.is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy);
            if is_in_use && let Ok(group) = super::open(folder, &name) {
                // Its end is told, and it is looked at again then.
                let _ = super::kill(&group);
            }
            is_in_use
        });
    }
}

/// Has a child begin in a group, and ends it with that.
fn attempt(group: &OwnedFd) -> io::Result<Controllers> {
    let (told, tell) = channel::pair()?;
    match namespaces::clone(0, Some(group))? {
        Cloned::Child => {
            let _ = channel::send(&tell, &(), &[]);
            std::thread::park_timeout(PATIENCE);
            init::end(0)
        }
        Cloned::Parent(child, _) => {
            drop(tell);
            let begun = channel::receive::<()>(told.as_fd(), RecvFlags::empty());
            let killed = super::kill(group);
            let status = waitpid(Some(child), WaitOptions::empty())?;
            if !matches!(begun, Ok(Some(_))) {
                return Err(io::Error::other("no process may be moved into a group"));
            }
            killed.map_err(|error| io::Error::new(error.kind(), format!("cgroup.kill (Linux 5.14): {error}")))?;
            match status.and_then(|(_, status)| status.terminating_signal()) {
                Some(signal) if signal == Signal::KILL.as_raw() => {}
                _ => return Err(io::Error::other("what is in a group is not ended with it")),
            }
            Ok(Controllers::parse(&super::read(group, "cgroup.controllers")?))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Groups in a folder that stands in for Frontgate's.
    fn groups(folder: &Path, controllers: Controllers) -> Environments {
        let folder = super::super::open(rustix::fs::CWD, folder.to_str().unwrap()).unwrap();
        Environments { folder, controllers, next: 0, ready: None, left: Vec::new() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn the_next_one_is_there_before_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let mut groups = groups(folder.path(), Controllers::default());
        assert_eq!(groups.add(128, 512).unwrap().0, 0);
        groups.prepare();
        groups.prepare();
        assert_eq!(names(folder.path()), ["environment-0", "environment-1"]);
        assert_eq!(groups.add(128, 512).unwrap().0, 1);
        assert_eq!(groups.add(128, 512).unwrap().0, 2);
        groups.end(1);
        assert_eq!(names(folder.path()), ["environment-0", "environment-2"]);
    }

    #[test]
    fn a_group_without_its_limits_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        // The folder that stands in for it has no such file.
        let mut groups = groups(folder.path(), Controllers { pids: true, ..Controllers::default() });
        assert!(groups.add(128, 512).unwrap_err().to_string().starts_with("pids.max: "));
        assert!(names(folder.path()).is_empty());
    }
}
