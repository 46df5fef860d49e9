//! What stands beside an environment whose processes speak HTTP: the Runtime API, the extensions' programs, and the order
//! in which they start and end.
//!
//! As on AWS the extensions start first and the runtime when all of them have registered; at the end the runtime goes
//! first (SIGTERM), then the extensions are told, and what is left after two seconds is killed.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::environment::{Environment, GRACE, Life};
use super::output::Output;
use super::start::{StartFailure, stream, unavailable};
use super::{Shard, report};
use crate::engine::Slow;
use crate::invoke::signal_name;
use crate::package::WorkingCopy;
use crate::runtime_api::{Desk, Door, Failure, Introduction, RuntimeApi};
use crate::sandbox::{Launch, Process, Started};
use crate::version::Version;

/// How long an environment may take to end, by whether an extension is a process of its own.
const EXTERNAL: Duration = Duration::from_millis(2000);
const INTERNAL: Duration = Duration::from_millis(500);

/// See the module. It ends with its environment.
pub(crate) struct Companion {
    desk: Rc<Desk>,
    /// Why everything ends, once it does.
    reason: Cell<Option<&'static str>>,
    ending: Notify,
    runtime: RefCell<Option<Rc<Life>>>,
    extensions: RefCell<Vec<(String, Rc<Life>)>>,
    relay: RefCell<Option<JoinHandle<()>>>,
    /// In which the programs run, where the runtime's is not the first of them.
    place: Option<Arc<Process>>,
}

/// Ends everything, should the start come to nothing.
struct Unless(Option<Rc<Companion>>);

impl Drop for Unless {
    fn drop(&mut self) {
        if let Some(companion) = self.0.take() {
            companion.end("failure");
        }
    }
}

/// Starts the extensions, then the runtime.
pub(super) async fn bring_up(
    shard: &Rc<Shard>,
    version: &Arc<Version>,
    slow: Slow,
    (copy, log_stream): (WorkingCopy, String),
    until: Instant,
) -> Result<Environment, StartFailure> {
    let Slow { place, api, socket, introduction, extensions, runtime, entrypoint } = slow;
    let place = Arc::new(place);
    let failed = |error: io::Error| unavailable(version, format!("cannot speak to the function's process: {error}"));
    let (desk, serving) = match api.serve(introduction) {
        Ok(served) => served,
        Err(error) => {
            shard.engine.control.spawn_blocking(move || copy.remove());
            return Err(failed(error));
        }
    };
    let companion = Companion::new(&desk, Some(Arc::clone(&place)));
    tokio::task::spawn_local(Rc::clone(&companion).watch(Rc::downgrade(shard), serving, Some(copy)));
    let mut unless = Unless(Some(Rc::clone(&companion)));
    for (name, launch) in extensions {
        let started = launched(shard, &place, launch).await.map_err(|error| {
            let message = format!("fork/exec /opt/extensions/{name}: {}", cause(&error));
            StartFailure::Platform(Failure { kind: "Extension.LaunchError".to_owned(), message })
        })?;
        follow(shard, version, started.output, &log_stream).map_err(failed)?;
        let life = Life::watch(started.process).map_err(failed)?;
        remember(shard, version, &life);
        companion.mind(name, life);
    }
    match timeout_at(until, desk.registered()).await {
        Ok(registered) => registered.map_err(StartFailure::Platform)?,
        Err(_) => return Err(StartFailure::TimedOut),
    }
    let invalid =
        |message: String| StartFailure::Platform(Failure { kind: "Runtime.InvalidEntrypoint".to_owned(), message });
    let told = |error: &io::Error| entrypoint.told(error);
    if let Some(fault) = entrypoint.fault.clone() {
        return Err(invalid(fault));
    }
    let started = launched(shard, &place, runtime).await.map_err(|error| match told(&error) {
        Some(message) => invalid(message),
        None => unavailable(version, format!("cannot start the function's process: {error}")),
    })?;
    let output = follow(shard, version, started.output, &log_stream).map_err(failed)?;
    if output.is_kept() {
        output.platform_event(report::init_start(&version.settings, shard.engine.clock.now()));
    }
    let mut environment = Environment::adopt(started.process, socket, Arc::clone(version), output).map_err(failed)?;
    remember(shard, version, &environment.life);
    *companion.runtime.borrow_mut() = Some(Rc::clone(&environment.life));
    if entrypoint.speaks_frames {
        let socket = tokio::net::UnixStream::from_std(started.socket).map_err(failed)?;
        *companion.relay.borrow_mut() = Some(tokio::task::spawn_local(desk.relay(socket)));
    }
    environment.companion = unless.0.take();
    Ok(environment)
}

/// Comes to the side of an environment that has been started alone, because its function asks for the Runtime API while it
/// loads: to register internal extensions. Its frames pass through the desk from now on.
pub(super) fn join(shard: &Rc<Shard>, version: &Version, environment: &mut Environment, door: Door) -> io::Result<()> {
    let (api, socket) = RuntimeApi::behind(door)?;
    let (desk, serving) = api.serve(Introduction::of(&version.settings))?;
    let to_bootstrap = match environment.reroute(socket).and_then(tokio::net::UnixStream::from_std) {
        Ok(to_bootstrap) => to_bootstrap,
        Err(error) => {
            serving.abort();
            return Err(error);
        }
    };
    let companion = Companion::new(&desk, None);
    *companion.runtime.borrow_mut() = Some(Rc::clone(&environment.life));
    *companion.relay.borrow_mut() = Some(tokio::task::spawn_local(desk.relay(to_bootstrap)));
    tokio::task::spawn_local(Rc::clone(&companion).watch(Rc::downgrade(shard), serving, None));
    environment.companion = Some(companion);
    Ok(())
}

async fn launched(shard: &Shard, place: &Arc<Process>, launch: Launch) -> io::Result<Started> {
    let place = Arc::clone(place);
    shard.engine.control.spawn_blocking(move || place.start(launch)).await.map_err(io::Error::other)?
}

fn follow(
    shard: &Shard,
    version: &Arc<Version>,
    output: std::os::fd::OwnedFd,
    log_stream: &str,
) -> io::Result<Rc<Output>> {
    let output = Output::new(output, Arc::clone(version), stream(shard, version, log_stream))?;
    tokio::task::spawn_local(Rc::clone(&output).follow());
    Ok(output)
}

/// Has the shard end a process that outlives it.
fn remember(shard: &Rc<Shard>, version: &Arc<Version>, life: &Rc<Life>) {
    shard.note(life);
    let (weak, version, own) = (Rc::downgrade(shard), Arc::clone(version), Rc::downgrade(life));
    life.on_exit(move || {
        if let (Some(shard), Some(life)) = (weak.upgrade(), own.upgrade()) {
            shard.forget(&version, &life);
        }
    });
}

impl Companion {
    fn new(desk: &Rc<Desk>, place: Option<Arc<Process>>) -> Rc<Companion> {
        Rc::new(Companion {
            desk: Rc::clone(desk),
            reason: Cell::new(None),
            ending: Notify::new(),
            runtime: RefCell::default(),
            extensions: RefCell::default(),
            relay: RefCell::default(),
            place,
        })
    }

    /// Notes the process of an extension, which must not end before it is told to.
    fn mind(self: &Rc<Companion>, name: String, life: Rc<Life>) {
        self.extensions.borrow_mut().push((name.clone(), Rc::clone(&life)));
        let companion = Rc::clone(self);
        tokio::task::spawn_local(async move {
            life.ended().await;
            if companion.reason.get().is_none() {
                companion.desk.extension_ended(&name, &how_ended(life.status())).await;
            }
        });
    }

    /// Ends everything, for a reason that extensions are told: `spindown`, `timeout` or `failure`.
    pub(super) fn end(&self, reason: &'static str) {
        if self.reason.get().is_none() {
            self.reason.set(Some(reason));
        }
        self.ending.notify_one();
    }

    /// Does something with each of the extensions' processes.
    pub(super) fn each_extension(&self, what: impl Fn(&Life)) {
        self.extensions.borrow().iter().for_each(|(_, life)| what(life));
    }

    /// Why the environment cannot go on, if that is no fault of the runtime's.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.desk.failure()
    }

    /// Whether nobody works on the last invocation any more.
    pub(super) fn is_settled(&self) -> bool {
        self.desk.is_settled()
    }

    /// Waits until nobody works on the last invocation any more.
    pub(super) async fn settled(&self) {
        self.desk.settled().await;
    }

    /// Waits until what the runtime's process has written has been passed on; it has ended.
    pub(super) async fn drained(&self) {
        let relay = self.relay.take();
        if let Some(relay) = relay {
            // Its children may hold the socket open.
            let _ = timeout(GRACE, relay).await;
        }
    }

    /// Waits for the end, sees to it that all end, and clears up.
    async fn watch(
        self: Rc<Companion>,
        shard: std::rc::Weak<Shard>,
        serving: JoinHandle<()>,
        copy: Option<WorkingCopy>,
    ) {
        tokio::select! {
            () = self.ending.notified() => {}
            () = self.desk.failed() => self.end("failure"),
            () = self.runtime_ended() => self.end("failure"),
        }
        if let Some(shard) = shard.upgrade() {
            self.shut_down(&shard).await;
        }
        let runtime = self.runtime.borrow().clone();
        let extensions = self.extensions.borrow().clone();
        for life in runtime.iter().chain(extensions.iter().map(|(_, life)| life)) {
            life.kill();
            let _ = timeout(GRACE, life.ended()).await;
        }
        // What they have left goes with the environment.
        if let Some(place) = &self.place {
            place.kill();
        }
        serving.abort();
        if let (Some(shard), Some(copy)) = (shard.upgrade(), copy) {
            shard.engine.control.spawn_blocking(move || copy.remove());
        }
    }

    async fn runtime_ended(&self) {
        loop {
            let runtime = self.runtime.borrow().clone();
            match runtime {
                Some(runtime) => return runtime.ended().await,
                // It is started as soon as the extensions are there.
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn shut_down(&self, shard: &Shard) {
        let patience = match self.desk.extensions() {
            (false, _) => return,
            (true, false) => INTERNAL,
            (true, true) => EXTERNAL,
        };
        let (began, reason) = (Instant::now(), self.reason.get().unwrap_or("spindown"));
        let until = began + patience;
        let runtime = self.runtime.borrow().clone();
        if let Some(runtime) = runtime {
            if runtime.is_running() {
                runtime.process().signal(Signal::TERM);
                // The extensions need most of the time.
                let _ = timeout_at(began + patience * 3 / 10, runtime.ended()).await;
            }
            runtime.kill();
        }
        let deadline = shard.engine.clock.now().0.saturating_add(patience.as_millis() as u64);
        self.desk.tell_shutdown(reason, deadline);
        let extensions = self.extensions.borrow().clone();
        for (name, life) in extensions {
            if self.desk.wants_shutdown(&name) {
                let _ = timeout_at(until, life.ended()).await;
            }
        }
    }
}

fn how_ended(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("exit code {code}"),
        Some((None, Some(signal))) => format!("signal: {}", signal_name(signal)),
        _ => "exit code 0".to_owned(),
    }
}

/// What the system says, in AWS's words.
pub(crate) fn cause(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT) => "no such file or directory".to_owned(),
        Some(libc::EACCES) => "permission denied".to_owned(),
        Some(libc::ENOEXEC) => "exec format error".to_owned(),
        _ => error.to_string(),
    }
}
