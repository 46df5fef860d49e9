//! The phases together: routes, refusals, guards, rates, mocks, functions, and the log that sees them all.

use base::seams::{Caller, InvokeRefusal, Outcome};
use bytes::Bytes;
use plan::{Backend, Service, Throttle};

use crate::support::{Node, guard, method, mock, stage_plan};

fn lambda(path: &str, proxy: bool) -> (String, plan::MethodPlan) {
    method(
        path,
        "ANY",
        Backend::Lambda {
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:F".into(),
            credentials: None,
            proxy,
        },
    )
}

#[test]
fn answers_mocks_and_refuses_the_rest_as_aws_does() {
    let node = Node::start(vec![
        mock("/items", "GET", "{\"colour\":\"$stageVariables.colour\"}"),
        mock(
            "/items/{id}",
            "GET",
            "{\"id\":\"$input.params('id')\",\"q\":\"$input.params('q')\",\"p\":\"$context.path\"}",
        ),
    ]);
    let answer = node.get("/items");
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"colour\":\"red\"}"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert!(answer.header("x-amz-apigw-id").ends_with('='));
    assert_eq!(answer.header("x-amzn-trace-id"), "");
    let answer = node.get("/items/7?q=a+b&q=c%2Fd");
    assert_eq!(answer.body, "{\"id\":\"7\",\"q\":\"c/d\",\"p\":\"/dev/items/7\"}");
    for path in ["/nothing", "", "/items/7/8"] {
        let answer = node.get(path);
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(answer.body, "{\"message\":\"Missing Authentication Token\"}");
        assert_eq!(answer.header("x-amzn-errortype"), "MissingAuthenticationTokenException");
    }
    assert_eq!(node.post("/items", "", "").status, 403);
    let unknown = node.send("GET /_aws/execute-api/api/prod/items HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!((unknown.status, unknown.header("x-amzn-errortype")), (403, "ForbiddenException"));
    let by_host = "GET /dev/items HTTP/1.1\r\nHost: API.execute-api.localhost:4566\r\nConnection: close\r\n\r\n";
    assert_eq!(node.send(by_host).status, 200);
    let lines = node.stop();
    assert_eq!(lines.len(), 8, "every request leaves a line: {lines:?}");
    let first = lines.iter().find(|line| line["path"] == "/_aws/execute-api/api/dev/items" && line["status"] == 200);
    assert_eq!(first.unwrap()["responseLength"], 16);
    assert!(lines.iter().any(|line| line["status"] == 403 && line["error"].as_str().unwrap().contains("no resource")));
}

#[test]
fn a_stage_is_compiled_on_its_first_use() {
    let node = Node::start(vec![]);
    let get = |stage| {
        node.send(&format!(
            "GET /restapis/api/{stage}/_user_request_/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    };
    assert_eq!(get("late").body, "late");
    assert_eq!(get("late").body, "late");
    assert_eq!(get("gone").status, 403);
}

#[test]
fn guards_that_are_not_built_stay_shut() {
    let mut guarded = mock("/method", "GET", "open");
    guarded.1.guard = guard("authorizationType AWS_IAM");
    let node = Node::start(vec![guarded]);
    assert_eq!(node.get("/method").status, 403);
    assert!(node.stop()[0]["error"].as_str().unwrap().contains("authorizationType AWS_IAM"));
    let mut plan = stage_plan("dev", vec![mock("/api", "GET", "open")]);
    plan.guard = guard("a resource policy");
    let node = Node::start_plan(plan, |_| Err(InvokeRefusal::NotPermitted));
    assert_eq!(node.get("/api").status, 403);
}

#[test]
fn the_accounts_rate_holds() {
    let mut plan = stage_plan("dev", vec![mock("/", "GET", "x")]);
    plan.account_throttle = Some(std::sync::Arc::new(Throttle::new(0.001, 3.0)));
    let node = Node::start_plan(plan, |_| Err(InvokeRefusal::NotPermitted));
    let statuses: Vec<u16> = (0..5).map(|_| node.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(node.get("/").body, "{\"message\":\"Too Many Requests\"}");
}

#[test]
fn a_methods_rate_holds_for_that_verb_alone() {
    let mut plan = stage_plan("dev", vec![mock("/", "ANY", "x")]);
    let resource = plan.router.find("/", &mut plan::Captures::new(), |_| true).unwrap().id.clone();
    plan.method_throttles.insert(&resource, "GET", std::sync::Arc::new(Throttle::new(0.001, 2.0)));
    let node = Node::start_plan(plan, |_| Err(InvokeRefusal::NotPermitted));
    let statuses: Vec<u16> = (0..4).map(|_| node.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(node.get("/").header("x-amzn-errortype"), "TooManyRequestsException");
    assert_eq!(node.post("/", "", "").status, 200);
}

#[test]
fn a_proxied_function_gets_awss_event_and_answers_in_awss_form() {
    let node = Node::start_with(vec![lambda("/{proxy+}", true)], |invocation| {
        let Caller::Service { principal, source_arn, .. } = &invocation.caller else { panic!("a service calls") };
        assert_eq!(*principal, "apigateway.amazonaws.com");
        assert_eq!(source_arn, "arn:aws:execute-api:us-east-1:000000000000:api/dev/*/{proxy+}");
        let event: serde_json::Value = serde_json::from_slice(&invocation.payload).unwrap();
        let body = serde_json::json!({"statusCode": 201, "headers": {"X-A": "1"}, "body": event.to_string()});
        Ok(Outcome::Returned(Bytes::from(body.to_string())))
    });
    let answer = node.post("/a/b?x=1&x=2&y=", "X-MiXed: v\r\nx-mixed: w\r\nContent-Type: text/plain\r\n", "h\u{e9}llo");
    assert_eq!((answer.status, answer.header("x-a")), (201, "1"));
    assert!(answer.header("x-amzn-trace-id").starts_with("Root=1-"));
    let event: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
    let expected = "resource path httpMethod headers multiValueHeaders queryStringParameters multiValueQueryStringParameters \
                    pathParameters stageVariables requestContext body isBase64Encoded";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(event["headers"]["X-MiXed"], "w");
    assert_eq!(event["multiValueHeaders"]["X-MiXed"], serde_json::json!(["v", "w"]));
    assert_eq!(event["headers"]["Content-Length"], serde_json::Value::Null);
    assert_eq!(event["queryStringParameters"], serde_json::json!({"x": "2", "y": ""}));
    assert_eq!(event["pathParameters"], serde_json::json!({"proxy": "a/b"}));
    assert_eq!(event["stageVariables"], serde_json::json!({"colour": "red"}));
    assert_eq!(event["requestContext"]["path"], "/dev/a/b");
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["body"], "h\u{e9}llo");
    assert_eq!(event["isBase64Encoded"], false);
}

#[test]
fn a_functions_failures_are_answered_as_aws_does() {
    let node = Node::start_with(vec![lambda("/{how}", true), lambda("/mapped/{how}", false)], |invocation| {
        let text = String::from_utf8_lossy(&invocation.payload).into_owned();
        match text {
            text if text.contains("/raises") => Ok(Outcome::Failed(Bytes::from_static(b"{\"errorMessage\":\"boom\"}"))),
            text if text.contains("/malformed") => Ok(Outcome::Returned(Bytes::from_static(b"[1]"))),
            text if text.contains("/missing") => Err(InvokeRefusal::NotFound { function_arn: "arn".into() }),
            _ => Err(InvokeRefusal::NotPermitted),
        }
    });
    for (path, status) in [("/raises", 502), ("/malformed", 502), ("/missing", 500), ("/denied", 500)] {
        let answer = node.get(path);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, "{\"message\": \"Internal server error\"}"),
            "{path}"
        );
        assert_eq!(answer.header("x-amzn-errortype"), "InternalServerErrorException");
    }
    // A mapped integration without any integration response is a configuration error, once the function has answered.
    assert_eq!(node.post("/mapped/raises", "", "\"/raises\"").status, 500);
}

#[test]
fn a_body_is_refused_where_no_template_takes_its_type() {
    let (path, mut strict) = mock("/strict", "POST", "x");
    strict.integration.request.passthrough = plan::Passthrough::Never;
    let node = Node::start(vec![(path, strict)]);
    assert_eq!(node.post("/strict", "Content-Type: application/json; charset=utf-8\r\n", "{}").status, 200);
    let refused = node.post("/strict", "Content-Type: text/plain\r\n", "x");
    assert_eq!((refused.status, refused.body.as_str()), (415, "{\"message\":\"Unsupported Media Type\"}"));
}

#[test]
fn what_is_not_an_api_goes_elsewhere() {
    let node = Node::start(vec![]);
    let post = |headers: &str, body: &str| {
        node.send(&format!(
            "POST /restapis HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        ))
    };
    assert_eq!(post("", "12345").body, "other /restapis 5");
    assert_eq!(post("", &"x".repeat(1001)).status, 413);
    assert_eq!(post("X-Refuse: 1\r\n", "x").status, 403);
}

#[test]
fn a_service_that_nobody_placed_is_named_with_its_flag_in_the_log() {
    let service = Service::new("us-east-1", "states", true, "StartExecution");
    let node = Node::start(vec![method("/start", "POST", Backend::Service(Box::new(service)))]);
    let answer = node.post("/start", "", "{}");
    assert_eq!((answer.status, answer.body.as_str()), (500, "{\"message\": \"Internal server error\"}"));
    let lines = node.stop();
    let error = lines[0]["error"].as_str().unwrap();
    assert!(error.contains("start Frontgate with `--service-endpoint stepfunctions=URL`"), "{error}");
}
