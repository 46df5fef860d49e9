//! Trying a method before it is deployed: what the control plane asks of the data plane, and gets.

use std::sync::Arc;
use std::time::Duration;

use base::seams::SendFuture;

use crate::stage::StagePlan;

/// The name that stands for a stage while a method is tried: in `$context.stage`, events and source ARNs.
pub const TEST_STAGE: &str = "test-invoke-stage";

/// A request that comes from no client: a method is tried with it.
#[derive(Debug)]
pub struct TestRequest {
    /// A plan made of the API's rows as they are, for [`TEST_STAGE`].
    pub plan: Arc<StagePlan>,
    /// The path template of the resource whose method is tried. The request's own path does not choose it.
    pub resource_path: Box<str>,
    /// The request's verb; a method `ANY` serves the verbs that it stands for, and the word itself.
    pub verb: Box<str>,
    /// Path and query; without them the resource's template is the path, its variables as they stand.
    pub target: Option<Box<str>>,
    /// Names and values, in the order and the spelling in which they were given.
    pub headers: Vec<(String, String)>,
    /// The body; may be empty.
    pub body: String,
    /// Who tries it.
    pub caller: TestCaller,
}

/// Who tries a method, as far as `$context.identity` shows it; the account is the API's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestCaller {
    /// The access key id of the control-plane call.
    pub access_key_id: Option<Box<str>>,
    /// The user agent of the control-plane call.
    pub user_agent: Box<str>,
}

/// What came of it. A refusal by the data plane is an answer like any other.
#[derive(Debug)]
pub struct TestAnswer {
    /// The status that a client would get.
    pub status: u16,
    /// Names and values; a name may come several times.
    pub headers: Vec<(String, String)>,
    /// The body, bytes that are no UTF-8 replaced.
    pub body: String,
    /// The execution log.
    pub log: String,
    /// From the request's beginning to its end.
    pub latency: Duration,
}

/// Why a method could not be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestRefusal {
    /// The request cannot be sent as HTTP; the text names what is wrong.
    BadRequest(String),
    /// The data plane takes no requests now; the reason is for the operator.
    Unavailable(String),
}

/// Runs test invocations: the data plane.
pub trait TestInvoke: Send + Sync {
    /// Sends a request through the phases behind the guards, as AWS does: neither authorized nor throttled nor cached.
    fn test_invoke(&self, request: TestRequest) -> SendFuture<'static, Result<TestAnswer, TestRefusal>>;
}
