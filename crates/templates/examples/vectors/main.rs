//! Runs published vectors through the text machines and prints a table: `cargo run -p templates --example vectors -- FOLDER/TOPIC...`.
//!
//! The last part of a folder's name says what is in it; one module reads one kind. The vectors are plain Velocity's, Jayway's and
//! so on. Where API Gateway answers otherwise, and so we do, the case stands in `cases/deviations/TOPIC.json` with its reason.
//! The runner fails when a case differs that is not listed there, and when one that is listed does not differ.
//!
//! `--show` prints the listed differences too.

mod deviations;
mod json_parsing;
mod json_schema;
mod jsonpath;
mod naughty_strings;
mod render;
mod text_functions;
mod velocity_engine;
mod vtl;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use deviations::Deviations;

/// What became of one case.
struct Outcome {
    /// Its name in the list of deviations.
    name: String,
    /// What was asked, what was expected and what was found, when they differ.
    difference: Option<String>,
}

impl Outcome {
    fn new(name: impl Into<String>, source: &str, expected: &str, found: &str) -> Outcome {
        let differs = expected != found;
        let difference = differs.then(|| format!("{source}\n-- expected\n{expected:?}\n-- found\n{found:?}"));
        Outcome { name: name.into(), difference }
    }
}

type Outcomes = Result<Vec<Outcome>, Box<dyn std::error::Error>>;

/// Reads a topic's folder and runs its cases.
type Runner = fn(&Path) -> Outcomes;

/// The topics: the folder's name and what runs it.
const TOPICS: &[(&str, Runner)] = &[
    ("vtl-basic", vtl::run),
    ("vtl-mapping", vtl::run),
    ("velocity-engine", velocity_engine::run),
    ("jsonpath-jayway", jsonpath::run),
    ("naughty-strings", naughty_strings::run),
    ("json-parsing", json_parsing::run),
    ("json-schema-draft4", json_schema::run),
];

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let (options, folders): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word == "--show");
    let mut failed = false;
    writeln!(out, "{:24} {:>6} {:>9} {:>9} {:>6}", "topic", "cases", "as asked", "deviates", "wrong")?;
    for folder in &folders {
        let folder = Path::new(folder);
        let topic = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (_, run) = TOPICS.iter().find(|(name, _)| *name == topic).ok_or(format!("no such topic: {topic}"))?;
        let outcomes = run(folder)?;
        let listed = Deviations::of(topic)?;
        let verdict = listed.judge(&outcomes);
        let differ = outcomes.iter().filter(|outcome| outcome.difference.is_some()).count();
        let wrong = verdict.len();
        let same = outcomes.len() - differ;
        writeln!(out, "{topic:24} {:>6} {same:>9} {:>9} {wrong:>6}", outcomes.len(), listed.len())?;
        for line in &verdict {
            writeln!(out, "{line}")?;
        }
        if !options.is_empty() {
            for outcome in outcomes.iter().filter(|outcome| outcome.difference.is_some()) {
                writeln!(out, "== {}\n{}", outcome.name, outcome.difference.as_deref().unwrap_or_default())?;
            }
        }
        failed |= wrong > 0;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
