//! Provisioned concurrency: environments that are started beforehand and kept.
//!
//! They are environments of a version of their own, a sibling of the one they are provisioned for with the initialization
//! type `provisioned-concurrency`, so that the pool need not tell them from others. One task each (`pool::keep`) starts
//! one and starts it anew when it ends. A change is made ready beside what is in service and takes its place when all of
//! it is there; until then calls are served as before.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;

use super::Places;
use crate::engine::{Engine, Message};
use crate::version::{Version, VersionSettings};

/// Environments provisioned for a version.
#[derive(Debug)]
pub(crate) struct Provisioned {
    /// What they run.
    pub(crate) version: Arc<Version>,
    /// One for each that is there.
    pub(crate) places: Places,
    of: std::sync::Weak<Version>,
    wanted: usize,
    /// Which change of the settings it was made for.
    change: u64,
    failure: OnceLock<&'static str>,
}

/// What is provisioned for a version.
#[derive(Debug, Default)]
pub(crate) struct Provisioning {
    in_service: ArcSwapOption<Provisioned>,
    /// What is being made ready, or has failed to be.
    next: Mutex<Option<Arc<Provisioned>>>,
}

/// How far provisioning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// All are there.
    Ready,
    /// They are being started.
    InProgress,
    /// They could not be started: `StatusReason`.
    Failed(&'static str),
}

/// What GetProvisionedConcurrencyConfig tells of the environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allocation {
    /// How many are there.
    pub(crate) allocated: usize,
    /// Whether that is all.
    pub(crate) status: Status,
}

impl Provisioning {
    /// What calls are served by; nothing is locked.
    pub(crate) fn in_service(&self) -> Option<Arc<Provisioned>> {
        let in_service = self.in_service.load();
        in_service.as_ref().map(Arc::clone)
    }

    /// How far it is.
    pub(crate) fn allocation(&self) -> Allocation {
        let next = self.lock();
        let in_service = self.in_service.load();
        let allocated = in_service.as_ref().map_or(0, |provisioned| provisioned.places.limit());
        let status = match (&*next, in_service.is_some()) {
            (Some(next), _) => next.failure.get().map_or(Status::InProgress, |reason| Status::Failed(reason)),
            (None, true) => Status::Ready,
            (None, false) => Status::InProgress,
        };
        Allocation { allocated, status }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Provisioned>>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to it that `wanted` environments are provisioned for a version. `change` tells one setting from the next.
pub(crate) fn provision(engine: &Engine, version: &Arc<Version>, wanted: usize, change: u64) {
    let provisioning = &version.provisioning;
    let mut next = provisioning.lock();
    let serves = |wanted: usize| provisioning.in_service().map_or(0, |serving| serving.wanted) == wanted;
    match next.take() {
        Some(pending) if pending.wanted == wanted && (pending.failure.get().is_none() || pending.change == change) => {
            *next = Some(pending);
            return;
        }
        Some(given_up) => engine.retire(&given_up.version),
        None => {}
    }
    if serves(wanted) {
        return;
    }
    if wanted == 0 {
        if let Some(ended) = provisioning.in_service.swap(None) {
            engine.retire(&ended.version);
        }
        return;
    }
    let provisioned = Arc::new(Provisioned::new(engine, version, wanted, change));
    *next = Some(Arc::clone(&provisioned));
    drop(next);
    for slot in 0..wanted {
        engine.send_when_there(slot % engine.thread_count(), Message::Keep(Arc::clone(&provisioned)));
    }
}

impl Provisioned {
    fn new(engine: &Engine, of: &Arc<Version>, wanted: usize, change: u64) -> Provisioned {
        let settings = VersionSettings { initialization: "provisioned-concurrency", ..of.settings.clone() };
        let version = Version::new(settings, Arc::clone(&of.places), engine.thread_count());
        Provisioned {
            version: Arc::new(version),
            places: Places::new(0),
            of: Arc::downgrade(of),
            wanted,
            change,
            failure: OnceLock::new(),
        }
    }

    /// Whether its environments are to be kept.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.version.is_retired() && self.failure.get().is_none()
    }

    /// Notes that one more environment waits; when it is the last of them, they are put in service.
    pub(crate) fn add(self: &Arc<Self>, engine: &Engine) {
        let is_complete = self.places.add() >= self.wanted;
        let Some(of) = self.of.upgrade().filter(|_| is_complete) else { return };
        let mut next = of.provisioning.lock();
        if next.as_ref().is_some_and(|next| Arc::ptr_eq(next, self)) {
            *next = None;
            if let Some(before) = of.provisioning.in_service.swap(Some(Arc::clone(self))) {
                engine.retire(&before.version);
            }
        }
    }

    /// Notes that an environment has ended.
    pub(crate) fn remove(&self) {
        self.places.remove();
    }

    /// Whether it has never been in service, so that a function that does not start makes it fail.
    pub(crate) fn is_new(self: &Arc<Self>) -> bool {
        let Some(of) = self.of.upgrade() else { return false };
        let next = of.provisioning.lock();
        next.as_ref().is_some_and(|next| Arc::ptr_eq(next, self))
    }

    /// Gives up: the function does not start.
    pub(crate) fn fail(&self, engine: &Engine, reason: &'static str) {
        if self.failure.set(reason).is_ok() {
            engine.retire(&self.version);
        }
    }
}
