//! The execution log of one request: what each phase did, line by line, in AWS's words.
//!
//! A request that keeps one has it on its [`Exchange`](crate::exchange::Exchange), and the phases report to it from
//! their own modules; the others pay for a check in each phase. A line is a moment and a text: TestInvokeMethod shows
//! `{date} : {text}`, CloudWatch's events are `({request id}) {text}`. Sources of the texts: observability, section 3,
//! and logs that were published by users of the service.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::{Display, Write as _};
use std::time::Instant;

use base::clock::{Clock, Moment};
use http::HeaderMap;
use plan::spelling::spell;
use plan::{Backend, LogDetail};

use crate::fault::{Fault, MOCK_STATUS};
use crate::respond::log_text;
use crate::route::Routed;
use crate::transform::header_text;

/// The longest text of a line in bytes; what is beyond is cut off, and the line says so.
const TEXT_BYTES: usize = 1024;

/// How lines begin that tell of a failure.
const FAILURES: &[&str] = &["Execution failed", "Lambda execution failed", "Lambda invocation failed"];

/// How lines begin that show headers, bodies and parameters.
const DATA: &[&str] = &["Method request ", "Method response ", "Endpoint request ", "Endpoint response "];

/// What stands behind a text that was cut.
const TRUNCATED: &str = " [TRUNCATED]";

/// What the phases report to. A request writes a bounded number of lines.
#[derive(Debug)]
pub struct ExecutionLog {
    clock: Clock,
    lines: RefCell<Vec<Line>>,
    /// What of it is kept; nothing until it is known which method the request is for.
    detail: Cell<Option<LogDetail>>,
    /// When the request went to the backend.
    sent: Cell<Option<Instant>>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written.
    pub at: Moment,
    /// At most 1024 bytes, and a note where it was cut.
    pub text: String,
}

impl ExecutionLog {
    /// A log without lines, dated by `clock`, that keeps so much; without a detail it keeps nothing yet.
    pub fn new(clock: Clock, detail: Option<LogDetail>) -> ExecutionLog {
        ExecutionLog { clock, lines: RefCell::default(), detail: Cell::new(detail), sent: Cell::default() }
    }

    /// Keeps so much from here on.
    pub fn keep(&self, detail: Option<LogDetail>) {
        self.detail.set(detail);
    }

    /// Whether anything is kept.
    pub fn is_kept(&self) -> bool {
        self.detail.get().is_some()
    }

    /// Whether headers and bodies are wanted.
    pub fn has_data(&self) -> bool {
        self.detail.get() == Some(LogDetail::Everything)
    }

    /// Adds a line, if lines of its kind are kept.
    pub fn write(&self, text: String) {
        let begins_with = |beginnings: &[&str]| beginnings.iter().any(|beginning| text.starts_with(beginning));
        let is_kept = match self.detail.get() {
            None => false,
            Some(LogDetail::Failures) => begins_with(FAILURES),
            Some(LogDetail::Outline) => !begins_with(DATA),
            Some(LogDetail::Everything) => true,
        };
        if is_kept {
            self.push(text);
        }
    }

    fn push(&self, mut text: String) {
        if text.len() > TEXT_BYTES {
            text.truncate(text.floor_char_boundary(TEXT_BYTES));
            text.push_str(TRUNCATED);
        }
        self.lines.borrow_mut().push(Line { at: self.clock.now(), text });
    }

    /// Adds `{label}: {value}`.
    pub fn value(&self, label: &str, value: impl Display) {
        self.write(format!("{label}: {value}"));
    }

    /// Adds `{label}: {name=value, name=value}`.
    pub fn map<'a>(&self, label: &str, members: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>) {
        let mut text = format!("{label}: {{");
        let mut separator = "";
        for (name, value) in members {
            // What will be cut off need not be gathered.
            if text.len() > TEXT_BYTES {
                break;
            }
            // Writing into a String cannot fail.
            let _ = write!(text, "{separator}{name}={}", masked(name, value));
            separator = ", ";
        }
        text.push('}');
        self.write(text);
    }

    /// Adds the headers of a message that came or goes over HTTP; `known` has the names that are not spelt as usual.
    pub fn headers(&self, label: &str, headers: &HeaderMap, known: &[Box<str>]) {
        let members: Vec<_> =
            headers.keys().map(|name| (spelled(name.as_str(), known), values(headers, name))).collect();
        self.map(label, members.iter().map(|(name, values)| (name.as_str(), Cow::Borrowed(values.as_str()))));
    }

    /// Adds a body.
    pub fn body(&self, label: &str, bytes: &[u8]) {
        // More than the line can hold need not be looked at.
        let start = &bytes[..bytes.len().min(TEXT_BYTES + 4)];
        match std::str::from_utf8(start) {
            Err(error) if error.error_len().is_some() => self.value(label, BINARY),
            _ => self.value(label, String::from_utf8_lossy(start)),
        }
    }

    /// Notes that the request goes to the backend.
    pub fn sending(&self, uri: impl Display) {
        self.write(format!("Sending request to {uri}"));
        self.sent.set(Some(Instant::now()));
    }

    /// Notes that the backend has answered.
    pub fn received(&self, status: u16) {
        let latency = self.sent.get().map_or(0, |sent| sent.elapsed().as_millis());
        self.write(format!("Received response. Status: {status}, Integration latency: {latency} ms"));
    }

    /// Notes why the request fails, unless a line has said so.
    pub fn failed(&self, fault: &Fault, routed: Option<&Routed<'_>>) {
        if let Some(text) = failure(fault, routed).filter(|_| self.detail.get().is_some()) {
            self.push(text);
        }
    }

    /// Notes the end; where only failures are kept, the end of one.
    pub fn completed(&self, status: u16) {
        if self.detail.get() != Some(LogDetail::Failures) || !self.lines.borrow().is_empty() {
            self.push(format!("Method completed with status: {status}"));
        }
    }

    /// The moment now, by the log's clock.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// The lines, which are then no longer here.
    pub fn take_lines(&self) -> Vec<Line> {
        self.lines.take()
    }

    /// The whole log as TestInvokeMethod shows it.
    pub fn into_test_log(self, request_id: &str) -> String {
        let mut out = format!("Execution log for request {request_id}\n");
        for line in self.lines.into_inner() {
            let _ = writeln!(out, "{} : {}", format_moment(line.at, "%a %b %d %H:%M:%S UTC %Y"), line.text);
        }
        out
    }
}

/// What stands for a body that is bytes.
pub const BINARY: &str = "[Binary Data]";

/// A moment in UTC.
pub(crate) fn format_moment(moment: Moment, format: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(moment.0 as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime(format).to_string()
}

/// Credentials are not for logs: of them the last six characters are shown.
fn masked<'v>(name: &str, value: Cow<'v, str>) -> Cow<'v, str> {
    const SECRET: &[&str] = &["authorization", "x-api-key", "x-amz-security-token"];
    if !SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
        return value;
    }
    let hidden = value.chars().count().saturating_sub(6);
    let shown = value.chars().enumerate().map(|(at, letter)| if at < hidden || hidden < 6 { '*' } else { letter });
    Cow::Owned(shown.collect())
}

/// All values of a header, joined.
fn values(headers: &HeaderMap, name: &http::HeaderName) -> String {
    headers.get_all(name).iter().map(header_text).collect::<Vec<_>>().join(",")
}

/// A header's name as it is spelt where a client or a log sees it: as one of `known` wrote it, else as usual.
pub(crate) fn spelled(name: &str, known: &[Box<str>]) -> String {
    if let Some(written) = known.iter().find(|written| written.eq_ignore_ascii_case(name)) {
        return written.to_string();
    }
    let mut out = name.as_bytes().to_vec();
    spell(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The line that tells of a failure; `None` where one has been written when it came up.
fn failure(fault: &Fault, routed: Option<&Routed<'_>>) -> Option<String> {
    let configuration = |text: &dyn Display| Some(format!("Execution failed due to configuration error: {text}"));
    match fault {
        Fault::BadEndpoint { .. } => configuration(&"Invalid endpoint address"),
        Fault::FunctionNotPermitted => configuration(&"Invalid permissions on Lambda function"),
        Fault::MalformedProxyResponse { .. } => configuration(&"Malformed Lambda proxy response"),
        Fault::ReservedHeader { name } => configuration(&format_args!("{name} header already present")),
        Fault::RequestTransformation { reason } if reason == MOCK_STATUS => configuration(reason),
        Fault::NoIntegrationResponse { value } => {
            // A function answers 200 whatever it says; what was looked for is its error message.
            let is_function = routed.is_some_and(|routed| {
                matches!(routed.method.integration.backend, Backend::Lambda { proxy: false, .. })
            });
            let status = if is_function { "200" } else { value };
            configuration(&format_args!(
                "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: \
                 {status}"
            ))
        }
        Fault::NoMethodResponse { .. } | Fault::BrokenIntegration { .. } => configuration(&log_text(fault)),
        // The text begins as AWS's line does, and goes on with our reason.
        Fault::RequestTransformation { .. } | Fault::ResponseTransformation { .. } => Some(log_text(fault)),
        Fault::BackendTimeout => Some("Execution failed due to a timeout error".into()),
        Fault::BackendUnreachable { reason } => {
            Some(format!("Execution failed due to a network error communicating with endpoint: {reason}"))
        }
        Fault::FunctionRefused { reason } => Some(format!("Lambda invocation failed: {reason}")),
        Fault::MissingParameters { .. } | Fault::InvalidBody { .. } => Some(log_text(fault)),
        // Told where the function's answer was at hand.
        Fault::FunctionFailed => None,
        other => Some(format!("Execution failed: {}", log_text(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(write: impl FnOnce(&ExecutionLog)) -> Vec<String> {
        let log = ExecutionLog::new(Clock::fake(Moment(1_759_175_390_000)), Some(LogDetail::Everything));
        write(&log);
        log.take_lines().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn dates_lines_as_recorded() {
        let log = ExecutionLog::new(Clock::fake(Moment(1_759_175_390_000)), Some(LogDetail::Everything));
        log.value("Method request path", "{}");
        log.completed(200);
        assert_eq!(
            log.into_test_log("id"),
            "Execution log for request id\n\
             Mon Sep 29 19:49:50 UTC 2025 : Method request path: {}\n\
             Mon Sep 29 19:49:50 UTC 2025 : Method completed with status: 200\n"
        );
    }

    #[test]
    fn cuts_what_exceeds_a_line() {
        let exact = "x".repeat(TEXT_BYTES);
        assert_eq!(lines(|log| log.write(exact.clone())), [exact.as_str()]);
        assert_eq!(lines(|log| log.write(format!("{exact}y"))), [format!("{exact}{TRUNCATED}")]);
        // A letter that does not fit whole is left out.
        let accented = format!("{}\u{e9}", "x".repeat(TEXT_BYTES - 1));
        assert_eq!(lines(|log| log.write(accented)), [format!("{}{TRUNCATED}", "x".repeat(TEXT_BYTES - 1))]);
        let body = "\u{e9}".repeat(4 * TEXT_BYTES);
        assert_eq!(lines(|log| log.body("Body", body.as_bytes()))[0].len(), TEXT_BYTES + TRUNCATED.len());
        let many = (0..10_000).map(|_| ("name", Cow::Borrowed("value")));
        let map = lines(|log| log.map("Map", many)).remove(0);
        assert!(map.ends_with(TRUNCATED) && map.len() == TEXT_BYTES + TRUNCATED.len(), "{map}");
    }

    #[test]
    fn hides_credentials() {
        let members = [("Authorization", "Bearer 0123456789abcdef"), ("X-API-Key", "short"), ("X-Other", "shown")];
        let map = lines(|log| log.map("Map", members.map(|(name, value)| (name, Cow::Borrowed(value)))));
        assert_eq!(map, ["Map: {Authorization=*****************abcdef, X-API-Key=*****, X-Other=shown}"]);
    }

    #[test]
    fn shows_bodies_as_text_or_says_that_they_are_none() {
        assert_eq!(lines(|log| log.body("Body", b"")), ["Body: "]);
        assert_eq!(lines(|log| log.body("Body", "caf\u{e9}".as_bytes())), ["Body: caf\u{e9}"]);
        assert_eq!(lines(|log| log.body("Body", b"\xff\xfe\x00")), ["Body: [Binary Data]"]);
    }

    #[test]
    fn spells_headers_as_they_were_written_or_as_usual() {
        let known = ["tesT-Own".into()];
        for (name, expected) in [
            ("content-type", "Content-Type"),
            ("x-amzn-errortype", "x-amzn-ErrorType"),
            ("x-amzn-apigateway-api-id", "x-amzn-apigateway-api-id"),
            ("test-own", "tesT-Own"),
        ] {
            assert_eq!(spelled(name, &known), expected);
        }
    }

    #[test]
    fn tells_failures_in_the_services_words() {
        for (fault, expected) in [
            (
                Fault::BadEndpoint { reason: "x".into() },
                "Execution failed due to configuration error: Invalid endpoint address",
            ),
            (Fault::BackendTimeout, "Execution failed due to a timeout error"),
            (
                Fault::NoMethodResponse { status: http::StatusCode::OK },
                "Execution failed due to configuration error: Output mapping refers to an invalid method response: 200",
            ),
            (
                Fault::ResponseTransformation { reason: "why".into() },
                "Execution failed due to configuration error: Unable to transform response: why",
            ),
            (
                Fault::NoIntegrationResponse { value: "404".into() },
                "Execution failed due to configuration error: No match for output mapping and no default output mapping \
                 configured. Endpoint Response Status Code: 404",
            ),
        ] {
            assert_eq!(failure(&fault, None).as_deref(), Some(expected));
        }
        assert_eq!(failure(&Fault::FunctionFailed, None), None);
    }
}
