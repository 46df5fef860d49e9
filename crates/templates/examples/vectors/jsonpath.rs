//! `jsonpath-jayway`: `vectors.json` holds selectors, each with its document and the result or the kind of error.

use std::path::Path;

use serde_json::Value;
use templates::jsonpath::JsonPath;

use super::{Outcome, Outcomes};

pub(super) fn run(folder: &Path) -> Outcomes {
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(folder.join("vectors.json"))?)?;
    let outcomes = vectors.iter().map(|vector| {
        let selector = vector["selector"].as_str().unwrap_or_default();
        let expected = match vector.get("result") {
            Some(result) => result.to_string(),
            None => vector["error"].as_str().unwrap_or_default().to_string(),
        };
        let found = match JsonPath::parse(selector) {
            Err(_) => "InvalidPathException".to_string(),
            Ok(path) => {
                let found = path.evaluate(&vector["document"]).into_value();
                found.map_or("PathNotFoundException".to_string(), |value| value.to_string())
            }
        };
        let source = format!("{selector}\n{}", vector["document"]);
        Outcome::new(vector["id"].as_str().unwrap_or_default(), &source, &expected, &found)
    });
    Ok(outcomes.collect())
}
