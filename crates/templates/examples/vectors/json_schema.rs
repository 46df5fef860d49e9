//! `json-schema-draft4`: JSON Schema's own suite, in files of groups that share a schema. A case's name is its file, its group and
//! its description.

use std::path::Path;

use serde_json::Value;
use templates::document::Json;
use templates::schema::Library;

use super::{Outcome, Outcomes};

pub(super) fn run(folder: &Path) -> Outcomes {
    let mut paths = Vec::new();
    for folder in [folder.to_path_buf(), folder.join("optional")] {
        for entry in std::fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut outcomes = Vec::new();
    for path in &paths {
        let file = path.strip_prefix(folder)?.with_extension("").to_string_lossy().into_owned();
        let groups: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        for group in &groups {
            let name = format!("{file}: {}", group["description"].as_str().unwrap_or_default());
            outcomes.extend(outcomes_of(&name, group));
        }
    }
    Ok(outcomes)
}

fn outcomes_of(name: &str, group: &Value) -> Vec<Outcome> {
    let schema = group["schema"].to_string();
    let library = Library::compile("abc", [("M", schema.as_str())], ["M"]);
    let tests = group["tests"].as_array().map_or(&[][..], Vec::as_slice);
    let outcomes = tests.iter().map(|test| {
        let data = test["data"].to_string();
        let valid = match (library.schema("M"), Json::parse(&data)) {
            (Some(schema), Ok(instance)) => schema.validate(&instance).map_err(|invalid| invalid.to_string()),
            _ => Err("no JSON".to_string()),
        };
        let source = format!("{schema}\n{data}");
        let name = format!("{name}: {}", test["description"].as_str().unwrap_or_default());
        let expected = if test["valid"] == true { "valid" } else { "invalid" };
        let found = if valid.is_ok() { "valid" } else { "invalid" };
        let source = valid.err().map_or(source.clone(), |error| format!("{source}\n{error}"));
        Outcome::new(name, &source, expected, found)
    });
    outcomes.collect()
}
