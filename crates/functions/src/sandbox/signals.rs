//! Waiting, in a process with one thread, for the end of a child, for a message or for something else, whichever comes first.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::{Pid, WaitOptions, wait};

/// Tells of children that have ended.
#[derive(Debug)]
pub(super) struct Children {
    signals: OwnedFd,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Children may have ended.
    pub(super) children: bool,
    /// A message has come, or the other side is gone.
    pub(super) message: bool,
    /// The other descriptor is readable.
    pub(super) other: bool,
}

impl Children {
    /// Has the end of children told by descriptor rather than by interruption, in this process and those it forks.
    #[expect(unsafe_code, reason = "rustix lacks signal masks and signalfd")]
    pub(super) fn new() -> io::Result<Children> {
        // SAFETY: `sigemptyset` fills the set before it is read; the others read it and write nothing.
        let signals = unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) < 0 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if signals < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened it for us.
        Ok(Children { signals: unsafe { OwnedFd::from_raw_fd(signals) } })
    }

    /// Waits for any.
    #[expect(unsafe_code, reason = "rustix has poll behind a feature that nothing else needs")]
    pub(super) fn wait(&self, messages: BorrowedFd<'_>, other: Option<BorrowedFd<'_>>) -> Due {
        let watch = |descriptor| libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // A number below zero is passed over.
        let other = other.map_or(-1, |other| other.as_raw_fd());
        let mut watched = [watch(self.signals.as_raw_fd()), watch(messages.as_raw_fd()), watch(other)];
        // SAFETY: the kernel writes to the three entries, whose number it is told.
        let found = unsafe { libc::poll(watched.as_mut_ptr(), 3, -1) };
        if found < 0 {
            // Interrupted: looked at again.
            return Due { children: true, message: false, other: false };
        }
        // What is told of many children at once is one signal: all are collected whenever there is one.
        let mut told = [0_u8; 1024];
        let _ = rustix::io::read(&self.signals, &mut told[..]);
        Due { children: watched[0].revents != 0, message: watched[1].revents != 0, other: watched[2].revents != 0 }
    }
}

/// Collects the next child that has ended: its number and status.
pub(super) fn collect() -> Option<(Pid, i32)> {
    let (child, status) = wait(WaitOptions::NOHANG).ok().flatten()?;
    Some((child, status.as_raw()))
}

/// Takes the standard library's handlers of faults away. The first process of a namespace is spared by all signals that it
/// has not asked for, and would come back to the fault from the handler without end.
#[expect(unsafe_code, reason = "rustix lacks signal actions")]
pub(super) fn let_faults_kill() {
    // SAFETY: the default action has no code of ours.
    unsafe {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Takes back for a program what a process of ours has changed about signals.
#[expect(unsafe_code, reason = "rustix lacks signal masks and actions")]
pub(super) fn reset() {
    // SAFETY: `sigemptyset` fills the set before it is read. Neither call can fail with these arguments.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        // The standard library ignores it in every program.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
