//! What Frontgate holds of an environment's processes. They die as a whole, and with Frontgate.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvFlags, Shutdown};
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::channel;
use super::order::{Report, Request};
use super::spawner::{self, Pipes};
use super::{Launch, Started};

/// The largest file of `/proc` that is read.
const FILE_BYTES: u64 = 1 << 20;

/// A program in an environment. To drop the environment's first one (or the handle of an environment that began with none)
/// ends all of them.
#[derive(Debug)]
pub(crate) struct Process {
    pub(super) environment: Arc<Environment>,
    /// Of the program; nothing where the environment began with none.
    pub(super) descriptor: Option<OwnedFd>,
    /// Its number in the environment's `/proc`; 0 where there is none.
    pub(super) number: i32,
    /// Where its end is told, if it is not the environment's first.
    pub(super) reports: Option<OwnedFd>,
}

/// An environment's first process, and what is known of the others.
#[derive(Debug)]
pub(super) struct Environment {
    /// Of the first process, which ends last.
    pub(super) first: OwnedFd,
    /// To and from it.
    pub(super) control: OwnedFd,
    /// The `/proc` in which the environment's processes are found.
    pub(super) proc: OwnedFd,
    /// Its mounts, where it has its own.
    pub(super) mounts: Option<OwnedFd>,
    /// As [`Surroundings::user`](super::Surroundings::user).
    pub(super) user: u64,
}

/// What is left of an environment when its processes have ended: its `/tmp`, as long as this is held.
#[derive(Debug)]
pub(crate) struct Remains {
    /// The mount namespace.
    pub(super) mounts: OwnedFd,
    /// To whom the files belong.
    pub(crate) user: u64,
}

impl Environment {
    /// Ends all processes.
    pub(super) fn kill(&self) {
        // Where there is no pid namespace the first process ends the others when its channel closes, and the launcher those
        // that are left. Errors mean that it is gone already.
        let _ = rustix::net::shutdown(&self.control, Shutdown::Both);
        send(&self.first, Signal::KILL);
    }
}

impl Process {
    /// Something that becomes readable when the program has ended (for an environment's first one: when all have);
    /// registered with the calling thread's reactor.
    #[expect(unsafe_code, reason = "tokio cannot know that a descriptor stays open; an owned one does")]
    pub(crate) fn watch_end(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let descriptor = self.reports.as_ref().unwrap_or(&self.environment.first).try_clone()?;
        // SAFETY: the descriptor is open, owned by the `AsyncFd` alone and never replaced.
        Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
    }

    /// How the program has ended, once it has.
    pub(crate) fn status(&self) -> ExitStatus {
        let reports = self.reports.as_ref().unwrap_or(&self.environment.control);
        loop {
            match channel::receive(reports, RecvFlags::DONTWAIT) {
                Ok(Some((Report::Ended { status }, _))) => return ExitStatus::from_raw(status),
                Ok(Some(_)) => {}
                // The first process was killed before it could tell.
                Ok(None) | Err(_) => return ExitStatus::from_raw(libc::SIGKILL),
            }
        }
    }

    /// Starts a further program in the same environment. Blocks.
    ///
    /// # Errors
    /// As `Spawner::start`.
    pub(crate) fn start(&self, launch: Launch) -> io::Result<Started> {
        let (pipes, theirs) = Pipes::open()?;
        let programs = spawner::programs(launch.memory_mb, Some(launch))?;
        let passed = [theirs.control.as_fd(), theirs.socket.as_fd(), theirs.output.as_fd(), programs.as_fd()];
        channel::send(&self.environment.control, &Request::Start, &passed)?;
        drop(theirs);
        let (number, descriptors) = spawner::await_program(&pipes.control)?;
        let process = Process {
            environment: Arc::clone(&self.environment),
            descriptor: descriptors.into_iter().nth(1),
            number,
            reports: Some(pipes.control),
        };
        Ok(Started { process, socket: pipes.socket, output: pipes.output })
    }

    /// Ends the program; with an environment's first one, all of them.
    pub(crate) fn kill(&self) {
        let descriptor = match (&self.reports, &self.descriptor) {
            (Some(_), Some(descriptor)) => descriptor,
            _ => return self.environment.kill(),
        };
        send(descriptor, Signal::KILL);
    }

    /// Sends a signal to the program alone.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(descriptor) = &self.descriptor {
            send(descriptor, signal);
        }
    }

    /// Stops all of the environment's programs until they are thawed.
    pub(crate) fn freeze(&self) {
        self.request(&Request::Freeze);
    }

    /// Lets all of the environment's programs go on.
    pub(crate) fn thaw(&self) {
        self.request(&Request::Thaw);
    }

    fn request(&self, request: &Request) {
        if let Err(error) = channel::send(&self.environment.control, request, &[]) {
            // It has ended, which is told elsewhere.
            tracing::debug!(%error, "an environment cannot be asked");
        }
    }

    /// What another environment may take over when this one has ended; nothing where it has no files of its own.
    pub(crate) fn remains(&self) -> Option<Remains> {
        let Environment { mounts, user, .. } = &*self.environment;
        Some(Remains { mounts: mounts.as_ref()?.try_clone().ok()?, user: *user })
    }

    /// A file of the program's folder in `/proc`, such as `status`; nothing once it has ended.
    pub(crate) fn read_proc(&self, file: &str) -> Option<String> {
        let path = format!("{}/{file}", self.number);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.environment.proc, path, flags, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(opened).take(FILE_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send(descriptor: &OwnedFd, signal: Signal) {
    if let Err(error) = pidfd_send_signal(descriptor, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, ?signal, "cannot signal a function's processes");
    }
}
