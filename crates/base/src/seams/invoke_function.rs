//! InvokeFunction: how a gateway, an authorizer or another function asks Lambda to run one.

use std::sync::Arc;

use bytes::Bytes;

use super::{LocalFuture, Streaming};

/// One synchronous call of a function, as the caller knows it.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's ARN, with a qualifier (version or alias) where the caller gave one:
    /// `arn:aws:lambda:us-east-1:000000000000:function:Items:dev`.
    pub function_arn: Arc<str>,
    /// The event, JSON text. At most 6 MB; the callee checks it.
    pub payload: Bytes,
    /// On whose behalf the call is made; the function's resource policy is asked about it.
    pub caller: Caller,
    /// The value of `X-Amzn-Trace-Id`, handed on to the function.
    pub trace_id: Option<String>,
    /// The decoded client context (`X-Amz-Client-Context`), JSON text.
    pub client_context: Option<String>,
    /// Whether the last 4 KB of the log are wanted with the answer.
    pub tail_log: bool,
    /// The id that the invocation gets, a UUID; one of its own where the caller's request has none to share.
    pub request_id: Option<String>,
}

/// Who asks for an invocation.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A caller whose right to invoke has been established elsewhere (the Lambda API itself).
    Trusted,
    /// A service principal acting for one of its resources: needs a statement in the function's policy
    /// that names the principal and, if it has a condition, matches `source_arn` and `source_account`.
    Service {
        /// For example `apigateway.amazonaws.com`.
        principal: &'static str,
        /// For example `arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/dev/GET/items`.
        source_arn: String,
        /// The account that owns the source.
        source_account: Arc<str>,
    },
    /// Whoever knows a function URL that asks for no credentials: needs a statement that lets everybody
    /// `lambda:InvokeFunctionUrl` and, if it has a condition, wants `lambda:FunctionUrlAuthType` to be `NONE`.
    AnyoneByUrl,
}

/// What came of an invocation that Lambda accepted.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// The id of the invocation, `x-amzn-RequestId` of the Invoke call.
    pub request_id: String,
    /// `$LATEST` or the number of the version that ran.
    pub executed_version: Arc<str>,
    /// What the function answered, or why it failed.
    pub outcome: Outcome,
    /// The last 4 KB of the log, where they were asked for.
    pub log_tail: Option<Bytes>,
}

/// The function's own result.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The handler returned; its JSON text.
    Returned(Bytes),
    /// The handler raised, timed out or crashed: the error payload in AWS's shape (`errorMessage`, `errorType`, ...),
    /// which the Invoke API answers with status 200 and `X-Amz-Function-Error: Unhandled`.
    Failed(Bytes),
}

/// Why Lambda refused to run the function. Carries what the Lambda API puts into its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvokeRefusal {
    /// No such function, version or alias; the full ARN that was looked for.
    NotFound {
        /// The ARN, with its qualifier.
        function_arn: String,
    },
    /// The function's policy does not let the caller invoke it.
    NotPermitted,
    /// A concurrency limit is reached; `Reason` as the Lambda API names it.
    TooManyRequests {
        /// For example `ConcurrentInvocationLimitExceeded`.
        reason: &'static str,
    },
    /// The function is being created or has failed to be; its state.
    NotReady {
        /// The state, as `GetFunctionConfiguration` shows it.
        state: &'static str,
    },
    /// The payload exceeds the limit or is not JSON; AWS's message.
    BadPayload {
        /// The text of `InvalidRequestContentException` or `RequestTooLargeException`.
        message: String,
        /// Whether it was too large.
        too_large: bool,
    },
    /// Frontgate could not run it, through no fault of the function (no process, no memory, no interpreter).
    Unavailable {
        /// For the operator's log.
        reason: String,
    },
}

/// Runs functions and waits for their result.
///
/// Called on a data thread, the future stays there: the environment that serves the call belongs to the thread if one
/// is idle. It never waits for the store.
pub trait InvokeFunction: Send + Sync {
    /// Runs one function once.
    fn invoke(&self, invocation: Invocation) -> LocalFuture<'_, Result<Invoked, InvokeRefusal>>;

    /// Accepts an invocation that nobody waits for (`Event`): ends when it is on disk, and gives its request id. It is run
    /// when there is room, and again when it fails.
    fn enqueue(&self, invocation: Invocation) -> LocalFuture<'_, Result<String, InvokeRefusal>>;

    /// Runs one function once and gives its answer while the function writes it: the future ends when the function
    /// begins. A function that does not stream answers in one part.
    fn invoke_streaming(&self, invocation: Invocation) -> LocalFuture<'_, Result<Streaming, InvokeRefusal>> {
        Box::pin(async move { Ok(self.invoke(invocation).await?.into()) })
    }
}
