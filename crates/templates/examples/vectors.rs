//! Runs published vectors through the engine and prints what differs: `cargo run -p templates --example vectors -- FOLDER`.
//!
//! A folder holds `vectors.json` (templates with their context or input, or JSONPath selectors with a document), or `NAME.vm` files
//! with the expected output in `NAME.cmp` and variables in `context.json`. The vectors are plain Velocity's and Jayway's, so that some
//! differences are API Gateway's rules: undefined references print nothing, null is true, macros are text.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use templates::jsonpath::JsonPath;
use templates::vtl::{Limits, Overrides, ParamLists, Scope, Template};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for folder in std::env::args().skip(1) {
        let folder = Path::new(&folder);
        let (same, differing) = if folder.join("vectors.json").exists() { vectors(folder)? } else { pairs(folder)? };
        for difference in &differing {
            writeln!(out, "{difference}")?;
        }
        writeln!(out, "{}: {same} as expected, {} differ", folder.display(), differing.len())?;
    }
    Ok(())
}

type Outcome = Result<(usize, Vec<String>), Box<dyn std::error::Error>>;

fn vectors(folder: &Path) -> Outcome {
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(folder.join("vectors.json"))?)?;
    let mut same = 0;
    let mut differing = Vec::new();
    for vector in &vectors {
        let (source, expected, found) = if vector.get("selector").is_some() {
            (vector["selector"].to_string(), path_expected(vector), path_found(vector))
        } else {
            let template = vector["template"].as_str().unwrap_or_default();
            let expected = vector["output"].as_str().map_or("error".to_string(), str::to_string);
            let found = match vector.get("input") {
                Some(input) => render(template, input),
                None => render_with_variables(template, &vector["context"]),
            };
            (template.to_string(), expected, found)
        };
        if expected == found {
            same += 1;
        } else {
            let id = vector["id"].as_str().unwrap_or_default();
            differing.push(format!("== {id}\n{source}\n-- expected\n{expected:?}\n-- found\n{found:?}"));
        }
    }
    Ok((same, differing))
}

fn path_expected(vector: &Value) -> String {
    vector.get("result").map_or_else(|| vector["error"].as_str().unwrap_or_default().to_string(), Value::to_string)
}

fn path_found(vector: &Value) -> String {
    let Ok(path) = JsonPath::parse(vector["selector"].as_str().unwrap_or_default()) else {
        return "InvalidPathException".to_string();
    };
    let found = path.evaluate(&vector["document"]).into_value();
    found.map_or("PathNotFoundException".to_string(), |value| value.to_string())
}

fn pairs(folder: &Path) -> Outcome {
    let context: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("context.json"))?)?;
    let mut same = 0;
    let mut differing = Vec::new();
    let mut names: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "vm")) {
        let template = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        let expected = String::from_utf8_lossy(&std::fs::read(path.with_extension("cmp"))?).into_owned();
        let found = render_with_variables(&template, &context);
        if expected.trim_end() == found.trim_end() {
            same += 1;
        } else {
            differing.push(format!("== {}\n-- expected\n{expected}\n-- found\n{found}", path.display()));
        }
    }
    Ok((same, differing))
}

/// Gives the template the context's members as variables, by way of the payload.
fn render_with_variables(template: &str, context: &Value) -> String {
    let mut whole = String::new();
    for name in context.as_object().into_iter().flat_map(serde_json::Map::keys) {
        whole.push_str(&format!("#set(${name} = $input.path('$.{name}'))#[[]]#"));
    }
    whole.push_str(template);
    render(&whole, &serde_json::json!({ "body": context }))
}

fn render(template: &str, input: &Value) -> String {
    let template = match Template::parse(template) {
        Ok(template) => template,
        Err(_) => return "error".to_string(),
    };
    let list = |place: &str| {
        let members = input["params"][place].as_object().into_iter().flatten();
        members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_string())).collect()
    };
    let params = ParamLists { path: list("path"), querystring: list("querystring"), header: list("header") };
    let variables = input["stageVariables"].as_object().into_iter().flatten();
    let stage_variables: BTreeMap<String, String> =
        variables.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_string())).collect();
    let body = match &input["body"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        json => json.to_string(),
    };
    let scope = Scope {
        body: &body,
        params: &params,
        context: &input["context"],
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    template.render(&scope, &Limits::default()).map_or("error".to_string(), |rendered| rendered.text)
}
