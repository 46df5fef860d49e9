//! The kill test: a writing process dies 200 times at random moments over one data directory; every write that it was told
//! of is there afterwards, and no transaction is there by half.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use store::DataDir;

use crate::suite::here;
use crate::writer_process::{Head, Left, Right, command, listen, round_name, task_of, write_if_told};

const KILLS: usize = 200;
/// Rounds between two looks at the directory; in between, the next writer itself opens what the killed one left.
const LOOK_EVERY: usize = 4;

#[test]
fn every_acknowledged_write_survives_200_kills() {
    if write_if_told() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    let mut checked = 0;
    for round in 0..KILLS {
        acknowledged.extend(write_and_kill(folder.path(), round));
        if round % LOOK_EVERY == LOOK_EVERY - 1 {
            look(folder.path(), round + 1 - LOOK_EVERY..round + 1, &acknowledged[checked..]);
            checked = acknowledged.len();
        }
    }
    look(folder.path(), 0..KILLS, &acknowledged);
    assert!(acknowledged.len() > KILLS * 10, "only {} writes were acknowledged", acknowledged.len());
    println!("{KILLS} kills, {} acknowledged writes and blobs", acknowledged.len());
}

/// Runs a writer, kills it, and returns what it had been told.
#[expect(
    clippy::disallowed_methods,
    reason = "it polls with a deadline, and then waits for a moment that must be random"
)]
fn write_and_kill(directory: &Path, round: usize) -> Vec<String> {
    let test = "kill::every_acknowledged_write_survives_200_kills";
    let mut child = command(&[], test, directory, round, None).spawn().unwrap();
    let (acknowledged, listener) = listen(&mut child);
    let random = getrandom::u64().unwrap();
    // One in eight dies at a moment of its start; the others after some acknowledged writes and a moment more.
    let moment = if random.is_multiple_of(8) {
        Duration::from_micros(random >> 8 & 0x7FFF)
    } else {
        let awaited = (random >> 8) as usize % 100;
        let deadline = Instant::now() + Duration::from_secs(60);
        while acknowledged.count.load(Ordering::Relaxed) < awaited {
            assert!(Instant::now() < deadline, "round {round}: the writer does not write");
            assert!(child.try_wait().unwrap().is_none(), "round {round}: the writer ended by itself");
            std::thread::sleep(Duration::from_micros(200));
        }
        Duration::from_micros(random >> 32 & 0xFFF)
    };
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
    listener.join().unwrap();
    std::mem::take(&mut *acknowledged.lines.lock().unwrap())
}

/// Opens the directory and checks the rows of some rounds, and what was acknowledged in them.
fn look(directory: &Path, rounds: std::ops::Range<usize>, acknowledged: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let data = DataDir::open(directory).unwrap();
    let (store, blobs, scope) = (data.store(), data.blobs(), here());
    runtime.block_on(async {
        let mut present = BTreeSet::new();
        for round in rounds {
            let name = round_name(round);
            let left = store.list::<Left>(&scope, &name, None, usize::MAX).await.unwrap();
            let right = store.list::<Right>(&scope, &name, None, usize::MAX).await.unwrap();
            let keys: Vec<_> = left.iter().map(|row| (&row.record.key, row.revision)).collect();
            let twins: Vec<_> = right.iter().map(|row| (&row.record.key, row.revision)).collect();
            assert_eq!(keys, twins, "half a transaction is there");
            // A task's head names the last of its rows.
            let heads = store.list::<Head>(&scope, &name, None, usize::MAX).await.unwrap();
            let mut last_of_task = std::collections::BTreeMap::new();
            for (key, revision) in keys {
                last_of_task.insert(task_of(key), (key, revision));
            }
            let heads: Vec<_> = heads.iter().map(|row| (&row.record.key, row.revision)).collect();
            assert_eq!(heads, last_of_task.into_values().collect::<Vec<_>>());
            for row in &left {
                if let Some(digest) = row.record.blob {
                    let content = blobs.get(digest).await.unwrap().expect("the blob of a row is there");
                    assert_eq!(content, format!("content of {}", row.record.key));
                }
            }
            present.extend(left.into_iter().map(|row| row.record.key));
        }
        for line in acknowledged {
            match line.split_once(' ') {
                Some(("write", key)) => assert!(present.contains(key), "acknowledged, but lost: {key}"),
                Some(("blob", digest)) => {
                    assert!(blobs.path(digest.parse().unwrap()).is_file(), "acknowledged, but lost: {digest}");
                }
                _ => panic!("not a line of the writer: {line}"),
            }
        }
    });
}
