//! The integrate phase: the backend answers, within the integration's timeout.

mod connect;
mod dialect;
pub mod http;
mod lambda;
mod lambda_stream;
mod pool;
mod report;
mod service;

use ::http::{HeaderMap, Request, Response};
use base::seams::Outcome;
use bytes::Bytes;
use templates::vtl::Overrides;

pub(crate) use lambda::refusal_text;
pub use lambda_stream::{FunctionBody, FunctionStream};
pub use pool::ResponseBody;
pub use service::{AnswerAs, ServiceReply, ServiceRequest};

use crate::body::Body;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::listener::Thread;
use crate::route::Routed;

/// What the transform phase made of the client's request.
#[derive(Debug)]
pub struct IntegrationRequest {
    /// The value of `X-Amzn-Trace-Id` towards the backend; none for MOCK.
    pub trace: Option<Box<str>>,
    /// What the request template overrode.
    pub overrides: Overrides,
    /// What the backend gets.
    pub call: Call,
}

/// What a backend gets.
#[derive(Debug)]
pub enum Call {
    /// Nothing: the request template named the status.
    Mock {
        /// The status to choose the integration response by.
        status: i64,
    },
    /// An HTTP request.
    Http(Box<Request<Body>>),
    /// A request to an AWS service, to be signed.
    Service(Box<ServiceRequest>),
    /// A function's event.
    Lambda {
        /// JSON text; empty where there is no body.
        payload: Bytes,
        /// Nobody waits for the outcome: the function runs when there is room for it.
        is_event: bool,
    },
}

/// What a backend answered.
#[derive(Debug)]
pub struct Answered {
    /// As in the request.
    pub trace: Option<Box<str>>,
    /// As in the request.
    pub overrides: Overrides,
    /// The answer itself.
    pub reply: Reply,
}

/// A backend's answer.
#[derive(Debug)]
pub enum Reply {
    /// The status that the mock named.
    Mock {
        /// Any integer.
        status: i64,
    },
    /// An HTTP response whose body is still to come.
    Http(Box<Response<ResponseBody>>),
    /// What an AWS service answered.
    Service(Box<ServiceReply>),
    /// What a function made of its event.
    Lambda(Outcome),
    /// What a function makes of its event, while it comes.
    LambdaStream(Box<FunctionStream>),
}

/// Calls the backend.
///
/// # Errors
/// Timeouts, unreachable backends and refusals of Lambda, as the REST data plane's section 8.1 has them.
pub(crate) async fn integrate(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    request: IntegrationRequest,
) -> Result<Answered, Fault> {
    let IntegrationRequest { trace, overrides, call } = request;
    let timeout = routed.method.integration.timeout;
    if let Some(noted) = exchange.noted.as_deref().filter(|_| !matches!(call, Call::Mock { .. })) {
        noted.sending();
    }
    let reply = match call {
        Call::Mock { status } => Reply::Mock { status },
        Call::Http(request) => {
            if let Some(log) = &exchange.execution_log {
                report::http_request(log, &request);
            }
            let response = thread.upstream.send(*request, timeout).await?;
            if let Some(log) = &exchange.execution_log {
                report::http_response(log, response.status(), response.headers());
            }
            if let Some(noted) = &exchange.noted {
                noted.received(response.status().as_u16(), request_id(response.headers()));
            }
            Reply::Http(Box::new(response))
        }
        // Boxed, so that other requests do not carry the room for it.
        Call::Service(request) => {
            let reply = Box::pin(service::call(thread, exchange, routed, request)).await?;
            if let Some(noted) = &exchange.noted {
                noted.received(reply.status.as_u16(), request_id(&reply.headers));
            }
            Reply::Service(reply)
        }
        Call::Lambda { payload, .. } if routed.method.integration.streams => {
            let opened = Box::pin(lambda_stream::open(thread, exchange, routed, payload, trace.as_deref()));
            let opened = tokio::time::timeout(timeout, opened).await.unwrap_or(Err(Fault::BackendTimeout));
            let opened = opened?;
            if let Some(noted) = &exchange.noted {
                noted.received(200, None);
            }
            Reply::LambdaStream(Box::new(opened))
        }
        Call::Lambda { payload, is_event: true } => {
            if let Some(log) = &exchange.execution_log {
                report::function_call(log, exchange, routed, &payload);
            }
            // Boxed, as it waits for the disk anyway.
            let taken = Box::pin(lambda::enqueue(thread, exchange, routed, payload, trace.as_deref())).await?;
            if let Some(log) = &exchange.execution_log {
                log.received(202);
            }
            if let Some(noted) = &exchange.noted {
                noted.received(202, None);
            }
            Reply::Lambda(taken)
        }
        Call::Lambda { payload, is_event: false } => {
            if let Some(log) = &exchange.execution_log {
                report::function_call(log, exchange, routed, &payload);
            }
            let invoked = lambda::invoke(thread, exchange, routed, payload, trace.as_deref());
            let invoked = tokio::time::timeout(timeout, invoked).await.unwrap_or(Err(Fault::BackendTimeout))?;
            if let Some(log) = &exchange.execution_log {
                report::function_answer(log, routed, &invoked, trace.as_deref());
            }
            if let Some(noted) = &exchange.noted {
                noted.received(200, Some(&invoked.request_id));
            }
            Reply::Lambda(invoked.outcome)
        }
    };
    Ok(Answered { trace, overrides, reply })
}

/// The id that a service gives a request, where it says so.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amzn-requestid").and_then(|id| id.to_str().ok())
}
