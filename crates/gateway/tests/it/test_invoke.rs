//! Test invocations beside what the golden cases show: answers that stream, what cannot be sent, and the gateway's end.

use std::io::Write;
use std::sync::Arc;

use plan::{Backend, TEST_STAGE, TestCaller, TestRefusal, TestRequest, UriTemplate};

use crate::support::{Node, backend, method, mock, read_request, stage_plan};

const MEGABYTE: usize = 1 << 20;

fn request(methods: Vec<(String, plan::MethodPlan)>) -> TestRequest {
    TestRequest {
        plan: Arc::new(stage_plan(TEST_STAGE, methods)),
        resource_path: "/x".into(),
        verb: "GET".into(),
        target: None,
        headers: Vec::new(),
        body: String::new(),
        caller: TestCaller::default(),
    }
}

#[test]
fn a_megabyte_of_an_answer_that_streams_is_shown_without_a_log() {
    let address = backend(|mut stream| {
        read_request(&mut stream);
        let head = b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nConnection: close\r\n\r\n";
        // The other side hangs up once it has enough.
        let _ = stream.write_all(head).and_then(|()| stream.write_all(&vec![b'x'; 3 * MEGABYTE]));
    });
    let uri = UriTemplate::parse(&format!("http://{address}/"));
    let (path, mut streaming) = method("/x", "GET", Backend::Http { method: None, uri, proxy: true });
    streaming.integration.streams = true;
    let node = Node::start(Vec::new());
    let answer = node.test(request(vec![(path, streaming)])).unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.log.as_str()), (200, MEGABYTE, ""));
    assert!(answer.headers.contains(&("X-Own".into(), "1".into())), "{:?}", answer.headers);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let node = Node::start(Vec::new());
    let refusal = |change: &dyn Fn(&mut TestRequest)| {
        let mut request = request(vec![mock("/x", "GET", "")]);
        change(&mut request);
        node.test(request).map(|answer| answer.status)
    };
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(refusal(&|_| {}), Ok(200));
    for refused in [
        refusal(&|request| request.headers = header("a b", "c")),
        refusal(&|request| request.headers = header("a", "b\r\nc: d")),
        refusal(&|request| request.headers = header("", "")),
        refusal(&|request| request.verb = "G T".into()),
        refusal(&|request| request.target = Some("x".repeat(100_000).into())),
    ] {
        assert!(matches!(refused, Err(TestRefusal::BadRequest(_))), "{refused:?}");
    }
    assert_eq!(refusal(&|request| request.headers = header("a", &"b".repeat(20_000))), Ok(431));
}

#[test]
fn nothing_is_tried_when_the_gateway_has_ended() {
    let node = Node::start(Vec::new());
    let tester = node.tester();
    node.stop();
    let tried = tester.test_invoke(request(vec![mock("/x", "GET", "")]));
    let refusal = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tried).unwrap_err();
    assert!(matches!(refusal, TestRefusal::Unavailable(_)), "{refusal:?}");
}
