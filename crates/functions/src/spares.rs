//! Spares: interpreters that are started and sandboxed beforehand and wait to be told which function they are.
//!
//! To start an interpreter takes ten times as long as to load a small handler. So one that a function has taken, or could
//! have taken had it been there, is followed by another of its kind, which waits in an environment without code. A
//! function that takes it has its code and layers appear there, and sends its variables; the bootstrap then loads the
//! handler as ever. Nothing of one function ever gets into another's interpreter: a spare serves one function, once.
//!
//! At most one of a kind and four in all wait, each for as long as environments do. A kind is what must be as it is when
//! the process starts: the interpreter, its options, the limits. What else must be there at that time (the function's own
//! `NODE_OPTIONS`, libraries in `lib`, wrappers, extensions) makes a function start its interpreter itself.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::runtime::Handle;

use crate::sandbox::{Contents, Launch, Spawner, Started, Surroundings};

/// How many wait at most.
const AT_MOST: usize = 4;

/// How long after a function has begun to start the next spare does: it must not take the function's processor time.
const PAUSE: Duration = Duration::from_millis(100);

/// The kind of the frame that tells a spare which function it is.
const BECOME: u8 = 2;

/// The variables that are read when the process starts. The first are ours, and the same for all functions.
const AT_START: [&str; 7] = ["PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "LC_CTYPE", "NODE_PATH"];
const AT_START_BEGIN: [&str; 8] = ["NODE_", "PYTHON", "LD_", "LC_", "UV_", "MALLOC_", "GLIBC_", "OPENSSL_"];

/// What is the same for all functions that may take a spare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The interpreter, waiting.
    pub(crate) launch: Launch,
    /// The size of `/tmp`, in MB.
    pub(crate) temporary_mb: u32,
}

/// See the module.
pub(crate) struct Spares {
    shared: Arc<Shared>,
}

struct Shared {
    spawner: Spawner,
    control: Handle,
    idle_for: Duration,
    /// Nothing when there are to be none.
    waiting: Mutex<Option<Vec<Spare>>>,
}

struct Spare {
    /// The environment's.
    number: u64,
    kind: Kind,
    /// Nothing while it is being started.
    started: Option<Started>,
}

/// Whether a function could take a spare as far as its variables and files go.
pub(crate) fn is_fit(own_variables: &[(String, String)], contents: &Contents) -> bool {
    let at_start = |name: &str| AT_START.contains(&name) || AT_START_BEGIN.iter().any(|begin| name.starts_with(begin));
    // The dynamic linker forgets about folders that are not there when it first looks.
    let has_libraries = |tree: &Path| tree.join("lib").is_dir();
    !own_variables.iter().any(|(name, _)| at_start(name))
        && !has_libraries(&contents.code)
        && !contents.opt.as_deref().is_some_and(has_libraries)
}

/// Parts a function's variables into those that its spare has been started with and those that are sent to it.
pub(crate) fn part(variables: &[(String, String)]) -> [Vec<(String, String)>; 2] {
    let (at_start, sent) = variables.iter().cloned().partition(|(name, _)| AT_START.contains(&name.as_str()));
    [at_start, sent]
}

impl Spares {
    /// None wait before the first function has been started.
    pub(crate) fn new(spawner: Spawner, control: Handle, idle_for: Duration, are_wanted: bool) -> Spares {
        let waiting = Mutex::new(are_wanted.then(Vec::new));
        Spares { shared: Arc::new(Shared { spawner, control, idle_for, waiting }) }
    }

    /// Whether there may be any.
    pub(crate) fn are_wanted(&self) -> bool {
        self.shared.waiting().is_some()
    }

    /// Ends all, for good.
    pub(crate) fn close(&self) {
        drop(self.shared.waiting().take());
    }

    /// Takes one that waits, and has another started.
    pub(crate) fn take(&self, kind: &Kind, surroundings: Surroundings) -> Option<Started> {
        let taken = {
            let mut waiting = self.shared.waiting();
            let waiting = waiting.as_mut()?;
            let found = waiting.iter().position(|spare| spare.kind == *kind);
            // One that is being started is still on its way to whoever comes next.
            match found.map(|place| waiting[place].started.is_some()) {
                Some(false) => return None,
                Some(true) => found.and_then(|place| waiting.remove(place).started),
                None => None,
            }
        };
        self.shared.replace(kind.clone(), surroundings);
        taken.filter(is_waiting)
    }

    /// Tells a spare which function it is. Blocks for a moment.
    ///
    /// # Errors
    /// The system's; the spare is of no use then.
    pub(crate) fn settle(
        &self,
        started: &Started,
        contents: Contents,
        variables: Vec<(String, String)>,
    ) -> io::Result<()> {
        let variables: serde_json::Map<_, _> =
            variables.into_iter().map(|(name, value)| (name, value.into())).collect();
        let text = serde_json::to_vec(&variables)?;
        let length = u32::try_from(1 + text.len()).map_err(io::Error::other)?;
        let frame = [&length.to_le_bytes()[..], &[BECOME], &text].concat();
        self.shared.spawner.furnish(&started.process, contents)?;
        // Small beside the socket's buffer, which is empty.
        (&started.socket).write_all(&frame)
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Option<Vec<Spare>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(self: &Arc<Self>, kind: Kind, surroundings: Surroundings) {
        let number = surroundings.number;
        let given_up = {
            let mut waiting = self.waiting();
            let Some(waiting) = waiting.as_mut() else { return };
            waiting.push(Spare { number, kind: kind.clone(), started: None });
            (waiting.len() > AT_MOST).then(|| waiting.remove(0))
        };
        drop(given_up);
        let shared = Arc::clone(self);
        self.control.spawn(async move {
            tokio::time::sleep(PAUSE).await;
            let starter = Arc::clone(&shared);
            let started = shared.control.spawn_blocking(move || starter.spawner.start(kind.launch, surroundings)).await;
            let has_started = match started {
                Ok(Ok(started)) => shared.add(number, started),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "no interpreter can be started beforehand");
                    false
                }
                Err(_) => false,
            };
            if has_started {
                tokio::time::sleep(shared.idle_for).await;
            }
            shared.remove(number);
        });
    }

    /// Puts one that has started to the others; false if it is no longer wanted.
    fn add(&self, number: u64, started: Started) -> bool {
        let mut waiting = self.waiting();
        let place = waiting.iter_mut().flatten().find(|spare| spare.number == number);
        match place {
            Some(spare) => {
                spare.started = Some(started);
                true
            }
            None => false,
        }
    }

    fn remove(&self, number: u64) {
        let mut waiting = self.waiting();
        let removed = waiting.as_mut().and_then(|waiting| {
            let place = waiting.iter().position(|spare| spare.number == number)?;
            Some(waiting.remove(place))
        });
        drop(waiting);
        drop(removed);
    }
}

/// Whether it has neither ended nor said anything.
fn is_waiting(started: &Started) -> bool {
    let mut byte = [0_u8];
    matches!(
        rustix::net::recv(&started.socket, &mut byte[..], RecvFlags::DONTWAIT | RecvFlags::PEEK),
        Err(rustix::io::Errno::AGAIN)
    )
}

#[cfg(test)]
impl Spares {
    /// How many wait and could be taken.
    pub(crate) fn count(&self) -> usize {
        self.shared.waiting().iter().flatten().filter(|spare| spare.started.as_ref().is_some_and(is_waiting)).count()
    }

    /// Ends those that wait.
    pub(crate) fn end_all(&self) {
        drop(self.shared.waiting().as_mut().map(std::mem::take));
    }

    /// Ends the processes of those that wait, which nobody notes.
    pub(crate) fn kill_all(&self) {
        self.shared.waiting().iter().flatten().filter_map(|spare| spare.started.as_ref()).for_each(|started| {
            started.process.kill();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_there_at_the_start_is_no_spares_business() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents { code: folder.path().to_owned(), opt: None };
        let fits = |name: &str| is_fit(&[(name.to_owned(), "x".to_owned())], &contents);
        assert!(fits("TABLE") && fits("AWS_REGION") && fits("LDAP"));
        for name in ["NODE_OPTIONS", "PYTHONPATH", "LD_PRELOAD", "TZ", "LANG", "LC_ALL", "PATH"] {
            assert!(!fits(name), "{name}");
        }
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        assert!(!fits("TABLE"));
    }
}
