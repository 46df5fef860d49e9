//! Layer: privileges. Set-user-id programs gain nothing, and files are not made writable for others.

use std::io;

use rustix::fs::Mode;

/// Gives up the ways to gain privileges.
///
/// Runs in the child between `fork` and `exec`: system calls only.
pub(super) fn give_up() -> io::Result<()> {
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    Ok(rustix::thread::set_no_new_privs(true)?)
}
