//! HTTP backends: what passes through, and what happens when they misbehave.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use plan::{Backend, UriTemplate};

use crate::support::{Node, backend, method, mock, read_request};

fn proxy(path: &str, uri: String) -> (String, plan::MethodPlan) {
    let (path, mut method) =
        method(path, "ANY", Backend::Http { method: None, uri: UriTemplate::parse(&uri), proxy: true });
    method.integration.timeout = Duration::from_millis(300);
    (path, method)
}

/// Answers with the request's head as body.
fn echo(mut stream: TcpStream) {
    loop {
        let (head, body) = read_request(&mut stream);
        if head.is_empty() {
            return;
        }
        let text = format!("{head}\n\n{}", String::from_utf8_lossy(&body));
        let answer = format!(
            "HTTP/1.1 201 Created\r\nContent-Length: {}\r\nServer: b\r\nX-Two: 1\r\nX-Two: 2\r\nVia: v\r\n\r\n{text}",
            text.len()
        );
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn an_http_proxy_passes_requests_and_answers_through() {
    let address = backend(echo);
    let node = Node::start(vec![proxy("/up", format!("http://{address}/base?fixed=1"))]);
    for _ in 0..3 {
        let answer = node.post("/up?x=a%20b", "X-Own: 1\r\nTE: trailers\r\nUser-Agent: u\r\n", "hello");
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("x-amzn-remapped-server"), "b");
        assert_eq!((answer.header("via"), answer.header("x-two")), ("", "2"));
        assert_eq!(answer.header("x-amzn-trace-id"), "", "an HTTP proxy does not show its trace");
        let (head, body) = answer.body.split_once("\n\n").unwrap();
        assert_eq!(body, "hello");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /base?fixed=1&x=a%20b http/1.1"), "{head}");
        for line in ["x-own: 1", "user-agent: u", "accept: application/json", "x-amzn-apigateway-api-id: api"] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert!(head.contains(&format!("host: {address}")) && head.contains("x-amzn-trace-id: root=1-"), "{head}");
        assert!(!head.contains("\nte:") && !head.contains("connection: close"), "{head}");
    }
    assert_eq!(node.stop().len(), 3);
}

/// Checks that a backend's misbehaviour gives `status` and `message`, and soon.
fn check(serve: fn(TcpStream), status: u16, message: &str) {
    let node = Node::start(vec![proxy("/up", format!("http://{}/", backend(serve)))]);
    let began = Instant::now();
    let answer = node.get("/up");
    assert_eq!((answer.status, answer.body.as_str()), (status, format!("{{\"message\": \"{message}\"}}").as_str()));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(node.stop().len(), 1);
}

#[test]
fn a_backend_that_misbehaves_costs_its_own_request_only() {
    const NETWORK: &str = "Network error communicating with endpoint";
    check(drop, 504, NETWORK);
    check(
        |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"babble babble\r\n\r\n");
        },
        504,
        NETWORK,
    );
    check(
        |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        },
        504,
        NETWORK,
    );
    check(
        |mut stream| {
            read_request(&mut stream);
            // Keeps the connection open and says nothing.
            read_request(&mut stream);
        },
        504,
        "Endpoint request timed out",
    );
}

/// Checks what becomes of an answer that a mapped integration must see whole.
fn check_mapped(serve: fn(TcpStream), status: u16, message: &str) {
    let uri = UriTemplate::parse(&format!("http://{}/", backend(serve)));
    let (path, mut plan) = mock("/up", "GET", "never");
    plan.integration.backend = Backend::Http { method: None, uri, proxy: false };
    plan.integration.timeout = Duration::from_millis(300);
    let answer = Node::start(vec![(path, plan)]).get("/up");
    assert_eq!((answer.status, answer.body.as_str()), (status, format!("{{\"message\": \"{message}\"}}").as_str()));
}

#[test]
fn a_mapped_answer_that_does_not_end_fails_like_one_that_does_not_begin() {
    check_mapped(
        |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        },
        504,
        "Network error communicating with endpoint",
    );
    check_mapped(
        |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            read_request(&mut stream);
        },
        504,
        "Endpoint request timed out",
    );
}

#[test]
fn an_endpoint_that_must_not_or_cannot_be_reached_is_an_error_of_the_api() {
    let dead: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let node = Node::start(vec![
        proxy("/dead", format!("http://{dead}/")),
        proxy("/metadata", "http://169.254.169.254/latest/meta-data".into()),
        proxy("/scheme", "ftp://127.0.0.1/".into()),
        proxy("/blank", "http:// x/".into()),
    ]);
    assert_eq!(node.get("/dead").status, 504);
    for path in ["/metadata", "/scheme", "/blank"] {
        assert_eq!(node.get(path).status, 500, "{path}");
    }
    let lines = node.stop();
    assert!(lines.iter().any(|line| line["error"].as_str().unwrap().contains("link-local")), "{lines:?}");
}

#[test]
fn a_backend_that_breaks_off_ends_the_clients_connection() {
    let address = backend(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    });
    let node = Node::start(vec![proxy("/up", format!("http://{address}/"))]);
    let answer = node.get("/up");
    assert_eq!((answer.status, answer.header("content-length")), (200, "100"));
    assert!(answer.body.len() < 100, "a body that broke off must not look whole");
    assert_eq!(node.stop().len(), 1);
}

#[test]
fn a_backend_may_take_its_time_but_not_fall_silent() {
    let slow = backend(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        // All pauses together are longer than the integration's timeout; none is alone. The client says nothing more.
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        for _ in 0..8 {
            read_request(&mut stream);
            let _ = stream.write_all(b"x");
        }
    });
    let silent = backend(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nxx");
        read_request(&mut stream);
    });
    let (path, mut patient) = proxy("/slow", format!("http://{slow}/"));
    patient.integration.timeout = Duration::from_secs(1);
    let node = Node::start(vec![(path, patient), proxy("/silent", format!("http://{silent}/"))]);
    assert_eq!(node.get("/slow").body, "xxxxxxxx");
    let began = Instant::now();
    assert_eq!(node.get("/silent").body, "xx");
    assert!(began.elapsed() < Duration::from_secs(10), "the client is not left waiting");
    assert_eq!(node.stop().len(), 2);
}
