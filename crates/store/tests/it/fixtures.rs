//! Data of every released format stays readable: `fixtures/` holds a data directory of each, see its README.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::blobs::Digest;
use store::{DataDir, Record, Scope, Transaction};

/// What `examples/write_fixture.rs` keeps, as a later release sees it: it wrote `seconds`, here it is `milliseconds`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    name: String,
    milliseconds: u64,
    code: Option<Digest>,
}

impl Record for Sample {
    const KIND: &'static str = "sample";
    const SCHEMA_VERSION: u32 = 2;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn upgrade(from: u32, mut document: Value) -> Result<Value, String> {
        match (from, document["seconds"].as_u64()) {
            (1, Some(seconds)) => document["milliseconds"] = json!(seconds * 1000),
            _ => return Err(format!("no document of version {from}")),
        }
        Ok(document)
    }
}

/// Copies a fixture, for opening a directory writes to it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn data_of_format_1_is_readable() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1"), folder.path());
    let data = DataDir::open(folder.path()).unwrap();
    let (store, scope) = (data.store(), Scope::new("000000000000", "us-east-1"));

    assert_eq!(store.revision().await, 3);
    let code = Digest::of(b"def handler(event, context): return event\n");
    let found = store.list_tree::<Sample>(&scope, "items").await.unwrap();
    let found: Vec<_> = found.into_iter().map(|row| (row.record, row.revision)).collect();
    let parent = Sample { name: "items".into(), milliseconds: 29_000, code: None };
    let child = Sample { name: "items/détail".into(), milliseconds: 3000, code: Some(code) };
    assert_eq!(found, [(parent, 1), (child, 2)]);
    let content = data.blobs().get(code).await.unwrap().unwrap();
    assert_eq!(content, "def handler(event, context): return event\n");
    let global = store.get::<Sample>(&Scope::global("111111111111"), "role").await.unwrap().unwrap();
    assert_eq!((global.record.milliseconds, global.revision), (0, 1));
    let feed = store.changes_since(0, 100).await.unwrap();
    let feed: Vec<_> = feed.iter().map(|change| (change.revision, &*change.key, change.deleted)).collect();
    let first = [(1, "items", false), (1, "items/gone", false), (1, "role", false)];
    assert_eq!(feed, [&first[..], &[(2, "items/détail", false), (3, "items/gone", true)]].concat());

    // It can be written too.
    let next = Sample { name: "items/next".into(), milliseconds: 1, code: None };
    assert_eq!(store.commit(Transaction::new().insert(&scope, &next)).await, Ok(4));
}
