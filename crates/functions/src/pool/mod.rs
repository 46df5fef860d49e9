//! The pool: each data thread's environments, most recently used first.
//!
//! A `Shard` is one thread's part and never leaves it. `acquire` takes a waiting environment or has one started; whoever
//! frees an environment first serves who waits longest, so a start that takes long delays nobody whom a freed
//! environment can serve, and a start that fails is told to one caller only.

mod channel;
mod companion;
mod crash_loop;
mod environment;
mod events;
mod frame;
mod freeze;
mod keep;
mod lease;
mod line;
mod output;
mod pace;
mod remnants;
mod report;
mod start;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::ids;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

pub(crate) use companion::cause;
pub(crate) use crash_loop::CrashLoop;
pub(crate) use environment::{Environment, NoAnswer};
pub(crate) use frame::{Answer, InvokeHeader, REQUEST_ID};
pub(crate) use lease::Lease;
pub(crate) use line::StartLine;
pub(crate) use remnants::Remnants;
pub(crate) use start::StartFailure;

use crate::engine::{Engine, Message};
use crate::invoke;
use crate::version::Version;
use environment::Life;
use lease::Abandoned;
use pace::{PATIENCE, Paces};

/// One data thread's environments.
pub(crate) struct Shard {
    pub(crate) engine: Arc<Engine>,
    thread: usize,
    idle: RefCell<HashMap<u64, Vec<Environment>>>,
    idle_count: Cell<usize>,
    waiting: RefCell<HashMap<u64, VecDeque<Waiter>>>,
    living: RefCell<Vec<Rc<Life>>>,
    abandoned: mpsc::UnboundedSender<Abandoned>,
    closing: Cell<bool>,
    randomness: RefCell<Randomness>,
    paces: Paces,
    nothing_to_freeze: Cell<bool>,
    something_to_freeze: Notify,
}

/// A call that stands in line.
struct Waiter {
    served: oneshot::Sender<Result<Environment, StartFailure>>,
    /// It only waits a moment for one of those that run, instead of taking another.
    patient: bool,
}

/// Where a call is to be run.
pub(crate) enum Place {
    /// Here.
    Here(Environment),
    /// On another thread, where an environment waits.
    Thread(usize),
}

impl Shard {
    /// Makes a thread's shard and starts its housekeeping. Must run inside the thread's local runtime.
    pub(crate) fn start(engine: Arc<Engine>, thread: usize) -> Rc<Shard> {
        let messages = engine.register(thread);
        let (abandoned, given_up) = mpsc::unbounded_channel();
        let shard = Rc::new(Shard {
            engine,
            thread,
            idle: RefCell::default(),
            idle_count: Cell::new(0),
            waiting: RefCell::default(),
            living: RefCell::default(),
            abandoned,
            closing: Cell::new(false),
            randomness: RefCell::default(),
            paces: Paces::default(),
            nothing_to_freeze: Cell::new(false),
            something_to_freeze: Notify::new(),
        });
        tokio::task::spawn_local(Rc::clone(&shard).serve(messages, given_up));
        tokio::task::spawn_local(Rc::clone(&shard).reap());
        tokio::task::spawn_local(Rc::clone(&shard).freeze());
        shard
    }

    /// Finds an environment for a version: one that waits here, or `Thread` where one waits elsewhere (unless
    /// `must_be_here`), or one that is freed or started meanwhile.
    pub(crate) async fn acquire(
        self: &Rc<Shard>,
        version: &Arc<Version>,
        must_be_here: bool,
    ) -> Result<Place, StartFailure> {
        if self.paces.is_worth_waiting(version.serial) {
            // One that runs is about to be free: cheaper than another process, woken or started.
            let began = self.paces.progress(version.serial);
            let freed = self.queue(version, true);
            if let Ok(Ok(served)) = tokio::time::timeout(PATIENCE, freed).await {
                return served.map(Place::Here);
            }
            self.paces.waited_in_vain(version.serial, began);
        }
        if let Some(environment) = self.take_idle(version) {
            return Ok(Place::Here(environment));
        }
        if !must_be_here
            && let Some(thread) = version.thread_with_idle()
            && thread != self.thread
        {
            return Ok(Place::Thread(thread));
        }
        if let Some(failure) = version.crash_loop.refusal(Instant::now()) {
            return Err(failure);
        }
        let served = self.queue(version, false);
        self.start_another(version);
        served.await.unwrap_or(Err(StartFailure::Unavailable("Frontgate is shutting down".to_owned()))).map(Place::Here)
    }

    /// Starts an environment for who waits first by then.
    fn start_another(self: &Rc<Shard>, version: &Arc<Version>) {
        let (shard, version) = (Rc::clone(self), Arc::clone(version));
        tokio::task::spawn_local(async move {
            match start::start(&shard, &version).await {
                Ok(environment) if environment.is_spent() => {
                    shard.tell_failure(&version, StartFailure::Exited(environment.life.status()));
                }
                Ok(environment) => shard.release(environment),
                Err(failure) => shard.tell_failure(&version, failure),
            }
        });
    }

    /// Takes an environment back: for who waits, else to wait itself, or to its end if it is no good any more.
    pub(crate) fn release(self: &Rc<Shard>, mut environment: Environment) {
        let serial = environment.version.serial;
        if environment.is_spent() {
            return self.end(environment);
        }
        // Where more run than are good for each other, those who can wait for one of these do.
        let patient_too = !self.paces.is_worth_waiting(serial);
        while let Some(waiter) = self.next_waiter(serial, patient_too) {
            // Counted from now on: others come before the caller knows.
            environment.begun = Some(self.paces.begin(serial));
            match waiter.served.send(Ok(environment)) {
                Ok(()) => return,
                // The caller has gone; the next one gets it.
                Err(Ok(back)) => {
                    environment = back;
                    environment.begun = None;
                }
                Err(Err(_)) => return,
            }
        }
        // Those who waited for a version that has been replaced meanwhile came before that, and have been served.
        if environment.version.is_retired() || self.closing.get() {
            return self.end(environment);
        }
        environment.idle_since = Instant::now();
        if self.nothing_to_freeze.take() {
            self.something_to_freeze.notify_one();
        }
        let counts = usize::from(!environment.kept);
        let version = Arc::clone(&environment.version);
        let mut idle = self.idle.borrow_mut();
        let waiting = idle.entry(serial).or_default();
        waiting.push(environment);
        version.set_idle(self.thread, waiting.len());
        drop(idle);
        self.idle_count.set(self.idle_count.get() + counts);
        if self.idle_count.get() > (self.engine.pool.idle_at_most / self.engine.thread_count()).max(1) {
            self.end_oldest();
        }
    }

    /// Ends an environment that nobody holds any more. Who waits may have waited for this one.
    pub(crate) fn end(self: &Rc<Shard>, environment: Environment) {
        let version = Arc::clone(&environment.version);
        drop(environment);
        if self.is_waited_for(version.serial) && !self.closing.get() {
            self.start_another(&version);
        }
    }

    /// A new request id, a UUID.
    pub(crate) fn request_id(&self) -> String {
        self.randomness.borrow_mut().uuid()
    }

    /// Leaves an environment whose caller has gone to finish its invocation.
    pub(crate) fn abandon(&self, abandoned: Abandoned) {
        // Nobody receives it when the thread is ending, and then the process ends too.
        let _ = self.abandoned.send(abandoned);
    }

    /// Notes a process that is to be ended with the shard.
    pub(crate) fn note(self: &Rc<Shard>, life: &Rc<Life>) {
        self.living.borrow_mut().push(Rc::clone(life));
    }

    /// Forgets a process that has ended, also if it was waiting for work.
    pub(crate) fn forget(&self, version: &Version, life: &Rc<Life>) {
        self.living.borrow_mut().retain(|living| !Rc::ptr_eq(living, life));
        self.drop_idle(version.serial, |environment| Rc::ptr_eq(&environment.life, life));
    }

    fn take_idle(&self, version: &Version) -> Option<Environment> {
        let mut idle = self.idle.borrow_mut();
        let waiting = idle.get_mut(&version.serial)?;
        let mut environment = waiting.pop()?;
        version.set_idle(self.thread, waiting.len());
        self.idle_count.set(self.idle_count.get() - usize::from(!environment.kept));
        environment.thaw();
        Some(environment)
    }

    /// Stands in line for the next environment of a version that is freed or started.
    fn queue(&self, version: &Version, patient: bool) -> oneshot::Receiver<Result<Environment, StartFailure>> {
        let (served, waits) = oneshot::channel();
        self.waiting.borrow_mut().entry(version.serial).or_default().push_back(Waiter { served, patient });
        waits
    }

    /// Whether somebody still stands in line for a version.
    pub(crate) fn is_waited_for(&self, serial: u64) -> bool {
        self.waiting.borrow().get(&serial).is_some_and(|line| line.iter().any(|waiter| !waiter.served.is_closed()))
    }

    fn next_waiter(&self, serial: u64, patient_too: bool) -> Option<Waiter> {
        let mut waiting = self.waiting.borrow_mut();
        let queue = waiting.get_mut(&serial)?;
        let waiter = queue.remove(queue.iter().position(|waiter| patient_too || !waiter.patient)?);
        if queue.is_empty() {
            waiting.remove(&serial);
        }
        waiter
    }

    fn tell_failure(&self, version: &Version, mut failure: StartFailure) {
        while let Some(waiter) = self.next_waiter(version.serial, true) {
            match waiter.served.send(Err(failure)) {
                Err(Err(back)) => failure = back,
                _ => return,
            }
        }
        tracing::debug!(
            function = &*version.settings.name,
            ?failure,
            "an environment that nobody waits for did not start"
        );
    }

    /// Ends the waiting environments of a version that `chosen` picks.
    fn drop_idle(&self, serial: u64, mut chosen: impl FnMut(&Environment) -> bool) {
        let mut idle = self.idle.borrow_mut();
        let Some(waiting) = idle.get_mut(&serial) else { return };
        let Some(version) = waiting.first().map(|first| Arc::clone(&first.version)) else {
            idle.remove(&serial);
            return;
        };
        let ended: Vec<Environment> = waiting.extract_if(.., |environment| chosen(environment)).collect();
        version.set_idle(self.thread, waiting.len());
        if waiting.is_empty() {
            idle.remove(&serial);
        }
        drop(idle);
        let counted = ended.iter().filter(|environment| !environment.kept).count();
        self.idle_count.set(self.idle_count.get() - counted);
        drop(ended);
    }

    fn end_oldest(&self) {
        let oldest = {
            let idle = self.idle.borrow();
            let oldest =
                |waiting: &[Environment]| Some(waiting.iter().find(|environment| !environment.kept)?.idle_since);
            idle.iter().filter_map(|(serial, waiting)| Some((oldest(waiting)?, *serial))).min()
        };
        if let Some((since, serial)) = oldest {
            let mut one = true;
            let is_it = |environment: &Environment| !environment.kept && environment.idle_since == since;
            self.drop_idle(serial, |environment| is_it(environment) && std::mem::take(&mut one));
        }
    }

    /// Does what other threads ask, and finishes what callers have left.
    async fn serve(
        self: Rc<Shard>,
        mut messages: mpsc::UnboundedReceiver<Message>,
        mut abandoned: mpsc::UnboundedReceiver<Abandoned>,
    ) {
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Message::Invoke(work)) => {
                        let shard = Rc::clone(&self);
                        tokio::task::spawn_local(async move { invoke::run_for_another(&shard, *work).await });
                    }
                    Some(Message::Stream(work)) => {
                        tokio::task::spawn_local(invoke::stream::run_here(Rc::clone(&self), *work));
                    }
                    Some(Message::Keep(provisioned)) => {
                        tokio::task::spawn_local(keep::keep(Rc::clone(&self), provisioned));
                    }
                    Some(Message::Retire(serial)) => {
                        self.drop_idle(serial, |_| true);
                        self.paces.forget(serial);
                    }
                    Some(Message::ShutDown(until, done)) => {
                        tokio::task::spawn_local(Rc::clone(&self).shut_down(until, done));
                    }
                    None => return,
                },
                Some(left) = abandoned.recv() => {
                    tokio::task::spawn_local(left.finish(Rc::clone(&self)));
                }
            }
        }
    }

    /// Ends environments that have waited long.
    async fn reap(self: Rc<Shard>) {
        let patience = self.engine.pool.idle_for;
        let mut tick = tokio::time::interval((patience / 4).max(Duration::from_millis(10)));
        loop {
            tick.tick().await;
            let now = Instant::now();
            let serials: Vec<u64> = self.idle.borrow().keys().copied().collect();
            for serial in serials {
                let waits_long = |environment: &Environment| now.duration_since(environment.idle_since) >= patience;
                self.drop_idle(serial, |environment| !environment.kept && waits_long(environment));
            }
        }
    }

    async fn shut_down(self: Rc<Shard>, until: Instant, done: oneshot::Sender<()>) {
        self.closing.set(true);
        let serials: Vec<u64> = self.idle.borrow().keys().copied().collect();
        for serial in serials {
            self.drop_idle(serial, |_| true);
        }
        while !self.living.borrow().is_empty() && Instant::now() < until {
            let first = self.living.borrow().first().cloned();
            if let Some(life) = first {
                // Whichever it is: all are looked at again.
                let _ = tokio::time::timeout_at(until, life.ended()).await;
                self.living.borrow_mut().retain(|life| life.is_running());
            }
        }
        for life in self.living.borrow().iter() {
            life.kill();
        }
        // Whoever asked may have stopped waiting.
        let _ = done.send(());
    }
}

/// Random bytes taken from the kernel for many ids at once: a system call an id would be a third of a call's own cost.
struct Randomness {
    bytes: [u8; 1024],
    used: usize,
}

impl Default for Randomness {
    fn default() -> Self {
        Randomness { bytes: [0; 1024], used: 1024 }
    }
}

impl Randomness {
    fn uuid(&mut self) -> String {
        let mut own = [0; 16];
        let Some(bytes) = self.bytes.get(self.used..self.used + own.len()) else {
            *self = Randomness { bytes: ids::random_bytes(), used: 0 };
            return self.uuid();
        };
        own.copy_from_slice(bytes);
        self.used += own.len();
        ids::uuid_of(own)
    }
}
