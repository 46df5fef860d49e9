//! The sync proof: a trace of the writer's system calls shows that the disk was told to keep each write before the writer
//! was told that it is kept. A kill cannot show this, for the kernel keeps what a killed process wrote; a power cut does not.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use crate::writer_process::{command, listen, write_if_told};

/// Writes of each of the writer's tasks.
const WRITES: usize = 12;

/// A system call, in the order of the trace: from the line where it began to the line where it returned.
struct Call {
    name: String,
    /// As the tracer prints them: descriptors with their path, buffers with their bytes.
    arguments: String,
    began: usize,
    returned: usize,
}

#[test]
fn the_disk_is_synced_before_a_write_is_acknowledged() {
    if write_if_told() {
        return;
    }
    let tracer = Command::new("strace").arg("--version").output();
    assert!(
        tracer.is_ok_and(|output| output.status.success()),
        "this test needs strace; on Debian and Ubuntu: `apt-get install strace`"
    );
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let calls = "trace=fdatasync,fsync,pwrite64,write,rename,renameat,renameat2";
    let output = trace.to_str().expect("temporary folders have plain names");
    // -f: all threads; -y: paths of descriptors; -s: buffers as long as a page of the database.
    let wrapper = ["strace", "-f", "-y", "-s", "5000", "-e", calls, "-e", "signal=none", "-o", output];
    let test = "sync_proof::the_disk_is_synced_before_a_write_is_acknowledged";
    let mut child = command(&wrapper, test, &folder.path().join("data"), 0, Some(WRITES)).spawn().unwrap();
    let (acknowledged, listener) = listen(&mut child);
    let status = child.wait().unwrap();
    listener.join().unwrap();
    assert!(status.success(), "the traced writer failed: {status}");

    let calls = read_trace(&fs::read_to_string(&trace).unwrap());
    let lines = acknowledged.lines.lock().unwrap();
    let (mut writes, mut blobs) = (0, 0);
    for line in lines.iter() {
        let told = find(&calls, 0, |call| call.name == "write" && call.arguments.contains(&format!("ack {line}\\n")));
        let told = told.unwrap_or_else(|| panic!("the trace does not show the acknowledgement of {line}"));
        match line.split_once(' ') {
            Some(("write", key)) => {
                check_write(&calls, key, told);
                writes += 1;
            }
            Some(("blob", digest)) => {
                check_blob(&calls, digest, told);
                blobs += 1;
            }
            _ => panic!("not a line of the writer: {line}"),
        }
    }
    assert_eq!((writes, blobs), (8 * WRITES, 8));
    let syncs = calls.iter().filter(|call| is_sync(call) && call.arguments.contains("state.sqlite-wal>")).count();
    assert!(syncs < writes, "{syncs} syncs for {writes} writes: nothing was committed as a group");
    println!("{writes} writes, {blobs} blobs, {syncs} syncs of the log, each before its acknowledgement");
}

/// The log is synced between the first write into it that carries the key and the acknowledgement. Every frame of the
/// transaction lies before that sync, for the next sync is the one of its own COMMIT.
fn check_write(calls: &[Call], key: &str, told: &Call) {
    let logged = find(calls, 0, |call| {
        call.name == "pwrite64" && call.arguments.contains("state.sqlite-wal>") && call.arguments.contains(key)
    });
    let logged = logged.unwrap_or_else(|| panic!("{key} is acknowledged, but was not written to the log"));
    let synced = find(calls, logged.returned, |call| is_sync(call) && call.arguments.contains("state.sqlite-wal>"));
    let synced = synced.unwrap_or_else(|| panic!("the log was not synced after {key}"));
    assert!(synced.returned < told.began, "{key} was acknowledged before the log was synced");
}

/// The file is synced, then gets its name, then the folder is synced, then it is acknowledged.
fn check_blob(calls: &[Call], digest: &str, told: &Call) {
    let renamed = find(calls, 0, |call| call.name.starts_with("rename") && call.arguments.contains(digest));
    let renamed = renamed.unwrap_or_else(|| panic!("{digest} is acknowledged, but has no name"));
    let incoming = renamed.arguments.split('"').nth(1).expect("a rename names its source");
    let file = find(calls, 0, |call| is_sync(call) && call.arguments.contains(&format!("{incoming}>")));
    let file = file.unwrap_or_else(|| panic!("{incoming} was not synced"));
    assert!(file.returned < renamed.began, "{digest} was named before it was synced");
    let target = renamed.arguments.split('"').nth(3).expect("a rename names its target");
    let folder = target.rsplit_once('/').expect("a blob is in a folder").0;
    let folder = find(calls, renamed.returned, |call| is_sync(call) && call.arguments.contains(&format!("{folder}>")));
    let folder = folder.unwrap_or_else(|| panic!("the folder of {digest} was not synced"));
    assert!(folder.returned < told.began, "{digest} was acknowledged before its folder was synced");
}

fn is_sync(call: &Call) -> bool {
    matches!(call.name.as_str(), "fsync" | "fdatasync")
}

/// The first call of that kind that began after that line.
fn find(calls: &[Call], after: usize, wanted: impl Fn(&Call) -> bool) -> Option<&Call> {
    calls.iter().filter(|call| call.began >= after && wanted(call)).min_by_key(|call| call.began)
}

/// Reads a trace of several threads. A call during which another thread made one is printed as two lines,
/// `12 fsync(7</a> <unfinished ...>` and `12 <... fsync resumed>) = 0`. Failed calls are left out.
fn read_trace(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, (&str, usize)> = HashMap::new();
    for (line_number, line) in text.lines().enumerate() {
        let Some((thread, line)) = line.split_once(' ') else { continue };
        let line = line.trim_start();
        if let Some(start) = line.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (start, line_number));
            continue;
        }
        let (text, began) = match line.strip_prefix("<... ") {
            Some(rest) => {
                let Some((start, began)) = unfinished.remove(thread) else { continue };
                let end = rest.split_once(" resumed>").map_or("", |(_, end)| end);
                (format!("{start}{end}"), began)
            }
            None => (line.to_owned(), line_number),
        };
        let Some((name, rest)) = text.split_once('(') else { continue };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        if !result.starts_with('-') {
            let (name, arguments) = (name.to_owned(), arguments.to_owned());
            calls.push(Call { name, arguments, began, returned: line_number });
        }
    }
    calls
}
