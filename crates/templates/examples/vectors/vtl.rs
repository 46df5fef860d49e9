//! `vtl-basic` and `vtl-mapping`: `vectors.json` holds templates, each with its variables (`context`) or its `input`.

use std::path::Path;

use serde_json::Value;

use super::{Outcome, Outcomes, render};

pub(super) fn run(folder: &Path) -> Outcomes {
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(folder.join("vectors.json"))?)?;
    let outcomes = vectors.iter().map(|vector| {
        let template = vector["template"].as_str().unwrap_or_default();
        let found = match vector.get("input") {
            Some(input) => render::with_input(template, input),
            None => render::with_variables(template, &vector["context"]),
        };
        let expected = vector["output"].as_str().unwrap_or("error");
        Outcome::new(vector["id"].as_str().unwrap_or_default(), template, expected, &found)
    });
    Ok(outcomes.collect())
}
