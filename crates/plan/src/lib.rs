//! The contract between the planes: a deployed stage, compiled and immutable.
//!
//! The control plane (`apis::compile`) builds a [`StagePlan`] from a deployment's snapshot and the stage's row, and puts
//! it into the [`PlanIndex`]; the data plane (`gateway`) only reads. A request takes one plan at its start and keeps it
//! to its end, so a swap in between is never seen half.
//!
//! What a plan must not know: the store, the live API, HTTP connections. What it may hold: everything that can be
//! worked out once per deployment instead of once per request (parsed templates, patterns, addresses).

pub mod execution_logs;
pub mod gateway_responses;
pub mod index;
pub mod integration;
pub mod media;
pub mod router;
pub mod sampling;
pub mod service;
pub mod spelling;
pub mod stage;
pub mod test_invoke;
pub mod throttle;
pub mod uri;
pub mod validation;

pub use execution_logs::{ExecutionLogs, LogDetail};
pub use gateway_responses::{GatewayResponsePlan, GatewayResponses};
pub use index::{CompileStage, Lookup, PlanIndex};
pub use integration::{Backend, Integration, Passthrough, RequestMapping, ResponsePlan};
pub use media::MediaTypes;
pub use router::{Captures, Router};
pub use sampling::Sampling;
pub use service::{Dialect, Service};
pub use stage::{AccessLog, Api, Guard, MethodPlan, ResourcePlan, StagePlan};
pub use test_invoke::{TEST_STAGE, TestAnswer, TestCaller, TestInvoke, TestRefusal, TestRequest};
pub use throttle::Throttle;
pub use uri::UriTemplate;
pub use validation::Validation;
