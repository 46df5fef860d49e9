//! Frontgate's side of the launcher: starting it, and having environments started by it.
//!
//! One thread starts launchers, because the kernel ends a child with the *thread* that made it; this one ends with
//! Frontgate. Orders go to the launcher from any blocking thread, and each start has a channel of its own for what is said
//! about it, so that a start that takes long keeps nobody else waiting.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::fs::{MemfdFlags, OFlags, memfd_create};
use rustix::net::RecvFlags;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::pipe::{PipeFlags, pipe_with};

use super::cgroup::{Controllers, Group};
use super::memory::Supervisor;
use super::order::{Contents, HIDDEN_ARGUMENT, Order, Program, Programs, Ready, Report, Setup, Surroundings};
use super::process::Environment;
use super::{Launch, Layer, LayerState, Process, SandboxMode, Started, channel, descriptors, lifetime};

/// How long the launcher may take to begin, and a start to get as far as the program.
const PATIENCE: Duration = Duration::from_secs(30);

/// What launchers are started with.
#[derive(Clone, Debug)]
pub(crate) struct SpawnerSettings {
    /// How much of a sandbox is wanted.
    pub(crate) mode: SandboxMode,
    /// The folder of functions in the data directory.
    pub(crate) directory: PathBuf,
    /// Our bootstraps.
    pub(crate) runtime: PathBuf,
}

/// A handle to the launcher, which ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    wanted: mpsc::Sender<mpsc::SyncSender<io::Result<Launcher>>>,
    current: Arc<Mutex<Arc<Launcher>>>,
    /// Where environments have a `/proc` of their own.
    memory: Option<Supervisor>,
    /// In which those of environments are.
    group: Option<Arc<Group>>,
}

/// One launcher.
#[derive(Debug)]
struct Launcher {
    socket: OwnedFd,
    layers: Vec<Layer>,
    /// What the kernel bounds for each environment.
    controllers: Controllers,
}

impl Spawner {
    /// Starts the thread and the launcher.
    ///
    /// # Errors
    /// The system's, and where this program does not call [`super::run_if_asked`] first of all.
    pub(crate) fn new(settings: SpawnerSettings) -> io::Result<Spawner> {
        let group = match settings.mode {
            SandboxMode::Off => Err(String::new()),
            SandboxMode::Auto | SandboxMode::Strict => Group::make().map(Arc::new),
        };
        // It is removed with the last of the handles, not when the thread comes to its end.
        let of_thread = group.as_ref().map(Arc::downgrade).map_err(String::clone);
        let (wanted, received) = mpsc::channel::<mpsc::SyncSender<io::Result<Launcher>>>();
        std::thread::Builder::new().name("function-spawner".to_owned()).spawn(move || {
            let mut last: Option<Child> = None;
            for answer in received {
                if let Some(child) = last.take() {
                    end(child);
                }
                let group = of_thread.clone().and_then(|group| group.upgrade().ok_or_else(String::new));
                let started = begin(&settings, group.as_deref()).map(|(child, launcher)| {
                    last = Some(child);
                    launcher
                });
                // Whoever asked may be gone.
                let _ = answer.send(started);
            }
            if let Some(child) = last {
                end(child);
            }
        })?;
        let mut first = ask(&wanted)?;
        let group = group.ok();
        let memory = match is_active(&first.layers, "files") {
            true => Some(Supervisor::start(group.as_ref().filter(|_| first.controllers.memory))?),
            false => None,
        };
        let is_walled = first.controllers.memory;
        first.layers.push(match first.layers.iter().find(|layer| layer.name == "files").map(|layer| &layer.state) {
            Some(LayerState::Active) if is_walled => Layer::active("memory").by("sampled, and the kernel's for all"),
            Some(LayerState::Active) => Layer::active("memory").by("sampled"),
            Some(LayerState::Missing(_)) if is_walled => Layer::active("memory").by("the kernel's"),
            Some(LayerState::Missing(_) | LayerState::Replaced(_)) => {
                Layer::missing("memory", "its processes are found in its own /proc".to_owned())
            }
            Some(LayerState::Off) | None => Layer::off("memory"),
        });
        Ok(Spawner { wanted, current: Arc::new(Mutex::new(Arc::new(first))), memory, group })
    }

    /// Ends what is left of environments, for good. Blocks for a moment where something is.
    pub(crate) fn end(&self) {
        if let Some(group) = &self.group {
            group.end();
        }
    }

    /// What the launcher has found out about this host.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        self.current().layers.clone()
    }

    /// Whether environments see files of their own: `/var/task`, `/opt`, `/tmp`.
    pub(crate) fn has_own_files(&self) -> bool {
        self.memory.is_some()
    }

    /// Starts an environment, and a program in it whose end is the environment's. Blocks for some milliseconds: not for a
    /// data thread.
    ///
    /// # Errors
    /// The system's; that of `exec` as it is.
    pub(crate) fn start(&self, launch: Launch, surroundings: Surroundings) -> io::Result<Started> {
        let (pipes, theirs) = Pipes::open()?;
        let memory_mb = launch.memory_mb;
        let programs = programs(memory_mb, Some(launch))?;
        let process = self.launch(&pipes, theirs, programs, surroundings, memory_mb)?;
        Ok(Started { process, socket: pipes.socket, output: pipes.output })
    }

    /// Starts an environment without a program: they are started by what is returned. Blocks.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(&self, memory_mb: u32, surroundings: Surroundings) -> io::Result<Process> {
        let (pipes, theirs) = Pipes::open()?;
        self.launch(&pipes, theirs, programs(memory_mb, None)?, surroundings, memory_mb)
    }

    fn launch(
        &self,
        pipes: &Pipes,
        theirs: Theirs,
        programs: OwnedFd,
        surroundings: Surroundings,
        memory_mb: u32,
    ) -> io::Result<Process> {
        let (user, remains) = (surroundings.user, surroundings.remains.clone());
        let mut passed = vec![theirs.control.as_fd(), theirs.socket.as_fd(), theirs.output.as_fd(), programs.as_fd()];
        passed.extend(remains.iter().map(|remains| remains.mounts.as_fd()));
        self.order(&Order::Launch { surroundings, memory_mb }, &passed)?;
        // Else their ends would never be seen to close.
        drop(theirs);
        let mut first = None;
        let (program, descriptors) = await_running(&pipes.control, &mut first)?;
        let mut descriptors = descriptors.into_iter();
        let parts = (first, descriptors.next());
        let descriptor = if program == 0 { None } else { descriptors.next() };
        let mounts = descriptors.next();
        let (Some((first, group)), Some(proc)) = parts else {
            return Err(io::Error::other("the environment's first process said too little"));
        };
        let environment = Arc::new(Environment { first, control: pipes.control.try_clone()?, proc, mounts, user });
        if let Some(memory) = &self.memory {
            memory.add(&environment, group, memory_mb);
        }
        Ok(Process { environment, descriptor, number: program, reports: None })
    }

    /// Makes code and layers appear at `/var/task` and `/opt` of an environment that was started without. Blocks.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn furnish(&self, process: &Process, contents: Contents) -> io::Result<()> {
        let Some(mounts) = &process.environment.mounts else {
            return Err(io::Error::other("the environment was started with its code"));
        };
        let (answer, answered) = channel::pair()?;
        set_socket_timeout(&answered, Timeout::Recv, Some(PATIENCE))?;
        self.order(&Order::Furnish(contents), &[answer.as_fd(), mounts.as_fd()])?;
        drop(answer);
        match channel::receive::<Report>(&answered, RecvFlags::empty())? {
            Some((Report::Furnished, _)) => Ok(()),
            Some((Report::Failed(failure), _)) => Err(failure.into()),
            _ => Err(io::Error::other("the launcher has ended")),
        }
    }

    fn current(&self) -> Arc<Launcher> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends an order; to a new launcher where the one that was has ended, and its environments with it.
    fn order(&self, order: &Order, descriptors: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        let launcher = self.current();
        match channel::send(&launcher.socket, order, descriptors) {
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
            sent => return sent,
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, &launcher) {
            tracing::error!("the launcher of functions has ended; another is started");
            *current = Arc::new(ask(&self.wanted)?);
        }
        channel::send(&current.socket, order, descriptors)
    }
}

fn is_active(layers: &[Layer], name: &str) -> bool {
    layers.iter().any(|layer| layer.name == name && layer.is_active())
}

fn ask(wanted: &mpsc::Sender<mpsc::SyncSender<io::Result<Launcher>>>) -> io::Result<Launcher> {
    let (answer, answered) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the spawning thread has ended");
    wanted.send(answer).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// Starts a launcher.
#[expect(unsafe_code, reason = "what must happen in the child between fork and exec has no safe form")]
fn begin(settings: &SpawnerSettings, group: Result<&Group, &String>) -> io::Result<(Child, Launcher)> {
    let _holder = descriptors::occupy_socket_number()?;
    let (socket, theirs) = channel::pair()?;
    let (number, parent) = (theirs.as_raw_fd(), rustix::process::getpid());
    let mut command = Command::new("/proc/self/exe");
    command.arg0("frontgate-functions").arg(HIDDEN_ARGUMENT).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: the closure only makes system calls, as each of the functions promises: it neither allocates nor takes a
    // lock that another thread of ours may have held at the moment of the fork.
    unsafe {
        command.pre_exec(move || {
            lifetime::bind(parent)?;
            // The allocator asks for pages of two megabytes, of which such a small process uses little, and neither do the
            // environments' first ones, which begin as copies of it. Without them it is larger, and no worse.
            let _ = rustix::thread::disable_transparent_huge_pages(true);
            descriptors::pass_on(number)
        });
    }
    let child = command.spawn()?;
    drop(theirs);
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let setup = Setup {
        mode: settings.mode,
        directory: settings.directory.clone(),
        runtime: settings.runtime.clone(),
        without_group: group.err().cloned(),
    };
    let folder = group.ok().map(|group| {
        // An earlier launcher's environments have ended with it.
        group.clear();
        group.folder().as_fd()
    });
    let ready = channel::send(&socket, &setup, folder.as_slice())
        .and_then(|()| channel::receive::<Ready>(&socket, RecvFlags::empty()))
        .and_then(|ready| ready.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
    match ready {
        Ok((Ready { layers, controllers }, _)) => Ok((child, Launcher { socket, layers, controllers })),
        Err(error) => {
            end(child);
            Err(io::Error::other(format!("the launcher of functions did not start: {error}")))
        }
    }
}

/// Ends a launcher and what it has started.
fn end(mut launcher: Child) {
    // It may have ended by itself; an error means that there is nothing to wait for.
    let _ = launcher.kill();
    let _ = launcher.wait();
}

/// Our ends of what a program is spoken to through.
pub(super) struct Pipes {
    /// Where reports about it arrive.
    pub(super) control: OwnedFd,
    pub(super) socket: UnixStream,
    pub(super) output: OwnedFd,
}

/// The other ends.
pub(super) struct Theirs {
    pub(super) control: OwnedFd,
    pub(super) socket: OwnedFd,
    pub(super) output: OwnedFd,
}

impl Pipes {
    pub(super) fn open() -> io::Result<(Pipes, Theirs)> {
        let (socket, their_socket) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let (output, their_output) = pipe_with(PipeFlags::CLOEXEC)?;
        set_nonblocking(&output)?;
        let (control, their_control) = channel::pair()?;
        set_socket_timeout(&control, Timeout::Recv, Some(PATIENCE))?;
        let theirs = Theirs { control: their_control, socket: their_socket.into(), output: their_output };
        Ok((Pipes { control, socket, output }, theirs))
    }
}

/// A file in memory with what is to run.
pub(super) fn programs(memory_mb: u32, launch: Option<Launch>) -> io::Result<OwnedFd> {
    let main = launch.map(|Launch { program, arguments, environment, directory, memory_mb: _ }| Program {
        program,
        arguments,
        environment,
        directory,
    });
    let mut file = File::from(memfd_create("programs", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(&Programs { main, memory_mb })?)?;
    Ok(file.into())
}

/// Waits until an environment is there: the number of its program, and what came with that. Its first process's
/// descriptor and its group's number come before or after.
fn await_running(control: &OwnedFd, first: &mut Option<(OwnedFd, Option<u64>)>) -> io::Result<(i32, Vec<OwnedFd>)> {
    let mut running = None;
    loop {
        match channel::receive::<Report>(control, RecvFlags::empty())? {
            Some((Report::Cloned { group, .. }, descriptors)) => {
                *first = descriptors.into_iter().next().map(|first| (first, group));
            }
            Some((Report::Running { program }, descriptors)) => running = Some((program, descriptors)),
            Some((Report::Failed(failure), _)) => return Err(failure.into()),
            Some((Report::Ended { .. } | Report::Furnished, _)) => {}
            None => return Err(io::Error::other("the environment ended before its program began")),
        }
        if first.is_some()
            && let Some(running) = running.take()
        {
            return Ok(running);
        }
    }
}

/// As [`await_running`], for a further program.
pub(super) fn await_program(control: &OwnedFd) -> io::Result<(i32, Vec<OwnedFd>)> {
    match channel::receive::<Report>(control, RecvFlags::empty())? {
        Some((Report::Running { program }, descriptors)) => Ok((program, descriptors)),
        Some((Report::Failed(failure), _)) => Err(failure.into()),
        _ => Err(io::Error::other("the environment ended before its program began")),
    }
}

fn set_nonblocking(descriptor: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(descriptor)?;
    Ok(rustix::fs::fcntl_setfl(descriptor, flags | OFlags::NONBLOCK)?)
}
