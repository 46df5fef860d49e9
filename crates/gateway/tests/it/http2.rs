//! HTTP/2: what its pseudo-headers and its cookie crumbs become in events and towards backends.

use std::io::Write;

use base::seams::Outcome;
use bytes::Bytes;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use plan::{Backend, UriTemplate};

use crate::support::{Node, backend, method, read_request};

/// Sends a GET over HTTP/2 and returns status and body.
fn get(node: &Node, path: &str) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("http://api.execute-api.localhost:4566{path}"))
            .header("x-own", "1")
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        let body = http_body_util::Empty::<Bytes>::new();
        let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = gateway::body::read_whole(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

#[test]
fn a_function_sees_host_and_cookie_as_http1_has_them() {
    let function = Backend::Lambda { function_arn: "arn".into(), credentials: None, proxy: true };
    let node = Node::start_with(vec![method("/x", "ANY", function)], |invocation| {
        let event = String::from_utf8_lossy(&invocation.payload);
        Ok(Outcome::Returned(Bytes::from(serde_json::json!({"body": event}).to_string())))
    });
    let (status, body) = get(&node, "/dev/x");
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(event["headers"]["Host"], "api.execute-api.localhost:4566");
    assert_eq!(event["headers"]["cookie"], "a=1; b=2");
    assert_eq!(event["multiValueHeaders"]["cookie"], serde_json::json!(["a=1; b=2"]));
    assert_eq!(event["headers"]["x-own"], "1");
    assert_eq!(event["requestContext"]["domainName"], "api.execute-api.localhost");
    assert_eq!(event["requestContext"]["protocol"], "HTTP/2.0");
    assert!(!body.contains("\\\":path"), "a pseudo-header is no header: {body}");
}

#[test]
fn a_backend_gets_one_cookie() {
    let address = backend(|mut stream| {
        let (head, _) = read_request(&mut stream);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        let _ = stream.write_all(answer.as_bytes());
    });
    let proxy = Backend::Http { method: None, uri: UriTemplate::parse(&format!("http://{address}/")), proxy: true };
    let node = Node::start(vec![method("/x", "ANY", proxy)]);
    let (status, head) = get(&node, "/dev/x");
    assert_eq!(status, 200);
    let cookies: Vec<&str> = head.lines().filter(|line| line.starts_with("cookie:")).collect();
    assert_eq!(cookies, ["cookie: a=1; b=2"], "{head}");
    assert!(head.contains(&format!("host: {address}")), "{head}");
}
