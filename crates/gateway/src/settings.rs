//! What the data plane is told at its start, and the bounds that keep it safe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::clock::Clock;
use base::seams::{FindFunctionUrl, InvokeFunction, WriteLog};
use base::service_endpoints::ServiceEndpoints;
use plan::{CompileStage, PlanIndex};

use crate::listener::AnswerElse;
use crate::log::LogSender;

/// Everything that the data threads share.
pub struct Settings {
    /// The stages to serve.
    pub index: Arc<PlanIndex>,
    /// Compiles a stage on its first use.
    pub compile: Arc<dyn CompileStage>,
    /// Runs functions.
    pub functions: Arc<dyn InvokeFunction>,
    /// Knows their HTTP addresses.
    pub function_urls: Arc<dyn FindFunctionUrl>,
    /// Answers what is not a deployed API.
    pub other: Arc<dyn AnswerElse>,
    /// Where access-log lines go.
    pub log: LogSender,
    /// Who takes the lines of stages' own access logs; `None` where nobody does.
    pub logs: Option<Arc<dyn WriteLog>>,
    /// The wall clock.
    pub clock: Clock,
    /// The suffix that addresses are printed with, for example `localhost`.
    pub domain: Arc<str>,
    /// Our own listeners, which integrations must not reach but by the name of a deployed API.
    pub own_addresses: Vec<SocketAddr>,
    /// Where the AWS services are that are not ours.
    pub service_endpoints: Arc<ServiceEndpoints>,
    /// Lets integrations reach our own listeners and link-local addresses.
    pub allow_internal: bool,
}

/// How long a client may take to send a request's head: 30 s.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to send a whole body that has to be buffered: 60 s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest head of a request in HTTP/1.1, beyond AWS's own limit of 10,240 bytes, so that the refusal is AWS's and
/// not the parser's.
pub const HEAD_BYTES: usize = 64 * 1024;

/// AWS's limit for the sum of a request's header names and values.
pub const HEADERS_BYTES: usize = 10_240;

/// AWS's limit for path and query of a request to a Regional API.
pub const URI_BYTES: usize = 10_240;

/// Streams that one HTTP/2 connection may have open at once.
pub const HTTP2_STREAMS: u32 = 128;
