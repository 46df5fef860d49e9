//! What Frontgate, the launcher and the first process of an environment tell each other.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cgroup::Controllers;
use super::process::Remains;

/// The word on the command line that makes a program the launcher.
pub(super) const HIDDEN_ARGUMENT: &str = "--functions-launcher";

/// What the launcher is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// How much of a sandbox is wanted.
    pub(super) mode: super::SandboxMode,
    /// Our folder of functions; used as a place to mount at.
    pub(super) directory: PathBuf,
    /// What is shown as `/var/runtime`.
    pub(super) runtime: PathBuf,
    /// Why there is no control group to make others in; else its folder comes with this.
    pub(super) without_group: Option<String>,
}

/// The launcher's answer to [`Setup`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    /// Each layer, and whether this host offers it.
    pub(super) layers: Vec<super::Layer>,
    /// What the kernel bounds for each environment.
    pub(super) controllers: Controllers,
}

/// What the launcher is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Start an environment. With it come: the channel for its [`Report`]s, the framed socket, the end of the pipe for
    /// its output, a file with its [`Programs`], and the mount namespace of the one whose `/tmp` it takes over, if any.
    Launch {
        surroundings: Surroundings,
        /// The function's `MemorySize`, in MB.
        memory_mb: u32,
    },
    /// Make code and layers appear in an environment that was launched without. With it come: the channel for a
    /// [`Report`], and the environment's mount namespace.
    Furnish(Contents),
}

/// What an environment sees and has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    /// Its number.
    pub(crate) number: u64,
    /// Decides under which user it runs where Frontgate is root: its number, or the `user` of the one whose `/tmp` it takes
    /// over.
    pub(crate) user: u64,
    /// What is at `/var/task` and `/opt`; nothing where that comes later.
    pub(crate) contents: Option<Contents>,
    /// Folders and files of the host that the interpreter needs, at their own paths; those below `/usr` are there anyway.
    pub(crate) installation: Vec<PathBuf>,
    /// The size of `/tmp`, in MB.
    pub(crate) temporary_mb: u32,
    /// Whose `/tmp` it takes over.
    #[serde(skip)]
    pub(crate) remains: Option<Arc<Remains>>,
}

/// A function's code and layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The folder that appears, not writable, at `/var/task`.
    pub(crate) code: PathBuf,
    /// The folder that appears, not writable, at `/opt`, if there are layers.
    pub(crate) opt: Option<PathBuf>,
}

/// What runs in an environment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Programs {
    /// The one whose end is the environment's; nothing where programs are started later.
    pub(super) main: Option<Program>,
    /// The function's `MemorySize`, in MB.
    pub(super) memory_mb: u32,
}

/// One program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) directory: PathBuf,
}

/// What the first process of an environment is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Start a further program. With it come: the channel for its [`Report`]s, its socket, the end of the pipe for its
    /// output, and a file with [`Programs`].
    Start,
    /// Stop all programs until they are to go on.
    Freeze,
    /// Let all programs go on.
    Thaw,
}

/// What the launcher and the first process of an environment tell Frontgate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The first process is there, in the control group of that number, if in any. With it comes a descriptor of it.
    Cloned { pid: i32, group: Option<u64> },
    /// The environment is there, and the program runs under this number as its own `/proc` has it (0: there is none). With
    /// it come that `/proc`, a descriptor of the program, and the mount namespace, where it has one of its own.
    Running { program: i32 },
    /// It could not be started.
    Failed(Failure),
    /// The program has ended, with a status as `wait` gives it.
    Ended { status: i32 },
    /// Done.
    Furnished,
}

/// Why something could not be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    /// What was tried, for people; empty where it was the start of the program itself.
    pub(super) step: String,
    /// The system's error, where there was one.
    pub(super) errno: Option<i32>,
    /// The error's text.
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(step: &str, error: &io::Error) -> Failure {
        Failure { step: step.to_owned(), errno: error.raw_os_error(), text: error.to_string() }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        match failure.errno {
            Some(errno) if failure.step.is_empty() => io::Error::from_raw_os_error(errno),
            _ if failure.step.is_empty() => io::Error::other(failure.text),
            _ => io::Error::other(format!("{}: {}", failure.step, failure.text)),
        }
    }
}
