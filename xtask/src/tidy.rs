//! `cargo xtask tidy`: the habits of the project that no compiler checks.
//!
//! Each check takes the [`Tree`] and returns [`Finding`]s; what is allowed where stands in tables beside the checks, not
//! in branches. A rule that turns out wrong is changed in its table, with the reason, and never worked around.

mod links;
mod lists;
mod sources;
mod walls;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One thing out of order: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    file: String,
    /// Counted from 1.
    line: usize,
    what: String,
    next: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}\n    {}", self.file, self.line, self.what, self.next)
    }
}

impl Finding {
    fn new(file: &str, line: usize, what: impl Into<String>, next: impl Into<String>) -> Finding {
        Finding { file: file.to_owned(), line, what: what.into(), next: next.into() }
    }
}

/// The files that git knows or would add, by their path from the root, with their text. Files that are not UTF-8 have
/// none and are only names.
#[derive(Debug, Default)]
struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    fn read(root: &Path) -> Result<Tree> {
        let mut command = Command::new("git");
        command.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let output = command.output().context("cannot run git, which lists the files to check")?;
        if !output.status.success() {
            bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let mut files = BTreeMap::new();
        for name in output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let name = String::from_utf8_lossy(name).into_owned();
            // A file that is listed and gone is being removed; a directory is a submodule or a link to one.
            match std::fs::read(root.join(&name)) {
                Ok(bytes) => files.insert(name, String::from_utf8(bytes).ok()),
                Err(_) => None,
            };
        }
        Ok(Tree { files })
    }

    /// The text files whose name ends so.
    fn texts<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = self.files.iter().filter(move |(name, _)| name.ends_with(ending));
        named.filter_map(|(name, text)| Some((name.as_str(), text.as_deref()?)))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name)?.as_deref()
    }

    /// Whether it is a file, or a folder of one.
    fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty() || self.files.contains_key(path) || self.files.keys().any(|name| name.starts_with(&folder))
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(name, text)| ((*name).to_owned(), Some((*text).to_owned()))).collect() }
    }
}

/// A check, with the words for the closing line.
type Check = (&'static str, fn(&Tree) -> Vec<Finding>);

const CHECKS: [Check; 9] = [
    ("walls between crates", walls::check),
    ("sizes", sources::sizes),
    ("first lines", sources::first_lines),
    ("forbidden words", sources::forbidden_words),
    ("SQL only in the store", sources::sql),
    ("crates in ARCHITECTURE.md", lists::crates),
    ("fuzz targets", lists::fuzz_targets),
    ("links in documents", links::check),
    ("cases are used", lists::cases),
];

/// Checks the tree and prints what is out of order. An error when there is anything.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::read(&crate::root()?)?;
    let mut out = std::io::stdout().lock();
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|(_, check)| check(&tree)).collect();
    findings.sort();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    if !findings.is_empty() {
        bail!("tidy: {} {} out of order", findings.len(), if findings.len() == 1 { "thing is" } else { "things are" });
    }
    let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
    writeln!(out, "tidy: {} files are in order ({})", tree.files.len(), names.join(", "))?;
    Ok(())
}
