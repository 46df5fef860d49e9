//! A process that writes without end and says on its standard output what was acknowledged; others kill it or trace it. It
//! is this test binary, started again for one test with `WRITER_DIRECTORY` set.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::blobs::{BlobStore, Digest};
use store::{DataDir, Record, Scope, SharedStore, Transaction};

use crate::suite::here;

const DIRECTORY: &str = "WRITER_DIRECTORY";
const ROUND: &str = "WRITER_ROUND";
const LIMIT: &str = "WRITER_LIMIT";

/// Tasks that write at the same time.
const TASKS: usize = 8;
/// Every so many writes of a task, a blob is put before its row.
const BLOB_EVERY: usize = 16;

/// One half of what each transaction inserts.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) key: String,
    pub(crate) blob: Option<Digest>,
}

/// The other half, under the same key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Right {
    pub(crate) key: String,
}

/// The last write of a task in a round; each transaction replaces it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) task: String,
    pub(crate) key: String,
}

impl Record for Left {
    const KIND: &'static str = "left";
    const SCHEMA_VERSION: u32 = 1;
    fn key(&self) -> String {
        self.key.clone()
    }
}

impl Record for Right {
    const KIND: &'static str = "right";
    const SCHEMA_VERSION: u32 = 1;
    fn key(&self) -> String {
        self.key.clone()
    }
}

impl Record for Head {
    const KIND: &'static str = "head";
    const SCHEMA_VERSION: u32 = 1;
    fn key(&self) -> String {
        self.task.clone()
    }
}

/// Parent of the rows of a round.
pub(crate) fn round_name(round: usize) -> String {
    format!("round{round:03}")
}

/// The head that a write's transaction also replaced.
pub(crate) fn task_of(key: &str) -> &str {
    key.rsplit_once('-').expect("a write's key ends in its number").0
}

/// What the process said it was told: keys of writes and names of blobs, in order.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) lines: Mutex<Vec<String>>,
    pub(crate) count: AtomicUsize,
}

/// If this process was started to write, writes until it is killed (or has done what it was told) and returns true.
pub(crate) fn write_if_told() -> bool {
    let Some(directory) = env::var_os(DIRECTORY) else { return false };
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let round = round_name(number(ROUND).expect("the round is given"));
    let limit = number(LIMIT).unwrap_or(usize::MAX);
    let data = DataDir::open(Path::new(&directory)).expect("the data directory can be opened after any crash");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime can be built");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let task = format!("{round}/{task:02}");
                tokio::spawn(write_on(data.store(), data.blobs(), here(), task, limit))
            })
            .collect();
        for task in tasks {
            task.await.expect("a writing task does not panic");
        }
    });
    true
}

async fn write_on(store: SharedStore, blobs: BlobStore, scope: Scope, task: String, limit: usize) {
    for number in 0..limit {
        let key = format!("{task}-{number:06}");
        let mut blob = None;
        if number % BLOB_EVERY == 1 {
            let content = Bytes::from(format!("content of {key}"));
            let digest = blobs.put(content).await.expect("a blob can be put");
            say(&format!("ack blob {digest}"));
            blob = Some(digest);
        }
        let transaction = Transaction::new()
            .insert(&scope, &Left { key: key.clone(), blob })
            .put(&scope, &Head { task: task.clone(), key: key.clone() })
            .insert(&scope, &Right { key: key.clone() });
        store.commit(transaction).await.expect("a write succeeds");
        say(&format!("ack write {key}"));
    }
}

/// One line in one system call. When nobody reads any more, there is no more to prove.
#[expect(clippy::disallowed_methods, reason = "the process may end at any moment; that is what it is for")]
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// The command that starts this binary as a writer, for the test of that name, under a wrapper (such as a tracer) if given.
pub(crate) fn command(wrapper: &[&str], test: &str, directory: &Path, round: usize, limit: Option<usize>) -> Command {
    let this = env::current_exe().expect("a test binary has a path");
    let mut command = match wrapper {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).env(ROUND, round.to_string()).stdout(Stdio::piped()).stdin(Stdio::null());
    if let Some(limit) = limit {
        command.env(LIMIT, limit.to_string());
    }
    command
}

/// Collects what the process acknowledges, on a thread of its own, until its output ends.
pub(crate) fn listen(child: &mut Child) -> (Arc<Acknowledged>, JoinHandle<()>) {
    let acknowledged = Arc::new(Acknowledged::default());
    let (collect, output) = (Arc::clone(&acknowledged), child.stdout.take().expect("the output is a pipe"));
    let thread = std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|length| length > 0) {
            // A line without its end was cut off by a kill: not acknowledged.
            if let Some((_, what)) = line.strip_suffix('\n').and_then(|line| line.split_once("ack ")) {
                collect.lines.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
                collect.count.fetch_add(1, Ordering::Relaxed);
            }
            line.clear();
        }
    });
    (acknowledged, thread)
}
