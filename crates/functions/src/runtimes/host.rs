//! What this host can run, for its operator.

use std::path::PathBuf;

use super::{Interpreter, Runtime, host_interpreters};

/// The runtimes that Lambda takes today, of the families that we run; one that the host has beside them runs as well.
const OF_LAMBDA: [Runtime; 14] = [
    Runtime::Python(8),
    Runtime::Python(9),
    Runtime::Python(10),
    Runtime::Python(11),
    Runtime::Python(12),
    Runtime::Python(13),
    Runtime::Python(14),
    Runtime::Node(16),
    Runtime::Node(18),
    Runtime::Node(20),
    Runtime::Node(22),
    Runtime::Node(24),
    Runtime::Provided(2),
    Runtime::Provided(2023),
];

/// A runtime, and what runs it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRuntime {
    /// As functions name it: `python3.13`.
    pub runtime: String,
    /// The interpreter; none where the function brings its own program, and where the host has none.
    pub program: Option<PathBuf>,
    /// The interpreter's full version.
    pub version: Option<String>,
    /// Whether a function with this runtime runs without `--runtime-substitution`.
    pub runs: bool,
    /// What else there is to say, in a few words.
    pub note: String,
}

/// What this host can run: Lambda's runtimes and whatever else was found. Asks every interpreter on `PATH` what it is, so
/// it takes up to some seconds. Blocks.
pub fn host_runtimes() -> Vec<HostRuntime> {
    list(&host_interpreters())
}

fn list(found: &[Interpreter]) -> Vec<HostRuntime> {
    let mut runtimes: Vec<Runtime> = OF_LAMBDA.to_vec();
    runtimes.extend(found.iter().map(|interpreter| interpreter.runtime));
    runtimes.sort_by_key(|runtime| {
        let family = match runtime {
            Runtime::Python(_) => 0,
            Runtime::Node(_) => 1,
            Runtime::Provided(_) => 2,
        };
        (family, runtime.version())
    });
    runtimes.dedup();
    runtimes.into_iter().map(|runtime| describe(runtime, found)).collect()
}

fn describe(runtime: Runtime, found: &[Interpreter]) -> HostRuntime {
    let own =
        HostRuntime { runtime: runtime.to_string(), program: None, version: None, runs: true, note: String::new() };
    if let Runtime::Provided(_) = runtime {
        return HostRuntime { note: "the function brings its own program".to_owned(), ..own };
    }
    if let Some(exact) = found.iter().find(|interpreter| interpreter.runtime == runtime) {
        let note = if OF_LAMBDA.contains(&runtime) { "" } else { "no runtime of Lambda's" };
        return HostRuntime {
            program: Some(exact.program.clone()),
            version: Some(exact.version.clone()),
            note: note.to_owned(),
            ..own
        };
    }
    let note = match super::nearest(runtime, found) {
        Some(nearest) => format!("on {} with --runtime-substitution", nearest.runtime),
        None => "not on this host".to_owned(),
    };
    HostRuntime { runs: false, note, ..own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(runtime: Runtime, version: &str) -> Interpreter {
        Interpreter { runtime, program: PathBuf::from("/bin/x"), version: version.to_owned() }
    }

    fn row<'r>(rows: &'r [HostRuntime], runtime: &str) -> &'r HostRuntime {
        rows.iter().find(|row| row.runtime == runtime).unwrap()
    }

    #[test]
    fn each_runtime_is_told_with_what_runs_it() {
        let rows = list(&[interpreter(Runtime::Python(11), "3.11.9"), interpreter(Runtime::Python(7), "3.7.1")]);
        let exact = row(&rows, "python3.11");
        assert_eq!((exact.version.as_deref(), exact.runs, exact.note.as_str()), (Some("3.11.9"), true, ""));
        assert_eq!(row(&rows, "python3.7").note, "no runtime of Lambda's");
        let other = row(&rows, "python3.13");
        assert_eq!((other.runs, other.note.as_str()), (false, "on python3.11 with --runtime-substitution"));
        assert_eq!(row(&rows, "nodejs22.x").note, "not on this host");
        assert!(row(&rows, "provided.al2023").runs);
        assert_eq!(rows[0].runtime, "python3.7");
        assert_eq!(rows.len(), OF_LAMBDA.len() + 1);
    }
}
