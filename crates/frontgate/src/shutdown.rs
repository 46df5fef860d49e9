//! When to stop: SIGINT (Ctrl-C) and SIGTERM ask for a graceful end; a second one does not wait any longer.

use std::future::Future;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The exit status of a program that a signal ended: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// Begins to listen for signals; the future ends with the first.
pub(crate) fn listen(runtime: &Runtime) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let _inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::warn!("asked a second time to stop: ending at once");
            #[expect(
                clippy::disallowed_methods,
                reason = "whoever asks twice does not want anything to be waited for"
            )]
            std::process::exit(INTERRUPTED);
        });
    })
}
