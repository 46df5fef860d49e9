//! The thread that starts every function's process.
//!
//! It is one thread, not a pool, because a child is killed when the thread that made it ends; this one ends with
//! Frontgate. Data threads never fork: they ask through `Spawner::start`, from a blocking thread.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Launch, Started, descriptors, lifetime, limits, privileges};

/// A handle to the spawning thread, which ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    orders: mpsc::Sender<Order>,
}

struct Order {
    launch: Launch,
    answer: mpsc::SyncSender<io::Result<Started>>,
}

impl Spawner {
    /// Starts the thread.
    pub(crate) fn new() -> io::Result<Spawner> {
        let (orders, received) = mpsc::channel::<Order>();
        std::thread::Builder::new().name("function-spawner".to_owned()).spawn(move || {
            for Order { launch, answer } in received {
                // Whoever asked may be gone; then the process, whose socket closes here, ends by itself.
                if let Err(mpsc::SendError(Ok(started))) = answer.send(start(&launch)) {
                    abandon(started);
                }
            }
        })?;
        Ok(Spawner { orders })
    }

    /// Starts a process. Blocks for about a millisecond: not for a data thread.
    pub(crate) fn start(&self, launch: Launch) -> io::Result<Started> {
        let (answer, answered) = mpsc::sync_channel(1);
        let gone = |_| io::Error::other("the spawning thread has ended");
        self.orders.send(Order { launch, answer }).map_err(|_| gone(mpsc::RecvError))?;
        answered.recv().map_err(gone)?
    }
}

#[expect(unsafe_code, reason = "what must happen in the child between fork and exec has no safe form")]
fn start(launch: &Launch) -> io::Result<Started> {
    let _holder = descriptors::occupy_socket_number()?;
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (output, output_of_child) = pipe_with(PipeFlags::CLOEXEC)?;
    set_nonblocking(&output)?;
    let (memory_mb, socket, parent) = (launch.memory_mb, theirs.as_raw_fd(), rustix::process::getpid());
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&launch.directory)
        .stdin(Stdio::null())
        .stdout(output_of_child.try_clone()?)
        .stderr(output_of_child);
    // SAFETY: the closure only makes system calls, as each of the layers' functions promises: it neither allocates nor
    // takes a lock that another thread of ours may have held at the moment of the fork.
    unsafe {
        command.pre_exec(move || {
            lifetime::bind(parent)?;
            limits::apply(memory_mb)?;
            privileges::give_up()?;
            descriptors::arrange(socket)
        });
    }
    let child = command.spawn()?;
    Ok(Started { child, socket: ours, output })
}

fn set_nonblocking(descriptor: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(descriptor)?;
    Ok(rustix::fs::fcntl_setfl(descriptor, flags | OFlags::NONBLOCK)?)
}

fn abandon(mut started: Started) {
    lifetime::kill_group(rustix::process::Pid::from_child(&started.child));
    // It has been killed, so this ends; an error means that somebody else has waited.
    let _ = started.child.wait();
}
