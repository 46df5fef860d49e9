//! Handlers that stream, read part by part and whole.

use std::time::{Duration, Instant};

use base::seams::{InvokeFunction, Outcome, StreamPart, Streaming};
use bytes::Bytes;
use serde_json::Value;

use super::lab::{Lab, eventually, on_data_thread, runtime, unsandboxed};

async fn part(streaming: &mut Streaming) -> StreamPart {
    let next = std::future::poll_fn(|context| streaming.parts.poll_part(context));
    tokio::time::timeout(Duration::from_secs(20), next).await.expect("a part within 20 seconds")
}

async fn stream(lab: &Lab, name: &str, event: &'static str) -> Streaming {
    lab.functions.invoke_streaming(lab.invocation(name, event)).await.unwrap()
}

/// All that is written, and the error payload.
async fn read(streaming: &mut Streaming) -> (Vec<u8>, Option<Value>) {
    let mut all = Vec::new();
    loop {
        match part(streaming).await {
            StreamPart::Chunk(chunk) => all.extend_from_slice(&chunk),
            StreamPart::Ended { failure, .. } => {
                return (all, failure.map(|failure| serde_json::from_slice(&failure).unwrap()));
            }
        }
    }
}

const HELLO: &str = "
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-id': context.awsRequestId } });
  stream.write('hello ');
  await new Promise((resolve) => setTimeout(resolve, event.wait));
  stream.write(Buffer.from('world'));
  stream.end();
});
";

#[test]
fn a_stream_is_passed_on_while_it_is_written() {
    on_data_thread(|lab| async move {
        lab.node("Hello", HELLO).await;
        for _ in 0..2 {
            let began = Instant::now();
            let mut streaming = stream(&lab, "Hello", r#"{"wait": 300}"#).await;
            assert_eq!(streaming.content_type.as_deref(), Some("application/vnd.awslambda.http-integration-response"));
            assert_eq!(&*streaming.executed_version, "$LATEST");
            let StreamPart::Chunk(first) = part(&mut streaming).await else { panic!("a chunk comes first") };
            let head = format!("{{\"statusCode\":201,\"headers\":{{\"x-id\":\"{}\"}}}}", streaming.request_id);
            assert_eq!(first, [head.as_bytes(), &[0; 8], b"hello "].concat());
            let (rest, failure) = read(&mut streaming).await;
            assert_eq!((rest.as_slice(), failure), (&b"world"[..], None));
            assert!(began.elapsed() >= Duration::from_millis(300));
        }
    });
}

#[test]
fn whoever_invokes_without_streaming_gets_the_stream_whole() {
    on_data_thread(|lab| async move {
        let code = "exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            for (let at = 0; at < event.count; at++) stream.write('x'.repeat(event.size));
            stream.end();
        });";
        lab.node("Whole", code).await;
        for _ in 0..2 {
            let invoked = lab.try_invoke("Whole", r#"{"count": 3, "size": 1000}"#).await.unwrap();
            let Outcome::Returned(payload) = invoked.outcome else { panic!("the function returns") };
            assert_eq!(payload, vec![b'x'; 3000]);
        }
        let error = lab.failed("Whole", r#"{"count": 70, "size": 100000}"#).await;
        assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
        assert!(lab.try_invoke("Whole", r#"{"count": 0}"#).await.is_ok(), "the environment goes on");
    });
}

#[test]
fn functions_that_do_not_stream_answer_in_one_part() {
    on_data_thread(|lab| async move {
        lab.python("Python", "def handler(event, context):\n    return {'statusCode': 200}\n").await;
        lab.node("Node", "exports.handler = async () => { throw new Error('no') }").await;
        let mut streaming = stream(&lab, "Python", "{}").await;
        assert_eq!(streaming.content_type.as_deref(), Some("application/json"));
        assert_eq!(read(&mut streaming).await, (br#"{"statusCode": 200}"#.to_vec(), None));
        let (written, failure) = read(&mut stream(&lab, "Node", "{}").await).await;
        assert!(written.is_empty());
        assert_eq!(failure.unwrap()["errorMessage"], "no");
    });
}

#[test]
fn a_large_stream_comes_whole_and_in_order() {
    on_data_thread(|lab| async move {
        let code = "const { pipeline } = require('stream/promises'); const { Readable } = require('stream');
          exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            const block = Buffer.alloc(1000003);
            const blocks = function* () { for (let at = 0; at < 20; at++) { block.fill(at); yield Buffer.from(block); } };
            await pipeline(Readable.from(blocks()), stream);
          });";
        lab.node("Large", code).await;
        let (written, failure) = read(&mut stream(&lab, "Large", "{}").await).await;
        assert_eq!((written.len(), failure), (20_000_060, None));
        assert!(written.chunks(1_000_003).enumerate().all(|(at, block)| block.iter().all(|byte| *byte as usize == at)));
    });
}

#[test]
fn a_slow_reader_makes_the_function_wait() {
    on_data_thread(|lab| async move {
        // Counts what it could write, and tells it in the end.
        let code = "const { once } = require('events');
          exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            let before = 0;
            const began = Date.now();
            for (let at = 0; at < 64; at++) {
              if (!stream.write(Buffer.alloc(262144))) await once(stream, 'drain');
              if (Date.now() - began < 400) before = at + 1;
            }
            stream.write(`written early: ${before};`);
            stream.end();
          });";
        lab.node("Fast", code).await;
        let mut streaming = stream(&lab, "Fast", "{}").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let (written, failure) = read(&mut streaming).await;
        assert_eq!(failure, None);
        let told = String::from_utf8_lossy(&written[64 * 262_144..]).into_owned();
        let early: u32 = told.trim_start_matches("written early: ").trim_end_matches(';').parse().unwrap();
        assert!((1..32).contains(&early), "{told}");
    });
}

#[test]
fn a_reader_that_goes_leaves_the_function_running() {
    unsandboxed(|lab| async move {
        let done = lab.folder.path().join("done");
        let code = format!(
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => {{
            for (let at = 0; at < 16; at++) await new Promise((resolve) => stream.write(Buffer.alloc(262144), resolve));
            require('fs').writeFileSync('{}', '');
            stream.end();
          }});",
            done.display()
        );
        lab.node("Left", &code).await;
        let mut streaming = stream(&lab, "Left", "{}").await;
        part(&mut streaming).await;
        drop(streaming);
        eventually("the function's work is done", || done.exists()).await;
    });
}

/// Checks what a handler writes and how its stream ends.
async fn check(lab: &Lab, body: &str, expected: &str, kind: Option<&str>, message: &str) {
    lab.put("Ends", &runtime("nodejs"), &[("index.js", body)], |configuration| configuration.timeout = 1).await;
    let (written, failure) = read(&mut stream(lab, "Ends", "{}").await).await;
    assert_eq!(String::from_utf8_lossy(&written), expected, "{body}");
    let failure = failure.unwrap_or_default();
    assert_eq!(failure["errorType"].as_str(), kind, "{body}: {failure}");
    assert!(failure["errorMessage"].as_str().unwrap_or_default().contains(message), "{body}: {failure}");
}

#[test]
fn streams_end_in_many_ways() {
    on_data_thread(|lab| async move {
        let streaming = |body: &str| format!("exports.handler = awslambda.streamifyResponse({body})");
        for (body, expected, kind, message) in [
            ("async (e, s) => { throw new TypeError('early') }", "", Some("TypeError"), "early"),
            ("async (e, s) => { s.write('a'); throw new TypeError('late') }", "a", Some("TypeError"), "late"),
            ("async (e, s) => { s.write('a'); s.destroy(new Error('own')) }", "a", Some("Error"), "own"),
            ("(e, s) => { s.end('a') }", "a", Some("InvalidStreamingOperation"), "non-async"),
            ("async (e, s) => { s.write('left open') }", "left open", None, ""),
            ("async (e, s) => { setTimeout(() => s.end('later'), 50) }", "later", None, ""),
            ("async (e, s) => { s.end() }", "", None, ""),
            ("async (e, s) => { awslambda.HttpResponseStream.from(s, {}).end() }", "{}\0\0\0\0\0\0\0\0", None, ""),
            (
                "async (e, s) => { s.write('a'); await new Promise((r) => setTimeout(r, 9000)) }",
                "a",
                Some("Sandbox.Timedout"),
                "1.00",
            ),
            (
                "async (e, s) => { await new Promise((r) => s.write('a', r)); process.exit(3) }",
                "a",
                Some("Runtime.ExitError"),
                "exit status 3",
            ),
            (
                "async (e, s) => { await new Promise((r) => s.write('a', r)); setImmediate(() => { throw new RangeError('loose') }); await new Promise(() => {}) }",
                "a",
                Some("RangeError"),
                "loose",
            ),
        ] {
            check(&lab, &streaming(body), expected, kind, message).await;
        }
    });
}

#[test]
fn frames_that_no_bootstrap_sends_end_the_environment() {
    on_data_thread(|lab| async move {
        // A chunk without a beginning, and a second beginning.
        let frame = "const f = (k, id) => { const b = Buffer.alloc(41); b.writeUInt32LE(37, 0); b[4] = k; b.latin1Write(id, 5); require('fs').writeSync(3, b) };";
        for kinds in ["8", "7, 7", "7, 3", "9"] {
            let code = format!(
                "{frame} exports.handler = async (e, c) => {{ for (const k of [{kinds}]) f(k, c.awsRequestId); await new Promise(() => setTimeout(() => {{}}, 5000)) }}"
            );
            lab.node("Odd", &code).await;
            let (_, failure) = read(&mut stream(&lab, "Odd", "{}").await).await;
            assert!(failure.is_some(), "{kinds}");
        }
        let whole = lab.try_invoke("Odd", "{}").await.unwrap();
        assert!(matches!(whole.outcome, Outcome::Failed(payload) if payload != Bytes::new()));
    });
}
