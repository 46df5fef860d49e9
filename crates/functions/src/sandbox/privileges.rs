//! Layer: privileges. No capabilities, and no way to new ones: set-user-id programs gain nothing. Files are not made
//! writable for others.

use std::io;

use rustix::fs::Mode;
use rustix::thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities};

/// Capabilities are numbered; kernels have fewer than these.
const CAPABILITIES: libc::c_ulong = 64;

/// Gives up the ways to gain privileges.
pub(super) fn give_up() -> io::Result<()> {
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Gives up all capabilities, also those that a program run later could bring.
#[expect(unsafe_code, reason = "rustix names capabilities one by one, and not those of later kernels")]
pub(super) fn drop_capabilities() -> io::Result<()> {
    for capability in 0..CAPABILITIES {
        // SAFETY: no memory is passed. A process that may not, and numbers that there are not, make no difference.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // Absent from kernels before 4.3.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
