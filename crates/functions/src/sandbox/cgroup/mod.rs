//! Layer: control groups (cgroup v2), where this host delegates them. Each environment is a group of processes: the kernel
//! ends it as a whole, and bounds its memory and processes and weighs its CPU where the controllers are to be had.
//!
//! One file each for what is found on this host (`host`), what a Frontgate process has (`group`), what the launcher does
//! for an environment (`environments`), and what is written where (`limits`). All of it goes through handles of folders,
//! because the launcher does not see `/sys` any more when it starts environments.

mod environments;
mod group;
mod host;
mod limits;

pub(super) use environments::Environments;
pub(super) use group::Group;
pub(super) use limits::Controllers;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};

/// The layer's name, as in the documentation.
pub(super) const NAME: &str = "cgroup";

/// More is in no file of a group that is read here, but in a list of very many processes.
const FILE_BYTES: u64 = 65_536;

/// The folder of an environment's group.
pub(super) fn folder_name(number: u64) -> String {
    format!("environment-{number}")
}

/// The text of a group's file; `path` leads to it from `folder`.
pub(super) fn read(folder: impl AsFd, path: &str) -> io::Result<String> {
    let opened = rustix::fs::openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(opened).take(FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a group's file, which is there.
fn write(folder: impl AsFd, file: &str, text: &str) -> io::Result<()> {
    let opened = rustix::fs::openat(folder, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    // In one piece, which the kernel takes or refuses.
    File::from(opened).write_all(text.as_bytes())
}

fn open(folder: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// Makes a group in another and opens it.
fn make(folder: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(folder.as_fd(), name, Mode::from_raw_mode(0o755))?;
    open(folder, name)
}

/// Removes a group, in which nothing may be.
fn remove(folder: impl AsFd, name: &str) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
}

/// Ends all processes of a group and of those below it (Linux 5.14).
fn kill(group: impl AsFd) -> io::Result<()> {
    write(group, "cgroup.kill", "1")
}

/// Moves the calling process into a group.
pub(super) fn enter(group: impl AsFd) -> io::Result<()> {
    write(group, "cgroup.procs", "0")
}
