//! Freezing: an environment that has waited a while is stopped, so that what the function left running takes no CPU. The
//! call that takes it thaws it first; calls that follow one another meet no frozen environment and pay nothing.

use std::rc::Rc;

use tokio::time::Instant;

use super::Shard;

impl Shard {
    /// Freezes environments when their time has come, for ever.
    pub(super) async fn freeze(self: Rc<Shard>) {
        let patience = self.engine.pool.freeze_after;
        loop {
            match self.freeze_those_idle_since(Instant::now() - patience) {
                // Others may begin to wait meanwhile; they are seen when the first one's time has come.
                Some(first) => tokio::time::sleep_until(first + patience).await,
                None => {
                    self.nothing_to_freeze.set(true);
                    self.something_to_freeze.notified().await;
                }
            }
        }
    }

    /// Freezes those who have waited since `latest`, and returns since when the first of the others waits.
    fn freeze_those_idle_since(&self, latest: Instant) -> Option<Instant> {
        let mut first = None;
        for environment in self.idle.borrow_mut().values_mut().flatten().filter(|environment| !environment.frozen) {
            if environment.idle_since <= latest {
                environment.freeze();
            } else {
                first = Some(first.map_or(environment.idle_since, |first: Instant| first.min(environment.idle_since)));
            }
        }
        first
    }
}
