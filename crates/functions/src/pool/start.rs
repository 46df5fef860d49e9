//! Starts an environment: a process, then the handler's loading, both with their limits.

use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Shard;
use super::environment::{Environment, NoAnswer};
use super::frame::Answer;
use super::output::{LogStream, Output};
use super::report;
use crate::engine::{Engine, Prepared};
use crate::version::Version;

/// Why there is no environment.
#[derive(Debug)]
pub(crate) enum StartFailure {
    /// The handler could not be loaded: the error payload.
    Init(Bytes),
    /// The process ended while loading it.
    Exited(Option<ExitStatus>),
    /// It did not finish loading it.
    TimedOut,
    /// Nobody waits for it any more.
    NotNeeded,
    /// No fault of the function's; for the operator's log.
    Unavailable(String),
}

/// How long a start counts as one of those that are going on.
const TURN: Duration = Duration::from_secs(1);

/// Starts one. A handler that does not load within AWS's 10 seconds is started again, with the function's own time limit,
/// as AWS does inside the first invocation.
pub(super) async fn start(shard: &Rc<Shard>, version: &Arc<Version>) -> Result<Environment, StartFailure> {
    match attempt(shard, version, shard.engine.pool.init_limit).await {
        Err(StartFailure::TimedOut) => attempt(shard, version, version.settings.timeout).await,
        other => other,
    }
}

async fn attempt(shard: &Rc<Shard>, version: &Arc<Version>, limit: Duration) -> Result<Environment, StartFailure> {
    let Ok(permit) = Arc::clone(&shard.engine.starts).acquire_owned().await else {
        return Err(StartFailure::NotNeeded);
    };
    if !shard.is_waited_for(version.serial) {
        // Other environments have served those who waited.
        return Err(StartFailure::NotNeeded);
    }
    let (engine, of_version) = (Arc::clone(&shard.engine), Arc::clone(version));
    let prepared = shard.engine.control.spawn_blocking(move || engine.prepare(&of_version)).await;
    let prepared = match prepared {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(reason)) => return Err(unavailable(version, reason)),
        Err(error) => return Err(unavailable(version, error.to_string())),
    };
    let began = Instant::now();
    let mut environment = adopt(shard, version, prepared)?;
    let answer = {
        let mut started = std::pin::pin!(environment.started(began + limit));
        match tokio::time::timeout(TURN, &mut started).await {
            Ok(answer) => answer,
            Err(_) => {
                // A handler that takes long to load must not keep others from starting.
                drop(permit);
                started.await
            }
        }
    };
    match answer {
        Ok(Answer::InitFailed(payload)) => {
            report::init_failed(&environment, began.elapsed(), &payload);
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

fn adopt(shard: &Rc<Shard>, version: &Arc<Version>, prepared: Prepared) -> Result<Environment, StartFailure> {
    let Prepared { started, runtime_api, copy, log_stream } = prepared;
    let Engine { logs, clock, .. } = &*shard.engine;
    let stream = logs.as_ref().map(|logs| LogStream::new(Arc::clone(logs), clock.clone(), version, &log_stream));
    let adopted = Output::new(started.output, Arc::clone(version), stream).and_then(|output| {
        let environment = Environment::adopt(started.child, started.socket, Arc::clone(version), Rc::clone(&output))?;
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
        output.platform_line(&report::init_start(&version.settings));
    }
    tokio::task::spawn_local(output.follow());
    let runtime_api = runtime_api.map(|api| tokio::task::spawn_local(api.serve()));
    shard.note(&environment.life);
    let (weak, of_version, life) = (Rc::downgrade(shard), Arc::clone(version), Rc::downgrade(&environment.life));
    let control = shard.engine.control.clone();
    environment.life.on_exit(move || {
        if let Some(runtime_api) = runtime_api {
            runtime_api.abort();
        }
        if let (Some(shard), Some(life)) = (weak.upgrade(), life.upgrade()) {
            shard.forget(&of_version, &life);
        }
        control.spawn_blocking(move || copy.remove());
    });
    Ok(environment)
}

fn unavailable(version: &Version, reason: String) -> StartFailure {
    tracing::error!(function = &*version.settings.name, reason, "cannot start an environment");
    StartFailure::Unavailable(reason)
}
