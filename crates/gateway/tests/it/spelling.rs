//! Header names in HTTP/1.1 answers: as AWS spells them, whatever the client and the network do.

use std::io::{Read, Write};

use base::seams::Outcome;
use bytes::Bytes;
use plan::Backend;

use crate::support::{Node, method, mock};

fn function(body_length: usize) -> impl Fn(base::seams::Invocation) -> Result<Outcome, base::seams::InvokeRefusal> {
    move |_| {
        let headers = serde_json::json!({"tesT-Multi": "1", "Content-Type": "text/plain", "X-Own": "2"});
        let body = "HTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n".repeat(body_length);
        Ok(Outcome::Returned(Bytes::from(serde_json::json!({"headers": headers, "body": body}).to_string())))
    }
}

fn lambda() -> Backend {
    Backend::Lambda { function_arn: "arn".into(), credentials: None, proxy: true }
}

/// The names of an answer's head, in order.
fn names(head: &str) -> Vec<&str> {
    head.lines().skip(1).filter_map(|line| line.split_once(": ").map(|(name, _)| name)).collect()
}

#[test]
fn names_are_spelt_as_aws_and_the_function_spell_them() {
    let node = Node::start_with(vec![method("/x", "GET", lambda()), mock("/m", "GET", "ok")], function(1));
    let mut client = node.connect();
    client.write_all(b"GET /_aws/execute-api/api/dev/x HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (head, body) = crate::support::read_request(&mut client);
    let expected = [
        "tesT-Multi",
        "Content-Type",
        "X-Own",
        "x-amzn-RequestId",
        "x-amz-apigw-id",
        "X-Amzn-Trace-Id",
        "Content-Length",
        "Date",
        "Connection",
    ];
    let mut found = names(&head);
    found.sort_unstable_by_key(|name| expected.iter().position(|known| known == name));
    assert_eq!(found, expected, "{head}");
    assert!(head.contains("Connection: keep-alive"), "{head}");
    assert_eq!(body, b"HTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n", "a body is not touched");
    client.write_all(b"GET /_aws/execute-api/api/dev/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\r\nx-amzn-ErrorType: MissingAuthenticationTokenException\r\n"), "{rest}");
    assert!(rest.contains("\r\nConnection: close\r\n") && !rest.contains("keep-alive"), "{rest}");
}

#[test]
fn pipelined_answers_to_a_slow_client_arrive_whole() {
    const REQUESTS: usize = 40;
    let node = Node::start_with(vec![method("/x", "GET", lambda())], function(5_000));
    let mut client = node.connect();
    let mut request = "GET /_aws/execute-api/api/dev/x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(REQUESTS - 1);
    request.push_str("GET /_aws/execute-api/api/dev/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    let mut rest = &all[..];
    for number in 0..REQUESTS {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let (head, body) = rest.split_at(end);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 ok\r\n") && head.contains("\r\ntest-multi: 1\r\n"), "{number}: {head}");
        assert!(head.contains("\r\ncontent-length: 180000\r\n"), "{number}: {head}");
        let (body, next) = body.split_at(180_000);
        assert!(body.chunks(36).all(|piece| piece == b"HTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n"), "{number}");
        rest = next;
    }
    assert_eq!(rest, b"");
}
