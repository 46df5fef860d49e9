//! Layer: lifetime. Frontgate's end ends the launcher, the launcher's end each environment's first process, and that
//! one's end all the others: by the kernel where they have a namespace, else by looking for them.

use std::fs;
use std::io;

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, set_child_subreaper, set_parent_process_death_signal, setsid,
};

/// How often children are looked for before they are given up: each time those found are killed, and leave theirs.
const ROUNDS: usize = 1000;

/// Leaves our session and ties the child's life to the thread that made it. The kernel sends the signal when that *thread*
/// ends, not the process.
///
/// Runs in the child between `fork` and `exec`: system calls only.
pub(super) fn bind(parent: Pid) -> io::Result<()> {
    setsid()?;
    follow()?;
    if getppid() == Some(parent) {
        Ok(())
    } else {
        // The parent died before the line above; nobody would ever send the signal. (An error with a text of its own would
        // allocate.)
        Err(rustix::io::Errno::SRCH.into())
    }
}

/// Ends with the process, or the thread, that made this one. A change of user undoes it.
pub(super) fn follow() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Makes this process the parent of those below it whose own has ended.
pub(super) fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Kills the children of this process but `spared`, and theirs as they come to be its own. Returns whether there were any.
pub(super) fn kill_children(spared: impl Fn(Pid) -> bool) -> bool {
    let mut found = false;
    for _ in 0..ROUNDS {
        let children: Vec<Pid> = children().into_iter().filter(|child| !spared(*child)).collect();
        if children.is_empty() {
            break;
        }
        found = true;
        for child in children {
            // It may have ended just now.
            let _ = kill_process(child, Signal::KILL);
            let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
        }
    }
    found
}

/// Sends a signal to all processes of the namespace but its first, which calls this.
pub(super) fn signal_all(signal: Signal) {
    // There may be none.
    let _ = kill_all(signal);
}

#[expect(unsafe_code, reason = "rustix sends signals to one process or group")]
fn kill_all(signal: Signal) -> io::Result<()> {
    // SAFETY: no memory is passed.
    if unsafe { libc::kill(-1, signal.as_raw()) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The children of this process, as `/proc` tells.
fn children() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().to_string();
    let parent = |stat: &str| stat.rsplit(')').next()?.split_whitespace().nth(1).map(str::to_owned);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|number| {
            let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            parent(&stat).as_deref() == Some(&own)
        })
        .filter_map(Pid::from_raw)
        .collect()
}
