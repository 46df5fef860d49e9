//! What stands behind a method: where the request goes, and how request and response are mapped on the way.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode};
use templates::java_regex::JavaRegex;
use templates::mapping::{Source, Target};
use templates::vtl::Template;

use crate::service::Service;
use crate::uri::UriTemplate;

/// One method's integration, ready to run.
#[derive(Debug)]
pub struct Integration {
    /// Where the request goes.
    pub backend: Backend,
    /// How long to wait for it. AWS: 50 ms to 29 s, and to 15 minutes where it streams.
    pub timeout: Duration,
    /// The answer is passed on while it comes, without a bound on its size (`responseTransferMode` `STREAM`); `timeout`
    /// then covers all of it. Only for proxy integrations.
    pub streams: bool,
    /// How the request is mapped.
    pub request: RequestMapping,
    /// Integration responses, by rising status code. Empty for proxy integrations.
    pub responses: Vec<ResponsePlan>,
}

/// The kinds of integration.
#[derive(Debug)]
pub enum Backend {
    /// Answers by itself: the rendered request template names the status.
    Mock,
    /// An HTTP endpoint; with `proxy` the client's request goes through and the answer comes back as they are.
    Http {
        /// `None` takes the client's verb (`ANY`).
        method: Option<Method>,
        /// The address; stage variables are filled in.
        uri: UriTemplate,
        /// `HTTP_PROXY` rather than `HTTP`.
        proxy: bool,
    },
    /// A Lambda function; with `proxy` it gets AWS's event and answers in AWS's format.
    Lambda {
        /// The ARN out of the integration's address; stage variables are filled in.
        function_arn: Arc<str>,
        /// The role with whose rights the function is called; without one, the function's own policy must allow the
        /// API. Stage variables are filled in.
        credentials: Option<Arc<str>>,
        /// `AWS_PROXY` rather than `AWS`.
        proxy: bool,
    },
    /// Another AWS service, called by its own API and signed.
    Service(Box<Service>),
    /// Every call fails with 500 `Internal server error`, as on AWS: for example an `AWS_PROXY` integration whose
    /// method is not POST. The reason is for the log.
    Broken {
        /// What is wrong, for the operator.
        reason: Box<str>,
    },
}

/// What to do with a body that no template matches (`passthroughBehavior`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Passthrough {
    /// Let it through unchanged.
    #[default]
    WhenNoMatch,
    /// Let it through if there is no template at all, else answer 415.
    WhenNoTemplates,
    /// Answer 415.
    Never,
}

/// `contentHandling` of an integration or an integration response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentHandling {
    /// `CONVERT_TO_BINARY`: Base64 text becomes bytes.
    ToBinary,
    /// `CONVERT_TO_TEXT`: bytes become Base64 text.
    ToText,
}

/// How a request becomes the integration's request.
#[derive(Debug, Default)]
pub struct RequestMapping {
    /// `integration.request.*` from `method.request.*` and the rest.
    pub parameters: Vec<(Target, Source)>,
    /// Templates by media type, in the order in which they were given.
    pub templates: Vec<(Box<str>, Template)>,
    /// What to do when none matches.
    pub passthrough: Passthrough,
    /// Conversion of the body.
    pub content_handling: Option<ContentHandling>,
}

/// One integration response.
#[derive(Debug)]
pub struct ResponsePlan {
    /// The status that the client gets.
    pub status: StatusCode,
    /// Whether the method has a response of that status; without one every request that comes here fails.
    pub is_declared: bool,
    /// Matches the whole of the backend's status (HTTP, MOCK, services) or of the function's `errorMessage` (Lambda);
    /// `None` is the default response.
    pub selection: Option<JavaRegex>,
    /// `method.response.header.NAME` and where its value comes from.
    pub headers: Vec<(HeaderName, Source)>,
    /// Those of the headers' names that were not written as [`crate::spelling`] has it.
    pub spelled: Vec<Box<str>>,
    /// Templates by media type, in the order in which they were given.
    pub templates: Vec<(Box<str>, Template)>,
    /// Conversion of the body.
    pub content_handling: Option<ContentHandling>,
}
