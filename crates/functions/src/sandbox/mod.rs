//! The sandbox: how a function's process is started, what it inherits and what it may see and use.
//!
//! `spawner` is Frontgate's side: it starts the launcher and gives it orders. `launcher` is a process of its own, from
//! which every environment is cloned; `init` is the first process of an environment, which starts the program and ends
//! with it; `process` is what Frontgate holds of that. `channel` and `order` are what they say to each other.
//!
//! One file a layer:
//!
//! - `namespaces`: users, processes, mounts, System V objects, host name;
//! - `root`: a root of its own, not writable; `/var/task`, `/opt`, `/var/runtime`, a `/tmp` of bounded size, `/proc`;
//! - `names`: changes in how this host finds names, for those roots;
//! - `descriptors`: nothing is inherited but `/dev/null`, one pipe for its output, and the socket (descriptor 3);
//! - `limits`: resource limits (memory, files, processes, core dumps);
//! - `lifetime`: an environment is killed as a whole, and dies with Frontgate;
//! - `memory`: what all processes of an environment use together is bounded;
//! - `cgroup`: each environment is a control group, where the host delegates them;
//! - `privileges`: no new privileges, no capabilities, a harmless umask;
//! - `landlock`: what may be opened, once more; signals and abstract sockets stay inside;
//! - `syscalls`: system calls that no function needs are refused (seccomp).

mod cgroup;
mod channel;
mod confinement;
mod descriptors;
mod init;
mod installation;
mod landlock;
mod launcher;
mod layers;
mod lifetime;
mod limits;
mod memory;
mod names;
mod namespaces;
mod order;
mod privileges;
mod process;
mod root;
mod signals;
mod spawner;
mod syscalls;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

pub(crate) use installation::installation;
pub use launcher::run_if_asked;
pub(crate) use layers::report;
pub use layers::{Layer, LayerState, SandboxMode, examine_sandbox};
pub(crate) use order::{Contents, Surroundings};
pub(crate) use process::{Process, Remains};
pub(crate) use spawner::{Spawner, SpawnerSettings};

/// Where our bootstraps are in an environment that sees files of its own.
pub(crate) const RUNTIME: &str = "/var/runtime";

/// What is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The environment's processes.
    pub(crate) process: Process,
    /// The framed socket; non-blocking.
    pub(crate) socket: UnixStream,
    /// Where its standard output and standard error arrive; non-blocking.
    pub(crate) output: OwnedFd,
}
