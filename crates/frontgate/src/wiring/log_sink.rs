//! Carries the lines of logs to CloudWatch Logs: stages' access logs, and what functions print.
//!
//! A data thread that has a line puts it into a bounded channel. One task on the control runtime gathers lines for at most
//! half a second and sends them on, a batch for each log stream; what cannot be delivered is dropped, and the operator is
//! told. Access logs and functions have a channel and a task each, so that a function that prints without end costs no
//! line of an access log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use base::arn::Arn;
use base::clock::Clock;
use base::ids::random_bytes;
use base::seams::{LogLine, ServiceCall, WriteLog};
use base::service_endpoints::ServiceEndpoint;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::forwarding::Clients;
use super::service_calls::signed;

/// Lines that may wait, and their bytes.
const WAITING_LINES: usize = 20_000;
const WAITING_BYTES: usize = 32 * 1024 * 1024;

/// The longest that a line is kept back for others to join it.
const GATHERING: Duration = Duration::from_millis(500);

/// Lines and bytes of a batch: PutLogEvents takes no more. A line counts 26 bytes more than it has.
const BATCH_LINES: usize = 10_000;
const BATCH_BYTES: usize = 1024 * 1024;
const BYTES_BESIDE: usize = 26;

/// How often a batch is sent before it is given up, and the pause after the first time; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Streams that are remembered.
const STREAMS: usize = 1000;

const TYPE: &str = "application/x-amz-json-1.1";

#[derive(Debug)]
enum Message {
    Line(Place, LogLine),
    /// There will be no more.
    End,
}

/// Where a line goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    group_arn: Arc<str>,
    /// A stream that is made with its group where it is missing; `None` for one of our own, in a group that must be there.
    stream: Option<Arc<str>>,
}

/// Takes lines.
#[derive(Debug)]
pub(crate) struct LogSink {
    lines: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Of the lines that wait.
    bytes: AtomicUsize,
    /// Lines since the last warning.
    dropped: AtomicU64,
}

/// What carries the lines on, until it is ended.
pub(crate) struct Delivery {
    what: &'static str,
    lines: mpsc::Sender<Message>,
    task: JoinHandle<()>,
}

impl WriteLog for LogSink {
    fn write(&self, group_arn: &Arc<str>, stream: Option<&Arc<str>>, line: LogLine) {
        let place = Place { group_arn: Arc::clone(group_arn), stream: stream.cloned() };
        let bytes = line.text.len();
        let before = self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before + bytes <= WAITING_BYTES;
        if !has_room || self.lines.try_send(Message::Line(place, line)).is_err() {
            self.counts.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Delivery {
    /// Delivers what is left, for at most `grace`.
    pub(crate) async fn end(self, grace: Duration) {
        let Delivery { what, lines, task } = self;
        let ended = async {
            // A task that is gone has nothing left.
            if lines.send(Message::End).await.is_ok() {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!("lines of {what} were not delivered in time and are lost");
        }
    }
}

/// Starts the delivery of `what` on `control`.
pub(crate) fn start(
    what: &'static str,
    endpoint: ServiceEndpoint,
    clock: Clock,
    control: &Handle,
) -> (LogSink, Delivery) {
    let (lines, waiting) = mpsc::channel(WAITING_LINES);
    let counts = Arc::new(Counts::default());
    let sender = Sender { endpoint, clock, clients: Clients::new(), streams: HashMap::new() };
    let task = control.spawn(deliver(what, waiting, sender, Arc::clone(&counts)));
    (LogSink { lines: lines.clone(), counts }, Delivery { what, lines, task })
}

async fn deliver(what: &str, mut waiting: mpsc::Receiver<Message>, mut sender: Sender, counts: Arc<Counts>) {
    let mut is_last = false;
    while !is_last {
        let batches;
        (batches, is_last) = gather(&mut waiting, &counts).await;
        for (place, lines) in batches {
            let count = lines.len();
            if let Err(reason) = sender.send(&place, lines).await {
                tracing::warn!(group = %place.group_arn, lines = count, reason, "lines of {what} could not be delivered");
            }
        }
        // A round takes half a second, unless so many lines come that a batch is full before.
        let lost = counts.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "lines of {what} were dropped: they came faster than they were delivered");
        }
    }
}

/// Waits for lines and for those that come soon after, by where they go; and whether they are the last ones.
async fn gather(waiting: &mut mpsc::Receiver<Message>, counts: &Counts) -> (BTreeMap<Place, Vec<LogLine>>, bool) {
    let mut batches: BTreeMap<Place, Vec<LogLine>> = BTreeMap::new();
    let (mut lines, mut bytes) = (0, 0);
    let mut deadline = None;
    // The longest line still has room below the limit of a batch.
    while lines < BATCH_LINES && bytes < BATCH_BYTES * 3 / 4 {
        let received = match deadline {
            None => waiting.recv().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, waiting.recv()).await {
                Ok(received) => received,
                Err(_) => return (batches, false),
            },
        };
        let Some(Message::Line(place, line)) = received else { return (batches, true) };
        deadline.get_or_insert_with(|| Instant::now() + GATHERING);
        counts.bytes.fetch_sub(line.text.len(), Ordering::Relaxed);
        (lines, bytes) = (lines + 1, bytes + line.text.len() + BYTES_BESIDE);
        batches.entry(place).or_default().push(line);
    }
    (batches, false)
}

/// Calls CloudWatch Logs.
struct Sender {
    endpoint: ServiceEndpoint,
    clock: Clock,
    clients: Clients,
    /// The names of the log streams that are there.
    streams: HashMap<Place, Arc<str>>,
}

/// Why a call failed.
#[derive(Debug)]
enum Failure {
    /// The error's code, and what it says.
    Refused(String, String),
    Unreachable(String),
}

impl Sender {
    /// Sends a batch, several times if need be.
    async fn send(&mut self, place: &Place, mut lines: Vec<LogLine>) -> Result<(), String> {
        // Data threads overtake each other; a batch has to be in order.
        lines.sort_by_key(|line| line.at);
        let arn = Arn::parse(&place.group_arn).ok_or("its ARN is none")?;
        let group = arn.resource.strip_prefix("log-group:").ok_or("its ARN is not a log group's")?;
        let events: Vec<Value> =
            lines.into_iter().map(|line| json!({"timestamp": line.at.0, "message": line.text})).collect();
        let mut body = json!({"logGroupName": group, "logStreamName": "", "logEvents": events});
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let failure = match self.try_send(place, &arn, group, &mut body).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            // Someone may have deleted the stream; where there was none yet, it is the group that is not there.
            let was_deleted = self.streams.remove(place).is_some();
            if attempt == ATTEMPTS || !failure.may_pass(was_deleted) {
                return Err(failure.into_text());
            }
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    async fn try_send(&mut self, place: &Place, arn: &Arn<'_>, group: &str, body: &mut Value) -> Result<(), Failure> {
        let stream = match self.streams.get(place) {
            Some(stream) => Arc::clone(stream),
            None => {
                let stream = self.make_stream(place, arn, group).await?;
                if self.streams.len() >= STREAMS {
                    self.streams.clear();
                }
                self.streams.insert(place.clone(), Arc::clone(&stream));
                stream
            }
        };
        body["logStreamName"] = (&*stream).into();
        self.call(arn, "PutLogEvents", body).await
    }

    /// Makes the stream of a place; what is to be made on demand may be there already.
    async fn make_stream(&self, place: &Place, arn: &Arn<'_>, group: &str) -> Result<Arc<str>, Failure> {
        let stream = place.stream.clone().unwrap_or_else(|| stream_name().into());
        let body = json!({"logGroupName": group, "logStreamName": &*stream});
        let made = self.call(arn, "CreateLogStream", &body).await;
        if place.stream.is_none() {
            return made.map(|()| stream);
        }
        if made.as_ref().is_err_and(|failure| failure.is("ResourceNotFoundException")) {
            let made = self.call(arn, "CreateLogGroup", &json!({"logGroupName": group})).await;
            unless_there(made)?;
            unless_there(self.call(arn, "CreateLogStream", &body).await)?;
        } else {
            unless_there(made)?;
        }
        Ok(stream)
    }

    async fn call(&self, arn: &Arn<'_>, operation: &str, body: &Value) -> Result<(), Failure> {
        let request = self.request(arn, operation, Bytes::from(body.to_string())).map_err(Failure::Unreachable)?;
        let answered = tokio::time::timeout(CALL_TIMEOUT, self.clients.send(&self.endpoint, request)).await;
        let answer = answered
            .map_err(|_| Failure::Unreachable("it did not answer in time".into()))?
            .map_err(Failure::Unreachable)?;
        if answer.status().is_success() { Ok(()) } else { Err(Failure::of(&answer)) }
    }

    fn request(&self, arn: &Arn<'_>, operation: &str, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let call = ServiceCall {
            service: "logs",
            account: arn.account.into(),
            region: arn.region.into(),
            method: Method::POST,
            path: "/".to_owned(),
            headers: vec![("content-type", TYPE.to_owned()), ("x-amz-target", format!("Logs_20140328.{operation}"))],
            body,
        };
        signed(&self.endpoint, call, &self.clock)
    }
}

/// Lets it pass that something is there already.
fn unless_there(made: Result<(), Failure>) -> Result<(), Failure> {
    made.or_else(|failure| if failure.is("ResourceAlreadyExistsException") { Ok(()) } else { Err(failure) })
}

impl Failure {
    fn of(answer: &Response<Bytes>) -> Failure {
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = |names: [&str; 2]| names.iter().find_map(|name| body[*name].as_str()).unwrap_or_default();
        let code = text(["__type", "code"]);
        let code = code.rsplit('#').next().unwrap_or(code);
        let code = if code.is_empty() { answer.status().as_u16().to_string() } else { code.to_owned() };
        Failure::Refused(code, text(["message", "Message"]).to_owned())
    }

    fn is(&self, code: &str) -> bool {
        matches!(self, Failure::Refused(refused, _) if refused == code)
    }

    /// Whether it may go well the next time; `had_stream` says whether a stream was known.
    fn may_pass(&self, had_stream: bool) -> bool {
        match self {
            Failure::Unreachable(_) => true,
            Failure::Refused(code, _) if code == "ResourceNotFoundException" => had_stream,
            Failure::Refused(code, _) => !matches!(
                code.as_str(),
                "AccessDeniedException" | "InvalidParameterException" | "UnrecognizedClientException"
            ),
        }
    }

    fn into_text(self) -> String {
        match self {
            Failure::Refused(code, text) => format!("{code}: {text}"),
            Failure::Unreachable(text) => text,
        }
    }
}

/// Sixteen random bytes in hexadecimal digits, as AWS names the streams of access logs.
fn stream_name() -> String {
    random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use base::clock::Moment;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { at: Moment(1), text: text.into() }
    }

    #[tokio::test]
    async fn lines_are_gathered_by_place_up_to_a_batch() {
        let (sender, mut waiting) = mpsc::channel(WAITING_LINES);
        let counts = Counts::default();
        let place = |stream: Option<&str>| Place { group_arn: "group".into(), stream: stream.map(Into::into) };
        let (one, other) = (place(None), place(Some("stream")));
        for place in [&one, &other, &one] {
            sender.send(Message::Line(place.clone(), line("x"))).await.expect("there is room");
        }
        sender.send(Message::End).await.expect("there is room");
        let (batches, is_last) = gather(&mut waiting, &counts).await;
        assert_eq!((batches[&one].len(), batches[&other].len(), is_last), (2, 1, true));
        for _ in 0..BATCH_LINES + 1 {
            sender.send(Message::Line(one.clone(), line("x"))).await.expect("there is room");
        }
        let (batches, is_last) = gather(&mut waiting, &counts).await;
        assert_eq!((batches[&one].len(), is_last), (BATCH_LINES, false));
        for _ in 0..4 {
            sender.send(Message::Line(one.clone(), line(&"x".repeat(256 * 1024)))).await.expect("there is room");
        }
        let (batches, _) = gather(&mut waiting, &counts).await;
        let bytes: usize = batches[&one].iter().map(|line| line.text.len() + BYTES_BESIDE).sum();
        assert!(bytes <= BATCH_BYTES + BYTES_BESIDE * 4, "{bytes}");
    }

    #[tokio::test]
    async fn what_there_is_no_room_for_is_counted() {
        let (lines, _waiting) = mpsc::channel(1);
        let sink = LogSink { lines, counts: Arc::default() };
        sink.write(&"group".into(), None, line(&"x".repeat(WAITING_BYTES + 1)));
        for _ in 0..3 {
            sink.write(&"group".into(), None, line("x"));
        }
        assert_eq!(sink.counts.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(sink.counts.bytes.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn refusals_are_read() {
        let answer = |body: &'static str| Response::new(Bytes::from_static(body.as_bytes()));
        let refused = Failure::of(&answer(r#"{"__type":"com.amazonaws#InvalidParameterException","message":"no"}"#));
        assert!(!refused.may_pass(true));
        assert_eq!(refused.into_text(), "InvalidParameterException: no");
        let refused = Failure::of(&answer("<html>"));
        assert!(refused.may_pass(false));
        assert_eq!(refused.into_text(), "200: ");
        let gone = Failure::of(&answer(r#"{"__type":"ResourceNotFoundException"}"#));
        assert!(gone.may_pass(true) && !gone.may_pass(false));
        assert_eq!(stream_name().len(), 32);
    }
}
