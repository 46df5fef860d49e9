//! Both services over the wire: `cases/wire/*.txt` hold requests and answers, each case a conversation with a new store.
//!
//! A line `> Action=…` is a form that is sent, signed for IAM or STS as its `Version` says; the lines up to the next one
//! are the answer: its status and its body, in which what is made up (ids) is left out. `REWRITE=1 cargo test -p identity`
//! writes the answers anew; the difference is for a reader to judge.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use base::clock::{Clock, Moment};
use bytes::Bytes;
use http::Request;
use store::DataDir;
use wire::{ControlPlane, Settings};

use crate::Identity;

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
        }
        assert_eq!(found, expected, "{} differs", file.display());
    }
}

/// Sends the requests of a case, and writes the case as it went.
async fn converse(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let identity =
        Identity::open(DataDir::open(folder.path()).unwrap().store(), Clock::fake(Moment(1_700_000_000_000)));
    let front = ControlPlane::new([identity.iam().into(), identity.sts().into()], Settings::default());
    let mut found = String::new();
    for form in case.lines().filter_map(|line| line.strip_prefix("> ")) {
        let service = if form.contains("Version=2010-05-08") { "iam" } else { "sts" };
        let scope = format!("AKIAIOSFODNN7EXAMPLE/20231114/us-east-1/{service}/aws4_request");
        let signature = "0".repeat(64);
        let request = Request::post("/")
            .header("host", "127.0.0.1:4566")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={signature}"),
            )
            .body(())
            .unwrap();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let answer = front.handle(request.into_parts().0, Bytes::copy_from_slice(form.as_bytes()), peer).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await;
        let body = str::from_utf8(&body).unwrap();
        found.push_str(&format!("> {form}\n{}\n{}\n", head.status.as_u16(), without_ids(body)));
    }
    found
}

/// Replaces what is different each time: request ids and IAM's unique ids.
fn without_ids(body: &str) -> String {
    let mut body = body.to_owned();
    for element in ["RequestId", "RoleId", "PolicyId"] {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        if let Some((before, rest)) = body.split_once(&open)
            && let Some((_, after)) = rest.split_once(&close)
        {
            body = format!("{before}{open}…{close}{after}");
        }
    }
    // An element on each line reads better and loses nothing.
    body.replace("><", ">\n<").trim_end().to_owned()
}
