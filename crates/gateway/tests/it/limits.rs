//! How much a request may bring.

use std::io::{Read, Write};

use base::seams::{InvokeRefusal, Outcome};
use plan::{Backend, MethodPlan, UriTemplate};
use templates::vtl::Template;

use crate::support::{Answer, Node, backend, method, mock, read_request, stage_plan};

const MEGABYTE: usize = 1024 * 1024;

/// Reads all that it is sent, and answers with its length.
fn count(mut stream: std::net::TcpStream) {
    let (head, mut body) = read_request(&mut stream);
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        let mut part = vec![0; MEGABYTE];
        while !body.ends_with(b"0\r\n\r\n") {
            match stream.read(&mut part) {
                Ok(length) if length > 0 => body.extend_from_slice(&part[..length]),
                _ => return,
            }
        }
    }
    let answer = body.len().to_string();
    let _ = stream.write_all(
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).as_bytes(),
    );
}

fn methods() -> Vec<(String, MethodPlan)> {
    let uri = UriTemplate::parse(&format!("http://{}/", backend(count)));
    let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:F".into();
    let mut template = mock("/template", "POST", "ok");
    let reads = Template::parse("{\"statusCode\": 200, \"length\": $input.body.length()}").unwrap();
    template.1.integration.request.templates = vec![("application/json".into(), reads)];
    vec![
        method("/proxy", "POST", Backend::Http { method: None, uri, proxy: true }),
        method("/function", "POST", Backend::Lambda { function_arn, credentials: None, proxy: true }),
        template,
    ]
}

/// A function that takes 6 MB, as Lambda does.
fn node() -> Node {
    Node::start_plan(stage_plan("dev", methods()), |invocation| match invocation.payload.len() > 6 * MEGABYTE {
        true => Err(InvokeRefusal::BadPayload { message: "too large".into(), too_large: true }),
        false => Ok(Outcome::Returned("{}".into())),
    })
}

/// Sends a body of that size, announced or in chunks.
fn send(node: &Node, path: &str, size: usize, chunked: bool) -> Answer {
    let mut bytes =
        format!("POST /_aws/execute-api/api/dev{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
    if chunked {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for part in vec![b'x'; size].chunks(MEGABYTE) {
            bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend_from_slice(format!("Content-Length: {size}\r\n\r\n").as_bytes());
        bytes.resize(bytes.len() + size, b'x');
    }
    node.send_bytes(&bytes)
}

#[test]
fn ten_megabytes_are_the_most() {
    let node = node();
    for chunked in [false, true] {
        for path in ["/proxy", "/function", "/template"] {
            let answer = send(&node, path, 10 * MEGABYTE + 1, chunked);
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (413, r#"{"message":"Request Too Long"}"#),
                "{path} {chunked}"
            );
            assert_eq!(answer.header("x-amzn-errortype"), "RequestTooLargeException");
        }
        assert_eq!(send(&node, "/proxy", 10 * MEGABYTE, chunked).status, 200, "{chunked}");
        assert_eq!(send(&node, "/template", 10 * MEGABYTE, chunked).status, 200, "{chunked}");
    }
    node.stop();
}

#[test]
fn a_function_takes_six() {
    let node = node();
    assert_eq!(send(&node, "/function", 5 * MEGABYTE, false).status, 200);
    let answer = send(&node, "/function", 6 * MEGABYTE, false);
    assert_eq!((answer.status, answer.body.as_str()), (413, r#"{"message":"Request Too Long"}"#));
    node.stop();
}

#[test]
fn many_headers_of_one_name_are_one_list() {
    let node = node();
    let head = "POST /_aws/execute-api/api/dev/proxy HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n";
    let same = |count: usize| format!("{head}{}\r\n", "X-Same: 0123456789\r\n".repeat(count));
    assert_eq!(node.send(&same(90)).status, 200);
    assert_eq!(node.send(&format!("{head}X-Large: {}\r\n\r\n", "a".repeat(10_000))).status, 200);
    // 10,240 bytes of names and values.
    assert_eq!(node.send(&format!("{head}X-Large: {}\r\n\r\n", "a".repeat(10_241))).status, 431);
    assert_eq!(node.send(&format!("{head}Content-Length: 1\r\n\r\n")).status, 400);
    // Codings that stand on several lines are one list.
    let packed = format!("{head}Content-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n");
    assert_eq!(node.send(&packed.replace("Length: 0", "Length: 1").replace("\r\n\r\n", "\r\n\r\nx")).status, 415);
    node.stop();
}
