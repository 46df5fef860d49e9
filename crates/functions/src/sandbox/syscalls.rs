//! Layer: seccomp. System calls that no function needs, and that flaws in kernels have been reached by, fail with EPERM.
//!
//! Three filters, because one gives one answer: calls in another processor mode's numbering, calls that are refused, and
//! `clone3`, which is said not to exist, because its flags cannot be looked at and the C library then uses `clone`.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

/// Refused whatever their arguments are.
const REFUSED: &[libc::c_long] = &[
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_lookup_dcookie,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Keys.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // The host's clock and name.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
];

/// The flags of `clone` that ask for namespaces.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWCGROUP,
];

/// The families of sockets that may be opened: local, Internet, and what tells about addresses.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Calls numbered from here on are those of another mode of the same processor (x32).
#[cfg(target_arch = "x86_64")]
const OTHER_MODE: u32 = 0x4000_0000;

/// Refuses the calls, to this process and those it will start. It must have given up new privileges.
pub(super) fn refuse() -> io::Result<()> {
    for program in programs()? {
        install(&program)?;
    }
    Ok(())
}

fn programs() -> io::Result<Vec<BpfProgram>> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let flags = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.unsigned_abs());
        all(&[(0, SeccompCmpOp::MaskedEq(flag), flag)])
    });
    refused.insert(libc::SYS_clone, flags.collect::<io::Result<_>>()?);
    let number = |value: libc::c_int| u64::from(value.unsigned_abs());
    let other_family: Vec<_> = FAMILIES.iter().map(|family| (0, SeccompCmpOp::Ne, number(*family))).collect();
    let raw = |family| {
        let kind = (1, SeccompCmpOp::MaskedEq(0xf), number(libc::SOCK_RAW));
        all(&[(0, SeccompCmpOp::Eq, number(family)), kind])
    };
    let netlink = [(0, SeccompCmpOp::Eq, number(libc::AF_NETLINK)), (2, SeccompCmpOp::Ne, number(libc::NETLINK_ROUTE))];
    refused
        .insert(libc::SYS_socket, vec![all(&other_family)?, raw(libc::AF_INET)?, raw(libc::AF_INET6)?, all(&netlink)?]);
    // To put letters into a terminal's input.
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| all(&[(1, SeccompCmpOp::Eq, request)]));
    refused.insert(libc::SYS_ioctl, terminal.into_iter().collect::<io::Result<_>>()?);
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let mut programs = vec![compiled(refused, libc::EPERM)?, compiled(absent, libc::ENOSYS)?];
    #[cfg(target_arch = "x86_64")]
    programs.push(native_only());
    Ok(programs)
}

/// A rule of conditions that all hold: the number of an argument, how it compares, and with what.
fn all(conditions: &[(u8, SeccompCmpOp, u64)]) -> io::Result<SeccompRule> {
    let conditions = conditions.iter().map(|(argument, comparison, value)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, comparison.clone(), *value)
    });
    conditions.collect::<Result<_, _>>().and_then(SeccompRule::new).map_err(io::Error::other)
}

fn compiled(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: libc::c_int) -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture).map_err(io::Error::other)?;
    BpfProgram::try_from(filter).map_err(io::Error::other)
}

/// Refuses numbers from [`OTHER_MODE`] on.
#[cfg(target_arch = "x86_64")]
fn native_only() -> BpfProgram {
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    let step = |code: u32, jump_true, jump_false, value| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: jump_true,
        jf: jump_false,
        k: value,
    };
    vec![
        // The call's number is the first of what the kernel shows.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, OTHER_MODE),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, refused),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// Installs a filter. The flag keeps older kernels from slowing down all branches of the process with it.
#[expect(unsafe_code, reason = "the library's own call cannot be given the flag")]
fn install(program: &BpfProgram) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel copies the program, whose length it is told; the library's instructions have the kernel's layout.
    let result = unsafe {
        let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
