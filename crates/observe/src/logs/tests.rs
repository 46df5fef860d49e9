//! The service over the wire: `cases/wire/*.txt` hold requests and answers, each case a conversation with a new store.
//!
//! A line `> Operation {…}` is sent; the lines up to the next one are the answer, its status and its members.
//! `REWRITE=1 cargo test -p observe` writes the answers anew; the difference is for a reader to judge.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use base::clock::{Clock, Moment};
use bytes::Bytes;
use http::Request;
use store::DataDir;
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

/// Sends the requests of a case, and writes the case as it went.
async fn converse(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fake(Moment(1_700_000_000_000));
    let store = DataDir::open(folder.path()).unwrap().open_logs(clock.clone()).unwrap();
    let front = ControlPlane::new([Logs::open(store, clock).service().into()], Settings::default());
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
        let shown = match serde_json::from_slice::<serde_json::Value>(&body) {
            Ok(value) => serde_json::to_string_pretty(&value).unwrap(),
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        found.push_str(&format!("> {line}\n{}\n{}\n", head.status.as_u16(), shown));
    }
    found
}
