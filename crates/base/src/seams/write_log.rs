//! The seam to CloudWatch Logs: lines go into log groups, and nobody waits for them.

use std::fmt;
use std::sync::Arc;

use crate::clock::Moment;

/// Takes the lines of logs to where they are kept.
pub trait WriteLog: Send + Sync + fmt::Debug {
    /// Hands a line over to the log group of that ARN (`arn:aws:logs:{region}:{account}:log-group:{name}`). A `stream` is
    /// made, and its group too, where they are not there; without one the line goes to a stream of the writer's own, in a
    /// group that must be there. Never waits: a line that there is no room for is dropped and counted.
    fn write(&self, group_arn: &Arc<str>, stream: Option<&Arc<str>>, line: LogLine);
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Moment,
    /// Its text.
    pub text: String,
}
