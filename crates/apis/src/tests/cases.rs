//! Runs the golden cases of `cases/`: sequences of requests and what AWS answers to them.
//!
//! A case is `{"about": text, "given": [names], "steps": [step]}`; `given` names sequences in `cases/given/` that come
//! first. A step is `{"call": "PUT /path", "body": …, "status": number, "error": code, "answer": …, "save": {name:
//! pointer}}`: `%{name}` in the call, the body and the answer stands for what an earlier step saved. In an answer `<any>`
//! stands for any value; an error's answer is its text. A step without `answer` checks the status alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::harness::Node;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default)]
    given: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    call: String,
    #[serde(default)]
    body: Value,
    status: u16,
    error: Option<String>,
    answer: Option<Value>,
    #[serde(default)]
    save: BTreeMap<String, String>,
}

/// The folders of cases, one for each resource.
const TOPICS: &[&str] = &[
    "account",
    "gateway_responses",
    "rest_apis",
    "resources",
    "methods",
    "models",
    "request_validators",
    "method_responses",
    "integrations",
    "integration_responses",
    "deployments",
    "stages",
    "tags",
    "usage_plans",
    "api_keys",
    "authorizers",
    "vpc_links",
    "documentation",
];

#[tokio::test]
async fn golden_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let (mut run, mut failures) = (0, Vec::new());
    for topic in TOPICS {
        for file in entries(&root.join(topic)) {
            failures.extend(run_case(&root, &file).await.err());
            run += 1;
        }
    }
    let folders: Vec<_> =
        entries(&root).into_iter().filter(|folder| !folder.ends_with("given") && !folder.ends_with("rows")).collect();
    assert_eq!(folders.len(), TOPICS.len(), "a folder of cases is not run: {folders:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(run >= 25, "only {run} cases were found");
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn read(file: &Path) -> Case {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Runs a case up to its first failure.
async fn run_case(root: &Path, file: &Path) -> Result<(), String> {
    let case = read(file);
    assert!(!case.about.is_empty(), "{}", file.display());
    let node = Node::start().await;
    let mut saved = BTreeMap::new();
    for name in &case.given {
        for step in read(&root.join("given").join(format!("{name}.json"))).steps {
            run_step(&node, &step, &mut saved, name).await?;
        }
    }
    for (number, step) in case.steps.iter().enumerate() {
        run_step(&node, step, &mut saved, &format!("{}, step {}", file.display(), number + 1)).await?;
    }
    Ok(())
}

async fn run_step(node: &Node, step: &Step, saved: &mut BTreeMap<String, String>, place: &str) -> Result<(), String> {
    let call = fill(&step.call, saved);
    let (method, path) = call.split_once(' ').unwrap();
    let body: Value = serde_json::from_str(&fill(&step.body.to_string(), saved)).unwrap();
    let reply = node.send(method, path, &body).await;
    let place = format!("{place}: {call}");
    if reply.status != step.status || reply.error != step.error {
        return Err(format!("{place}: expected {} {:?}, answered {reply:?}", step.status, step.error));
    }
    if let Some(answer) = &step.answer {
        let expected: Value = serde_json::from_str(&fill(&answer.to_string(), saved)).unwrap();
        let actual = if reply.error.is_some() { &reply.body["message"] } else { &reply.body };
        if !matches(&expected, actual) {
            return Err(format!("{place}\nexpected {expected}\nanswered {actual}"));
        }
    }
    for (name, pointer) in &step.save {
        let value = reply.body.pointer(pointer).and_then(Value::as_str);
        let value = value.ok_or_else(|| format!("{place}: no {pointer} in {reply:?}"))?;
        saved.insert(name.clone(), value.to_owned());
    }
    Ok(())
}

fn matches(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(any), _) if any == "<any>" => true,
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(key, value)| actual.get(key).is_some_and(|actual| matches(value, actual)))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(one, other)| matches(one, other))
        }
        _ => expected == actual,
    }
}

/// Puts saved values where their names stand in braces with a percent sign before: `%{api}`.
fn fill(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("%{{{name}}}"), value))
}
