//! The first process of an environment. It is cloned from the launcher, takes its place (namespaces, files, user), starts
//! the program and tells Frontgate how that ends. When it ends itself, so does all that the program has left.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Mode, OFlags};
use rustix::net::RecvFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, set_dumpable_behavior, setsid,
};

use super::confinement::Confinement;
use super::namespaces::{self, Ids};
use super::order::{Failure, Program, Programs, Report, Request, Surroundings};
use super::root::{self, Trees};
use super::signals::{self, Children};
use super::{channel, descriptors, lifetime, limits, privileges};

/// More text than this is no list of programs.
const PROGRAMS_BYTES: u64 = 16 << 20;

/// What the first process is given.
#[derive(Debug)]
pub(super) struct Start {
    /// To Frontgate.
    pub(super) control: OwnedFd,
    /// The framed socket.
    pub(super) socket: OwnedFd,
    /// Where the program's output goes.
    pub(super) output: OwnedFd,
    /// A file with [`Programs`].
    pub(super) programs: OwnedFd,
    pub(super) surroundings: Surroundings,
    /// Where there are namespaces.
    pub(super) place: Option<(Trees, Ids)>,
    pub(super) confinement: Confinement,
}

/// Does all that the first process does.
pub(super) fn run(start: Start) -> ! {
    signals::let_faults_kill();
    let has_namespace = start.place.is_some();
    if let Ok(init) = begin(start) {
        init.serve();
    }
    if !has_namespace {
        lifetime::kill_children(|_| false);
    }
    end(0)
}

/// Ends the process at once: what it has is a copy of the launcher's, whose order of ending is not to be gone through.
#[expect(unsafe_code, reason = "the standard library has no end without clean-up")]
pub(super) fn end(status: i32) -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(status) }
}

/// The first process, once its environment is there.
struct Init {
    control: OwnedFd,
    /// The environment's `/proc`.
    proc: OwnedFd,
    has_namespace: bool,
    children: Children,
    /// The program whose end is the environment's.
    main: Option<Pid>,
    /// The others, and where their ends are told.
    others: HashMap<Pid, OwnedFd>,
}

/// What a program is started with.
struct Pipes {
    socket: OwnedFd,
    output: OwnedFd,
    programs: OwnedFd,
}

type Step<Value> = Result<Value, (&'static str, io::Error)>;

fn begin(start: Start) -> Result<Init, ()> {
    let settled = settle(&start);
    let Start { control, socket, output, programs, place, .. } = start;
    let has_namespace = place.is_some();
    // The trees' descriptors have been closed by number.
    std::mem::forget(place);
    let begun = settled.and_then(|(proc, mounts)| {
        // Before the first child, whose end must not be missed.
        let children = Children::new().map_err(|error| ("signals", error))?;
        let main = launch(&Pipes { socket, output, programs })?;
        Ok((proc, mounts, children, main))
    });
    let (proc, mounts, children, main) = begun.map_err(|(step, error)| {
        // Nobody is there to be told if this fails.
        let _ = channel::send(&control, &Report::Failed(Failure::new(step, &error)), &[]);
    })?;
    let init = Init { control, proc, has_namespace, children, main, others: HashMap::new() };
    tell_running(&init.control, &init.proc, main, mounts.as_ref()).map_err(drop)?;
    Ok(init)
}

/// Tells that a program runs, or that the environment is there for programs to come.
fn tell_running(control: &OwnedFd, proc: &OwnedFd, program: Option<Pid>, mounts: Option<&OwnedFd>) -> io::Result<()> {
    let descriptor = program.map(|program| pidfd_open(program, PidfdFlags::empty())).transpose()?;
    let descriptors = [Some(proc), descriptor.as_ref(), mounts];
    let descriptors: Vec<_> = descriptors.into_iter().flatten().map(AsFd::as_fd).collect();
    let number = program.map_or(0, |program| program.as_raw_nonzero().get());
    channel::send(control, &Report::Running { program: number }, &descriptors)
}

impl Init {
    /// Waits for the ends of programs and tells of them, and does what Frontgate asks, until the environment ends.
    fn serve(mut self) {
        loop {
            // First: one may have ended before its signal was waited for.
            while let Some((child, status)) = signals::collect() {
                let ended = Report::Ended { status };
                if Some(child) == self.main {
                    let _ = channel::send(&self.control, &ended, &[]);
                    return;
                }
                if let Some(reports) = self.others.remove(&child) {
                    let _ = channel::send(&reports, &ended, &[]);
                }
            }
            if self.children.wait(self.control.as_fd(), None).message {
                match channel::receive::<Request>(&self.control, RecvFlags::DONTWAIT) {
                    Ok(Some((request, descriptors))) => self.obey(&request, descriptors),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // Frontgate has no use for the environment any more, or is gone.
                    Ok(None) | Err(_) => return,
                }
            }
        }
    }

    fn obey(&mut self, request: &Request, descriptors: Vec<OwnedFd>) {
        match request {
            Request::Start => {
                let Ok([reports, socket, output, programs]) = <[OwnedFd; 4]>::try_from(descriptors) else { return };
                let started = launch(&Pipes { socket, output, programs }).and_then(|program| {
                    tell_running(&reports, &self.proc, program, None).map_err(|error| ("descriptors", error))?;
                    Ok(program)
                });
                match started {
                    Ok(Some(program)) => drop(self.others.insert(program, reports)),
                    Ok(None) => {}
                    Err((step, error)) => {
                        let _ = channel::send(&reports, &Report::Failed(Failure::new(step, &error)), &[]);
                    }
                }
            }
            Request::Freeze => self.signal(Signal::STOP),
            Request::Thaw => self.signal(Signal::CONT),
        }
    }

    /// Sends a signal to all programs.
    fn signal(&self, signal: Signal) {
        if self.has_namespace {
            lifetime::signal_all(signal);
            return;
        }
        for program in self.main.iter().chain(self.others.keys()) {
            // Each leads a group of its own. It may have ended just now.
            let _ = kill_process_group(*program, signal);
        }
    }
}

/// Takes the environment's place. Returns what Frontgate sees of it: its `/proc` and its mounts.
fn settle(start: &Start) -> Step<(OwnedFd, Option<OwnedFd>)> {
    let mut mounts = None;
    if let Some((trees, ids)) = &start.place {
        let surroundings = &start.surroundings;
        root::settle(trees, surroundings.temporary_mb, ids.of(surroundings.user)).map_err(|error| ("files", error))?;
        mounts = Some(namespaces::mounts().map_err(|error| ("files", error))?);
        namespaces::enter_as(*ids, surroundings.user).map_err(|error| ("user namespace", error))?;
        // The function runs as the same user, and has no business in this process's memory.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| ("user namespace", error.into()))?;
    } else {
        lifetime::adopt().map_err(|error| ("lifetime", error))?;
    }
    lifetime::follow().map_err(|error| ("lifetime", error))?;
    let kept = [&start.control, &start.socket, &start.output, &start.programs];
    let kept: Vec<&OwnedFd> = kept.into_iter().chain(&mounts).collect();
    descriptors::keep(&kept).map_err(|error| ("descriptors", error))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open("/proc", flags, Mode::empty()).map_err(|error| ("/proc", error.into()))?;
    let confined = start.confinement.apply(&start.surroundings, start.place.is_some());
    confined.map_err(|error| ("confinement", error))?;
    Ok((proc, mounts))
}

/// Starts a program, if there is one; returns once it runs.
fn launch(pipes: &Pipes) -> Step<Option<Pid>> {
    let programs = read_programs(&pipes.programs).map_err(|error| ("the order", error))?;
    let Some(program) = programs.main else { return Ok(None) };
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| ("pipe", error.into()))?;
    match fork().map_err(|error| ("fork", error))? {
        None => {
            let Err(error) = execute(&program, programs.memory_mb, pipes);
            let _ = File::from(tell).write_all(&error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes());
            end(127)
        }
        Some(child) => {
            drop(tell);
            let mut errno = [0; 4];
            // Nothing to be read: the pipe was closed by `exec`.
            match File::from(told).read_exact(&mut errno) {
                Ok(()) => Err(("", io::Error::from_raw_os_error(i32::from_le_bytes(errno)))),
                Err(_) => Ok(Some(child)),
            }
        }
    }
}

fn read_programs(file: &OwnedFd) -> io::Result<Programs> {
    let mut file = File::from(file.try_clone()?);
    file.rewind()?;
    let mut text = Vec::new();
    file.take(PROGRAMS_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Makes a child; nothing in the child itself.
#[expect(unsafe_code, reason = "the standard library makes no child without a program")]
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the process has one thread, so that the child finds no lock held by another.
    match unsafe { libc::fork() } {
        child if child < 0 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}

/// Becomes the program.
fn execute(program: &Program, memory_mb: u32, pipes: &Pipes) -> io::Result<Infallible> {
    setsid()?;
    lifetime::follow()?;
    limits::apply(memory_mb)?;
    // A function may have what the launcher does without.
    let _ = rustix::thread::disable_transparent_huge_pages(false);
    privileges::give_up()?;
    rustix::process::chdir(&program.directory)?;
    let path = CString::new(program.program.as_os_str().as_bytes())?;
    let mut arguments = vec![path.clone()];
    for argument in &program.arguments {
        arguments.push(CString::new(argument.as_str())?);
    }
    let mut variables = Vec::with_capacity(program.environment.len());
    for (name, value) in &program.environment {
        variables.push(CString::new(format!("{name}={value}"))?);
    }
    signals::reset();
    descriptors::arrange(&pipes.output, &pipes.socket)?;
    Err(replace(&path, &arguments, &variables))
}

#[expect(unsafe_code, reason = "the standard library replaces a process only by way of a command, which forks")]
fn replace(path: &CString, arguments: &[CString], variables: &[CString]) -> io::Error {
    let pointers = |texts: &[CString]| {
        let texts = texts.iter().map(|text| text.as_ptr());
        texts.chain([std::ptr::null()]).collect::<Vec<*const libc::c_char>>()
    };
    let (arguments, variables) = (pointers(arguments), pointers(variables));
    // SAFETY: both lists end with a null pointer and point to texts that live until the call returns, if it does.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), variables.as_ptr()) };
    io::Error::last_os_error()
}
