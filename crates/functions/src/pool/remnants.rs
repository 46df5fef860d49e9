//! What is left of an environment that its function's failure has ended, by a timeout or a crash: its `/tmp`, which the next
//! one to be started takes over. On AWS that is the same environment, initialized anew.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::sandbox::{Process, Remains};
use crate::version::Version;

/// How many are kept at most, of one version: each may be as large as `EphemeralStorage`, in memory.
const MOST: usize = 4;

/// How long one is kept: as long as an environment waits for its next call.
const PATIENCE: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Remnants(Mutex<VecDeque<(Instant, Remains)>>);

impl Remnants {
    /// Keeps what is left of a process's environment for the version's next.
    pub(super) fn leave(version: &Arc<Version>, process: &Process) {
        // A thread that ends has no use for it any more.
        let (false, Ok(runtime)) = (version.is_retired(), Handle::try_current()) else { return };
        let Some(remains) = process.remains() else { return };
        let mut kept = version.remnants.kept();
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), remains));
        drop(kept);
        let version = Arc::downgrade(version);
        runtime.spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            if let Some(version) = version.upgrade() {
                version.remnants.kept().retain(|(since, _)| since.elapsed() < PATIENCE);
            }
        });
    }

    /// The newest.
    pub(crate) fn take(&self) -> Option<Remains> {
        self.kept().pop_back().map(|(_, remains)| remains)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Instant, Remains)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
