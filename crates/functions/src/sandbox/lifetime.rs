//! Layer: lifetime. An environment is one session and process group; it dies as a whole, and with Frontgate.

use std::io;

use std::os::fd::OwnedFd;

use rustix::process::{
    Pid, PidfdFlags, Signal, getppid, kill_process_group, pidfd_open, set_parent_process_death_signal, setsid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Leaves our session and ties the child's life to the thread that made it, which lives as long as Frontgate
/// (`Spawner`). The kernel sends the signal when that *thread* ends, not the process.
///
/// Runs in the child between `fork` and `exec`: system calls only.
pub(super) fn bind(parent: Pid) -> io::Result<()> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == Some(parent) {
        Ok(())
    } else {
        // Frontgate died before the line above; nobody would ever send the signal. (An error with a text of its own would
        // allocate.)
        Err(rustix::io::Errno::SRCH.into())
    }
}

/// Kills an environment's processes: the leader, and its children unless they have left the group. The leader must not
/// have been waited for yet, so that its number cannot belong to somebody else.
pub(crate) fn kill_group(leader: Pid) {
    signal_group(leader, Signal::KILL);
}

/// Stops an environment's processes until they are thawed; who is in the group must be as for [`kill_group`].
pub(crate) fn freeze_group(leader: Pid) {
    signal_group(leader, Signal::STOP);
}

/// Lets an environment's processes go on.
pub(crate) fn thaw_group(leader: Pid) {
    signal_group(leader, Signal::CONT);
}

fn signal_group(leader: Pid, signal: Signal) {
    if let Err(error) = kill_process_group(leader, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, ?signal, process = leader.as_raw_nonzero(), "cannot signal a function's processes");
    }
}

/// Something that becomes readable when a child of ours has ended; registered with the calling thread's reactor.
#[expect(unsafe_code, reason = "tokio cannot know that a descriptor stays open; an owned one does")]
pub(crate) fn watch_end(child: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let descriptor = pidfd_open(child, PidfdFlags::empty())?;
    // SAFETY: the descriptor is open, owned by the `AsyncFd` alone and never replaced.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}
