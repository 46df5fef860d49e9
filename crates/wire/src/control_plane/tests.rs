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
                let output = Output {
                    members: output.clone(),
                    payload: payload.clone(),
                    headers: http::HeaderMap::new(),
                    events: None,
                };
                Box::pin(async move { Ok(output) })
            });
            (operation.name, handler)
        });
        Mounted { model, handlers: handlers.collect(), owner: None }
    });
    (ControlPlane::new(mounted, Settings::default()), seen)
}

async fn send(control_plane: &ControlPlane, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let (head, body) = control_plane.handle(parts, body, ([127, 0, 0, 1], 50000).into()).await.into_parts();
    Response::from_parts(head, body.collect().await)
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

fn signed_request(method: &str, uri: &str, key: &str, region: &str, service: &str) -> http::request::Builder {
    let signed = authorization(key, region, service);
    Request::builder().method(method).uri(uri).header("host", "localhost:4566").header("authorization", signed)
}

struct State;

async fn get_rest_api(
    _state: Arc<State>,
    call: Call,
    input: model_apigateway::GetRestApiRequest,
) -> Result<model_apigateway::RestApi, ApiError> {
    if input.rest_api_id == "missing" {
        return Err(ApiError::not_found("Invalid API identifier specified 000000000000:missing"));
    }
    let description = format!("{}/{}/{}/{}", call.account, call.region, call.operation, call.host);
    Ok(model_apigateway::RestApi { id: Some(input.rest_api_id), description: Some(description), ..Default::default() })
}

fn typed_control_plane() -> ControlPlane {
    let apis = crate::Service::new(&model_apigateway::SERVICE, Arc::new(State))
        .operation(model_apigateway::GetRestApi, get_rest_api)
        .operation(model_apigateway::DeleteRestApi, |_, _, _| async { Ok(()) });
    let functions = crate::Service::new(&model_lambda::SERVICE, Arc::new(State)).operation(
        model_lambda::Invoke,
        |_, _, input: model_lambda::InvocationRequest| async move {
            let output = model_lambda::InvocationResponse {
                payload: input.payload,
                status_code: Some(200),
                ..Default::default()
            };
            let header = (http::HeaderName::from_static("x-amzn-trace-id"), http::HeaderValue::from_static("root"));
            Ok(crate::Answer::from(output).with_header(header.0, header.1))
        },
    );
    ControlPlane::new([apis.into(), functions.into()], Settings::default())
}

async fn text_of(control_plane: &ControlPlane, request: Request<Bytes>) -> (u16, String) {
    let response = send(control_plane, request).await;
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

#[tokio::test]
async fn handlers_get_typed_input_and_the_caller() {
    let control_plane = typed_control_plane();
    let get = |id: &str, key: &str, region: &str| {
        let uri = format!("/restapis/{id}");
        signed_request("GET", &uri, key, region, "apigateway").body(Bytes::new()).unwrap()
    };
    let (status, body) = text_of(&control_plane, get("abc", "123456789012", "eu-west-1")).await;
    assert_eq!(status, 200);
    assert_eq!(body, r#"{"id":"abc","description":"123456789012/eu-west-1/GetRestApi/localhost:4566"}"#);
    let (_, body) = text_of(&control_plane, get("abc", "test", "us-east-1")).await;
    assert!(body.contains("000000000000/us-east-1"), "{body}");
    let (status, body) = text_of(&control_plane, get("missing", "test", "us-east-1")).await;
    assert_eq!(
        (status, body.as_str()),
        (404, r#"{"message":"Invalid API identifier specified 000000000000:missing"}"#)
    );
    let delete =
        signed_request("DELETE", "/restapis/abc", "test", "us-east-1", "apigateway").body(Bytes::new()).unwrap();
    assert_eq!(text_of(&control_plane, delete).await, (202, String::new()));
}

#[tokio::test]
async fn bytes_pass_through_untouched() {
    let body = Bytes::from_static(b"\x00\xff not json");
    let uri = "/2015-03-31/functions/f/invocations";
    let request = signed_request("POST", uri, "test", "us-east-1", "lambda").body(body.clone()).unwrap();
    let response = send(&typed_control_plane(), request).await;
    assert_eq!(response.body(), &body);
    assert_eq!(response.headers()["x-amzn-trace-id"], "root");
}

#[tokio::test]
async fn bodies_over_the_bound_are_refused() {
    let uri = "/2015-03-31/functions/f/invocations";
    let request = |size: usize| {
        let request = signed_request("POST", uri, "test", "us-east-1", "lambda");
        request.body(Bytes::from(vec![b' '; size])).unwrap()
    };
    let control_plane = typed_control_plane();
    assert_eq!(send(&control_plane, request(6_291_456)).await.status(), 200);
    let (status, body) = text_of(&control_plane, request(6_291_457)).await;
    assert_eq!(status, 413);
    let text =
        r#"{"Type":"User","message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}"#;
    assert_eq!(body, text);
}

#[tokio::test]
async fn what_we_do_not_have_is_named() {
    let control_plane = typed_control_plane();
    let request = signed_request("GET", "/restapis", "test", "us-east-1", "apigateway").body(Bytes::new()).unwrap();
    let (status, body) = text_of(&control_plane, request).await;
    assert_eq!((status, body.as_str()), (501, r#"{"message":"Frontgate does not have apigateway:GetRestApis yet"}"#));
    let request = signed_request("POST", "/", "test", "us-east-1", "dynamodb")
        .header("x-amz-target", "DynamoDB_20120810.ListTables");
    let (status, body) = text_of(&control_plane, request.body(Bytes::new()).unwrap()).await;
    assert_eq!(status, 501);
    assert_eq!(
        body,
        "{\"__type\":\"NotImplemented\",\"message\":\"dynamodb is not part of Frontgate; start it with \
         `--service-endpoint dynamodb=URL` to have such calls forwarded\"}"
    );
    let request = Request::get("/favicon.ico").header("host", "localhost").header("content-type", "application/json");
    let (status, _) = text_of(&control_plane, request.body(Bytes::new()).unwrap()).await;
    assert_eq!(status, 404);
}

/// Answers calls of DynamoDB with what they are, and cannot reach SQS.
struct Elsewhere;

impl Forward for Elsewhere {
    fn forward(&self, service: &str, request: Parts, body: Bytes) -> Option<crate::forward::Forwarding> {
        let answer = match service {
            "dynamodb" => Ok(format!("{} {} {}", request.method, request.uri, String::from_utf8_lossy(&body))),
            "sqs" => Err(ForwardError("nobody is there".into())),
            _ => return None,
        };
        Some(Box::pin(async move { answer.map(|text| Response::new(text.into())) }))
    }
}

#[tokio::test]
async fn calls_of_other_services_are_forwarded_behind_the_guard() {
    let control_plane = typed_control_plane().with_forward(Arc::new(Elsewhere));
    let request = |service| signed_request("POST", "/path?x=1", "test", "us-east-1", service);
    let sent = request("dynamodb").body("body".into()).unwrap();
    assert_eq!(text_of(&control_plane, sent).await, (200, "POST /path?x=1 body".into()));
    let sent = request("sqs").header("x-amz-target", "AmazonSQS.ListQueues").body(Bytes::new()).unwrap();
    let expected = r#"{"__type":"ServiceUnavailable","message":"nobody is there"}"#;
    assert_eq!(text_of(&control_plane, sent).await, (503, expected.into()));
    assert_eq!(text_of(&control_plane, request("sns").body(Bytes::new()).unwrap()).await.0, 501);
    let foreign = request("dynamodb").header("origin", "http://evil.test").body(Bytes::new()).unwrap();
    assert_eq!(text_of(&control_plane, foreign).await.0, 403);
}

#[tokio::test]
async fn the_guard_stands_before_everything() {
    let request = Request::post("/2015-03-31/functions/f/invocations").header("host", "localhost:4566");
    let (status, body) = text_of(&typed_control_plane(), request.body(Bytes::new()).unwrap()).await;
    assert_eq!(status, 403);
    assert!(body.contains("not signed"), "{body}");
}

#[test]
fn a_service_knows_which_handlers_it_lacks() {
    let mounted: Mounted = crate::Service::new(&model_sts::SERVICE, Arc::new(State)).into();
    assert_eq!(mounted.missing(), ["GetCallerIdentity"]);
}
