//! The execution logs of stages: what is told of requests, as much as the stage says.

use base::seams::Outcome;
use bytes::Bytes;
use plan::{Backend, ExecutionLogs, LogDetail};

use crate::support::{Node, method, mock, stage_plan};

/// The lines that these requests leave, in order, without their request ids.
fn lines(detail: LogDetail, requests: &[&str]) -> Vec<String> {
    let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:F".into();
    let function = method("/function", "GET", Backend::Lambda { function_arn, credentials: None, proxy: true });
    let mut plan = stage_plan("dev", vec![mock("/items/{id}", "GET", "{\"ok\":true}"), function]);
    let mut logs = ExecutionLogs::new("group".into(), "stream".into());
    logs.insert("r1", "GET", detail);
    plan.execution_logs = Some(Box::new(logs));
    let node = Node::start_plan(plan, |_| Ok(Outcome::Returned(Bytes::from_static(b"no proxy response"))));
    for request in requests {
        node.send(&format!("GET /_aws/execute-api/api/dev{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    }
    let lines = node.stop_for_access_log();
    let ids: Vec<&str> = lines.iter().map(|line| &line[..38]).collect();
    assert!(ids.iter().all(|id| id.starts_with('(') && id.ends_with(')')), "{lines:?}");
    lines.iter().map(|line| line[39..].replace(&line[1..37], "ID")).collect()
}

#[test]
fn an_outline_tells_of_each_phase() {
    let expected = [
        "Verifying Usage Plan for request: ID. API Key:  API Stage: api/dev",
        "API Key  authorized because method 'GET /items/{id}' does not require API Key. Request will not contribute to \
         throttle or quota limits",
        "Usage Plan check succeeded for API Key  and API Stage api/dev",
        "Starting execution for request: ID",
        "HTTP Method: GET, Resource Path: /items/7",
        "Successfully completed execution",
        "Method completed with status: 200",
    ];
    let found = lines(LogDetail::Outline, &["/items/7"]);
    assert!(found[0].starts_with("Extended Request Id: ") && found[0].ends_with('='), "{found:?}");
    assert_eq!(found[1..], expected);
}

#[test]
fn everything_has_the_bodies_too() {
    let found = lines(LogDetail::Everything, &["/items/7"]);
    for expected in [
        "Method request path: {id=7}",
        "Method request body before transformations: ",
        "Method response body after transformations: {\"ok\":true}",
        "Method completed with status: 200",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected}: {found:?}");
    }
}

#[test]
fn failures_alone_are_told_if_nothing_else_is_wanted() {
    let found = lines(LogDetail::Failures, &["/items/7", "/function", "/nothing"]);
    let expected = [
        "Execution failed due to configuration error: Malformed Lambda proxy response",
        "Method completed with status: 502",
    ];
    assert_eq!(found, expected);
}
