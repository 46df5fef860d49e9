//! Keeps one provisioned environment: starts it beforehand, and anew when it has ended.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::start::{self, StartFailure};
use super::{Shard, crash_loop};
use crate::concurrency::Provisioned;

/// How often AWS tries before it says that provisioning has failed (recorded: six log streams).
const ATTEMPTS: u32 = 6;

/// An environment that lives shorter than this has failed, as far as the time of the next start goes.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// See the module. Ends when the environment is no longer wanted.
pub(super) async fn keep(shard: Rc<Shard>, provisioned: Arc<Provisioned>) {
    let mut failures = 0;
    while provisioned.is_wanted() && !shard.closing.get() {
        match start::start_kept(&shard, &provisioned.version).await {
            Ok(mut environment) => {
                let (life, began) = (Rc::clone(&environment.life), Instant::now());
                environment.kept = true;
                // Whoever calls it has not waited for it.
                environment.init = None;
                shard.release(environment);
                provisioned.add(&shard.engine);
                life.ended().await;
                provisioned.remove();
                failures = if began.elapsed() < SHORT_LIFE { failures + 1 } else { 0 };
            }
            Err(StartFailure::NotNeeded) => return,
            Err(failure) => {
                failures += 1;
                if failures >= ATTEMPTS && provisioned.is_new() {
                    tracing::warn!(function = &*provisioned.version.settings.name, ?failure, "cannot be provisioned");
                    return provisioned.fail(&shard.engine, reason(&failure));
                }
            }
        }
        if let Some(wait) = crash_loop::wait(failures) {
            tokio::time::sleep(wait).await;
        }
    }
}

/// `StatusReason`.
fn reason(failure: &StartFailure) -> &'static str {
    match failure {
        StartFailure::TimedOut => "FUNCTION_ERROR_INIT_TIMEOUT",
        _ => "FUNCTION_ERROR_INIT_FAILURE",
    }
}
