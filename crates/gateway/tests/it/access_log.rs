//! The access logs of stages: what a line says of requests that are served, refused and failed.

use base::seams::Outcome;
use bytes::Bytes;
use plan::{AccessLog, Backend, MethodPlan};
use templates::plain::PlainTemplate;

use crate::support::{Node, method, mock, stage_plan};

fn lambda(path: &str, proxy: bool) -> (String, MethodPlan) {
    let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:F".into();
    method(path, "GET", Backend::Lambda { function_arn, credentials: None, proxy })
}

/// The lines that these requests leave, in order.
fn lines(format: &str, requests: &[&str]) -> Vec<String> {
    let mut plan = stage_plan("dev", vec![mock("/items/{id}", "GET", "{\"ok\":true}"), lambda("/function", true)]);
    let format = PlainTemplate::parse(format);
    plan.access_log = Some(Box::new(AccessLog { group_arn: "group".into(), format }));
    let node =
        Node::start_plan(plan, |_| Ok(Outcome::Returned(Bytes::from_static(b"{\"statusCode\":201,\"body\":\"12\"}"))));
    for request in requests {
        node.send(&format!(
            "GET /_aws/execute-api/api/dev{request} HTTP/1.1\r\nHost: x\r\nUser-Agent: test/1\r\nConnection: close\r\n\r\n"
        ));
    }
    node.stop_for_access_log()
}

#[test]
fn a_line_has_the_values_of_its_request() {
    let format = "$context.identity.sourceIp $context.identity.caller [$context.httpMethod $context.resourcePath \
                  $context.protocol] $context.status $context.responseLength $context.path $context.identity.userAgent \
                  ${context.stage} $context.unknown $stageVariables.colour";
    let expected = "127.0.0.1 - [GET /items/{id} HTTP/1.1] 200 11 /dev/items/7 test/1 dev - -";
    assert_eq!(lines(format, &["/items/7"]), [expected]);
}

#[test]
fn a_refusal_says_why() {
    let format = "$context.status $context.error.message $context.error.messageString $context.error.responseType \
                  $context.resourcePath $context.integrationStatus $context.integrationErrorMessage";
    let lines = lines(format, &["/nothing", "/items/1"]);
    let refused =
        "403 Missing Authentication Token \"Missing Authentication Token\" MISSING_AUTHENTICATION_TOKEN - - -";
    assert_eq!(lines, [refused, "200 - - - /items/{id} - -"]);
}

#[test]
fn the_backend_has_a_status_and_a_latency() {
    let format = "$context.status $context.integration.status $context.integrationStatus $context.responseLength";
    assert_eq!(lines(format, &["/function", "/items/1"]), ["201 201 200 2", "200 - - 11"]);
    let latencies =
        lines("$context.integrationLatency,$context.integration.latency,$context.responseLatency", &["/function"]);
    let numbers: Vec<u64> = latencies[0].split(',').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers[0] <= numbers[2], "{latencies:?}");
    assert_eq!(lines("$context.integrationLatency", &["/items/1"]), ["-"]);
}

#[test]
fn a_line_is_bounded() {
    let format = "$context.path".repeat(200) + "$context.status";
    let lines = lines(&format, &[&format!("/items/{}", "x".repeat(9000))]);
    assert_eq!(lines[0].len(), 256 * 1024 - 26);
}
