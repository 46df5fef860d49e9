//! Requests that mean harm: AWS's error or a closed connection, and the next client is served as before.

use std::io::{Read, Write};
use std::time::Duration;

use base::seams::InvokeRefusal;
use plan::{GatewayResponsePlan, GatewayResponses};
use templates::plain::PlainTemplate;

use crate::support::{Node, mock, stage_plan};

/// Sends bytes on a connection of their own; the status, or 0 when the connection is closed without an answer.
fn status(node: &Node, bytes: &str) -> u16 {
    node.send(bytes).status
}

#[test]
fn malformed_requests_are_refused_and_the_next_is_served() {
    let node = Node::start(vec![mock("/", "GET", "ok")]);
    let target = "/_aws/execute-api/api/dev/";
    for (what, bytes, expected) in [
        ("no HTTP at all", "hello\r\n\r\n".to_owned(), &[400][..]),
        ("a header without colon", format!("GET {target} HTTP/1.1\r\nHost x\r\n\r\n"), &[400]),
        ("a blank before the colon", format!("GET {target} HTTP/1.1\r\nHost : x\r\n\r\n"), &[400]),
        (
            "two lengths",
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            &[400],
        ),
        ("a negative length", format!("GET {target} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), &[400]),
        ("a NUL in a header", format!("GET {target} HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n"), &[400]),
        (
            "too large a head",
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(200_000)),
            &[431, 0],
        ),
        (
            "more headers than AWS takes",
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: {}\r\n\r\n", "a".repeat(20_000)),
            &[431],
        ),
        (
            "a query to be escaped",
            format!("GET {target}?a={{b}} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            &[400],
        ),
        (
            "a body larger than allowed",
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n"),
            &[413],
        ),
    ] {
        let got = status(&node, &bytes);
        assert!(expected.contains(&got), "{what}: {got}");
        assert_eq!(node.get("/").status, 200, "after {what}");
    }
}

#[test]
fn a_chunked_length_wins_and_never_smuggles_a_second_request() {
    let node = Node::start(vec![mock("/", "POST", "ok")]);
    let smuggled = "GET /_aws/execute-api/api/dev/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let bytes = format!(
        "POST /_aws/execute-api/api/dev/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let mut stream = node.connect();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    // Either the pair of lengths is refused, or the chunks count and what follows is a request of its own: both are
    // readings on which no proxy before us can disagree to our cost. What must not be is one answer for both.
    assert!(all.starts_with("HTTP/1.1 400") || all.matches("HTTP/1.1 ").count() <= 2, "{all}");
    assert_eq!(node.post("/", "", "{}").status, 200);
}

#[test]
fn slow_clients_do_not_hold_up_others() {
    let node = Node::start(vec![mock("/", "GET", "ok")]);
    let slow: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = node.connect();
            let head = format!("GET /_aws/execute-api/api/dev/ HTTP/1.1\r\nHost: x{number}\r\nX-Slow: ");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(node.get("/").status, 200);
    }
    drop(slow);
}

#[test]
fn requests_in_flight_finish_when_the_gateway_stops() {
    let (path, method) = crate::support::method(
        "/slow",
        "GET",
        plan::Backend::Http {
            method: None,
            uri: plan::UriTemplate::parse(&format!(
                "http://{}/",
                crate::support::backend(|mut stream| {
                    crate::support::read_request(&mut stream);
                    std::thread::park_timeout(Duration::from_millis(300));
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
                })
            )),
            proxy: true,
        },
    );
    let node = Node::start(vec![(path, method)]);
    let mut stream = node.connect();
    stream.write_all(b"GET /_aws/execute-api/api/dev/slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // The request is in flight once its thread has taken it; the backend holds it longer than this look takes.
    let mut idle = node.connect();
    idle.write_all(b"GET /_aws/execute-api/api/dev/none HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    let lines = node.stop();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert!(all.ends_with("done"), "{all}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_gateway_response_that_explodes_gives_way_to_the_gateways_own() {
    let mut plan = stage_plan("dev", vec![mock("/", "GET", "ok")]);
    let template = PlainTemplate::parse(&"method.request.header.X-Long ".repeat(10_000));
    plan.gateway_responses = GatewayResponses::new([(
        "DEFAULT_4XX".into(),
        GatewayResponsePlan {
            status: http::StatusCode::from_u16(499).ok(),
            headers: Vec::new(),
            spelled: Vec::new(),
            templates: vec![("text/plain".into(), template)],
        },
    )]);
    let node = Node::start_plan(plan, |_| Err(InvokeRefusal::NotPermitted));
    let get = |length: usize| {
        let long = "x".repeat(length);
        let target = "/_aws/execute-api/api/dev/nowhere";
        node.send(&format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\nConnection: close\r\n\r\n"))
    };
    let answer = get(2);
    assert_eq!((answer.status, answer.body), (499, "xx ".repeat(10_000)));
    let answer = get(8_000);
    assert_eq!((answer.status, answer.body.as_str()), (403, "{\"message\":\"Missing Authentication Token\"}"));
}
