//! Writes the data directory that `fixtures/README.md` asks for: `write_fixture FOLDER`.

use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::blobs::Digest;
use store::{DataDir, Record, Scope, Transaction};

#[derive(Serialize, Deserialize)]
struct Sample {
    name: String,
    seconds: u64,
    code: Option<Digest>,
}

impl Record for Sample {
    const KIND: &'static str = "sample";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.name.clone()
    }
}

fn sample(name: &str, seconds: u64, code: Option<Digest>) -> Sample {
    Sample { name: name.to_owned(), seconds, code }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: write_fixture FOLDER")?;
    let data = DataDir::open(Path::new(&folder))?;
    let (store, scope) = (data.store(), Scope::new("000000000000", "us-east-1"));
    let first = Transaction::new()
        .insert(&scope, &sample("items", 29, None))
        .insert(&scope, &sample("items/gone", 1, None))
        .insert(&Scope::global("111111111111"), &sample("role", 0, None));
    let revision = store.commit(first).await?;
    let code = data.blobs().put(Bytes::from_static(b"def handler(event, context): return event\n")).await?;
    store.commit(Transaction::new().put(&scope, &sample("items/détail", 3, Some(code)))).await?;
    store.commit(Transaction::new().delete::<Sample>(&scope, "items/gone", revision)).await?;
    Ok(())
}
