//! Layer: resource limits. They hold for one process; `memory` and `cgroup` bound a whole environment.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors a function may have open, as on AWS.
const DESCRIPTORS: u64 = 1024;

/// Processes and threads. AWS allows 1,024 an environment; this limit counts all of our user's, so it only stops what runs
/// away.
const PROCESSES: u64 = 16_384;

/// The largest file a function may write: the largest `/tmp` AWS sells, 10,240 MB.
const FILE_BYTES: u64 = 10_240 << 20;

/// What an interpreter maps beside the function's own memory. Node's heaps and threads take about 50 MB before the first
/// line of a handler runs, which AWS's smallest size (128 MB) must leave room for.
pub(super) const INTERPRETER_BYTES: u64 = 128 << 20;

/// Processes and threads of an environment that counts by itself, as on AWS.
pub(super) const PROCESSES_APART: u64 = 1024;

/// Bounds the processes of this environment, which has a user namespace of its own. Kernels before 5.14 count those of
/// all namespaces together, and so get no bound here.
pub(super) fn bound_processes() -> io::Result<()> {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or_default());
    if (numbers.next(), numbers.next()) < (Some(5), Some(14)) {
        return Ok(());
    }
    let bound = Some(PROCESSES_APART);
    Ok(setrlimit(Resource::Nproc, Rlimit { current: bound, maximum: bound })?)
}

/// Sets the limits of the calling process.
///
/// Runs in the child between `fork` and `exec`: system calls only.
pub(super) fn apply(memory_mb: u32) -> io::Result<()> {
    let memory = (u64::from(memory_mb) << 20) + INTERPRETER_BYTES;
    for (resource, wanted) in [
        // Private writable memory. The address space itself cannot be limited: Node reserves far more than it uses.
        (Resource::Data, memory),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Nproc, PROCESSES),
        (Resource::Fsize, FILE_BYTES),
        (Resource::Core, 0),
    ] {
        // An ordinary user cannot raise a limit that is lower already.
        let allowed = getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted));
        setrlimit(resource, Rlimit { current: Some(allowed), maximum: Some(allowed) })?;
    }
    Ok(())
}
