//! A deployed stage: the API's resources and methods with everything parsed.

use std::collections::BTreeMap;
use std::sync::Arc;

use templates::plain::PlainTemplate;

use crate::execution_logs::ExecutionLogs;
use crate::gateway_responses::GatewayResponses;
use crate::integration::Integration;
use crate::media::MediaTypes;
use crate::router::Router;
use crate::sampling::Sampling;
use crate::throttle::{MethodThrottles, Throttle};
use crate::validation::Validation;

/// One stage of one API as it is served.
#[derive(Debug)]
pub struct StagePlan {
    /// The API.
    pub api: Arc<Api>,
    /// The stage's name.
    pub stage: Arc<str>,
    /// The deployment that this plan was compiled from.
    pub deployment_id: Arc<str>,
    /// `$stageVariables`.
    pub variables: BTreeMap<Arc<str>, Arc<str>>,
    /// The resources that have methods.
    pub router: Router<ResourcePlan>,
    /// Which bodies are bytes rather than text.
    pub binary_media_types: MediaTypes,
    /// From how many bytes on a body is packed for a client that takes it so (`minimumCompressionSize`), and below how
    /// many a packed request is left as it is; `None` packs nothing.
    pub minimum_compression_size: Option<u32>,
    /// What guards the whole API and is not built yet: every request is refused.
    pub guard: Option<Guard>,
    /// What the API answers in place of the gateway's own error bodies; `None` where nothing is defined.
    pub gateway_responses: Option<Box<GatewayResponses>>,
    /// The account's limit over all its APIs; `None` when limits are lifted.
    pub account_throttle: Option<Arc<Throttle>>,
    /// The limits that the stage sets for its methods.
    pub method_throttles: MethodThrottles,
    /// Which requests are sampled, where the stage traces.
    pub sampling: Option<Sampling>,
    /// What the stage logs of each request; boxed, for few stages do.
    pub access_log: Option<Box<AccessLog>>,
    /// What it logs of the way of each request; boxed, for few stages do.
    pub execution_logs: Option<Box<ExecutionLogs>>,
}

/// Where a stage's access log goes, and what it says.
#[derive(Debug)]
pub struct AccessLog {
    /// The ARN of the log group.
    pub group_arn: Arc<str>,
    /// A line, with names of `$context`.
    pub format: PlainTemplate,
}

/// What the data plane needs to know of an API.
#[derive(Debug)]
pub struct Api {
    /// Ten characters of `[a-z0-9]`.
    pub id: Arc<str>,
    /// The account that owns it.
    pub account: Arc<str>,
    /// The region that it was made in.
    pub region: Arc<str>,
    /// Whether its endpoints are edge-optimized: AWS's edge respells some header names.
    pub edge: bool,
}

/// A resource and the verbs that it serves.
#[derive(Debug)]
pub struct ResourcePlan {
    /// `$context.resourceId`.
    pub id: Arc<str>,
    /// `$context.resourcePath`: the path template.
    pub path: Arc<str>,
    /// The methods with a verb of their own.
    pub methods: Vec<MethodPlan>,
    /// The `ANY` method.
    pub any: Option<MethodPlan>,
}

/// One method.
#[derive(Debug)]
pub struct MethodPlan {
    /// The verb, or `ANY`.
    pub verb: Arc<str>,
    /// `operationName`.
    pub operation_name: Option<Arc<str>>,
    /// What guards the method and is not built yet: the data plane refuses the request (fails closed).
    pub guard: Option<Guard>,
    /// What is asked of a request, where a validator asks anything; boxed, for few methods have one.
    pub validation: Option<Box<Validation>>,
    /// What stands behind it.
    pub integration: Integration,
}

/// A guard that the control plane stores but this version cannot enforce, so that nobody gets past it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What it is, for the log: `authorizationType AWS_IAM`, `apiKeyRequired`, `resource policy`.
    pub what: Box<str>,
}

impl ResourcePlan {
    /// The method that serves `verb`: its own, else `ANY`, which stands for DELETE, GET, HEAD, OPTIONS, PATCH, POST
    /// and PUT only.
    pub fn method(&self, verb: &str) -> Option<&MethodPlan> {
        self.methods.iter().find(|method| method.verb.as_ref() == verb).or_else(|| {
            self.any
                .as_ref()
                .filter(|_| matches!(verb, "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT"))
        })
    }
}
