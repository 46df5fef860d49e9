//! Layer: memory. A thread samples what an environment's processes use together and ends what exceeds its `MemorySize`.
//!
//! The resource limits bound one process; this bounds the sum. First the sum of resident pages is taken, which is cheap but
//! counts shared pages (the interpreter's) once for each process; only when that exceeds the limit are they shared out. An
//! environment whose use hardly changes is looked at less and less often, so that many idle ones cost little. Where the
//! kernel counts for a control group what it uses, nothing else is asked as long as that is below the limit.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags};

use super::cgroup::{self, Group};
use super::limits::INTERPRETER_BYTES;
use super::process::Environment;

/// How often an environment is looked at: at first and while its use changes, and at last.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_millis(800);

/// A handle to the thread: where environments are put that it has not seen yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Supervisor {
    new: Arc<Mutex<Vec<Watched>>>,
}

#[derive(Debug)]
struct Watched {
    environment: Weak<Environment>,
    /// The number of its group.
    group: Option<u64>,
    limit: u64,
    used: u64,
    due: Instant,
    pause: Duration,
}

impl Supervisor {
    /// Starts the thread, which ends with the last handle. `group` is the one that those of environments are in, where the
    /// kernel counts their memory.
    pub(super) fn start(group: Option<&Arc<Group>>) -> std::io::Result<Supervisor> {
        let supervisor = Supervisor::default();
        let new = Arc::downgrade(&supervisor.new);
        let group = group.map(Arc::downgrade);
        std::thread::Builder::new().name("function-memory".to_owned()).spawn(move || watch(&new, group.as_ref()))?;
        Ok(supervisor)
    }

    /// Watches an environment until it ends.
    pub(super) fn add(&self, environment: &Arc<Environment>, group: Option<u64>, memory_mb: u32) {
        let watched = Watched {
            environment: Arc::downgrade(environment),
            group,
            limit: (u64::from(memory_mb) << 20) + INTERPRETER_BYTES,
            used: 0,
            due: Instant::now() + SOONEST,
            pause: SOONEST,
        };
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    }
}

fn watch(new: &Weak<Mutex<Vec<Watched>>>, group: Option<&Weak<Group>>) {
    let mut all: Vec<Watched> = Vec::new();
    while let Some(added) = new.upgrade() {
        all.append(&mut added.lock().unwrap_or_else(PoisonError::into_inner));
        drop(added);
        let now = Instant::now();
        all.retain_mut(|watched| watched.due > now || watched.look(now, group));
        std::thread::park_timeout(SOONEST);
    }
}

impl Watched {
    /// Looks at an environment; false when it is gone.
    fn look(&mut self, now: Instant, group: Option<&Weak<Group>>) -> bool {
        let Some(environment) = self.environment.upgrade() else { return false };
        let used = group
            .and_then(|group| charged(group.upgrade()?.as_ref(), self.group?))
            .filter(|charged| *charged <= self.limit)
            .unwrap_or_else(|| total(&environment.proc, resident));
        if used > self.limit && total(&environment.proc, proportional) > self.limit {
            tracing::info!(used, limit = self.limit, "a function's processes use more memory than it has");
            environment.kill();
            return false;
        }
        self.pause = if used.abs_diff(self.used) < self.limit / 32 { (self.pause * 2).min(LATEST) } else { SOONEST };
        self.used = used;
        self.due = now + self.pause;
        true
    }
}

/// What the kernel counts for an environment: its memory, but also files of its `/tmp` and those it has read.
fn charged(group: &Group, number: u64) -> Option<u64> {
    let file = format!("{}/memory.current", cgroup::folder_name(number));
    cgroup::read(group.folder(), &file).ok()?.trim().parse().ok()
}

/// The sum over the environment's processes of what `measure` says, in bytes.
fn total(proc: &OwnedFd, measure: fn(&OwnedFd, &str) -> Option<u64>) -> u64 {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::openat(proc, ".", flags, Mode::empty()) else { return 0 };
    let Ok(entries) = Dir::new(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().to_str().ok()?;
            name.bytes().all(|byte| byte.is_ascii_digit()).then(|| measure(proc, name)).flatten()
        })
        .sum()
}

/// The resident memory of a process.
fn resident(proc: &OwnedFd, process: &str) -> Option<u64> {
    kilobytes(&read(proc, &format!("{process}/status"))?, "VmRSS:")
}

/// Its resident memory, of which pages that others have too are counted in part.
fn proportional(proc: &OwnedFd, process: &str) -> Option<u64> {
    kilobytes(&read(proc, &format!("{process}/smaps_rollup"))?, "Pss:")
}

/// The value of a line such as `Pss:  12 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

fn read(proc: &OwnedFd, path: &str) -> Option<String> {
    let opened = rustix::fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    File::from(opened).take(65_536).read_to_string(&mut text).ok()?;
    Some(text)
}
