//! Runs the golden cases of `cases/`: APIs, requests to them, and what client, backend and function get.
//!
//! A case is `{"about": text, "methods": [method], "backend": answer, "function": answer, "exchanges": [exchange]}`. An
//! expected string that begins with `~` is a regular expression for all of the value; `null` says that a header is not
//! there. An exchange with `test` tries a method instead of sending a request: its `headers` have the spelling that is
//! shown, and `log` the lines of the execution log without their dates. The API answers at the host
//! `api.execute-api.localhost:4566`, its stage is `dev`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::seams::{InvokeRefusal, Outcome};
use base::service_endpoints::{ServiceEndpoint, ServiceEndpoints};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use http::{HeaderName, StatusCode};
use plan::integration::{ContentHandling, RequestMapping};
use plan::validation::{BodyModel, RequiredParameter};
use plan::{
    Backend, GatewayResponsePlan, GatewayResponses, Integration, MediaTypes, MethodPlan, Passthrough, ResponsePlan,
    Service, StagePlan, TEST_STAGE, TestCaller, TestRequest, UriTemplate,
};
use serde::Deserialize;
use serde_json::Value;
use templates::java_regex::JavaRegex;
use templates::mapping::{Source, Target};
use templates::plain::PlainTemplate;
use templates::schema::Library;
use templates::vtl::Template;

use crate::support::{Answer, Node, read_request, stage_plan};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default, rename = "binaryMediaTypes")]
    binary_media_types: Vec<String>,
    #[serde(default, rename = "minimumCompressionSize")]
    minimum_compression_size: Option<u32>,
    /// Whether the API is edge-optimized.
    #[serde(default)]
    edge: bool,
    methods: Vec<Method>,
    /// By response type.
    #[serde(default, rename = "gatewayResponses")]
    gateway_responses: BTreeMap<String, GatewayResponse>,
    #[serde(default)]
    backend: BackendAnswer,
    function: Option<FunctionAnswer>,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Method {
    path: String,
    verb: String,
    r#type: String,
    /// What follows the backend's address, or another address, which has a scheme; for an AWS service, the end of the
    /// integration's: `s3:path/bucket/{key}`.
    #[serde(default)]
    uri: String,
    /// In milliseconds; two seconds where nothing is said.
    timeout: Option<u64>,
    http_method: Option<String>,
    #[serde(default)]
    request_parameters: BTreeMap<String, String>,
    #[serde(default)]
    request_templates: BTreeMap<String, String>,
    passthrough: Option<String>,
    content_handling: Option<String>,
    /// `responseTransferMode` is `STREAM`.
    #[serde(default)]
    streams: bool,
    #[serde(default)]
    responses: BTreeMap<String, Response>,
    validation: Option<Validation>,
}

/// What a method's validator asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Validation {
    /// Required ones: `method.request.header.NAME`.
    #[serde(default)]
    parameters: BTreeSet<String>,
    /// Schemas by media type; `null` is the model `Empty`.
    #[serde(default)]
    models: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Response {
    selection_pattern: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    templates: BTreeMap<String, String>,
    content_handling: Option<String>,
    /// Whether the method has a response of this status.
    #[serde(default = "yes")]
    declared: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GatewayResponse {
    status_code: Option<u16>,
    #[serde(default)]
    response_parameters: BTreeMap<String, String>,
    #[serde(default)]
    response_templates: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// What the backend answers.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackendAnswer {
    status: Option<u16>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    body: String,
    /// The connection is closed without an answer.
    #[serde(default)]
    closes: bool,
    /// There is no answer, and the connection stays open.
    #[serde(default)]
    silent: bool,
    /// Bytes instead of text.
    #[serde(rename = "bodyBase64")]
    body_base64: Option<String>,
}

/// What the function answers.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum FunctionAnswer {
    Returns(Value),
    Fails(Value),
    /// The invocation is refused for want of permission.
    Forbids,
    /// Too many invocations run.
    Throttles,
    /// There is no such function.
    Misses,
    /// Lambda cannot read the payload, and says so.
    Misreads(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// Request line and headers; `Host` and `Connection: close` are added where they are missing.
    #[serde(default)]
    request: Vec<String>,
    test: Option<Tried>,
    #[serde(default)]
    body: String,
    /// Bytes instead of text.
    #[serde(rename = "bodyBase64")]
    body_base64: Option<String>,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// The body: text, or JSON to be compared as such.
    answer: Option<Value>,
    /// The body's bytes.
    #[serde(rename = "answerBase64")]
    answer_base64: Option<String>,
    /// The text that is packed in the body.
    unpacked: Option<String>,
    /// What the backend got.
    backend: Option<Received>,
    /// What the function got: JSON pointers and values.
    #[serde(default)]
    event: BTreeMap<String, Value>,
}

/// What TestInvokeMethod is asked, and the log that it shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    resource: String,
    verb: String,
    target: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    log: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    line: String,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    body: Option<String>,
    #[serde(rename = "bodyBase64")]
    body_base64: Option<String>,
}

#[test]
fn golden_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut run = 0;
    for topic in fs::read_dir(&root).unwrap() {
        for file in fs::read_dir(topic.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            run_case(&format!("{} ({})", path.display(), case.about), &case);
            run += 1;
        }
    }
    assert!(run >= 15, "only {run} cases were found");
}

/// Head and body of the last request.
type Last = Arc<Mutex<Option<(String, Vec<u8>)>>>;

fn run_case(name: &str, case: &Case) {
    let (got, event) = (Last::default(), Arc::new(Mutex::new(Bytes::new())));
    let address = backend(case.backend.clone(), Arc::clone(&got));
    let compile = |stage: &str| {
        let methods = case.methods.iter().map(|method| (method.path.clone(), method.plan(address))).collect();
        let mut plan = stage_plan(stage, methods);
        plan.gateway_responses = GatewayResponses::new(
            case.gateway_responses.iter().map(|(kind, response)| (kind.as_str().into(), response.plan())),
        );
        plan.minimum_compression_size = case.minimum_compression_size;
        Arc::get_mut(&mut plan.api).expect("nobody else has it yet").edge = case.edge;
        plan.binary_media_types = MediaTypes::new(case.binary_media_types.iter().map(String::as_str));
        plan
    };
    let plan = compile("dev");
    let (answer, seen) = (case.function.clone(), Arc::clone(&event));
    let node = Node::start_with_services(plan, service_endpoints(address), move |invocation| {
        *seen.lock().unwrap() = invocation.payload;
        match &answer {
            Some(FunctionAnswer::Returns(value)) => Ok(Outcome::Returned(value.to_string().into())),
            Some(FunctionAnswer::Fails(value)) => Ok(Outcome::Failed(value.to_string().into())),
            Some(FunctionAnswer::Misreads(message)) => {
                Err(InvokeRefusal::BadPayload { message: message.clone(), too_large: false })
            }
            Some(FunctionAnswer::Throttles) => Err(InvokeRefusal::TooManyRequests { reason: "Concurrency" }),
            Some(FunctionAnswer::Misses) => Err(InvokeRefusal::NotFound { function_arn: "F".into() }),
            Some(FunctionAnswer::Forbids) | None => Err(InvokeRefusal::NotPermitted),
        }
    });
    for (number, exchange) in case.exchanges.iter().enumerate() {
        let name = format!("{name}, exchange {number}");
        let answer = match &exchange.test {
            None => node.send_bytes(&exchange.bytes()),
            Some(tried) => tried.run(&name, &node, compile(TEST_STAGE), &exchange.body, address),
        };
        assert_eq!(answer.status, exchange.status, "{name}: {}", answer.body);
        check_headers(&name, &answer, &exchange.headers);
        if let Some(expected) = &exchange.answer {
            check_value(&name, &answer.body, expected);
        }
        if let Some(expected) = &exchange.answer_base64 {
            assert_eq!(STANDARD.encode(&answer.bytes), *expected, "{name}");
        }
        if let Some(expected) = &exchange.unpacked {
            assert_eq!(unpacked(&answer), *expected, "{name}");
        }
        if let Some(expected) = &exchange.backend {
            let (head, body) = got.lock().unwrap().take().unwrap_or_else(|| panic!("{name}: the backend got nothing"));
            let (line, _) = head.split_once("\r\n").unwrap();
            check_text(&name, line, &expected.line);
            // The head looks like an answer's but for its first line.
            check_headers(&name, &Answer::parse(format!("{head}\r\n\r\n").as_bytes()), &expected.headers);
            if let Some(expected) = &expected.body {
                check_text(&name, &String::from_utf8_lossy(&body), expected);
            }
            if let Some(expected) = &expected.body_base64 {
                assert_eq!(STANDARD.encode(&body), *expected, "{name}");
            }
        }
        if !exchange.event.is_empty() {
            let event: Value = serde_json::from_slice(&event.lock().unwrap()).unwrap();
            for (pointer, expected) in &exchange.event {
                let found = event.pointer(pointer).cloned().unwrap_or_default();
                match (&found, expected) {
                    (Value::String(found), Value::String(expected)) => check_text(&name, found, expected),
                    _ => assert_eq!(found, *expected, "{name}: {pointer} of {event}"),
                }
            }
        }
    }
}

/// The services that are the backend; others are nowhere.
fn service_endpoints(address: SocketAddr) -> ServiceEndpoints {
    let names = ["appsync", "dynamodb", "events", "s3", "sns", "sqs", "ssm", "stepfunctions"];
    names.iter().map(|name| ServiceEndpoint::parse(&format!("{name}=http://{address}")).unwrap()).collect()
}

/// The body as its `Content-Encoding` says that it is to be read.
fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    match answer.header("content-encoding") {
        "gzip" => GzDecoder::new(answer.bytes.as_slice()).read_to_string(&mut text).unwrap(),
        "deflate" => ZlibDecoder::new(answer.bytes.as_slice()).read_to_string(&mut text).unwrap(),
        other => panic!("{other:?} is no coding of ours"),
    };
    text
}

fn check_headers(name: &str, answer: &Answer, expected: &BTreeMap<String, Option<String>>) {
    for (header, value) in expected {
        match value {
            Some(value) => check_text(&format!("{name}: {header}"), answer.header(header), value),
            None => assert_eq!(answer.headers.get(header), None, "{name}: {header}"),
        }
    }
}

fn check_value(name: &str, body: &str, expected: &Value) {
    match expected {
        Value::String(text) => check_text(name, body, text),
        other => assert_eq!(serde_json::from_str::<Value>(body).ok().as_ref(), Some(other), "{name}: {body}"),
    }
}

fn check_text(name: &str, found: &str, expected: &str) {
    match expected.strip_prefix('~') {
        Some(pattern) => {
            assert!(JavaRegex::parse(pattern).unwrap().is_full_match(found), "{name}: {found} is not {pattern}");
        }
        None => assert_eq!(found, expected, "{name}"),
    }
}

impl Tried {
    /// Tries the method and checks the log; the backend's address stands there as `BACKEND`, the request's id as `ID`.
    fn run(&self, name: &str, node: &Node, plan: StagePlan, body: &str, backend: SocketAddr) -> Answer {
        let request = TestRequest {
            plan: Arc::new(plan),
            resource_path: self.resource.as_str().into(),
            verb: self.verb.as_str().into(),
            target: self.target.as_deref().map(Box::from),
            headers: self.headers.clone(),
            body: body.to_owned(),
            caller: TestCaller { access_key_id: Some("AKIDEXAMPLE".into()), user_agent: "cli/1".into() },
        };
        let answer = node.test(request).unwrap();
        let (first, lines) = answer.log.split_once('\n').unwrap();
        let id = first.strip_prefix("Execution log for request ").unwrap();
        let mut lines: Vec<String> = lines.split('\n').map(str::to_owned).collect();
        assert_eq!(lines.pop().as_deref(), Some(""), "{name}: the log ends with a line's end");
        assert_eq!(lines.len(), self.log.len(), "{name}: {lines:#?}");
        for (line, expected) in lines.iter().zip(&self.log) {
            let (date, text) = line.split_at("Mon Sep 29 19:44:14 UTC 2025 : ".len());
            check_text(name, date, "~[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} UTC [0-9]{4} : ");
            let text = text.replace(id, "ID").replace(&backend.to_string(), "BACKEND");
            check_text(name, &text, expected);
        }
        let bytes = answer.body.clone().into_bytes();
        Answer { status: answer.status, headers: answer.headers.into_iter().collect(), body: answer.body, bytes }
    }
}

impl Exchange {
    fn bytes(&self) -> Vec<u8> {
        let body = match &self.body_base64 {
            Some(body) => STANDARD.decode(body).unwrap(),
            None => self.body.clone().into_bytes(),
        };
        let has = |name: &str| self.request.iter().any(|line| line.to_ascii_lowercase().starts_with(name));
        let mut lines = self.request.clone();
        if !has("host:") {
            lines.push("Host: api.execute-api.localhost:4566".into());
        }
        if !has("connection:") {
            lines.push("Connection: close".into());
        }
        if !body.is_empty() && !has("transfer-encoding:") {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        [format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes(), body].concat()
    }
}

impl Method {
    fn plan(&self, address: SocketAddr) -> MethodPlan {
        let parameters = self.request_parameters.iter();
        let integration = Integration {
            backend: self.backend(address),
            timeout: Duration::from_millis(self.timeout.unwrap_or(2_000)),
            streams: self.streams,
            request: RequestMapping {
                parameters: parameters
                    .map(|(key, value)| (Target::parse(key).unwrap(), Source::parse_request(value).unwrap()))
                    .collect(),
                templates: parse_templates(&self.request_templates),
                passthrough: match self.passthrough.as_deref() {
                    None | Some("WHEN_NO_MATCH") => Passthrough::WhenNoMatch,
                    Some("WHEN_NO_TEMPLATES") => Passthrough::WhenNoTemplates,
                    _ => Passthrough::Never,
                },
                content_handling: content_handling(self.content_handling.as_deref()),
            },
            responses: self.responses.iter().map(|(status, response)| response.plan(status)).collect(),
        };
        let validation = self.validation.as_ref().map(|validation| Box::new(validation.plan()));
        MethodPlan { verb: self.verb.as_str().into(), operation_name: None, guard: None, validation, integration }
    }

    fn backend(&self, address: SocketAddr) -> Backend {
        let proxy = self.r#type.ends_with("_PROXY");
        match self.r#type.as_str() {
            "MOCK" => Backend::Mock,
            "BROKEN" => Backend::Broken { reason: "an example".into() },
            "AWS" if !self.uri.is_empty() => {
                let (service, call) = self.uri.split_once(':').unwrap();
                let (kind, rest) = call.split_once('/').unwrap();
                let method = self.http_method.as_deref().map(|verb| verb.parse().unwrap());
                let service = Service::new("eu-west-1", service, kind == "action", rest);
                Backend::Service(Box::new(Service { method, ..service }))
            }
            "HTTP" | "HTTP_PROXY" => Backend::Http {
                method: self.http_method.as_deref().map(|verb| verb.parse().unwrap()),
                uri: match self.uri.contains("://") {
                    true => UriTemplate::parse(&self.uri),
                    false => UriTemplate::parse(&format!("http://{address}{}", self.uri)),
                },
                proxy,
            },
            _ => Backend::Lambda {
                function_arn: "arn:aws:lambda:us-east-1:000000000000:function:F".into(),
                credentials: None,
                proxy,
            },
        }
    }
}

impl Validation {
    fn plan(&self) -> plan::Validation {
        let texts: Vec<(&str, String)> =
            self.models.iter().map(|(kind, schema)| (kind.as_str(), schema.to_string())).collect();
        let models = texts.iter().map(|(kind, schema)| (*kind, schema.as_str()));
        let library = Library::compile("api", models, texts.iter().map(|(kind, _)| *kind));
        let model = |(kind, schema): (&String, &Value)| {
            let model = if schema.is_null() { None } else { library.schema(kind) };
            (kind.as_str().into(), model.map_or(BodyModel::Anything, BodyModel::Schema))
        };
        plan::Validation {
            parameters: self.parameters.iter().map(|key| RequiredParameter::parse(key).unwrap()).collect(),
            models: self.models.iter().map(model).collect(),
        }
    }
}

impl Response {
    fn plan(&self, status: &str) -> ResponsePlan {
        let header = |key: &String| {
            HeaderName::from_bytes(key.strip_prefix("method.response.header.").unwrap().as_bytes()).unwrap()
        };
        let parameters = self.parameters.iter();
        ResponsePlan {
            status: StatusCode::from_bytes(status.as_bytes()).unwrap(),
            is_declared: self.declared,
            selection: self.selection_pattern.as_deref().map(|pattern| JavaRegex::parse(pattern).unwrap()),
            headers: parameters.map(|(key, value)| (header(key), Source::parse_response(value).unwrap())).collect(),
            spelled: Vec::new(),
            templates: parse_templates(&self.templates),
            content_handling: content_handling(self.content_handling.as_deref()),
        }
    }
}

impl GatewayResponse {
    fn plan(&self) -> GatewayResponsePlan {
        let headers = self.response_parameters.iter().map(|(key, value)| {
            let name = key.strip_prefix("gatewayresponse.header.").unwrap();
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), Source::parse_gateway_response(value).unwrap())
        });
        let default =
            BTreeMap::from([("application/json".into(), "{\"message\":$context.error.messageString}".into())]);
        let templates = if self.response_templates.is_empty() { &default } else { &self.response_templates };
        GatewayResponsePlan {
            status: self.status_code.map(|status| StatusCode::from_u16(status).unwrap()),
            headers: headers.collect(),
            spelled: Vec::new(),
            templates: templates
                .iter()
                .map(|(kind, text)| (kind.as_str().into(), PlainTemplate::parse(text)))
                .collect(),
        }
    }
}

fn content_handling(word: Option<&str>) -> Option<ContentHandling> {
    word.map(|word| match word {
        "CONVERT_TO_BINARY" => ContentHandling::ToBinary,
        _ => ContentHandling::ToText,
    })
}

fn parse_templates(templates: &BTreeMap<String, String>) -> Vec<(Box<str>, Template)> {
    templates.iter().map(|(kind, text)| (kind.as_str().into(), Template::parse(text).unwrap())).collect()
}

/// A backend that keeps the last request and gives one answer to all.
fn backend(answer: BackendAnswer, got: Last) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let request = read_request(&mut stream);
            *got.lock().unwrap() = Some(request);
            if answer.silent {
                open.push(stream);
                continue;
            }
            if answer.closes {
                continue;
            }
            let status = answer.status.unwrap_or(200);
            let body = match &answer.body_base64 {
                Some(body) => STANDARD.decode(body).unwrap(),
                None => answer.body.clone().into_bytes(),
            };
            let chunked = answer.headers.iter().any(|header| header.starts_with("Transfer-Encoding:"));
            let mut text = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
            if !chunked {
                text.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            for header in &answer.headers {
                text.push_str(header);
                text.push_str("\r\n");
            }
            text.push_str("\r\n");
            // A client that is gone fails its own test.
            let _ = stream.write_all(&[text.into_bytes(), body].concat());
        }
    });
    address
}
