//! The way of a request to a REST API. The phases stand here in their order (REST data plane, section 2); those that
//! are not built yet (firewall, cache) have their place but no code.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use base::clock::Moment;
use http::Response;
use http::header::{CONTENT_ENCODING, HOST};
use http::request::Parts;
use hyper::body::Incoming;
use plan::{Lookup, PlanIndex, StagePlan};

use crate::address::Address;
use crate::authorize::authorize;
use crate::body::{Body, RequestBody};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::integrate::integrate;
use crate::listener::{Connection, Thread};
use crate::log::{Entry, Pending, access, stage_execution};
use crate::random::RequestIds;
use crate::respond::{self, Answer};
use crate::route::{Routed, route};
use crate::settings::{HEADERS_BYTES, URI_BYTES};
use crate::throttle::{Admitted, throttle};
use crate::transform;
use crate::validate::validate;

/// The phases, in order. Each takes what the ones before it have established.
async fn answer(thread: &Thread, exchange: &Exchange, body: &mut RequestBody) -> Result<Answer, Fault> {
    // Sizes and syntax are checked before anything is looked up.
    check_syntax(exchange, body)?;
    // Which resource and method; a wrong path and a wrong verb are the same refusal.
    let routed = route(exchange)?;
    // Who calls. A guard that is not built fails closed.
    let caller = authorize(exchange, &routed)?;
    // Rates count only callers who may go on.
    let admitted = throttle(exchange, &routed, &caller)?;
    // What the client has packed is unpacked before anything reads it.
    if body.is_expected() && exchange.head.headers.contains_key(CONTENT_ENCODING) {
        Box::pin(body.unpack(&exchange.head.headers, exchange.plan.minimum_compression_size)).await?;
    }
    if let Some(log) = &exchange.execution_log {
        stage_execution::begin(log, exchange, &routed);
    }
    let answer = admitted_answer(thread, exchange, &routed, &admitted, body).await?;
    // A client that likes it so gets the body packed, if the API says from which size on.
    match exchange.plan.minimum_compression_size {
        None => Ok(answer),
        Some(minimum) => Box::pin(respond::compress(exchange, minimum, answer)).await,
    }
}

/// The phases behind the guards, which test invocations go through too.
pub(super) async fn admitted_answer(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    admitted: &Admitted,
    body: &mut RequestBody,
) -> Result<Answer, Fault> {
    if let Some(log) = &exchange.execution_log {
        Box::pin(transform::report_request(log, exchange, routed, body)).await?;
    }
    // What the method's validator asks for is there, and the body is as its model says.
    let validated = validate(exchange, routed, admitted, body).await?;
    // The client's request becomes the integration's.
    let request = transform::request(exchange, routed, &validated, body).await?;
    // The backend answers.
    let answered = integrate(thread, exchange, routed, request).await?;
    // The integration's answer becomes the method's response.
    let answer = transform::response(exchange, routed, answered).await?;
    match &exchange.execution_log {
        None => Ok(answer),
        Some(log) => Box::pin(transform::report_answer(log, routed, answer)).await,
    }
}

/// What the address phase found, without borrowing from the request.
#[derive(Debug)]
pub(crate) struct Place {
    stage: Stage,
    resource_at: usize,
    context_path_at: Option<usize>,
}

#[derive(Debug)]
enum Stage {
    Ready(Arc<StagePlan>),
    Pending { api: Box<str>, stage: Box<str> },
    Unknown,
}

impl Place {
    /// Looks the addressed stage up. Ids are lower case, and hosts compare without regard to case.
    pub(crate) fn find(index: &PlanIndex, address: &Address<'_>) -> Place {
        let api = if address.api.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(address.api.to_ascii_lowercase())
        } else {
            Cow::Borrowed(address.api)
        };
        let stage = match index.stage(&api, address.stage) {
            Lookup::Ready(plan) => Stage::Ready(plan),
            Lookup::Pending => Stage::Pending { api: api.into(), stage: address.stage.into() },
            Lookup::Unknown => Stage::Unknown,
        };
        Place { stage, resource_at: address.resource_at, context_path_at: address.stage_at }
    }
}

/// Serves a request from here to its log line, whatever becomes of it.
pub(crate) async fn run(
    thread: &Rc<Thread>,
    connection: Arc<Connection>,
    head: Parts,
    body: Incoming,
    place: Place,
) -> Response<Body> {
    let (ids, started, received) = (RequestIds::draw(), Instant::now(), thread.settings.clock.now());
    let client = Arc::clone(&connection);
    let mut access = None;
    let (mut response, head, plan, error) = match find_plan(thread, place.stage).await {
        Ok(plan) => {
            let execution_log = stage_execution::open(&thread.settings, &plan);
            let noted = (plan.access_log.is_some() || execution_log.is_some()).then(Box::default);
            let exchange = Exchange {
                ids,
                started,
                received,
                connection,
                head,
                plan,
                resource_at: place.resource_at,
                context_path_at: place.context_path_at,
                domain: Arc::clone(&thread.settings.domain),
                execution_log,
                noted,
                tested: None,
            };
            let mut body = RequestBody::new(body);
            let outcome = answer(thread, &exchange, &mut body).await;
            if let (Some(log), Err(fault)) = (&exchange.execution_log, &outcome) {
                log.failed(fault, respond::routed(&exchange, Some(fault)).as_ref());
            }
            if exchange.noted.is_some() {
                access = access::begin(&thread.settings, &exchange, outcome.as_ref());
            }
            let (response, error) = respond(outcome, &ids, Some(&exchange));
            if exchange.execution_log.is_some() {
                stage_execution::finish(&thread.settings, &exchange, response.status().as_u16());
            }
            exchange.connection.heads.clear();
            (response, exchange.head, Some(exchange.plan), error)
        }
        Err(fault) => {
            let (response, error) = respond(Err(fault), &ids, None);
            (response, head, None, error)
        }
    };
    let Moment(received) = received;
    let status = response.status().as_u16();
    let Parts { method, uri, .. } = head;
    let entry = Entry { ids, connection: client, started, received, method, uri, plan, url: None, status, error };
    response.body_mut().log_at_end(Pending::new(entry, access, &thread.settings.log));
    response
}

/// Turns the outcome into a response and, for a refusal, its cause for the log.
fn respond(
    outcome: Result<Answer, Fault>,
    ids: &RequestIds,
    exchange: Option<&Exchange>,
) -> (Response<Body>, Option<Box<str>>) {
    match outcome {
        Ok(answer) => (respond::served(answer, ids), None),
        Err(fault) => (respond::refused(&fault, ids, exchange), Some(respond::log_text(&fault).into())),
    }
}

/// The plan of the stage that a request addresses; compiled now if nobody has asked for it since the start.
async fn find_plan(thread: &Thread, stage: Stage) -> Result<Arc<StagePlan>, Fault> {
    match stage {
        Stage::Ready(plan) => Ok(plan),
        Stage::Unknown => Err(Fault::UnknownStage),
        Stage::Pending { api, stage } => {
            let compiled = thread.settings.compile.compile_stage(&api, &stage).await;
            compiled.map_err(|reason| Fault::Internal { reason: reason.into() })?.ok_or(Fault::UnknownStage)
        }
    }
}

/// AWS's limits for body and headers, and the characters that a query must escape.
pub(super) fn check_syntax(exchange: &Exchange, body: &RequestBody) -> Result<(), Fault> {
    if body.is_announced_too_large() {
        return Err(Fault::RequestTooLarge);
    }
    let uri = &exchange.head.uri;
    if uri.path().len() + uri.query().map_or(0, str::len) > URI_BYTES {
        return Err(Fault::UriTooLong);
    }
    let headers: usize = exchange.head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > HEADERS_BYTES {
        return Err(Fault::HeadersTooLarge);
    }
    if exchange.head.headers.get_all(HOST).iter().nth(1).is_some() {
        return Err(Fault::SeveralHosts);
    }
    if exchange.query().bytes().any(|byte| matches!(byte, b'|' | b'{' | b'}')) {
        return Err(Fault::BadQuery);
    }
    Ok(())
}
