//! Runs every file of `cases/vtl`. A case has sections that begin with `=== name`:
//!
//! - `template`
//! - `scope` (optional): JSON with `variables`, `body` (text, or JSON that becomes text), `params`, `context`, `stageVariables`,
//!   `overrides`
//! - `output`, or `error` with a part of the message
//! - `overrides` (optional): JSON with `request` and `response`
//!
//! A section's last line break belongs to the file, not to the section.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use templates::vtl::{Limits, Overrides, ParamLists, Scope, Template};

#[test]
fn golden_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/vtl");
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the cases are there") {
        let path = entry.expect("a readable entry").path();
        let text = std::fs::read_to_string(&path).expect("a readable case");
        count += 1;
        if let Err(difference) = run(&sections(&text)) {
            failures.push(format!("{}: {difference}", path.display()));
        }
    }
    assert!(count > 50, "only {count} cases were found");
    assert!(failures.is_empty(), "{} of {count} cases fail:\n{}", failures.len(), failures.join("\n"));
}

fn sections(text: &str) -> BTreeMap<&str, &str> {
    let starts = text.split("=== ").skip(1);
    starts
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, content)| (name.trim(), content.strip_suffix('\n').unwrap_or(content)))
        .collect()
}

fn run(sections: &BTreeMap<&str, &str>) -> Result<(), String> {
    let scope: Value = match sections.get("scope") {
        Some(text) => serde_json::from_str(text).map_err(|error| format!("bad scope: {error}"))?,
        None => Value::Null,
    };
    let source = sections.get("template").ok_or("no template")?;
    let result = render(source, &scope);
    match (sections.get("output"), sections.get("error"), result) {
        (Some(expected), _, Ok((text, overrides))) => {
            if text != *expected {
                return Err(format!("expected {expected:?}, found {text:?}"));
            }
            let Some(expected) = sections.get("overrides") else { return Ok(()) };
            let expected: Value = serde_json::from_str(expected).map_err(|error| format!("bad overrides: {error}"))?;
            let found = serde_json::json!({ "request": overrides.request, "response": overrides.response });
            if found == expected { Ok(()) } else { Err(format!("expected overrides {expected}, found {found}")) }
        }
        (_, Some(expected), Err(error)) if error.contains(expected) => Ok(()),
        (_, _, found) => Err(format!("found {found:?}")),
    }
}

fn render(source: &str, scope: &Value) -> Result<(String, Overrides), String> {
    let template = format!("{}{source}", variables(&scope["variables"]));
    let template = Template::parse(&template).map_err(|error| error.to_string())?;
    let params = ParamLists {
        path: texts(&scope["params"]["path"]),
        querystring: texts(&scope["params"]["querystring"]),
        header: texts(&scope["params"]["header"]),
    };
    let stage_variables: BTreeMap<String, String> = texts(&scope["stageVariables"]).into_iter().collect();
    let body = match &scope["body"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        json => json.to_string(),
    };
    let map = |name: &str| scope["overrides"][name].as_object().cloned().unwrap_or_default();
    let scope = Scope {
        body: &body,
        params: &params,
        context: &scope["context"],
        stage_variables: &stage_variables,
        overrides: Overrides { request: map("request"), response: map("response") },
    };
    let rendered = template.render(&scope, &Limits::default()).map_err(|error| error.to_string())?;
    Ok((rendered.text, rendered.overrides))
}

/// Statements that set the variables and print nothing.
fn variables(values: &Value) -> String {
    let values = values.as_object().into_iter().flatten();
    let set = |(name, value): (&String, &Value)| {
        let json = value.to_string().replace('\'', "''");
        format!("#set(${name} = $util.parseJson('{json}'))#[[]]#")
    };
    values.map(set).collect()
}

fn texts(members: &Value) -> Vec<(String, String)> {
    let members = members.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_string())).collect()
}
