//! What other subsystems tell functions: invocations that nobody waits for.

use base::seams::{Caller, Invocation, InvokeRefusal, NotifyFunction, SendFuture};

use crate::Functions;

impl NotifyFunction for Functions {
    fn may_notify(&self, function_arn: &str, caller: &Caller) -> Result<(), InvokeRefusal> {
        match self.index.resolve(function_arn, caller) {
            Ok(_) | Err(InvokeRefusal::NotReady { .. }) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn notify(&self, invocation: Invocation) -> SendFuture<'_, Result<String, InvokeRefusal>> {
        Box::pin(self.queue.accept(self, invocation))
    }
}
