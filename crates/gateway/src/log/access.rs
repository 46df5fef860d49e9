//! The access log of a stage: one line a request, in the format that its owner has set, for CloudWatch Logs.
//!
//! The line is rendered while the request is at hand and completed when its response has been sent, for only then length
//! and latency are known. A request to a stage without such a log pays for a check.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use base::clock::Clock;
use base::seams::{LogLine, WriteLog};

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::respond::{self, Answer, RefusalText};
use crate::settings::Settings;
use crate::transform;
use plan::Backend;

/// What the integrate phase notes for the access log.
#[derive(Debug, Default)]
pub struct Noted {
    sent: Cell<Option<Instant>>,
    /// How long the backend took, in milliseconds.
    latency: Cell<Option<u128>>,
    /// The status of the backend; of Lambda, not of the function.
    status: Cell<Option<u16>>,
    /// The id that the backend gave the request.
    request_id: RefCell<Option<Box<str>>>,
}

impl Noted {
    /// The request goes to the backend.
    pub fn sending(&self) {
        self.sent.set(Some(Instant::now()));
    }

    /// The backend has answered.
    pub fn received(&self, status: u16, request_id: Option<&str>) {
        self.latency.set(self.waited());
        self.status.set(Some(status));
        *self.request_id.borrow_mut() = request_id.filter(|id| !id.is_empty()).map(Box::from);
    }

    /// The id that the backend gave the request.
    pub fn request_id(&self) -> Option<Box<str>> {
        self.request_id.borrow().clone()
    }

    /// The milliseconds since the request went to the backend.
    fn waited(&self) -> Option<u128> {
        self.sent.get().map(|sent| sent.elapsed().as_millis())
    }
}

/// What is known only when the response has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    Status,
    ResponseLength,
    ResponseLatency,
}

impl Late {
    fn of(name: &str) -> Option<Late> {
        Some(match name {
            "status" => Late::Status,
            "responseLength" => Late::ResponseLength,
            "responseLatency" => Late::ResponseLatency,
            _ => return None,
        })
    }
}

/// A line that waits for the end of its response.
pub struct Line {
    text: String,
    /// What is to be put in, and where, in the text's order.
    late: Vec<(usize, Late)>,
    group_arn: Arc<str>,
    logs: Arc<dyn WriteLog>,
    clock: Clock,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("text", &self.text).field("late", &self.late).finish_non_exhaustive()
    }
}

/// Renders the line of a request, if its stage keeps a log and someone takes it.
#[cold]
pub fn begin(settings: &Settings, exchange: &Exchange, outcome: Result<&Answer, &Fault>) -> Option<Box<Line>> {
    let log = exchange.plan.access_log.as_deref()?;
    let logs = Arc::clone(settings.logs.as_ref()?);
    let refusal = outcome.err().map(RefusalText::of);
    let routed = respond::routed(exchange, outcome.err());
    let is_proxy = routed
        .as_ref()
        .is_some_and(|routed| matches!(routed.method.integration.backend, Backend::Lambda { proxy: true, .. }));
    let late = RefCell::new(Vec::new());
    let text = transform::access_line(exchange, routed.as_ref(), log, &|name, out| {
        if let Some(known) = Late::of(name) {
            late.borrow_mut().push((out.len(), known));
            return true;
        }
        let value = match name.strip_prefix("error.") {
            Some(member) => refusal.as_ref().and_then(|refusal| refusal.get(member)).map(str::to_owned),
            None => exchange.noted.as_deref().and_then(|noted| integration(noted, name, outcome, is_proxy)),
        };
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            out.push_str(value);
        }
        value.is_some_and(|value| !value.is_empty())
    });
    let mut late = late.into_inner();
    // A line that was cut may have lost its end.
    late.retain(|(at, _)| *at <= text.len());
    let group_arn = Arc::clone(&log.group_arn);
    Some(Box::new(Line { text, late, group_arn, logs, clock: settings.clock.clone() }))
}

/// The value of a name that is about the backend.
fn integration(noted: &Noted, name: &str, outcome: Result<&Answer, &Fault>, is_proxy: bool) -> Option<String> {
    match name {
        // For a function behind a proxy integration it is the status that the function named.
        "integration.status" if is_proxy => outcome.ok().map(|answer| answer.status.as_u16().to_string()),
        "integration.status" | "integration.integrationStatus" | "integrationStatus" => {
            noted.status.get().map(|status| status.to_string())
        }
        "integration.latency" | "integrationLatency" => {
            // A backend that has not answered has been waited for until now.
            noted.latency.get().or_else(|| noted.waited()).map(|latency| latency.to_string())
        }
        "integration.requestId" | "awsEndpointRequestId" => noted.request_id.borrow().as_deref().map(str::to_owned),
        "integration.error" | "integrationErrorMessage" => {
            let fault = outcome.err().filter(|_| noted.sent.get().is_some())?;
            respond::is_of_integration(fault).then(|| respond::log_text(fault))
        }
        _ => None,
    }
}

impl Line {
    /// Completes the line and hands it over.
    pub fn finish(self, status: u16, response_length: u64, started: Instant) {
        let mut text = String::with_capacity(self.text.len() + 16);
        let mut written = 0;
        for (at, late) in self.late {
            text.push_str(&self.text[written..at]);
            written = at;
            let number = match late {
                Late::Status => status.into(),
                Late::ResponseLength => response_length,
                Late::ResponseLatency => started.elapsed().as_millis() as u64,
            };
            text.push_str(itoa::Buffer::new().format(number));
        }
        text.push_str(&self.text[written..]);
        self.logs.write(&self.group_arn, None, LogLine { at: self.clock.now(), text });
    }
}
