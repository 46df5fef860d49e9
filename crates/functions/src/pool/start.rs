//! Starts an environment: a process, then the handler's loading, both with their limits.

use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Shard;
use super::companion;
use super::environment::{Environment, NoAnswer};
use super::frame::Answer;
use super::line::Turn;
use super::output::{LogStream, Output};
use super::report;
use crate::engine::{Engine, Prepared, Process};
use crate::package::WorkingCopy;
use crate::runtime_api::Failure;
use crate::sandbox::Started;
use crate::version::Version;

/// Why there is no environment.
#[derive(Clone, Debug)]
pub(crate) enum StartFailure {
    /// The handler could not be loaded: the error payload.
    Init(Bytes),
    /// The process ended while loading it.
    Exited(Option<ExitStatus>),
    /// It did not finish loading it.
    TimedOut,
    /// Nobody waits for it any more.
    NotNeeded,
    /// The platform could not run the function's files: a type and a text of errors.
    Platform(Failure),
    /// No fault of the function's; for the operator's log.
    Unavailable(String),
}

/// How long a start counts as one of those that are going on.
const LONGEST_TURN: Duration = Duration::from_secs(1);

/// How long a provisioned environment may take to load its handler, as on AWS.
const KEPT_INIT_LIMIT: Duration = Duration::from_secs(900);

/// Starts one for who waits. A handler that does not load within AWS's 10 seconds is started again, with the function's
/// own time limit, as AWS does inside the first invocation.
pub(super) async fn start(shard: &Rc<Shard>, version: &Arc<Version>) -> Result<Environment, StartFailure> {
    let obstacle = || match shard.is_waited_for(version.serial) {
        true => version.crash_loop.refusal(Instant::now()),
        // Other environments have served those who waited.
        false => Some(StartFailure::NotNeeded),
    };
    match attempt(shard, version, shard.engine.pool.init_limit, &obstacle).await {
        Err(StartFailure::TimedOut) => attempt(shard, version, version.settings.timeout, &obstacle).await,
        other => other,
    }
}

/// Starts one for whoever will come.
pub(super) async fn start_kept(shard: &Rc<Shard>, version: &Arc<Version>) -> Result<Environment, StartFailure> {
    let obstacle = || version.is_retired().then_some(StartFailure::NotNeeded);
    attempt(shard, version, KEPT_INIT_LIMIT, &obstacle).await
}

/// Starts one when it is the version's turn, unless there is an obstacle by then.
async fn attempt(
    shard: &Rc<Shard>,
    version: &Arc<Version>,
    limit: Duration,
    obstacle: &dyn Fn() -> Option<StartFailure>,
) -> Result<Environment, StartFailure> {
    let Some(turn) = shard.engine.starts.turn(version.serial).await else {
        return Err(StartFailure::NotNeeded);
    };
    if let Some(failure) = obstacle() {
        return Err(failure);
    }
    let result = launch(shard, version, limit, turn).await;
    version.crash_loop.note(Instant::now(), result.as_ref().err());
    result
}

async fn launch(
    shard: &Rc<Shard>,
    version: &Arc<Version>,
    limit: Duration,
    turn: Turn,
) -> Result<Environment, StartFailure> {
    let (engine, of_version) = (Arc::clone(&shard.engine), Arc::clone(version));
    let prepared = shard.engine.control.spawn_blocking(move || engine.prepare(&of_version)).await;
    let prepared = match prepared {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(reason)) => return Err(unavailable(version, reason)),
        Err(error) => return Err(unavailable(version, error.to_string())),
    };
    let began = Instant::now();
    let mut rising = std::pin::pin!(rise(shard, version, prepared, began + limit));
    let (mut environment, answer) = match tokio::time::timeout(LONGEST_TURN, &mut rising).await {
        Ok(risen) => risen?,
        Err(_) => {
            // A handler that takes long to load must not keep others from starting.
            drop(turn);
            rising.await?
        }
    };
    if let Some(failure) = environment.companion.as_ref().and_then(|companion| companion.failure()) {
        return Err(StartFailure::Platform(failure));
    }
    match answer {
        Ok(Answer::InitFailed(payload)) => {
            report::init_failed(&environment, &shard.engine.clock, began.elapsed(), &payload);
            shard.end(environment);
            Err(StartFailure::Init(payload))
        }
        Ok(_) => {
            environment.init = Some(began.elapsed());
            Ok(environment)
        }
        Err(NoAnswer::TimedOut) => Err(StartFailure::TimedOut),
        Err(NoAnswer::Exited(status)) => Err(StartFailure::Exited(status)),
        Err(NoAnswer::NeverAsked) => Err(StartFailure::Exited(None)),
    }
}

/// Brings a process up and waits for its first frame.
async fn rise(
    shard: &Rc<Shard>,
    version: &Arc<Version>,
    prepared: Prepared,
    until: Instant,
) -> Result<(Environment, Result<Answer, NoAnswer>), StartFailure> {
    let Prepared { process, copy, log_stream } = prepared;
    let (mut environment, door) = match process {
        Process::Started(started, door) => (adopt(shard, version, started, copy, log_stream)?, door),
        Process::Slow(slow) => {
            (Box::pin(companion::bring_up(shard, version, *slow, (copy, log_stream), until)).await?, None)
        }
    };
    if let Some(mut door) = door {
        tokio::select! {
            biased;
            answer = environment.started(until) => return Ok((environment, answer)),
            () = door.knock() => {}
        }
        companion::join(shard, version, &mut environment, door)
            .map_err(|error| unavailable(version, format!("cannot serve the Runtime API to the function: {error}")))?;
    }
    let answer = environment.started(until).await;
    Ok((environment, answer))
}

/// Where what an environment prints is kept, if it is.
pub(super) fn stream(shard: &Shard, version: &Version, name: &str) -> Option<LogStream> {
    let Engine { logs, clock, .. } = &*shard.engine;
    logs.as_ref().map(|logs| LogStream::new(Arc::clone(logs), clock.clone(), version, name))
}

fn adopt(
    shard: &Rc<Shard>,
    version: &Arc<Version>,
    started: Started,
    copy: WorkingCopy,
    log_stream: String,
) -> Result<Environment, StartFailure> {
    let adopted =
        Output::new(started.output, Arc::clone(version), stream(shard, version, &log_stream)).and_then(|output| {
            let environment =
                Environment::adopt(started.process, started.socket, Arc::clone(version), Rc::clone(&output))?;
            Ok((environment, output))
        });
    let (environment, output) = match adopted {
        Ok(adopted) => adopted,
        Err(error) => {
            // The process ends by itself: its socket is closed.
            shard.engine.control.spawn_blocking(move || copy.remove());
            return Err(unavailable(version, format!("cannot speak to the function's process: {error}")));
        }
    };
    if output.is_kept() {
        output.platform_event(report::init_start(&version.settings, shard.engine.clock.now()));
    }
    tokio::task::spawn_local(output.follow());
    shard.note(&environment.life);
    let (weak, of_version, life) = (Rc::downgrade(shard), Arc::clone(version), Rc::downgrade(&environment.life));
    let control = shard.engine.control.clone();
    environment.life.on_exit(move || {
        if let (Some(shard), Some(life)) = (weak.upgrade(), life.upgrade()) {
            shard.forget(&of_version, &life);
        }
        control.spawn_blocking(move || copy.remove());
    });
    Ok(environment)
}

pub(super) fn unavailable(version: &Version, reason: String) -> StartFailure {
    tracing::error!(function = &*version.settings.name, reason, "cannot start an environment");
    StartFailure::Unavailable(reason)
}
