//! Golden cases: a request, what the handler gets, what it gives, and the answer. A case is a file below `cases/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base::shape::base64_decode;
use http::Request;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::*;
use crate::service::{Input, Output};

/// One case; the README of `cases/` explains the members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "note")]
    _note: String,
    service: String,
    request: CaseRequest,
    input: Option<Value>,
    payload: Option<String>,
    #[serde(default)]
    output: Value,
    output_payload: Option<String>,
    answer: Option<CaseAnswer>,
    answer_code: Option<String>,
    answer_contains: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRequest {
    method: String,
    uri: String,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
    body_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseAnswer {
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
}

static MODELS: [&Service; 4] =
    [&model_apigateway::SERVICE, &model_lambda::SERVICE, &model_iam::SERVICE, &model_sts::SERVICE];

type Seen = Arc<Mutex<Option<(Value, Option<Bytes>)>>>;

/// A control plane whose every implemented operation notes its input and gives the same output.
fn control_plane(output: &Value, payload: Option<Bytes>) -> (ControlPlane, Seen) {
    let seen = Seen::default();
    let mounted = MODELS.map(|model| {
        let handlers = model.operations.iter().filter(|operation| operation.implemented).map(|operation| {
            let (seen, output, payload) = (Arc::clone(&seen), output.clone(), payload.clone());
            let handler: crate::service::Handler = Arc::new(move |_, input: Input| {
                *seen.lock().unwrap() = Some((input.members, input.payload));
                let output =
                    Output { members: output.clone(), payload: payload.clone(), headers: http::HeaderMap::new() };
                Box::pin(async move { Ok(output) })
            });
            (operation.name, handler)
        });
        Mounted { model, handlers: handlers.collect() }
    });
    (ControlPlane::new(mounted, Settings::default()), seen)
}

async fn send(control_plane: &ControlPlane, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    control_plane.handle(parts, body, ([127, 0, 0, 1], 50000).into()).await
}

fn authorization(key: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature={}",
        "0".repeat(64)
    )
}

fn request_of(case: &Case) -> Request<Bytes> {
    let signed = authorization("test", "us-east-1", &case.service);
    let mut request = Request::builder().method(case.request.method.as_str()).uri(&case.request.uri);
    request = request.header("host", "localhost:4566").header("authorization", signed);
    for (name, value) in &case.request.headers {
        request = request.header(name, value.as_str().unwrap());
    }
    let body = match (&case.request.body, &case.request.body_base64) {
        (Some(Value::String(text)), _) => Bytes::from(text.clone()),
        (Some(body), _) => Bytes::from(body.to_string()),
        (None, Some(text)) => base64_decode(text).unwrap().into(),
        (None, None) => Bytes::new(),
    };
    request.body(body).unwrap()
}

/// What differs from the case, one line each.
async fn differences(path: &Path) -> Vec<String> {
    let case: Case = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let (control_plane, seen) = control_plane(&case.output, case.output_payload.clone().map(Bytes::from));
    let response = send(&control_plane, request_of(&case)).await;
    let request_id = response.headers()["x-amzn-requestid"].to_str().unwrap().to_string();
    let body = String::from_utf8_lossy(response.body()).replace(&request_id, "REQUEST-ID");
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
    let (members, payload) = match seen.lock().unwrap().take() {
        Some((members, payload)) => (Some(members), payload),
        None => (None, None),
    };
    let mut differences = Vec::new();
    let mut compare = |what: &str, equal: bool, given: &dyn std::fmt::Debug| {
        if !equal {
            differences.push(format!("{}: {what} is {given:?}; the body is {body}", path.display()));
        }
    };
    compare("input", members == case.input, &members);
    compare("payload", payload == case.payload.clone().map(Bytes::from), &payload);
    if let Some(expected) = &case.answer_code {
        let given = (header("x-amzn-errortype"), response.status().as_u16());
        compare("code", given == (Some(expected.as_str()), 400), &given);
    }
    if let Some(expected) = &case.answer_contains {
        compare("text", body.contains(expected), &"another");
    }
    let Some(expected) = &case.answer else { return differences };
    compare("status", response.status().as_u16() == expected.status, &response.status());
    for (name, value) in &expected.headers {
        compare(name, header(name) == value.as_str(), &header(name));
    }
    match &expected.body {
        Some(Value::String(text)) => compare("body", &body == text, &"another"),
        Some(json) => compare("body", serde_json::from_str::<Value>(&body).is_ok_and(|body| &body == json), &"another"),
        None => {}
    }
    differences
}

async fn check_all(topic: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(topic);
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    let mut all = Vec::new();
    for case in &cases {
        all.extend(differences(case).await);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[tokio::test]
async fn validation_cases() {
    check_all("validation").await;
}

#[tokio::test]
async fn request_cases() {
    check_all("requests").await;
}

#[tokio::test]
async fn hostile_cases() {
    check_all("hostile").await;
}
