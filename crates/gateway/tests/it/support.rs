//! A gateway on a free port, and a client that speaks plain bytes.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base::clock::Clock;
use base::limits::AccountLimits;
use base::seams::{
    AnswerBody, FindFunctionUrl, FunctionUrl, Invocation, InvokeFunction, InvokeRefusal, Invoked, LocalFuture, LogLine,
    Outcome, SendFuture, StreamPart, StreamParts, Streaming, WriteLog,
};
use base::service_endpoints::ServiceEndpoints;
use bytes::Bytes;
use gateway::listener::{self, Listener};
use gateway::{AnswerElse, Gateway, Settings};
use http::request::Parts;
use http::{Response, StatusCode};
use plan::integration::RequestMapping;
use plan::throttle::MethodThrottles;
use plan::{
    Api, Backend, CompileStage, Guard, Integration, MediaTypes, MethodPlan, PlanIndex, ResourcePlan, ResponsePlan,
    Router, StagePlan, TestAnswer, TestInvoke, TestRefusal, TestRequest,
};
use templates::vtl::Template;

/// The function that all Lambda integrations of a test call.
pub(crate) trait Function: Fn(Invocation) -> Result<Outcome, InvokeRefusal> + Send + Sync + 'static {}

impl<F: Fn(Invocation) -> Result<Outcome, InvokeRefusal> + Send + Sync + 'static> Function for F {}

struct Functions(Box<dyn Function>);

/// A function that streams these parts to whoever asks; a part is held back until the client has got the one before,
/// as far as a pause can tell.
struct Streams(Vec<StreamPart>, Option<&'static str>);

/// One function URL.
struct Urls(Arc<FunctionUrl>);

impl FindFunctionUrl for Urls {
    fn find(&self, id: &str) -> Option<Arc<FunctionUrl>> {
        (*self.0.id == *id).then(|| Arc::clone(&self.0))
    }
}

struct Told {
    left: VecDeque<StreamPart>,
    pause: Pin<Box<tokio::time::Sleep>>,
}

impl StreamParts for Told {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<StreamPart> {
        // The end comes at once.
        if !matches!(self.left.front(), Some(StreamPart::Ended { .. })) {
            ready!(self.pause.as_mut().poll(context));
        }
        self.pause = Box::pin(tokio::time::sleep(Duration::from_millis(5)));
        match self.left.pop_front() {
            Some(part) => Poll::Ready(part),
            // A function that says nothing more.
            None => Poll::Pending,
        }
    }
}

impl InvokeFunction for Streams {
    fn enqueue(&self, _: Invocation) -> LocalFuture<'_, Result<String, InvokeRefusal>> {
        Box::pin(async { Err(InvokeRefusal::NotPermitted) })
    }

    fn invoke(&self, _: Invocation) -> LocalFuture<'_, Result<Invoked, InvokeRefusal>> {
        Box::pin(async { Err(InvokeRefusal::NotPermitted) })
    }

    fn invoke_streaming(&self, _: Invocation) -> LocalFuture<'_, Result<Streaming, InvokeRefusal>> {
        let left = self.0.iter().cloned().collect();
        let content_type = self.1.map(Into::into);
        Box::pin(async move {
            let parts = Box::new(Told { left, pause: Box::pin(tokio::time::sleep(Duration::ZERO)) });
            Ok(Streaming { request_id: String::new(), executed_version: "$LATEST".into(), content_type, parts })
        })
    }
}

impl InvokeFunction for Functions {
    fn enqueue(&self, invocation: Invocation) -> LocalFuture<'_, Result<String, InvokeRefusal>> {
        let outcome = (self.0)(invocation);
        Box::pin(async move { outcome.map(|_| "accepted".to_owned()) })
    }

    fn invoke(&self, invocation: Invocation) -> LocalFuture<'_, Result<Invoked, InvokeRefusal>> {
        let outcome = (self.0)(invocation);
        Box::pin(async move {
            let executed_version = "$LATEST".into();
            let request_id = "6f4e2c1a-0000-4000-8000-000000000000".into();
            Ok(Invoked { request_id, executed_version, outcome: outcome?, log_tail: None })
        })
    }
}

/// Compiles the stage `late` of the API `api`, and no other.
struct Compile(Arc<PlanIndex>);

impl CompileStage for Compile {
    fn compile_stage(&self, api: &str, stage: &str) -> SendFuture<'static, Result<Option<Arc<StagePlan>>, String>> {
        let plan = (stage == "late").then(|| Arc::new(stage_plan("late", vec![mock("/", "GET", "late")])));
        self.0.set_stage(api, stage, plan.clone());
        Box::pin(async move { Ok(plan) })
    }
}

struct Other;

impl AnswerElse for Other {
    fn too_large(&self, _: &Parts) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(b"too large"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        response
    }

    fn largest_body(&self, head: &Parts, _: SocketAddr) -> Result<usize, Box<Response<Bytes>>> {
        if head.headers.contains_key("x-refuse") {
            let mut refusal = Response::new(Bytes::from_static(b"refused by its head"));
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            return Err(Box::new(refusal));
        }
        Ok(1000)
    }

    fn answer(&self, head: Parts, body: Bytes, _: SocketAddr) -> SendFuture<'static, Response<AnswerBody>> {
        Box::pin(async move { Response::new(Bytes::from(format!("other {} {}", head.uri.path(), body.len())).into()) })
    }
}

/// What the stages' access logs have got.
#[derive(Debug, Default)]
struct Access(Mutex<Vec<String>>);

impl WriteLog for Access {
    fn write(&self, group_arn: &Arc<str>, stream: Option<&Arc<str>>, line: LogLine) {
        assert_eq!(group_arn.as_ref(), "group");
        assert!(stream.is_none_or(|stream| **stream == *"stream"));
        self.0.lock().unwrap().push(line.text);
    }
}

/// What the access log has got.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A running gateway whose API is `api`, with the stages `dev` (the plan) and `late` (compiled on first use).
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    gateway: Option<Gateway>,
    writer: Option<std::thread::JoinHandle<()>>,
    log: Log,
    access: Arc<Access>,
}

impl Node {
    pub(crate) fn start(methods: Vec<(String, MethodPlan)>) -> Node {
        Node::start_with(methods, |_| Err(InvokeRefusal::NotPermitted))
    }

    pub(crate) fn start_with(
        methods: Vec<(String, MethodPlan)>,
        function: impl Fn(Invocation) -> Result<Outcome, InvokeRefusal> + Send + Sync + 'static,
    ) -> Node {
        Node::start_plan(stage_plan("dev", methods), function)
    }

    pub(crate) fn start_plan(
        plan: StagePlan,
        function: impl Fn(Invocation) -> Result<Outcome, InvokeRefusal> + Send + Sync + 'static,
    ) -> Node {
        Node::start_with_services(plan, ServiceEndpoints::default(), function)
    }

    pub(crate) fn start_with_services(
        plan: StagePlan,
        service_endpoints: ServiceEndpoints,
        function: impl Fn(Invocation) -> Result<Outcome, InvokeRefusal> + Send + Sync + 'static,
    ) -> Node {
        Node::start_functions(plan, service_endpoints, Arc::new(Functions(Box::new(function))), Arc::new(()))
    }

    /// A gateway with one function URL, and the function behind it.
    pub(crate) fn start_url(
        url: FunctionUrl,
        function: impl Fn(Invocation) -> Result<Outcome, InvokeRefusal> + Send + Sync + 'static,
    ) -> Node {
        let functions = Arc::new(Functions(Box::new(function)));
        let urls = Arc::new(Urls(Arc::new(url)));
        Node::start_functions(stage_plan("dev", Vec::new()), ServiceEndpoints::default(), functions, urls)
    }

    /// The same with a function that streams these parts under that content type.
    pub(crate) fn start_streaming_url(url: FunctionUrl, kind: Option<&'static str>, parts: Vec<StreamPart>) -> Node {
        let functions = Arc::new(Streams(parts, kind));
        let urls = Arc::new(Urls(Arc::new(url)));
        Node::start_functions(stage_plan("dev", Vec::new()), ServiceEndpoints::default(), functions, urls)
    }

    /// A gateway whose functions stream these parts.
    pub(crate) fn start_streaming(methods: Vec<(String, MethodPlan)>, parts: Vec<StreamPart>) -> Node {
        Node::start_functions(
            stage_plan("dev", methods),
            ServiceEndpoints::default(),
            Arc::new(Streams(parts, None)),
            Arc::new(()),
        )
    }

    fn start_functions(
        plan: StagePlan,
        service_endpoints: ServiceEndpoints,
        functions: Arc<dyn InvokeFunction>,
        function_urls: Arc<dyn FindFunctionUrl>,
    ) -> Node {
        let index = Arc::new(PlanIndex::new(AccountLimits::LIFTED));
        index.set_stage("api", "dev", Some(Arc::new(plan)));
        index.set_stage("api", "late", None);
        index.set_stage("api", "gone", None);
        let sockets = listener::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = sockets[0].local_addr().unwrap();
        let out = Log::default();
        let access = Arc::new(Access::default());
        let (log, writer) = gateway::log::start(out.clone());
        let settings = Settings {
            index: Arc::clone(&index),
            compile: Arc::new(Compile(Arc::clone(&index))),
            functions,
            function_urls,
            other: Arc::new(Other),
            log,
            logs: Some(Arc::clone(&access) as Arc<dyn WriteLog>),
            clock: Clock::System,
            domain: "localhost".into(),
            own_addresses: vec![address],
            service_endpoints: Arc::new(service_endpoints),
            allow_internal: false,
        };
        let listeners = vec![Listener { sockets, tls: None }];
        let gateway =
            Gateway::start(Arc::new(settings), listeners, 2, Duration::from_secs(5), Arc::new(|_| {})).unwrap();
        Node { address, gateway: Some(gateway), writer: Some(writer), log: out, access }
    }

    /// Sends one request to the API's stage `dev` and returns status, headers (lower case) and body.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET /_aws/execute-api/api/dev{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    pub(crate) fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.send(&format!(
            "POST /_aws/execute-api/api/dev{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len(),
        ))
    }

    /// Sends bytes and reads until the other side closes.
    pub(crate) fn send(&self, bytes: &str) -> Answer {
        self.send_bytes(bytes.as_bytes())
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The other side may have closed already; what it said before is still to be read.
        let _ = stream.write_all(bytes);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        Answer::parse(&all)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Tries a method.
    pub(crate) fn test(&self, request: TestRequest) -> Result<TestAnswer, TestRefusal> {
        let tried = self.tester().test_invoke(request);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tried)
    }

    pub(crate) fn tester(&self) -> Arc<dyn TestInvoke> {
        self.gateway.as_ref().unwrap().tester()
    }

    /// Stops the gateway and returns the lines of the stage's own access log.
    pub(crate) fn stop_for_access_log(mut self) -> Vec<String> {
        self.gateway.take().unwrap().stop();
        std::mem::take(&mut *self.access.0.lock().unwrap())
    }

    /// Stops the gateway and returns the access log's lines.
    pub(crate) fn stop(mut self) -> Vec<serde_json::Value> {
        self.gateway.take().unwrap().stop();
        self.writer.take().unwrap().join().unwrap();
        let text = String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop();
        }
    }
}

/// A response taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn parse(all: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(all);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or("").split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let bytes = all.windows(4).position(|four| four == b"\r\n\r\n").map_or(&[][..], |end| &all[end + 4..]);
        let bytes = unchunked(&headers, bytes);
        Answer { status, headers, body: body.to_owned(), bytes }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What chunks hold, for a body that came in some.
fn unchunked(headers: &BTreeMap<String, String>, mut bytes: &[u8]) -> Vec<u8> {
    if headers.get("transfer-encoding").is_none_or(|coding| coding != "chunked") {
        return bytes.to_vec();
    }
    let mut whole = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(&String::from_utf8_lossy(&bytes[..end]), 16).unwrap();
        if length == 0 || bytes.len() < end + 4 + length {
            break;
        }
        whole.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
    whole
}

/// An HTTP backend that gives each connection to `serve`, on a thread of its own.
pub(crate) fn backend(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a request's head and, by its length, its body.
pub(crate) fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = all.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&all[..end]).into_owned();
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if all.len() >= end + 4 + length.unwrap_or(0) {
                return (head, all[end + 4..].to_vec());
            }
        }
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => all.extend_from_slice(&chunk[..length]),
            _ => return (String::from_utf8_lossy(&all).into_owned(), Vec::new()),
        }
    }
}

/// A plan with these methods.
pub(crate) fn stage_plan(stage: &str, methods: Vec<(String, MethodPlan)>) -> StagePlan {
    let mut resources: BTreeMap<String, ResourcePlan> = BTreeMap::new();
    for (path, method) in methods {
        let resource = resources.entry(path.clone()).or_insert_with(|| ResourcePlan {
            id: "r1".into(),
            path: path.as_str().into(),
            methods: Vec::new(),
            any: None,
        });
        if method.verb.as_ref() == "ANY" {
            resource.any = Some(method);
        } else {
            resource.methods.push(method);
        }
    }
    let mut router = Router::default();
    for (path, resource) in resources {
        router.insert(&path, resource).unwrap();
    }
    let api = Api { id: "api".into(), account: "000000000000".into(), region: "us-east-1".into(), edge: false };
    StagePlan {
        api: Arc::new(api),
        stage: stage.into(),
        deployment_id: "d1".into(),
        variables: BTreeMap::from([("colour".into(), "red".into())]),
        router,
        binary_media_types: MediaTypes::default(),
        minimum_compression_size: None,
        guard: None,
        gateway_responses: None,
        account_throttle: None,
        method_throttles: MethodThrottles::default(),
        sampling: None,
        access_log: None,
        execution_logs: None,
    }
}

/// A method with a backend and nothing else.
pub(crate) fn method(path: &str, verb: &str, backend: Backend) -> (String, MethodPlan) {
    let integration = Integration {
        backend,
        timeout: Duration::from_secs(2),
        streams: false,
        request: RequestMapping::default(),
        responses: Vec::new(),
    };
    (
        path.to_owned(),
        MethodPlan { verb: verb.into(), operation_name: None, guard: None, validation: None, integration },
    )
}

/// A method that answers 200 with what `response` renders.
pub(crate) fn mock(path: &str, verb: &str, response: &str) -> (String, MethodPlan) {
    let (path, mut method) = method(path, verb, Backend::Mock);
    let json = |text: &str| vec![("application/json".into(), Template::parse(text).unwrap())];
    method.integration.request.templates = json("{\"statusCode\": 200}");
    method.integration.responses = vec![ResponsePlan {
        status: StatusCode::OK,
        is_declared: true,
        selection: None,
        headers: Vec::new(),
        spelled: Vec::new(),
        templates: json(response),
        content_handling: None,
    }];
    (path, method)
}

/// A guard that cannot be enforced.
pub(crate) fn guard(what: &str) -> Option<Guard> {
    Some(Guard { what: what.into() })
}
