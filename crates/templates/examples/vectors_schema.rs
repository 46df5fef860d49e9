//! Runs JSON Schema's own test suite (draft 4) through our validator: `cargo run -p templates --example vectors_schema --
//! FOLDER`.
//!
//! What differs must stand in the list of deviations below, each with its reason, and what stands there must differ:
//! otherwise the run fails.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use templates::document::Json;
use templates::schema::Library;

/// File, group and why we differ. `*` is every group of the file.
const DEVIATIONS: [(&str, &str, &str); 5] = [
    ("refRemote.json", "*", "nothing is fetched: a model refers to models of its API only"),
    ("ref.json", "$ref prevents a sibling id from changing the base uri", FOREIGN),
    ("ref.json", "Recursive references between schemas", FOREIGN),
    ("ref.json", "Location-independent identifier", FOREIGN),
    ("ref.json", "Location-independent identifier with base URI change in subschema", FOREIGN),
];

const FOREIGN: &str = "the service's validator resolves canonically: an id within a schema names nothing";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    let mut out = std::io::stdout().lock();
    let (mut same, mut known, mut unknown) = (0, BTreeSet::new(), 0);
    for file in files(&folder)? {
        let name = file.strip_prefix(&folder)?.to_string_lossy().into_owned();
        let groups: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        let (mut passed, mut failed) = (0, 0);
        for group in &groups {
            let description = group["description"].as_str().unwrap_or_default();
            let deviation = DEVIATIONS
                .iter()
                .position(|(file, group, _)| *file == name && (*group == "*" || *group == description));
            for difference in differences(group) {
                match (difference, deviation) {
                    (None, _) => passed += 1,
                    (Some(_), Some(at)) => {
                        known.insert(at);
                        failed += 1;
                    }
                    (Some(text), None) => {
                        unknown += 1;
                        failed += 1;
                        writeln!(out, "== {name}: {description}: {text}")?;
                    }
                }
            }
        }
        same += passed;
        writeln!(out, "{name:36} {passed:4} as expected {failed:3} differ")?;
    }
    for (at, (file, group, reason)) in DEVIATIONS.iter().enumerate() {
        let note = if known.contains(&at) { "" } else { " (NOT SEEN)" };
        writeln!(out, "-- {file}: {group}: {reason}{note}")?;
    }
    writeln!(out, "{}: {same} as expected, {unknown} differ", folder.display())?;
    if unknown > 0 || known.len() < DEVIATIONS.len() {
        return Err("the list of deviations is not right".into());
    }
    Ok(())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in [folder.to_path_buf(), folder.join("optional")] {
        for entry in std::fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// Of each test of a group, how its outcome differs from the expected one.
fn differences(group: &Value) -> Vec<Option<String>> {
    let schema = group["schema"].to_string();
    let library = Library::compile("abc", [("M", schema.as_str())], ["M"]);
    let tests = group["tests"].as_array().map_or(&[][..], Vec::as_slice);
    tests.iter().map(|test| difference(&library, test)).collect()
}

fn difference(library: &std::sync::Arc<Library>, test: &Value) -> Option<String> {
    let data = test["data"].to_string();
    let outcome = match (library.schema("M"), Json::parse(&data)) {
        (Some(schema), Ok(instance)) => schema.validate(&instance).map_err(|invalid| invalid.to_string()),
        _ => Err("no JSON".into()),
    };
    let expected = test["valid"].as_bool().unwrap_or_default();
    (outcome.is_ok() != expected).then(|| format!("{}: expected {expected}, found {outcome:?}", test["description"]))
}
