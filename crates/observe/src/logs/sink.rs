//! Lines that nobody waits for, on their way into the store.

use std::sync::Arc;

use base::seams::{LogLine, WriteLog};
use store::telemetry::{LogStore, OfferedLine};

/// Takes lines.
#[derive(Debug)]
pub(super) struct Sink {
    store: LogStore,
}

impl Sink {
    pub(super) fn new(store: LogStore) -> Sink {
        Sink { store }
    }
}

impl WriteLog for Sink {
    fn write(&self, group_arn: &Arc<str>, stream: Option<&Arc<str>>, line: LogLine) {
        let LogLine { at, text } = line;
        // CloudWatch Logs has no empty events.
        if text.is_empty() {
            return;
        }
        self.store.offer(OfferedLine {
            group_arn: Arc::clone(group_arn),
            stream: stream.cloned(),
            timestamp: i64::try_from(at.0).unwrap_or(i64::MAX),
            message: text,
        });
    }
}
