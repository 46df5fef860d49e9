//! Runtimes: which interpreters this host has, and how a function's process is started with one.
//!
//! The bootstraps (`bootstrap.py`, `bootstrap.js`) are written into the data directory at start; `PROTOCOL.md` describes
//! what they speak.

mod discover;
mod environment;
mod host;
mod slow;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) use environment::{FunctionFacts, log_stream, variables, version_arn};
pub use host::{HostRuntime, host_runtimes};
pub(crate) use slow::{Entrypoint, Places, extensions, variables_of_extensions, wrapper};

use crate::sandbox::Launch;

/// What Lambda calls a runtime, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Runtime {
    /// `python3.{minor}`.
    Python(u32),
    /// `nodejs{major}.x`.
    Node(u32),
    /// `provided.al{version}`: the function is a program of its own that speaks the Runtime API.
    Provided(u32),
}

impl Runtime {
    /// Takes an identifier such as `python3.11` apart; `None` for families that we do not run.
    pub(crate) fn parse(identifier: &str) -> Option<Runtime> {
        let number = |text: &str| text.parse().ok().filter(|_| !text.starts_with(['0', '+']));
        if let Some(minor) = identifier.strip_prefix("python3.") {
            number(minor).map(Runtime::Python)
        } else if let Some(version) = identifier.strip_prefix("provided.al") {
            number(version).filter(|version| matches!(version, 2 | 2023)).map(Runtime::Provided)
        } else {
            let major = identifier.strip_prefix("nodejs")?.strip_suffix(".x")?;
            number(major).map(Runtime::Node)
        }
    }

    fn same_family(self, other: Runtime) -> bool {
        matches!((self, other), (Runtime::Python(_), Runtime::Python(_)) | (Runtime::Node(_), Runtime::Node(_)))
    }

    fn version(self) -> u32 {
        match self {
            Runtime::Python(version) | Runtime::Node(version) | Runtime::Provided(version) => version,
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Runtime::Python(minor) => write!(formatter, "python3.{minor}"),
            Runtime::Node(major) => write!(formatter, "nodejs{major}.x"),
            Runtime::Provided(version) => write!(formatter, "provided.al{version}"),
        }
    }
}

/// An interpreter of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// The runtime that it is exactly.
    pub(crate) runtime: Runtime,
    /// The program itself, no shim; nothing where the function brings its own.
    pub(crate) program: PathBuf,
    /// As it tells itself: `3.11.9`; nothing where the function brings its own.
    pub(crate) version: String,
}

/// The host's interpreters and our bootstraps.
#[derive(Debug)]
pub(crate) struct Runtimes {
    directory: PathBuf,
    substitution: bool,
    /// Those that were asked for by their exact version.
    exact: Mutex<Vec<Interpreter>>,
    /// Those that have been given our bootstrap to compile.
    compiled: Mutex<Vec<PathBuf>>,
    /// All of the host.
    found: OnceLock<Arc<[Interpreter]>>,
}

impl Runtimes {
    /// Writes the bootstraps into `directory`. Interpreters are looked for when the first is needed: asking each for its
    /// version takes up to 100 ms.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn new(directory: PathBuf, substitution: bool) -> io::Result<Runtimes> {
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("frontgate_bootstrap.py"), include_str!("bootstrap.py"))?;
        std::fs::write(directory.join("frontgate_bootstrap.js"), include_str!("bootstrap.js"))?;
        std::fs::write(directory.join("frontgate_waiting.mjs"), include_str!("waiting.mjs"))?;
        Ok(Runtimes {
            directory,
            substitution,
            exact: Mutex::default(),
            compiled: Mutex::default(),
            found: OnceLock::new(),
        })
    }

    /// The interpreter for a runtime. Blocks at the first call.
    ///
    /// # Errors
    /// A message for the user, naming what this host has.
    pub(crate) fn find(&self, identifier: &str) -> Result<Interpreter, String> {
        let interpreter = self.look_for(identifier)?;
        if let Runtime::Python(_) = interpreter.runtime {
            self.have_compiled(&interpreter.program);
        }
        Ok(interpreter)
    }

    /// Has Python compile our bootstrap once: functions cannot write beside it, and so each would compile it again.
    fn have_compiled(&self, program: &Path) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.iter().any(|known| known == program) {
            return;
        }
        compiled.push(program.to_owned());
        let (program, bootstrap) = (program.to_owned(), self.directory.join("frontgate_bootstrap.py"));
        // Nobody waits for it: who starts meanwhile compiles it for itself.
        std::thread::spawn(move || discover::compile(&program, &bootstrap));
    }

    fn look_for(&self, identifier: &str) -> Result<Interpreter, String> {
        let Some(wanted) = Runtime::parse(identifier) else {
            return Err(format!(
                "Frontgate does not run the runtime {identifier} yet; it runs python3.*, nodejs*.x and provided.al2*"
            ));
        };
        if let Runtime::Provided(_) = wanted {
            // The program is in the function's code.
            return Ok(Interpreter { runtime: wanted, program: PathBuf::new(), version: String::new() });
        }
        if let Some(exact) = self.exact(wanted) {
            return Ok(exact);
        }
        let found = self.found.get_or_init(host_interpreters);
        if let Some(exact) = found.iter().find(|interpreter| interpreter.runtime == wanted) {
            return Ok(exact.clone());
        }
        match nearest(wanted, found) {
            Some(nearest) if self.substitution => {
                tracing::warn!("running {wanted} on {}, which this host has (--runtime-substitution)", nearest.runtime);
                Ok(nearest.clone())
            }
            Some(nearest) => Err(format!(
                "this host has {}; give --runtime-substitution to run {wanted} on {}",
                list(found),
                nearest.runtime
            )),
            None => Err(format!("this host has {}; install {wanted} and start again", list(found))),
        }
    }

    /// The interpreter of exactly that version, if it has one of the usual names. Held while it is sought, so that a
    /// hundred starts at once do not ask a hundred times.
    fn exact(&self, wanted: Runtime) -> Option<Interpreter> {
        if self.found.get().is_some() {
            // All of the host are known already.
            return None;
        }
        let mut known = self.exact.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(exact) = known.iter().find(|interpreter| interpreter.runtime == wanted) {
            return Some(exact.clone());
        }
        let exact = discover::exact(wanted)?;
        known.push(exact.clone());
        Some(exact)
    }

    /// The command that runs a handler with this interpreter. `places` are the paths that the process sees; `wrapper` is what `AWS_LAMBDA_EXEC_WRAPPER` names.
    pub(crate) fn launch(
        &self,
        interpreter: &Interpreter,
        environment: Vec<(String, String)>,
        places: &Places,
        memory_mb: u32,
        wrapper: Option<&Path>,
    ) -> Launch {
        let directory = places.task.clone();
        let mut program = interpreter.program.clone();
        let mut arguments = match interpreter.runtime {
            Runtime::Provided(_) => {
                program = directory.join("bootstrap");
                Vec::new()
            }
            // Wrappers put options before the last argument, which therefore has to be the script, as on AWS.
            Runtime::Python(_) if wrapper.is_some() => {
                vec!["-s".to_owned(), text(&places.runtime.join("frontgate_bootstrap.py"))]
            }
            Runtime::Python(_) => {
                // Imported rather than run, so that Python keeps its compiled form.
                let start = "import sys; sys.path[0] = sys.argv[1]; import frontgate_bootstrap as b; b.main()";
                ["-s", "-S", "-c", start].map(str::to_owned).into_iter().chain([text(&places.runtime)]).collect()
            }
            Runtime::Node(_) => {
                // AWS gives the heap nine tenths of the function's memory.
                let heap = format!("--max-old-space-size={}", u64::from(memory_mb) * 9 / 10);
                vec![heap, text(&places.runtime.join("frontgate_bootstrap.js"))]
            }
        };
        if let Some(wrapper) = wrapper {
            // By a shell, as on AWS: a wrapper that is not there is exit status 127, and one without `#!` is a script.
            let shell = ["-c", "exec \"$0\" \"$@\""].map(str::to_owned);
            let command = [text(wrapper), text(&program)];
            arguments = shell.into_iter().chain(command).chain(arguments).collect();
            program = PathBuf::from("/bin/sh");
        }
        Launch { program, arguments, environment, directory, memory_mb }
    }

    /// What the interpreter of a script needs, where the first line names one that functions are run with anyway. Blocks.
    pub(crate) fn installation_of_script(&self, script: &Path) -> Vec<PathBuf> {
        let Some(program) = discover::interpreter_of_script(script).filter(|program| !program.starts_with("/usr/bin"))
        else {
            return Vec::new();
        };
        let is_it = |known: &Interpreter| discover::same(&known.program, &program);
        let asked_for = self.exact.lock().unwrap_or_else(PoisonError::into_inner).iter().any(is_it);
        match asked_for || host_interpreters().iter().any(is_it) {
            true => crate::sandbox::installation(&program),
            false => Vec::new(),
        }
    }

    /// Where our bootstraps are: `LAMBDA_RUNTIME_DIR`, unless they are mounted elsewhere.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// The interpreter that comes closest to a runtime that the host lacks.
fn nearest(wanted: Runtime, found: &[Interpreter]) -> Option<&Interpreter> {
    let family = found.iter().filter(|interpreter| interpreter.runtime.same_family(wanted));
    family.min_by_key(|interpreter| interpreter.runtime.version().abs_diff(wanted.version()))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn list(found: &[Interpreter]) -> String {
    let names: Vec<String> = found.iter().map(|interpreter| interpreter.runtime.to_string()).collect();
    match names.as_slice() {
        [] => "no Python 3 and no Node".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What this host has; looked for once in the process's life.
fn host_interpreters() -> Arc<[Interpreter]> {
    static FOUND: OnceLock<Arc<[Interpreter]>> = OnceLock::new();
    Arc::clone(FOUND.get_or_init(|| discover::interpreters().into()))
}

/// What this host has, by identifier.
#[cfg(test)]
pub(crate) fn found_for_tests() -> Vec<String> {
    host_interpreters().iter().map(|interpreter| interpreter.runtime.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtimes(substitution: bool, found: &[Runtime]) -> Runtimes {
        let interpreter =
            |runtime: &Runtime| Interpreter { runtime: *runtime, program: PathBuf::from("/x"), version: String::new() };
        Runtimes {
            directory: PathBuf::new(),
            substitution,
            exact: Mutex::default(),
            compiled: Mutex::default(),
            found: OnceLock::from(found.iter().map(interpreter).collect::<Arc<[_]>>()),
        }
    }

    #[test]
    fn identifiers_are_taken_apart() {
        assert_eq!(Runtime::parse("python3.11"), Some(Runtime::Python(11)));
        assert_eq!(Runtime::parse("nodejs20.x"), Some(Runtime::Node(20)));
        assert_eq!(Runtime::parse("provided.al2023"), Some(Runtime::Provided(2023)));
        for other in
            ["python2.7", "nodejs", "nodejs20", "provided.al", "provided.al3", "python3.", "python3.011", "java21", ""]
        {
            assert_eq!(Runtime::parse(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_exact_version_will_do() {
        let host = runtimes(false, &[Runtime::Python(11), Runtime::Node(20)]);
        assert_eq!(host.find("python3.11").unwrap().runtime, Runtime::Python(11));
        assert_eq!(
            host.find("python3.13").unwrap_err(),
            "this host has python3.11 and nodejs20.x; give --runtime-substitution to run python3.13 on python3.11"
        );
        assert_eq!(host.find("provided.al2").unwrap().runtime, Runtime::Provided(2));
        assert!(host.find("java21").unwrap_err().contains("java21"));
        assert!(
            runtimes(true, &[]).find("nodejs22.x").unwrap_err().starts_with("this host has no Python 3 and no Node;")
        );
    }

    #[test]
    fn substitution_takes_the_nearest_of_the_family() {
        let host = runtimes(true, &[Runtime::Python(9), Runtime::Python(12), Runtime::Node(20)]);
        assert_eq!(host.find("python3.13").unwrap().runtime, Runtime::Python(12));
        assert_eq!(host.find("nodejs24.x").unwrap().runtime, Runtime::Node(20));
    }

    #[test]
    fn finds_what_this_host_has() {
        let found = discover::interpreters();
        assert!(found.iter().any(|interpreter| matches!(interpreter.runtime, Runtime::Python(_))), "{found:?}");
        assert!(found.iter().any(|interpreter| matches!(interpreter.runtime, Runtime::Node(_))), "{found:?}");
        for interpreter in found {
            assert_eq!(discover::exact(interpreter.runtime).map(|exact| exact.runtime), Some(interpreter.runtime));
        }
        assert_eq!(discover::exact(Runtime::Python(99)), None);
    }
}
