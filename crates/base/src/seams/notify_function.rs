//! The seam to functions for those who tell them something and do not wait for an answer, from whatever thread.

use super::{Caller, Invocation, InvokeRefusal, SendFuture};

/// Has functions run that nobody waits for.
pub trait NotifyFunction: Send + Sync {
    /// Whether the function of that ARN is there, and lets the caller invoke it. One that is not ready yet counts as there.
    ///
    /// # Errors
    /// Why not.
    fn may_notify(&self, function_arn: &str, caller: &Caller) -> Result<(), InvokeRefusal>;

    /// Accepts an invocation: ends when it is on disk, and gives its request id. It is run when there is room, and again
    /// when it fails.
    fn notify(&self, invocation: Invocation) -> SendFuture<'_, Result<String, InvokeRefusal>>;
}
