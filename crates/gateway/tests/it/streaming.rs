//! Integrations whose answer is passed on while it comes, and what becomes of answers that are too large without it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base::seams::StreamPart;
use bytes::Bytes;
use plan::{Backend, MethodPlan, UriTemplate};

use crate::support::{Answer, Node, backend, method, read_request};

const MEGABYTE: usize = 1024 * 1024;

fn proxy(path: &str, uri: &str, streams: bool) -> (String, MethodPlan) {
    let backend = Backend::Http { method: None, uri: UriTemplate::parse(uri), proxy: true };
    let (path, mut method) = method(path, "ANY", backend);
    method.integration.streams = streams;
    method.integration.timeout = Duration::from_secs(20);
    (path, method)
}

fn function(timeout: Duration) -> (String, MethodPlan) {
    let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:F".into();
    let (path, mut method) = method("/f", "ANY", Backend::Lambda { function_arn, credentials: None, proxy: true });
    method.integration.streams = true;
    method.integration.timeout = timeout;
    (path, method)
}

fn chunk(bytes: impl Into<Bytes>) -> StreamPart {
    StreamPart::Chunk(bytes.into())
}

fn ended(failure: Option<&'static str>) -> StreamPart {
    StreamPart::Ended { failure: failure.map(Bytes::from), log_tail: None }
}

/// Metadata and delimiter.
fn head(metadata: &str) -> Vec<u8> {
    [metadata.as_bytes(), &[0; 8]].concat()
}

/// What a function that streams `parts` answers through the gateway.
fn answer(parts: Vec<StreamPart>) -> Answer {
    let node = Node::start_streaming(vec![function(Duration::from_secs(10))], parts);
    let answer = node.get("/f");
    assert_eq!(node.stop().len(), 1);
    answer
}

#[test]
fn a_functions_metadata_make_the_head() {
    let metadata = r#"{"statusCode": 201, "headers": {"X-A": "1", "Server": "f", "Content-Type": "text/plain"},
        "multiValueHeaders": {"X-B": ["1", "2"]}, "cookies": ["a=1", "b=2"]}"#;
    let got = answer(vec![chunk(head(metadata)), chunk("hel"), chunk("lo"), ended(None)]);
    assert_eq!((got.status, got.bytes.as_slice()), (201, &b"hello"[..]));
    assert_eq!((got.header("x-a"), got.header("content-type")), ("1", "text/plain"));
    assert_eq!((got.header("x-b"), got.header("set-cookie"), got.header("x-amzn-remapped-server")), ("2", "b=2", "f"));
    assert!(got.header("x-amzn-trace-id").starts_with("Root=1-"), "{got:?}");
    let got = answer(vec![chunk(head("{}")), ended(None)]);
    assert_eq!((got.status, got.body.as_str(), got.header("content-type")), (200, "0\r\n\r\n", "application/json"));
}

#[test]
fn metadata_may_come_in_any_parts() {
    let whole = [head(r#"{"statusCode": 202}"#), b"body\0\0\0\0\0\0\0\0more".to_vec()].concat();
    for size in [1, 3, 20, 25] {
        let parts = whole.chunks(size).map(|part| chunk(part.to_vec())).chain([ended(None)]).collect();
        let got = answer(parts);
        assert_eq!((got.status, got.bytes.as_slice()), (202, &b"body\0\0\0\0\0\0\0\0more"[..]), "{size}");
    }
}

/// Checks that parts which are no stream give `status`.
fn check(parts: Vec<StreamPart>, status: u16) {
    let text = format!("{parts:?}");
    let got = answer(parts);
    assert_eq!((got.status, got.body.as_str()), (status, r#"{"message": "Internal server error"}"#), "{text:.200}");
    assert_eq!(got.header("x-amzn-errortype"), "InternalServerErrorException");
}

#[test]
fn what_is_no_stream_is_refused_before_the_head() {
    // A function that does not stream: its proxy response has no delimiter.
    check(vec![chunk(r#"{"statusCode": 200, "body": "whole"}"#), ended(None)], 500);
    check(vec![ended(None)], 500);
    check(vec![chunk(head("")), ended(None)], 500);
    check(vec![chunk(head("[]")), ended(None)], 500);
    check(vec![chunk(head("{\"statusCode\": \"x\"}")), ended(None)], 500);
    check(vec![chunk(head("{\"headers\": 1}")), ended(None)], 500);
    check(vec![chunk(head("{\"cookies\": \"a=1\"}")), ended(None)], 500);
    check(vec![chunk(head("{\"cookies\": [\"a\\n\"]}")), ended(None)], 500);
    check(vec![chunk(vec![b' '; 16 * 1024 - 7]), chunk(head("{}")), ended(None)], 500);
    check(vec![chunk(vec![b' '; 300_000]), ended(None)], 500);
    check(vec![ended(Some("{}"))], 502);
    check(vec![chunk("{\"statusCode\": 200}"), ended(Some("{}"))], 502);
}

#[test]
fn metadata_may_fill_sixteen_kilobytes() {
    let spaces = " ".repeat(16 * 1024 - 8 - 2);
    let got = answer(vec![chunk(head(&format!("{spaces}{{}}"))), chunk("x"), ended(None)]);
    assert_eq!((got.status, got.bytes.as_slice()), (200, &b"x"[..]));
}

#[test]
fn a_function_that_fails_in_its_stream_breaks_it_off() {
    let got = answer(vec![chunk(head("{}")), chunk("half"), ended(Some("{}"))]);
    assert_eq!((got.status, got.body.as_str()), (200, "4\r\nhalf\r\n"), "no last chunk: it must not look whole");
}

#[test]
fn the_timeout_holds_before_the_head_and_after_it() {
    for (parts, status, body) in [
        (vec![chunk("{}")], 504, r#"{"message": "Endpoint request timed out"}"#),
        (vec![chunk(head("{}")), chunk("half")], 200, "4\r\nhalf\r\n"),
    ] {
        let node = Node::start_streaming(vec![function(Duration::from_millis(400))], parts);
        let began = Instant::now();
        let answer = node.get("/f");
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert!(began.elapsed() >= Duration::from_millis(400) && began.elapsed() < Duration::from_secs(5));
        node.stop();
    }
}

/// Answers with as many megabytes as the path says, after a first byte; in chunks if it ends in `c`.
fn megabytes(mut stream: TcpStream) {
    let (request, _) = read_request(&mut stream);
    let asked = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let size = asked.trim_end_matches('c').parse::<usize>().unwrap_or(0) * MEGABYTE;
    let block = vec![b'x'; MEGABYTE];
    if asked.ends_with('c') {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..size / MEGABYTE {
            let _ = stream.write_all(b"100000\r\n");
            let _ = stream.write_all(&block);
            let _ = stream.write_all(b"\r\n");
        }
        let _ = stream.write_all(b"0\r\n\r\n");
    } else {
        let _ = stream
            .write_all(format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n").as_bytes());
        for _ in 0..size / MEGABYTE {
            let _ = stream.write_all(&block);
        }
    }
}

#[test]
fn a_buffered_answer_has_ten_megabytes_at_most() {
    let uri = |size: &str| format!("http://{}/{size}", backend(megabytes));
    let node = Node::start(vec![
        proxy("/ten", &uri("10"), false),
        proxy("/eleven", &uri("11"), false),
        proxy("/chunks", &uri("11c"), false),
        proxy("/stream", &uri("11"), true),
        proxy("/stream-chunks", &uri("11c"), true),
    ]);
    assert_eq!(node.get("/ten").bytes.len(), 10 * MEGABYTE);
    let eleven = node.get("/eleven");
    assert_eq!((eleven.status, eleven.body.as_str()), (500, r#"{"message": "Internal server error"}"#));
    // Its length is not known when the head goes; it breaks off.
    let chunks = node.get("/chunks");
    assert!(chunks.status == 200 && !chunks.body.ends_with("0\r\n\r\n"));
    assert_eq!(node.get("/stream").bytes.len(), 11 * MEGABYTE);
    assert_eq!(node.get("/stream-chunks").bytes.len(), 11 * MEGABYTE);
    node.stop();
}

#[test]
fn a_stream_is_passed_on_while_it_comes_and_then_at_its_pace() {
    let slow = backend(|mut stream| {
        read_request(&mut stream);
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        // Until the client says that it has the first.
        while GOT_FIRST.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let _ = stream.write_all(b"4\r\nlast\r\n0\r\n\r\n");
    });
    let large = backend(megabytes);
    let node = Node::start(vec![
        proxy("/slow", &format!("http://{slow}/"), true),
        proxy("/large", &format!("http://{large}/12"), true),
    ]);
    let mut client = node.connect();
    client.write_all(b"GET /_aws/execute-api/api/dev/slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut got = Vec::new();
    let mut part = [0; 4096];
    while !got.windows(5).any(|bytes| bytes == b"first") {
        let count = client.read(&mut part).unwrap();
        assert!(count > 0);
        got.extend_from_slice(&part[..count]);
    }
    GOT_FIRST.store(1, std::sync::atomic::Ordering::SeqCst);
    client.read_to_end(&mut got).unwrap();
    assert_eq!(Answer::parse(&got).bytes, b"firstlast");
    let began = Instant::now();
    assert_eq!(node.get("/large").bytes.len(), 12 * MEGABYTE);
    let took = began.elapsed();
    // No upper bound: a busy machine may take any time.
    assert!(took > Duration::from_millis(800), "two megabytes at 2 MB/s: {took:?}");
    node.stop();
}

#[test]
fn a_streams_trailers_are_passed_on() {
    let with_trailer = backend(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
        );
    });
    let uri = format!("http://{with_trailer}/");
    let node = Node::start(vec![proxy("/stream", &uri, true), proxy("/buffered", &uri, false)]);
    let get = |path: &str| {
        let target = format!("/_aws/execute-api/api/dev{path}");
        node.send(&format!("GET {target} HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, te\r\n\r\n")).body
    };
    assert_eq!(get("/stream").to_ascii_lowercase(), "2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n");
    assert_eq!(get("/buffered"), "2\r\nhi\r\n0\r\n\r\n");
    node.stop();
}

/// Set when the client has the first part.
static GOT_FIRST: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
