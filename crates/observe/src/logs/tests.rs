//! The service over the wire: `cases/wire/*.txt` hold requests and answers, each case a conversation with a new store.
//!
//! A line `> Operation {…}` is sent; the lines up to the next one are the answer, its status and its members.
//! `REWRITE=1 cargo test -p observe` writes the answers anew; the difference is for a reader to judge.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use base::clock::{Clock, Moment};
use base::seams::{Caller, Invocation, InvokeRefusal, NotifyFunction, SendFuture};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::Request;
use serde_json::Value;
use store::telemetry::OfferedLine;
use store::{DataDir, Scope};
use tokio::sync::mpsc;
use wire::{ControlPlane, Mounted, Settings};

use crate::Logs;

#[tokio::test]
async fn conversations_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/wire");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let expected = fs::read_to_string(&file).unwrap();
        let found = converse(&expected).await;
        if std::env::var_os("REWRITE").is_some() {
            fs::write(&file, &found).unwrap();
            continue;
        }
        let differs = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
        assert!(found == expected, "{} differs: {differs:?}", file.display());
    }
}

#[tokio::test]
async fn what_the_model_has_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = DataDir::open(folder.path()).unwrap().open_logs(Clock::System).unwrap();
    assert_eq!(Mounted::from(Logs::open(store, Clock::System).service()).missing(), [""; 0]);
}

/// Functions, of which `watch` alone lets CloudWatch Logs invoke it.
struct Functions {
    told: mpsc::UnboundedSender<Invocation>,
}

impl NotifyFunction for Functions {
    fn may_notify(&self, function_arn: &str, caller: &Caller) -> Result<(), InvokeRefusal> {
        let Caller::Service { principal: "logs.amazonaws.com", .. } = caller else { panic!("{caller:?}") };
        if function_arn.ends_with(":watch") { Ok(()) } else { Err(InvokeRefusal::NotPermitted) }
    }

    fn notify(&self, invocation: Invocation) -> SendFuture<'_, Result<String, InvokeRefusal>> {
        self.told.send(invocation).unwrap();
        Box::pin(async { Ok(base::ids::uuid()) })
    }
}

#[tokio::test]
async fn subscriptions_get_what_their_patterns_find() {
    let folder = tempfile::tempdir().unwrap();
    let store = DataDir::open(folder.path()).unwrap().open_logs(Clock::System).unwrap();
    let scope = Scope::new("000000000000", "us-east-1");
    let document = r#"{"subscriptions": [{"name": "errors", "pattern": "ERROR", "created": 1, "distribution": "Random",
        "destination_arn": "arn:aws:lambda:us-east-1:000000000000:function:watch"}]}"#;
    store.create_group(&scope, "g", document.to_owned()).await.unwrap();
    let logs = Logs::open(store.clone(), Clock::System);
    let (told, mut notified) = mpsc::unbounded_channel();
    logs.start(Arc::new(Functions { told })).await.unwrap();
    let large = format!("ERROR {}", "x".repeat(100_000));
    for (group, message) in [("g", "INFO"), ("g", "ERROR one"), ("other", "ERROR"), ("g", &large), ("g", &large)] {
        store.offer(OfferedLine {
            group_arn: format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}").into(),
            stream: Some("s".into()),
            timestamp: 1_700_000_000_000,
            message: message.to_owned(),
        });
    }
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let told = tokio::time::timeout(Duration::from_secs(20), notified.recv()).await.unwrap().unwrap();
        let Caller::Service { source_arn, .. } = told.caller else { panic!("{:?}", told.caller) };
        assert_eq!(source_arn, "arn:aws:logs:us-east-1:000000000000:log-group:g:*");
        let event: Value = serde_json::from_slice(&told.payload).unwrap();
        let packed = STANDARD.decode(event["awslogs"]["data"].as_str().unwrap()).unwrap();
        let mut text = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        let data: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&data["messageType"], &data["owner"], &data["logGroup"], &data["logStream"], &data["subscriptionFilters"]),
            (&"DATA_MESSAGE".into(), &"000000000000".into(), &"g".into(), &"s".into(), &serde_json::json!(["errors"]))
        );
        let events = data["logEvents"].as_array().unwrap().iter();
        lengths.push(events.map(|event| event["message"].as_str().unwrap().len()).collect::<Vec<_>>());
    }
    // What is too much for one invocation becomes several.
    assert_eq!(lengths, [vec![9, 100_006], vec![100_006]]);
}

/// Sends the requests of a case, and writes the case as it went.
async fn converse(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fake(Moment(1_700_000_000_000));
    let store = DataDir::open(folder.path()).unwrap().open_logs(clock.clone()).unwrap();
    let logs = Logs::open(store, clock);
    let (told, _) = mpsc::unbounded_channel();
    logs.start(Arc::new(Functions { told })).await.unwrap();
    let front = ControlPlane::new([logs.service().into()], Settings::default());
    let mut found = String::new();
    for line in case.lines().filter_map(|line| line.strip_prefix("> ")) {
        let (operation, body) = line.split_once(' ').unwrap();
        let scope = "AKIAIOSFODNN7EXAMPLE/20231114/us-east-1/logs/aws4_request";
        let signature = "0".repeat(64);
        let request = Request::post("/")
            .header("host", "127.0.0.1:4566")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={signature}"),
            )
            .body(())
            .unwrap();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let answer = front.handle(request.into_parts().0, Bytes::copy_from_slice(body.as_bytes()), peer).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await;
        let shown = match serde_json::from_slice::<Value>(&body) {
            Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        found.push_str(&format!("> {line}\n{}\n{}\n", head.status.as_u16(), shown));
    }
    found
}
