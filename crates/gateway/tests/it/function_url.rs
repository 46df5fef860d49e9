//! Function URLs: addresses, events, who may call, answers, pages of other origins, streams.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base::seams::{Caller, FunctionUrl, Invocation, InvokeRefusal, Outcome, StreamPart, UrlAuth, UrlCors};
use serde_json::{Value, json};

use crate::support::{Answer, Node};

const FORBIDDEN: &str = r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#;
const SIGNATURE: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

fn url() -> FunctionUrl {
    FunctionUrl {
        id: "abc".into(),
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:Items:dev".into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        auth: UrlAuth::None,
        streams: false,
        cors: None,
    }
}

fn cors() -> UrlCors {
    UrlCors {
        allow_headers: vec!["content-type".into(), "x-a".into()],
        allow_methods: vec!["GET".into(), "POST".into()],
        allow_origins: vec!["https://www.example.com".into(), "http://localhost:3000".into()],
        expose_headers: vec!["x-b".into()],
        max_age: Some(600),
        ..UrlCors::default()
    }
}

/// A function that gives back its event.
fn echo(invocation: Invocation) -> Result<Outcome, InvokeRefusal> {
    Ok(Outcome::Returned(invocation.payload))
}

/// Sends a request to the URL's host; `head` are more header lines.
fn ask(node: &Node, request_line: &str, head: &str, body: &str) -> Answer {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    node.send(&format!(
        "{request_line} HTTP/1.1\r\nHost: abc.lambda-url.us-east-1.localhost:4566\r\nConnection: close\r\n{length}{head}\r\n{body}"
    ))
}

/// The event of a request, without what differs from one to the next.
fn event(node: &Node, request_line: &str, head: &str, body: &str) -> Value {
    let answer = ask(node, request_line, head, body);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
    let mut event: Value = serde_json::from_slice(&answer.bytes).unwrap();
    let context = event["requestContext"].as_object_mut().unwrap();
    assert_eq!(context.remove("requestId").unwrap(), answer.header("x-amzn-requestid"));
    assert!(context.remove("time").unwrap().as_str().unwrap().ends_with(" +0000"));
    assert!(context.remove("timeEpoch").unwrap().is_u64());
    let trace = event["headers"].as_object_mut().unwrap().remove("x-amzn-trace-id").unwrap();
    assert!(answer.header("x-amzn-trace-id").starts_with(trace.as_str().unwrap()));
    event
}

#[test]
fn the_event_has_format_2() {
    let node = Node::start_url(url(), echo);
    let head = "X-One: a\r\nx-one: b\r\nCookie: c=1; d=2\r\nCookie: e=3\r\nUser-Agent: test\r\nContent-Type: text/plain\r\n\
                X-Forwarded-For: 10.0.0.1\r\nx-amzn-trace-id: nonsense\r\nTE: trailers\r\n";
    let got = event(&node, "POST /pa2%25Fth//1/?q=query&m=foo&m=%2Fbar+x&&e=", head, "text");
    let expected = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/pa2%25Fth//1/",
        "rawQueryString": "q=query&m=foo&m=%2Fbar+x&&e=", "cookies": ["c=1", "d=2", "e=3"],
        "headers": {
            "content-length": "4", "content-type": "text/plain", "host": "abc.lambda-url.us-east-1.localhost:4566",
            "user-agent": "test", "x-forwarded-for": "10.0.0.1, 127.0.0.1", "x-forwarded-port": "4566",
            "x-forwarded-proto": "http", "x-one": "a,b", "x-amzn-tls-cipher-suite": "TLS_NULL_WITH_NULL_NULL",
            "x-amzn-tls-version": "none",
        },
        "queryStringParameters": { "e": "", "m": "foo,/bar x", "q": "query" },
        "requestContext": {
            "accountId": "anonymous", "apiId": "abc", "domainName": "abc.lambda-url.us-east-1.localhost",
            "domainPrefix": "abc",
            "http": {
                "method": "POST", "path": "/pa2%Fth//1/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "routeKey": "$default", "stage": "$default",
        },
        "body": "text", "isBase64Encoded": false,
    });
    assert_eq!(got, expected);
    let order = ["version", "routeKey", "rawPath", "rawQueryString", "cookies", "headers", "queryStringParameters"];
    let keys: Vec<&String> = got.as_object().unwrap().keys().collect();
    assert_eq!(keys[..7], order);
    node.stop();
}

#[test]
fn what_is_not_there_is_left_out() {
    let node = Node::start_url(url(), echo);
    let got = event(&node, "GET /", "", "");
    for name in ["cookies", "queryStringParameters", "body", "stageVariables", "pathParameters"] {
        assert_eq!(got.get(name), None, "{name}");
    }
    assert_eq!((&got["rawPath"], &got["rawQueryString"]), (&json!("/"), &json!("")));
    assert_eq!((&got["isBase64Encoded"], got["requestContext"]["http"].get("userAgent")), (&json!(false), None));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let got = event(&node, "POST /", form, "a=b");
    assert_eq!((&got["body"], &got["isBase64Encoded"]), (&json!("YT1i"), &json!(true)));
    node.stop();
}

#[test]
fn a_url_is_found_by_host_and_by_path() {
    let node = Node::start_url(url(), echo);
    let get = |host: &str, path: &str| {
        node.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    for (host, path, raw_path, name) in [
        ("ABC.lambda-url.eu-west-1.on.aws", "/a", "/a", "ABC.lambda-url.eu-west-1.on.aws"),
        ("127.0.0.1:4566", "/_aws/lambda-url/abc", "/", "abc.lambda-url.us-east-1.localhost"),
        ("127.0.0.1:4566", "/_aws/lambda-url/abc/a/?b", "/a/", "abc.lambda-url.us-east-1.localhost"),
    ] {
        let event: Value = serde_json::from_slice(&get(host, path).bytes).unwrap();
        assert_eq!((&event["rawPath"], &event["requestContext"]["domainName"]), (&json!(raw_path), &json!(name)));
    }
    for (host, path) in [("xyz.lambda-url.us-east-1.localhost", "/"), ("x", "/_aws/lambda-url/xyz/")] {
        let answer = get(host, path);
        assert_eq!((answer.status, answer.body.as_str()), (403, r#"{"Message":null}"#));
        assert_eq!(answer.header("x-amzn-errortype"), "AccessDeniedException");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    }
    let lines = node.stop();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        (&lines[0]["apiId"], &lines[0]["stage"], &lines[0]["status"]),
        (&json!("abc"), &json!("$default"), &json!(200))
    );
    assert!(lines.iter().any(|line| line["error"] == "no such function URL" && line["status"] == 403));
}

#[test]
fn lambda_is_asked_as_whoever_calls() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let node = Node::start_url(url(), move |invocation| {
        seen.lock().unwrap().push((invocation.function_arn, matches!(invocation.caller, Caller::AnyoneByUrl)));
        Err(InvokeRefusal::NotPermitted)
    });
    let answer = ask(&node, "GET /", "", "");
    assert_eq!((answer.status, answer.body.as_str()), (403, FORBIDDEN));
    assert_eq!(answer.header("x-amzn-errortype"), "AccessDeniedException");
    assert_eq!(*asked.lock().unwrap(), [(url().function_arn, true)]);
    node.stop();
}

#[test]
fn refusals_and_failures_are_lambdas() {
    let check = |outcome: Result<Outcome, InvokeRefusal>, status: u16, body: &str| {
        let node = Node::start_url(url(), move |_| outcome.clone());
        let answer = ask(&node, "GET /", "", "");
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert!(node.stop()[0]["error"].is_string());
    };
    let reason = "ReservedFunctionConcurrentInvocationLimitExceeded";
    let throttled = format!(r#"{{"Reason":"{reason}","Type":"User","message":"Rate Exceeded."}}"#);
    check(Err(InvokeRefusal::TooManyRequests { reason }), 429, &throttled);
    check(Err(InvokeRefusal::NotFound { function_arn: "x".into() }), 403, r#"{"Message":null}"#);
    check(Err(InvokeRefusal::Unavailable { reason: "x".into() }), 500, "Internal Server Error");
    let too_large = InvokeRefusal::BadPayload { message: "x".into(), too_large: true };
    check(Err(too_large), 413, r#"{"Message":"Request Entity Too Large"}"#);
    check(Ok(Outcome::Failed("{}".into())), 502, "Internal Server Error");
    check(Ok(Outcome::Returned(r#"{"statusCode":"x"}"#.into())), 502, "Internal Server Error");
}

#[test]
fn an_answer_is_sent_as_it_describes_itself() {
    let payload = r#"{"statusCode": 201, "headers": {"My-Custom-Header": "a", "x-odd-Case": "b"}, "cookies": ["c=1", "d=2"], "body": "aGk=", "isBase64Encoded": true}"#;
    let node = Node::start_url(url(), |_| Ok(Outcome::Returned(payload.into())));
    let answer = node.send("GET /_aws/lambda-url/abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!((answer.status, answer.bytes.as_slice()), (201, &b"hi"[..]));
    assert_eq!((answer.header("content-length"), answer.header("my-custom-header")), ("2", "a"));
    assert_eq!(answer.header("set-cookie"), "d=2", "the last of two lines");
    node.stop();
}

#[test]
fn a_signature_is_asked_for_with_aws_iam() {
    let node = Node::start_url(FunctionUrl { auth: UrlAuth::Iam, ..url() }, |invocation| {
        assert!(matches!(invocation.caller, Caller::Trusted));
        echo(invocation)
    });
    let signed = |scope: &str| {
        let header = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}\r\n"
        );
        ask(&node, "GET /", &header, "")
    };
    for refused in [
        ask(&node, "GET /", "", ""),
        ask(&node, "GET /", "Authorization: Bearer x\r\n", ""),
        signed("AKID/20260101/us-east-1/execute-api/aws4_request"),
        signed("AKID/20260101/eu-west-1/lambda/aws4_request"),
        signed("AKID/20260101/us-east-1/lambda"),
    ] {
        assert_eq!((refused.status, refused.body.as_str()), (403, FORBIDDEN));
    }
    let event: Value =
        serde_json::from_slice(&signed("111122223333/20260101/us-east-1/lambda/aws4_request").bytes).unwrap();
    assert_eq!(event["headers"].get("authorization"), None);
    assert_eq!(event["requestContext"]["accountId"], "111122223333");
    let iam = json!({
        "accessKey": "111122223333", "accountId": "111122223333", "callerId": "111122223333", "cognitoIdentity": null,
        "principalOrgId": null, "userArn": "arn:aws:iam::111122223333:root", "userId": "111122223333",
    });
    assert_eq!(event["requestContext"]["authorizer"]["iam"], iam);
    let query = format!(
        "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-SignedHeaders=host&X-Amz-Signature={SIGNATURE}"
    );
    let event: Value = serde_json::from_slice(&ask(&node, &query, "", "").bytes).unwrap();
    assert_eq!(event["requestContext"]["accountId"], "000000000000");
    node.stop();
}

#[test]
fn preflights_are_answered_without_the_function() {
    let url = FunctionUrl { auth: UrlAuth::Iam, cors: Some(cors()), ..url() };
    let node = Node::start_url(url, |_| panic!("the function is not asked"));
    let preflight = |origin: &str| {
        let head = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
        ask(&node, "OPTIONS /a", &head, "")
    };
    let answer = preflight("https://www.example.com");
    assert_eq!((answer.status, answer.bytes.len()), (200, 0));
    for (name, value) in [
        ("allow-origin", "https://www.example.com"),
        ("allow-methods", "GET,POST"),
        ("allow-headers", "content-type,x-a"),
        ("max-age", "600"),
        ("allow-credentials", ""),
        ("expose-headers", ""),
    ] {
        assert_eq!(answer.header(&format!("access-control-{name}")), value, "{name}");
    }
    assert_eq!(answer.header("vary"), "Origin");
    let foreign = preflight("https://elsewhere.example.com");
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (200, ""));
    assert_eq!(foreign.header("access-control-allow-methods"), "");
    node.stop();
}

#[test]
fn what_the_url_says_to_pages_counts() {
    let payload =
        r#"{"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "access-control-max-age": "5"}}"#;
    let get = |cors: Option<UrlCors>, head: &str| {
        let node = Node::start_url(FunctionUrl { cors, ..url() }, |_| Ok(Outcome::Returned(payload.into())));
        let answer = ask(&node, "GET /", head, "");
        node.stop();
        answer
    };
    let origin = "Origin: http://localhost:3000\r\n";
    let answer = get(Some(cors()), origin);
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    assert_eq!((answer.header("access-control-expose-headers"), answer.header("access-control-max-age")), ("x-b", ""));
    assert_eq!(get(Some(cors()), "").header("access-control-allow-origin"), "");
    assert_eq!(get(Some(cors()), "Origin: null\r\n").header("access-control-allow-origin"), "");
    // Without a configuration the function speaks for itself.
    assert_eq!(get(None, origin).header("access-control-allow-origin"), "*");
    let any = UrlCors { allow_origins: vec!["*".into()], ..UrlCors::default() };
    assert_eq!(get(Some(any.clone()), origin).header("access-control-allow-origin"), "*");
    let answer = get(Some(UrlCors { allow_credentials: true, ..any }), origin);
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    assert_eq!((answer.header("access-control-allow-credentials"), answer.header("vary")), ("true", "Origin"));
}

#[test]
fn options_without_a_page_behind_them_reach_the_function() {
    let node = Node::start_url(FunctionUrl { cors: Some(cors()), ..url() }, echo);
    assert_eq!(event(&node, "OPTIONS /", "", "")["requestContext"]["http"]["method"], "OPTIONS");
    node.stop();
}

fn chunk(text: impl Into<bytes::Bytes>) -> StreamPart {
    StreamPart::Chunk(text.into())
}

fn ended(failure: Option<&'static str>) -> StreamPart {
    StreamPart::Ended { failure: failure.map(bytes::Bytes::from), log_tail: None }
}

fn streamed(kind: Option<&'static str>, parts: Vec<StreamPart>) -> Answer {
    let node = Node::start_streaming_url(FunctionUrl { streams: true, ..url() }, kind, parts);
    let answer = ask(&node, "GET /", "", "");
    node.stop();
    answer
}

#[test]
fn a_stream_is_passed_on_with_its_metadata() {
    let kind = Some("application/vnd.awslambda.http-integration-response");
    let metadata = r#"{"statusCode": 201, "headers": {"Content-Type": "text/html"}, "cookies": ["a=1"]}"#;
    let answer = streamed(
        kind,
        vec![
            chunk(&metadata[..10]),
            chunk(format!("{}\0\0\0", &metadata[10..])),
            chunk("\0\0\0\0\0<p>"),
            chunk("</p>"),
            ended(None),
        ],
    );
    assert_eq!((answer.status, answer.header("content-type")), (201, "text/html"));
    assert_eq!((answer.header("set-cookie"), answer.header("transfer-encoding")), ("a=1", "chunked"));
    assert_eq!(answer.bytes, b"<p></p>");
    let answer = streamed(kind, vec![chunk("{}\0\0\0\0\0\0\0\0"), ended(None)]);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"));
    assert_eq!(streamed(kind, vec![chunk("no metadata"), ended(None)]).status, 502);
}

#[test]
fn a_stream_without_metadata_is_bytes() {
    let answer = streamed(None, vec![chunk("{\"statusCode\""), chunk(": 404}"), ended(None)]);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"));
    assert_eq!(answer.bytes, b"{\"statusCode\": 404}");
    let answer = streamed(Some("text/plain"), vec![chunk("x"), ended(None)]);
    assert_eq!((answer.header("content-type"), answer.bytes.as_slice()), ("text/plain", &b"x"[..]));
    let answer = streamed(None, vec![ended(None)]);
    assert_eq!((answer.status, answer.bytes.len()), (200, 0));
}

#[test]
fn a_function_that_fails_before_it_has_begun_is_a_bad_gateway() {
    let answer = streamed(None, vec![ended(Some("{}"))]);
    assert_eq!((answer.status, answer.body.as_str()), (502, "Internal Server Error"));
    let answer = streamed(None, vec![chunk("half"), ended(Some("{}"))]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "4\r\nhalf\r\n"), "it must not look whole");
}

#[test]
fn a_function_that_does_not_stream_is_passed_on_as_it_is() {
    let node = Node::start_url(FunctionUrl { streams: true, ..url() }, |_| {
        Ok(Outcome::Returned(r#"{"statusCode": 404, "body": "x"}"#.into()))
    });
    let answer = ask(&node, "GET /", "", "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.bytes, br#"{"statusCode": 404, "body": "x"}"#);
    node.stop();
}

#[test]
fn hostile_requests_are_refused() {
    let node = Node::start_url(url(), echo);
    let host = "Host: abc.lambda-url.us-east-1.localhost\r\n";
    let two = node.send(&format!("GET / HTTP/1.1\r\n{host}{host}Connection: close\r\n\r\n"));
    assert_eq!((two.status, two.body.as_str()), (400, r#"{"Message":"Bad Request"}"#));
    let announced =
        node.send(&format!("POST / HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: 7000000\r\n\r\n"));
    assert_eq!((announced.status, announced.body.as_str()), (413, r#"{"Message":"Request Entity Too Large"}"#));
    let long = "x".repeat(300_000);
    assert_eq!(node.send(&format!("GET / HTTP/1.1\r\n{host}X-Long: {long}\r\nConnection: close\r\n\r\n")).status, 431);
    for path in ["/%", "/%zz", "/%ff%fe", "/..//../", "/?%zz=%&=&&", "/%00", "/;a=b?;"] {
        let answer = ask(&node, &format!("GET {path}"), "", "");
        assert_eq!(answer.status, 200, "{path}");
        assert!(serde_json::from_slice::<Value>(&answer.bytes).is_ok(), "{path}");
    }
    let mut client = node.connect();
    client.write_all(format!("POST / HTTP/1.1\r\n{host}Content-Length: 10\r\n\r\nhalf").as_bytes()).unwrap();
    drop(client);
    assert_eq!(ask(&node, "GET /", "", "").status, 200);
    node.stop();
}
