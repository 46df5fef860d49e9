//! Puts the subsystems together and runs them until the program is told to stop. One file per subsystem.

mod control_plane;
mod data_plane;
mod forwarding;
mod log_sink;
mod logs;
mod objects;
mod service_calls;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base::clock::Clock;
use base::limits::AccountLimits;
use plan::PlanIndex;
use store::DataDir;

use crate::config::Config;
use crate::shutdown;

/// How long the functions' environments may take to end after the last request.
const FUNCTIONS_GRACE: Duration = Duration::from_secs(2);

/// Runs the program with these settings until it is told to stop.
///
/// The data threads serve; everything else (the AWS APIs, compiling, files, processes) runs on the control runtime.
pub(crate) fn serve(config: Config) -> anyhow::Result<()> {
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(64)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start the control runtime")?;
    let signals = shutdown::listen(&control)?;
    let threads = config.data_thread_count();
    let listeners = data_plane::bind(&config, threads)?;
    let addresses = listeners.addresses.clone();
    let data = DataDir::open(&config.data_dir)?;
    let limits = if config.no_account_limits { AccountLimits::LIFTED } else { AccountLimits::AWS };
    let index = Arc::new(PlanIndex::new(limits));
    let mut services =
        control.block_on(control_plane::open(&config, &data, &index, limits, addresses[0], control.handle()))?;
    let (mut gateway, log, delivery) =
        data_plane::start(&config, listeners, threads, &index, &services, control.handle())?;
    for address in &addresses {
        tracing::info!(%address, "listening");
    }
    control.block_on(signals);
    tracing::info!("stopping: requests in flight may finish");
    gateway.drain();
    tracing::debug!("the requests have ended");
    // The environments belong to the data threads, which therefore end last.
    control.block_on(services.functions.shutdown(FUNCTIONS_GRACE));
    tracing::debug!("the functions have ended");
    gateway.stop();
    tracing::debug!("the data threads have ended");
    for delivery in [delivery, services.function_logs.take()].into_iter().flatten() {
        control.block_on(delivery.end(config.grace_period));
    }
    services.logs.close();
    control.shutdown_timeout(FUNCTIONS_GRACE);
    drop(services);
    log.close()?;
    tracing::info!("stopped");
    Ok(())
}

/// The system's clock, in the one form in which it is handed on.
fn clock() -> Clock {
    Clock::System
}
