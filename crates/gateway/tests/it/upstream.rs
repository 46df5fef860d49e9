//! Connections to backends: kept, lent to one request at a time, and given up when they are of no more use.

use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plan::{Backend, UriTemplate};

use crate::support::{Answer, Node, method, read_request};

/// A backend that answers `requests` requests on each connection before it closes it. Each answer's body is the number
/// of connections so far.
fn backend(requests: usize, extra: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let connections = Arc::clone(&connections);
            connections.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                for _ in 0..requests {
                    let (head, _) = read_request(&mut stream);
                    if head.is_empty() {
                        return;
                    }
                    let body = connections.load(Ordering::SeqCst).to_string();
                    let length = body.len();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{extra}\r\n{body}");
                    let _ = stream.write_all(answer.as_bytes());
                }
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
    format!("http://{address}/")
}

/// Sends `count` requests, one after the other on one connection of the client's, so that one data thread serves them.
fn ask(uri: &str, count: usize) -> Vec<String> {
    let proxy = Backend::Http { method: None, uri: UriTemplate::parse(uri), proxy: true };
    let node = Node::start(vec![method("/x", "GET", proxy)]);
    let mut client = node.connect();
    (0..count)
        .map(|_| {
            client.write_all(b"GET /_aws/execute-api/api/dev/x HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let (head, body) = read_request(&mut client);
            assert_eq!(Answer::parse(head.as_bytes()).status, 200, "{head}");
            String::from_utf8(body).unwrap()
        })
        .collect()
}

#[test]
fn a_connection_is_used_again() {
    assert_eq!(ask(&backend(100, ""), 5), ["1"; 5]);
}

#[test]
fn a_connection_that_the_backend_closes_is_replaced() {
    // The backend says so, and then it does not.
    assert_eq!(ask(&backend(1, "Connection: close\r\n"), 3), ["1", "2", "3"]);
}

#[test]
fn the_host_is_the_backends() {
    let echo = crate::support::backend(|mut stream| {
        let (head, _) = read_request(&mut stream);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        let _ = stream.write_all(answer.as_bytes());
    });
    let [head] = &ask(&format!("http://{echo}/some/path?a=b"), 1)[..] else { panic!("one answer") };
    assert!(head.starts_with("GET /some/path?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {echo}")), "{head}");
    assert!(!head.contains("host: x"), "{head}");
}
