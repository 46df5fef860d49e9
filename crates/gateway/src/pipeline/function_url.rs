//! The way of a request to a function URL. The phases stand here in their order.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::clock::Moment;
use base::limits::FUNCTION_PAYLOAD_BYTES;
use base::seams::{FindFunctionUrl, FunctionUrl, Invocation, InvokeRefusal, Outcome};
use bytes::Bytes;
use http::Response;
use http::header::HOST;
use http::request::Parts;
use hyper::body::Incoming;

use crate::address::UrlAddress;
use crate::body::{Body, Pace, ReadError, read_whole};
use crate::fault::Fault;
use crate::function_url::authorize::authorize;
use crate::function_url::{UrlExchange, cors, event, response};
use crate::integrate::refusal_text;
use crate::listener::{Connection, Thread};
use crate::log::{Entry, Pending};
use crate::random::RequestIds;
use crate::respond::{self, Answer, TRACE_ID};
use crate::transform::continue_trace;

/// No function runs longer, and a little for what is on its way.
const LONGEST_STREAM: Duration = Duration::from_secs(920);

/// The phases, in order.
async fn answer(thread: &Thread, exchange: &UrlExchange, body: Incoming) -> Result<Answer, Fault> {
    if exchange.head.headers.get_all(HOST).iter().nth(1).is_some() {
        return Err(Fault::SeveralHosts);
    }
    // A page asks whether it may: that is the URL's to say.
    if let Some(answer) = cors::preflight(exchange) {
        return Ok(answer);
    }
    // Who calls.
    let caller = authorize(exchange)?;
    // The client's request becomes the event.
    let body = read_whole(body, FUNCTION_PAYLOAD_BYTES).await.map_err(|error| match error {
        ReadError::TooLarge => Fault::RequestTooLarge,
        ReadError::Broken => Fault::BadBody,
    })?;
    let invocation = Invocation {
        function_arn: Arc::clone(&exchange.url.function_arn),
        payload: event::build(exchange, &caller, &body),
        caller: caller.as_lambda_sees_it(),
        trace_id: Some(exchange.trace.sent.to_string()),
        client_context: None,
        tail_log: false,
        request_id: Some(exchange.ids.request_id().to_owned()),
    };
    drop::<Bytes>(body);
    // The function answers, and its answer becomes the response.
    if exchange.url.streams {
        let streaming = thread.settings.functions.invoke_streaming(invocation).await.map_err(fault_of)?;
        return response::streamed(streaming, Pace::of_function((exchange.started + LONGEST_STREAM).into())).await;
    }
    match thread.settings.functions.invoke(invocation).await.map_err(fault_of)?.outcome {
        Outcome::Returned(payload) => response::answer(&payload),
        Outcome::Failed(_) => Err(Fault::FunctionFailed),
    }
}

/// What Lambda's refusal means to the client.
fn fault_of(refusal: InvokeRefusal) -> Fault {
    match refusal {
        InvokeRefusal::NotPermitted => Fault::FunctionNotPermitted,
        // Deleted since it was found.
        InvokeRefusal::NotFound { .. } => Fault::UnknownFunctionUrl,
        InvokeRefusal::TooManyRequests { reason } => Fault::FunctionThrottled { reason },
        // The event is the client's body and a little more.
        InvokeRefusal::BadPayload { too_large: true, .. } => Fault::RequestTooLarge,
        refusal => Fault::FunctionRefused { reason: refusal_text(&refusal).into() },
    }
}

/// What the address phase found, without borrowing from the request.
#[derive(Debug)]
pub(crate) struct Place {
    url: Option<Arc<FunctionUrl>>,
    path_at: usize,
}

impl Place {
    /// Looks the addressed URL up. Hosts compare without regard to case.
    pub(crate) fn find(urls: &dyn FindFunctionUrl, address: &UrlAddress<'_>) -> Place {
        Place { url: urls.find(&address.id.to_ascii_lowercase()), path_at: address.path_at }
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
    let (mut response, head, url, error) = match place.url {
        Some(url) => {
            let incoming = head.headers.get(TRACE_ID).and_then(|value| value.to_str().ok());
            let trace = continue_trace(incoming, received.whole_seconds(), || false);
            let domain = Arc::clone(&thread.settings.domain);
            let path_at = place.path_at;
            let exchange = UrlExchange { ids, started, received, connection, head, url, path_at, domain, trace };
            let outcome = answer(thread, &exchange, body).await;
            let (mut response, error) = match outcome {
                Ok(answer) => (respond::url_served(answer, &exchange), None),
                Err(fault) => (respond::url_refused(&fault, &ids), Some(respond::log_text(&fault).into())),
            };
            cors::add(&exchange, response.headers_mut());
            exchange.connection.heads.clear();
            (response, exchange.head, Some(exchange.url), error)
        }
        None => {
            let fault = Fault::UnknownFunctionUrl;
            connection.heads.clear();
            (respond::url_refused(&fault, &ids), head, None, Some(respond::log_text(&fault).into()))
        }
    };
    let Moment(received) = received;
    let status = response.status().as_u16();
    let Parts { method, uri, .. } = head;
    let entry = Entry { ids, connection: client, started, received, method, uri, plan: None, url, status, error };
    response.body_mut().log_at_end(Pending::new(entry, None, &thread.settings.log));
    response
}
