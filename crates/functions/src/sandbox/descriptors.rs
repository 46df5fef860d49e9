//! Layer: descriptors. A function inherits its standard streams and its socket, nothing else.

use std::fs::File;
use std::io;
use std::os::fd::RawFd;

/// The descriptor of the framed socket in the child.
const SOCKET: RawFd = 3;

/// The descriptors that are looked at one by one where the kernel cannot mark them all.
const MOST: RawFd = 65_536;

/// Puts the socket at descriptor 3 and marks everything above it to be closed by `exec`.
///
/// Runs in the child between `fork` and `exec`: system calls only.
#[expect(unsafe_code, reason = "plain system calls on descriptor numbers in a child that is about to exec")]
pub(super) fn arrange(socket: RawFd) -> io::Result<()> {
    // SAFETY: no memory is passed; the numbers are this process's own, and nothing runs in it but this.
    unsafe {
        if socket == SOCKET {
            // `dup2` onto itself would leave the close-on-exec flag.
            check(libc::fcntl(SOCKET, libc::F_SETFD, 0))?;
        } else {
            check(libc::dup2(socket, SOCKET))?;
        }
        let closed = libc::syscall(libc::SYS_close_range, SOCKET + 1, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if closed < 0 {
            // A kernel before 5.11. Errors are descriptors that are not open.
            for descriptor in SOCKET + 1..MOST {
                libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
    Ok(())
}

/// Keeps descriptor 3 of our own process occupied while a child is made, so that nothing the child still needs before
/// `exec` (the pipe through which the standard library reports a failed `exec`) can be at that number.
pub(super) fn occupy_socket_number() -> io::Result<File> {
    File::open("/dev/null")
}

fn check(result: impl Into<i64>) -> io::Result<()> {
    if result.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
