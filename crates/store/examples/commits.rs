//! Measures durable commits per second, and how long a data directory takes to open: `commits [FOLDER]`, by default a
//! temporary folder below the current one.
//!
//! Each writer inserts one row of about 200 bytes per transaction and waits for the acknowledgement.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use store::{DataDir, Record, Scope, SharedStore, Transaction};

/// How long each number of writers is measured.
const TIME: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Sample {
    key: String,
    text: String,
}

impl Record for Sample {
    const KIND: &'static str = "sample";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        self.key.clone()
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir_in(".")?;
    let folder = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let mut out = std::io::stdout().lock();
    for writers in [1, 64] {
        let path = folder.join(format!("commits-{}-{writers}", std::process::id()));
        let start = Instant::now();
        let data = DataDir::open(&path)?;
        let made = start.elapsed();
        let start = Instant::now();
        let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(data.store(), writer, start))).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
        writeln!(out, "{writers:2} writers: {rate:.0} commits/s, median {:?}, p99 {:?}", at(50), at(99))?;
        drop(data);
        let start = Instant::now();
        drop(DataDir::open(&path)?);
        writeln!(out, "   opening: {made:?} anew, {:?} with what was written", start.elapsed())?;
        std::fs::remove_dir_all(&path)?;
    }
    Ok(())
}

async fn write(store: SharedStore, writer: usize, start: Instant) -> Result<Vec<Duration>, store::StoreError> {
    let scope = Scope::new("000000000000", "us-east-1");
    let mut latencies = Vec::new();
    while start.elapsed() < TIME {
        let sample = Sample { key: format!("{writer}/{}", latencies.len()), text: "x".repeat(160) };
        let sent = Instant::now();
        store.commit(Transaction::new().insert(&scope, &sample)).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}
