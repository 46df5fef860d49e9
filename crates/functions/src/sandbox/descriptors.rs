//! Layer: descriptors. A function inherits its standard streams and its socket, nothing else.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};

/// The descriptor of the framed socket in a program.
pub(super) const SOCKET: RawFd = 3;

/// The descriptors that are looked at one by one where the kernel cannot close them all.
const MOST: RawFd = 65_536;

/// Closes all descriptors of the calling process but `kept`, which are above 3. Those up to 3 then lead to `/dev/null`,
/// so that what is opened later is above them too.
#[expect(
    unsafe_code,
    reason = "closes descriptors that other objects of this process own, none of which is used again"
)]
pub(super) fn keep(kept: &[&OwnedFd]) -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let mut kept: Vec<RawFd> = kept.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    kept.sort_unstable();
    // SAFETY: no memory is passed. The owners of what is closed are never dropped: this process ends by `_exit`.
    unsafe {
        for low in 0..=SOCKET {
            check(libc::dup2(null.as_raw_fd(), low))?;
        }
        std::mem::forget(null);
        let mut next = SOCKET + 1;
        for descriptor in kept {
            close_between(next, descriptor - 1);
            next = descriptor + 1;
        }
        close_between(next, RawFd::MAX);
    }
    Ok(())
}

#[expect(unsafe_code, reason = "as its caller")]
fn close_between(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: as its caller.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) < 0 {
            // A kernel before 5.9. Errors are descriptors that are not open.
            for descriptor in first..=last.min(MOST) {
                libc::close(descriptor);
            }
        }
    }
}

/// Puts a program's streams and its socket where they belong, and marks all else to be closed by `exec`. `output` and
/// `socket` are above 3, as [`keep`] sees to.
#[expect(unsafe_code, reason = "puts descriptors at numbers that are meant, in a child that is about to exec")]
pub(super) fn arrange(output: &OwnedFd, socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: no memory is passed; the numbers are this process's own, and nothing runs in it but this.
    unsafe {
        check(libc::dup2(output.as_raw_fd(), libc::STDOUT_FILENO))?;
        check(libc::dup2(output.as_raw_fd(), libc::STDERR_FILENO))?;
        check(libc::dup2(socket.as_raw_fd(), SOCKET))?;
        let first = SOCKET + 1;
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) < 0 {
            // A kernel before 5.11. Errors are descriptors that are not open.
            for descriptor in first..MOST {
                libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
    Ok(())
}

/// Puts the socket at descriptor 3 of a child that is made by the standard library, and lets it be inherited.
///
/// Runs in the child between `fork` and `exec`: system calls only.
#[expect(unsafe_code, reason = "plain system calls on descriptor numbers in a child that is about to exec")]
pub(super) fn pass_on(socket: RawFd) -> io::Result<()> {
    // SAFETY: no memory is passed; the numbers are this process's own, and nothing runs in it but this.
    unsafe {
        if socket == SOCKET {
            // `dup2` onto itself would leave the close-on-exec flag.
            check(libc::fcntl(SOCKET, libc::F_SETFD, 0))?;
        } else {
            check(libc::dup2(socket, SOCKET))?;
        }
        // A kernel before 5.11 lacks it; our own descriptors are all marked anyway.
        libc::syscall(libc::SYS_close_range, SOCKET + 1, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
    Ok(())
}

/// Keeps descriptor 3 of our own process occupied while a child is made, so that nothing the child still needs before
/// `exec` (the pipe through which the standard library reports a failed `exec`) can be at that number.
pub(super) fn occupy_socket_number() -> io::Result<std::fs::File> {
    std::fs::File::open("/dev/null")
}

fn check(result: impl Into<i64>) -> io::Result<()> {
    if result.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
