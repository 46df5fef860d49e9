//! What is written into the files of an environment's group.

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::super::limits::{INTERPRETER_BYTES, PROCESSES_APART};

/// Which of the kernel's controllers a group has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Controllers {
    /// Weighs its share of the processors.
    pub(in super::super) cpu: bool,
    /// Bounds its memory.
    pub(in super::super) memory: bool,
    /// Bounds the number of its processes and threads.
    pub(in super::super) pids: bool,
}

/// The names of those that we have a use for.
pub(super) const USED: [&str; 3] = ["cpu", "memory", "pids"];

/// `MemorySize` in MB with which AWS gives one whole processor; others get theirs in proportion.
const ONE_PROCESSOR_MB: u64 = 1769;

/// The kernel's weight of a group that nobody has said anything about. That of one whole processor.
const USUAL_WEIGHT: u64 = 100;

impl Controllers {
    /// Reads a list such as `cpu io memory`.
    pub(super) fn parse(list: &str) -> Controllers {
        let has = |name| list.split_whitespace().any(|listed| listed == name);
        let [cpu, memory, pids] = USED.map(has);
        Controllers { cpu, memory, pids }
    }

    /// The names of those that there are, for people.
    pub(in super::super) fn names(self) -> String {
        let have = [self.cpu, self.memory, self.pids];
        let names: Vec<&str> = USED.into_iter().zip(have).filter_map(|(name, has)| has.then_some(name)).collect();
        names.join(", ")
    }
}

/// Bounds a group that has nothing in it yet. `files_mb` is what may be in its memory beside `memory_mb`, the function's
/// `MemorySize`, as the files of its `/tmp`.
pub(super) fn apply(group: &OwnedFd, controllers: Controllers, memory_mb: u32, files_mb: u32) -> io::Result<()> {
    for (file, value) in values(controllers, memory_mb, files_mb) {
        match super::write(group, file, &value) {
            // A kernel without swap has nothing to be forbidden.
            Err(error) if file == "memory.swap.max" && error.kind() == io::ErrorKind::NotFound => {}
            written => written.map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?,
        }
    }
    Ok(())
}

/// The files of a group, and what belongs into them.
fn values(controllers: Controllers, memory_mb: u32, files_mb: u32) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    if controllers.memory {
        let most = (u64::from(memory_mb) << 20) + (u64::from(files_mb) << 20) + INTERPRETER_BYTES;
        values.push(("memory.max", most.to_string()));
        values.push(("memory.swap.max", "0".to_owned()));
        // Half an environment is of no use to anybody.
        values.push(("memory.oom.group", "1".to_owned()));
    }
    if controllers.pids {
        // The first process, which is ours, is one of them.
        values.push(("pids.max", (PROCESSES_APART + 1).to_string()));
    }
    if controllers.cpu {
        values.push(("cpu.weight", weight(memory_mb).to_string()));
    }
    values
}

/// The weight of an environment's share where there is not enough for all: in proportion to `MemorySize`, as on AWS.
fn weight(memory_mb: u32) -> u64 {
    (u64::from(memory_mb) * USUAL_WEIGHT / ONE_PROCESSOR_MB).clamp(1, 10_000)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder that stands in for a group with these controllers.
    fn group(folder: &std::path::Path, files: &[&str]) -> OwnedFd {
        for file in files {
            fs::write(folder.join(file), "").unwrap();
        }
        super::super::open(rustix::fs::CWD, folder.to_str().unwrap()).unwrap()
    }

    fn content(folder: &std::path::Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut content: Vec<(String, String)> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        content.sort();
        content
    }

    #[test]
    fn each_file_gets_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["cpu.max", "cpu.weight", "memory.max", "memory.oom.group", "memory.swap.max", "pids.max"];
        let group = group(folder.path(), &files);
        let controllers = Controllers::parse("cpuset cpu io memory hugetlb pids\n");
        assert_eq!(controllers, Controllers { cpu: true, memory: true, pids: true });
        apply(&group, controllers, 1769, 512).unwrap();
        let expected = [
            ("cpu.max", String::new()),
            ("cpu.weight", "100".to_owned()),
            ("memory.max", ((1769_u64 + 512 + 128) << 20).to_string()),
            ("memory.oom.group", "1".to_owned()),
            ("memory.swap.max", "0".to_owned()),
            ("pids.max", "1025".to_owned()),
        ];
        assert_eq!(content(folder.path()), expected.map(|(file, value)| (file.to_owned(), value)));
    }

    #[test]
    fn what_has_no_controller_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let group = group(folder.path(), &["pids.max"]);
        let controllers = Controllers::parse("pids");
        assert_eq!(controllers.names(), "pids");
        apply(&group, controllers, 128, 512).unwrap();
        apply(&group, Controllers::default(), 128, 512).unwrap();
        assert_eq!(content(folder.path()), [("pids.max".to_owned(), "1025".to_owned())]);
    }

    #[test]
    fn a_limit_that_cannot_be_set_is_an_error_but_for_that_of_swap() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Controllers { memory: true, ..Controllers::default() };
        let group = group(folder.path(), &["memory.max", "memory.oom.group"]);
        apply(&group, memory, 128, 0).unwrap();
        fs::remove_file(folder.path().join("memory.oom.group")).unwrap();
        assert!(apply(&group, memory, 128, 0).unwrap_err().to_string().starts_with("memory.oom.group: "));
    }

    #[test]
    fn the_weight_is_in_proportion_to_memory() {
        // AWS's smallest and largest sizes, one processor and six.
        assert_eq!([128, 1769, 10_240].map(weight), [7, 100, 578]);
        assert_eq!([0, u32::MAX].map(weight), [1, 10_000]);
    }
}
