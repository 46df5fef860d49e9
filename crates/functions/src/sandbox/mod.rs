//! The sandbox: how a function's process is started, what it inherits and what it may use.
//!
//! One file a layer. Active now, for every function, without any privilege:
//!
//! - `descriptors`: nothing is inherited but `/dev/null`, one pipe for its output, and the socket (descriptor 3);
//! - `limits`: resource limits (memory, files, processes, core dumps);
//! - `lifetime`: a session and process group of its own that is killed as a whole, and death with Frontgate;
//! - `privileges`: no new privileges, a harmless umask;
//! - a clean environment and working directory (`Launch`).
//!
//! Namespaces, Landlock, seccomp and cgroups join as further files here. Until then a function runs as the user that runs
//! Frontgate and can read what that user can read; each environment has its own copy of the code and its own temporary
//! directory (see `package::copy`), so that one cannot disturb another by accident.

mod descriptors;
mod lifetime;
mod limits;
mod privileges;
mod spawner;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;

pub(crate) use lifetime::{freeze_group, kill_group, thaw_group, watch_end};
pub(crate) use spawner::Spawner;

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The interpreter.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// All of its environment variables.
    pub(crate) environment: Vec<(String, String)>,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// The function's `MemorySize`, in MB.
    pub(crate) memory_mb: u32,
}

/// A process that has been started, and our ends of what it talks through.
#[derive(Debug)]
pub(crate) struct Started {
    /// The process; the leader of its group.
    pub(crate) child: Child,
    /// The framed socket; non-blocking.
    pub(crate) socket: UnixStream,
    /// Where its standard output and standard error arrive; non-blocking.
    pub(crate) output: OwnedFd,
}
