//! Finds the host's Python and Node interpreters by asking the programs on `PATH` what they are.
//!
//! A name says little: `python3` may be a version manager's shim, a shell script that costs 50 ms at each start. Each
//! candidate is therefore run once and asked for its version and for the program that it really is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Interpreter, Runtime};

/// Where to look beside `PATH`.
const USUAL: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// How long one candidate may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The interpreter of exactly that version, sought only under the names that it usually has: quick where it is there.
pub(super) fn exact(wanted: Runtime) -> Option<Interpreter> {
    let usual = |candidate: &Candidate| match (candidate, wanted) {
        (Candidate::Python(file), Runtime::Python(minor)) => {
            file.ends_with(format!("python3.{minor}")) || file.ends_with("python3")
        }
        (Candidate::Node(file), Runtime::Node(major)) => {
            file.ends_with("node") || file.ends_with("nodejs") || file.ends_with(format!("node{major}"))
        }
        _ => false,
    };
    let mut candidates: Vec<Candidate> = candidates().into_iter().filter(usual).collect();
    // The name with the version first; the order of `PATH` among equals.
    let bare = |file: &Path| ["python3", "node", "nodejs"].iter().any(|name| file.ends_with(name));
    candidates.sort_by_key(|candidate| bare(candidate.file()));
    candidates.iter().find_map(|candidate| candidate.ask().filter(|found| found.runtime == wanted))
}

/// The interpreters of this host, the first found of each version, by family and version. Asks every candidate, which
/// takes seconds where there are many shims.
pub(super) fn interpreters() -> Vec<Interpreter> {
    let answers: Vec<Option<Interpreter>> = thread::scope(|scope| {
        let asked: Vec<_> = candidates().into_iter().map(|candidate| scope.spawn(move || candidate.ask())).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let mut found = BTreeMap::new();
    for interpreter in answers.into_iter().flatten() {
        let order = (matches!(interpreter.runtime, Runtime::Node(_)), interpreter.runtime.version());
        found.entry(order).or_insert(interpreter);
    }
    found.into_values().collect()
}

enum Candidate {
    Python(PathBuf),
    Node(PathBuf),
}

/// Programs with a fitting name, in the order of `PATH`.
fn candidates() -> Vec<Candidate> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(USUAL.map(PathBuf::from));
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    for folder in folders {
        if !folder.is_absolute() || seen.contains(&folder) {
            continue;
        }
        let mut names: Vec<String> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            Err(_) => continue,
        };
        names.sort_unstable();
        for name in names {
            let file = folder.join(&name);
            if let Some(version) = name.strip_prefix("python3") {
                let minor = version.strip_prefix('.').unwrap_or("0");
                if version.is_empty() || minor.bytes().all(|byte| byte.is_ascii_digit()) && minor != "0" {
                    found.push(Candidate::Python(file));
                }
            } else if name == "node" || name == "nodejs" || is_numbered_node(&name) {
                found.push(Candidate::Node(file));
            }
        }
        seen.push(folder);
    }
    found
}

/// The interpreter that the first line of a script names.
pub(super) fn interpreter_of_script(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    std::fs::File::open(script).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let program = std::str::from_utf8(line).ok()?.split_whitespace().next()?;
    Some(PathBuf::from(program))
}

/// Whether two paths name one program.
pub(super) fn same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

fn is_numbered_node(name: &str) -> bool {
    let number = name.strip_prefix("node").map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Candidate {
    fn file(&self) -> &Path {
        match self {
            Candidate::Python(file) | Candidate::Node(file) => file,
        }
    }

    fn ask(&self) -> Option<Interpreter> {
        let answer = match self {
            Candidate::Python(file) => {
                let question = "import sys; print('.'.join(map(str, sys.version_info[:3])), sys.executable, sep='\\n')";
                run(file, &["-I", "-S", "-c", question])?
            }
            Candidate::Node(file) => {
                let question = "console.log([process.versions.node, process.execPath].join('\\n'))";
                run(file, &["-e", question])?
            }
        };
        let mut lines = answer.lines();
        let (version, program) = (lines.next()?.to_owned(), PathBuf::from(lines.next()?));
        let mut numbers = version.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        match self {
            // The links of a virtual environment must not be followed: Python finds its packages through them.
            Candidate::Python(_) if major == 3 => {
                Some(Interpreter { runtime: Runtime::Python(minor), program, version })
            }
            Candidate::Node(_) => {
                Some(Interpreter { runtime: Runtime::Node(major), program: program.canonicalize().ok()?, version })
            }
            Candidate::Python(_) => None,
        }
    }
}

/// Has Python write the compiled form of a module beside it.
pub(super) fn compile(python: &Path, module: &Path) {
    let (command, module) = ("import py_compile, sys; py_compile.compile(sys.argv[1])", module.to_string_lossy());
    if run(python, &["-I", "-S", "-c", command, &module]).is_none() {
        tracing::debug!(python = %python.display(), "cannot compile the bootstrap beforehand");
    }
}

/// Runs a program and returns what it prints, if it does so in time and ends well.
fn run(program: &Path, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = child.stdout.take();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = output.map(|output| output.take(8192).read_to_string(&mut text));
        // Nobody listens any more when it took too long.
        let _ = tell.send(matches!(read, Some(Ok(_))).then_some(text));
    });
    let text = told.recv_timeout(PATIENCE);
    if text.is_err() {
        // It may have ended just now; either way it is waited for.
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    text.ok().flatten().filter(|_| status.success())
}
