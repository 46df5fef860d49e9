//! Layer: Landlock. What a function may open is said to the kernel once more, independent of mounts and ids; and it may not
//! reach others through signals or abstract sockets, which no namespace of ours keeps apart.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};

use super::root::{FILES, FOLDERS};

/// The newest version of Landlock whose rights we know; older kernels enforce what they have.
const VERSION: ABI = ABI::V6;

/// What may be read, and what may be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
}

/// Devices that may be written to, like the files of processes that the kernel lets their owner write to.
const WRITTEN: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/proc"];

/// Of the host, where an environment has no root of its own: what such a root makes itself or has by its links.
const OF_HOST: [&str; 7] = [
    "/dev",
    "/proc",
    "/sys/devices/system/cpu",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/etc/group",
    "/etc/passwd",
];

impl Paths {
    /// In a root that holds nothing else.
    pub(super) fn own_root() -> Paths {
        Paths { read: vec![PathBuf::from("/")], write: vec![PathBuf::from("/tmp")] }
    }

    /// In the host's root: what every program needs, an interpreter's installation, our bootstraps, and the environment's
    /// folders.
    pub(super) fn of_host(installation: &[PathBuf], directory: &Path, runtime: &Path, environment: u64) -> Paths {
        let own = directory.join("environments").join(environment.to_string());
        let mut read: Vec<PathBuf> = FOLDERS.iter().chain(&FILES).chain(&OF_HOST).map(PathBuf::from).collect();
        read.extend(installation.iter().cloned());
        read.extend([runtime.to_owned(), own.join("task"), own.join("opt")]);
        Paths { read, write: vec![own.join("tmp")] }
    }
}

/// Confines this process and those it will start.
pub(super) fn confine(paths: &Paths) -> io::Result<()> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(VERSION)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&paths.read, AccessFs::from_read(VERSION))))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&paths.write, AccessFs::from_all(VERSION))))
        .and_then(|ruleset| {
            let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::Truncate;
            ruleset.add_rules(path_beneath_rules(WRITTEN, access))
        })
        .and_then(|ruleset| ruleset.restrict_self())
        .map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(io::Error::from_raw_os_error(libc::ENOSYS)),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}
