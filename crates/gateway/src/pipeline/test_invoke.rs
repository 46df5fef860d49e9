//! The way of a test invocation: the phases of a REST API's requests behind the guards, with a log of each step.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body::Body as _;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use plan::{Captures, LogDetail, MethodPlan, ResourcePlan, Router, TestAnswer, TestRefusal, TestRequest};

use super::rest::{admitted_answer, check_syntax};
use crate::body::{Body, RequestBody};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::listener::{Connection, Spelled, Thread};
use crate::log::execution::{ExecutionLog, spelled};
use crate::random::RequestIds;
use crate::respond::{self, Answer, TRACE_ID};
use crate::route::Routed;
use crate::throttle::admit_test;
use crate::transform::header_text;

/// What a path or query must not have as it is; everything else is left to the caller.
const TARGET: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'<').add(b'>').add(b'`');

/// How long a trial waits for an answer that streams: for its beginning, and for its end.
const STREAM_TIME: Duration = Duration::from_secs(35);

/// How much of an answer that streams is shown.
const STREAM_BYTES: usize = 1 << 20;

/// Sends a request through the phases. Whatever they make of it is an answer.
///
/// # Errors
/// [`TestRefusal::BadRequest`] for what cannot be sent as HTTP.
pub(crate) async fn run(thread: &Thread, request: TestRequest) -> Result<TestAnswer, TestRefusal> {
    let (resource_path, body) = (request.resource_path.clone(), Bytes::from(request.body.clone()));
    let mut exchange = exchange(thread, request)?;
    if tried(&exchange, &resource_path).is_some_and(|(_, method)| method.integration.streams) {
        // An answer that streams has no log.
        exchange.execution_log = None;
    }
    let routed = route(&exchange, &resource_path)?;
    let mut body = RequestBody::here(body);
    let deadline = tokio::time::Instant::now() + STREAM_TIME;
    let outcome = match routed.method.integration.streams {
        false => Ok(answer(thread, &exchange, &routed, &mut body).await),
        true => tokio::time::timeout_at(deadline, answer(thread, &exchange, &routed, &mut body)).await,
    };
    let (status, headers, body) = match outcome {
        Err(_) => (0, Vec::new(), String::new()),
        Ok(Ok(answer)) => {
            let headers = shown_headers(&answer);
            (answer.status.as_u16(), headers, text_of(answer.body, deadline).await)
        }
        Ok(Err(fault)) => {
            if let Some(log) = &exchange.execution_log {
                log.failed(&fault, Some(&routed));
            }
            let (head, body) = respond::refused(&fault, &exchange.ids, Some(&exchange)).into_parts();
            let known = head.extensions.get::<Spelled>().map_or(&[][..], |spelled| &spelled.0);
            (head.status.as_u16(), refusal_headers(&head.headers, known), text_of(body, deadline).await)
        }
    };
    drop(routed);
    let latency = exchange.started.elapsed();
    let log = exchange.execution_log.map_or_else(String::new, |log| {
        log.completed(status);
        log.into_test_log(exchange.ids.request_id())
    });
    Ok(TestAnswer { status, headers, body, log, latency })
}

async fn answer(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    body: &mut RequestBody,
) -> Result<Answer, Fault> {
    check_syntax(exchange, body)?;
    let caller = exchange.tested.as_deref().ok_or(Fault::Internal { reason: "a test has a caller".into() })?;
    admitted_answer(thread, exchange, routed, &admit_test(caller), body).await
}

/// What would have come from a client.
fn exchange(thread: &Thread, request: TestRequest) -> Result<Exchange, TestRefusal> {
    let bad = |text: String| TestRefusal::BadRequest(text);
    let target = request.target.as_deref().filter(|target| !target.is_empty()).unwrap_or(&request.resource_path);
    let mut target: String = utf8_percent_encode(target, TARGET).collect();
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    let uri: Uri = target.parse().map_err(|_| bad(format!("Invalid path and query string specified: {target}")))?;
    let verb = Method::from_bytes(request.verb.as_bytes())
        .map_err(|_| bad(format!("Invalid HTTP method specified: {}", request.verb)))?;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    // The spelling of names is looked up in the head as it was sent.
    let mut sent = format!("{verb} {uri} HTTP/1.1\r\n");
    for (name, value) in &request.headers {
        let parsed = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value.as_str()).ok());
        let (header, value) = parsed.ok_or_else(|| bad(format!("Invalid header specified: {name}")))?;
        sent.push_str(&format!("{name}: \r\n"));
        headers.append(header, value);
    }
    sent.push_str("\r\n");
    let mut connection = Connection::new(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), true);
    connection.ip = "test-invoke-source-ip".into();
    connection.heads.push(sent.as_bytes());
    let mut parts = Request::new(()).into_parts().0;
    (parts.method, parts.uri, parts.headers) = (verb, uri, headers);
    Ok(Exchange {
        ids: RequestIds::draw(),
        started: Instant::now(),
        received: thread.settings.clock.now(),
        connection: Arc::new(connection),
        head: parts,
        plan: request.plan,
        resource_at: 0,
        context_path_at: Some(0),
        domain: Arc::clone(&thread.settings.domain),
        execution_log: Some(Box::new(ExecutionLog::new(thread.settings.clock.clone(), Some(LogDetail::Everything)))),
        noted: None,
        tested: Some(Box::new(request.caller)),
    })
}

fn tried<'e>(exchange: &'e Exchange, resource_path: &str) -> Option<(&'e ResourcePlan, &'e MethodPlan)> {
    let resource = exchange.plan.router.exact(resource_path)?;
    let method = match exchange.head.method.as_str() {
        "ANY" => resource.any.as_ref(),
        verb => resource.method(verb),
    };
    Some((resource, method?))
}

/// The method to be tried. The path is not looked at to find it; what it does not fit leaves the variables out.
fn route<'e>(exchange: &'e Exchange, resource_path: &str) -> Result<Routed<'e>, TestRefusal> {
    let verb = &exchange.head.method;
    let (resource, method) = tried(exchange, resource_path).ok_or_else(|| {
        TestRefusal::Unavailable(format!("{resource_path} has no method {verb} although it was found"))
    })?;
    let (mut alone, mut captures) = (Router::default(), Captures::new());
    let fits =
        alone.insert(resource_path, ()).is_ok() && alone.find(exchange.path(), &mut captures, |()| true).is_some();
    if !fits {
        captures.clear();
    }
    Ok(Routed { resource, method, verb: Cow::Borrowed(verb), captures })
}

/// The trace comes first, as in the log.
fn shown_headers(answer: &Answer) -> Vec<(String, String)> {
    let shown = |name: &HeaderName, value: &HeaderValue| shown(name, value, &answer.spelled);
    let trace = answer.trace_id.iter().map(|trace| shown(&TRACE_ID, trace));
    trace.chain(answer.headers.iter().map(|(name, value)| shown(name, value))).collect()
}

/// A refusal shows neither ids nor its content type.
fn refusal_headers(headers: &HeaderMap, known: &[Box<str>]) -> Vec<(String, String)> {
    let hidden = |name: &HeaderName| {
        *name == CONTENT_TYPE || matches!(name.as_str(), "x-amzn-requestid" | "x-amz-apigw-id" | "content-length")
    };
    headers.iter().filter(|(name, _)| !hidden(name)).map(|(name, value)| shown(name, value, known)).collect()
}

fn shown(name: &HeaderName, value: &HeaderValue, known: &[Box<str>]) -> (String, String) {
    (spelled(name.as_str(), known), header_text(value).into_owned())
}

/// A body as text. One that is still to come is read until it ends, has grown large enough or is late.
async fn text_of(mut body: Body, deadline: tokio::time::Instant) -> String {
    let bytes = match &mut body {
        Body::Whole(bytes) => bytes.take().unwrap_or_default(),
        Body::Streamed(_) | Body::Made(_) => {
            let mut all = BytesMut::new();
            // What came in time is shown, however the reading ends.
            let _ = tokio::time::timeout_at(deadline, read_start(&mut body, &mut all)).await;
            all.freeze()
        }
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads what is at most [`STREAM_BYTES`] long, or that much of what is longer.
async fn read_start(body: &mut Body, all: &mut BytesMut) {
    while let Some(Ok(frame)) = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        let Ok(data) = frame.into_data() else { continue };
        let room = STREAM_BYTES - all.len();
        all.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() >= room {
            return;
        }
    }
}
