//! Layer: namespaces. An environment has its own users, processes, mounts, System V objects and host name.
//!
//! The launcher enters a mount namespace of its own once (and, where Frontgate is not root, a user namespace, which is
//! what gives it the right to). Every environment is cloned from there into its own, and its processes then move into a
//! user namespace of their own, where they have one id, no capabilities, and no right to any mount.
//!
//! Where Frontgate is root each environment runs under an id of its own that no account has; else under Frontgate's,
//! which its own namespaces keep it from making use of. Inside it is always AWS's: `sbx_user1051`, 993.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{DumpableBehavior, Pid, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::{
    LinkNameSpaceType, UnshareFlags, move_into_link_name_space, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid, unshare_unsafe,
};

use super::{cgroup, init};

/// The user and the group that a function sees itself as, as on AWS.
pub(super) const USER: u32 = 993;
pub(super) const GROUP: u32 = 990;

/// The first of the ids that environments get where Frontgate is root: beyond those that systems and containers give out.
const FIRST_ID: u32 = 2_000_000_000;

/// How many of them there are.
const IDS: u64 = 65_536;

/// The user that stands for nobody, where the others are not to be had.
const NOBODY: u32 = 65_534;

/// Under which ids environments run, as the launcher sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// Each under one of its own.
    Apart,
    /// All under that of nobody.
    Nobody,
    /// All under Frontgate's.
    Own,
}

impl Ids {
    /// The user and group of an environment.
    pub(super) fn of(self, environment: u64) -> u32 {
        match self {
            Ids::Apart => FIRST_ID + u32::try_from(environment % IDS).unwrap_or_default(),
            Ids::Nobody => NOBODY,
            Ids::Own => 0,
        }
    }
}

/// Moves the launcher into a mount namespace of its own, by way of a user namespace where that takes one.
pub(super) fn enter() -> io::Result<Ids> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let ids = if user == 0 && unshare(UnshareFlags::NEWNS).is_ok() {
        if has_id(FIRST_ID + (IDS as u32 - 1)) {
            Ids::Apart
        } else if has_id(NOBODY) {
            Ids::Nobody
        } else {
            Ids::Own
        }
    } else {
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
        map(0, user, 0, group)?;
        Ids::Own
    };
    // What the host mounts later arrives; what happens here stays here.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    Ok(ids)
}

/// Moves an environment's first process into a user namespace of its own, as `id`, which it keeps.
pub(super) fn enter_as(ids: Ids, environment: u64) -> io::Result<()> {
    let id = ids.of(environment);
    if ids != Ids::Own {
        set_thread_groups(&[])?;
        let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        // To change the user takes the right to one's own files in /proc away.
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    }
    unshare(UnshareFlags::NEWUSER)?;
    map(USER, id, GROUP, id)
}

/// Makes one user and one group known in the user namespace that the process has just entered.
fn map(user: u32, outer_user: u32, group: u32, outer_group: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {outer_user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {outer_group} 1"))
}

/// Whether the user namespace that we are in has an id.
fn has_id(id: u32) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        first.zip(count).is_some_and(|(first, count)| (first..first + count).contains(&u64::from(id)))
    })
}

/// Enters a new namespace.
#[expect(unsafe_code, reason = "rustix marks it so because of shared descriptor tables")]
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the process has one thread, and the table of descriptors stays shared with nobody.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

/// The calling process's mount namespace.
pub(super) fn mounts() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Enters a mount namespace; the root and the working directory are then its root.
pub(super) fn enter_mounts(namespace: impl AsFd) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?)
}

/// What [`clone`] has made.
pub(super) enum Cloned {
    /// The calling process, with the child's number and descriptor.
    Parent(Pid, OwnedFd),
    /// The child.
    Child,
}

/// Makes a child that is in new namespaces (`CLONE_NEW*`) and, where one is given, in a control group.
pub(super) fn clone(namespaces: libc::c_int, group: Option<&OwnedFd>) -> io::Result<Cloned> {
    let Some(group) = group else { return clone_here(namespaces) };
    if let Ok(cloned) = clone_into(namespaces, group) {
        return Ok(cloned);
    }
    // Kernels before 5.7 lack that call, and containers often forbid it.
    let cloned = clone_here(namespaces)?;
    if matches!(cloned, Cloned::Child) && cgroup::enter(group).is_err() {
        // It has gone well when it was tried. Nothing runs outside of its group.
        init::end(1);
    }
    Ok(cloned)
}

#[expect(unsafe_code, reason = "neither the standard library nor rustix makes a child in a control group")]
fn clone_into(namespaces: libc::c_int, group: &OwnedFd) -> io::Result<Cloned> {
    /// `struct clone_args` as Linux 5.7 has it.
    #[repr(C)]
    #[derive(Default)]
    struct Arguments {
        flags: u64,
        descriptor: u64,
        child_number: u64,
        parent_number: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_number: u64,
        set_number_size: u64,
        group: u64,
    }
    /// `CLONE_INTO_CGROUP`; too large a number for the type that libc gives it.
    const INTO_GROUP: u64 = 1 << 33;
    let mut descriptor: libc::c_int = -1;
    let arguments = Arguments {
        flags: u64::from((namespaces | libc::CLONE_PIDFD).cast_unsigned()) | INTO_GROUP,
        descriptor: (&raw mut descriptor) as u64,
        exit_signal: libc::SIGCHLD as u64,
        group: u64::from(group.as_raw_fd().cast_unsigned()),
        ..Arguments::default()
    };
    // SAFETY: without CLONE_VM the child has a copy of this process, which has one thread, so that no lock is held by
    // another; the kernel reads the structure, whose size it is told, and writes one number to `descriptor`.
    let child = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<Arguments>()) };
    cloned(child, descriptor)
}

#[expect(unsafe_code, reason = "neither the standard library nor rustix makes a child in new namespaces")]
fn clone_here(namespaces: libc::c_int) -> io::Result<Cloned> {
    let mut descriptor: libc::c_int = -1;
    let flags = namespaces | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child has a copy of this process, which has one thread, so that no lock is held by
    // another; the kernel writes one number to `descriptor`. The arguments after it are not read with these flags.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut descriptor, 0, 0) };
    cloned(child, descriptor)
}

/// What has come of making a child, as the kernel tells it in both of the two processes.
#[expect(unsafe_code, reason = "the child's descriptor is told as a number")]
fn cloned(child: libc::c_long, descriptor: libc::c_int) -> io::Result<Cloned> {
    match i32::try_from(child).ok().filter(|child| *child >= 0) {
        None => Err(io::Error::last_os_error()),
        Some(0) => Ok(Cloned::Child),
        Some(child) => {
            // SAFETY: the kernel has just opened it for us.
            let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
            Ok(Cloned::Parent(Pid::from_raw(child).expect("a child's number is above zero"), descriptor))
        }
    }
}
