//! The platform's own lines around an invocation (`START`, `END`, `REPORT`), where the log is kept or a caller asked for it.

use std::time::Duration;

use base::clock::{Clock, Moment};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::environment::Environment;
use super::events::{self, Level};
use crate::records::LogLevels;
use crate::runtimes::version_arn;
use crate::time::timestamp;
use crate::version::VersionSettings;

/// An invocation whose lines are being written.
#[derive(Debug)]
pub(crate) struct Report {
    request_id: Box<str>,
    began: Instant,
    /// Whether a caller waits for the tail.
    has_tail: bool,
}

impl Report {
    /// Writes `START`, if anybody is to read it. What was printed before belongs to no invocation.
    pub(crate) fn begin(environment: &Environment, clock: &Clock, request_id: &str, has_tail: bool) -> Option<Report> {
        let output = &environment.output;
        if !has_tail && !output.is_kept() {
            return None;
        }
        output.drain();
        if has_tail {
            output.begin_tail();
        }
        let number = &environment.version.settings.number;
        match &environment.version.settings.json_log {
            None => output.platform_line(&format!("START RequestId: {request_id} Version: {number}")),
            Some(levels) => {
                let record = json!({ "requestId": request_id, "version": &**number });
                output.platform_event(events::line(levels, clock.now(), Level::Info, "start", record));
            }
        }
        Some(Report { request_id: request_id.into(), began: Instant::now(), has_tail })
    }

    /// Writes `END` and `REPORT` and returns the tail for who asked for it. `init` is what the environment's start took, if
    /// this was its first invocation; `failure` the error payload, if there is one.
    pub(crate) fn end(
        self,
        environment: &Environment,
        clock: &Clock,
        init: Option<Duration>,
        failure: Option<&[u8]>,
    ) -> Option<Bytes> {
        let Report { request_id, began, has_tail } = self;
        let (output, settings, duration) = (&environment.output, &environment.version.settings, began.elapsed());
        output.drain();
        if let Some(levels) = &settings.json_log {
            let ended = Ended { request_id: &request_id, duration, init, failure: failure.map(Failure::read) };
            ended.write(environment, levels, clock);
            return has_tail.then(|| output.take_tail().unwrap_or_default().into());
        }
        let failure = failure.filter(|_| environment.is_spent()).map(Failure::read);
        match &failure {
            Some(failure) if failure.is_timeout() => output.platform_line(&format!(
                "{} {request_id} Task timed out after {:.2} seconds\n",
                timestamp(clock.now()),
                settings.timeout.as_secs_f64()
            )),
            Some(failure) if failure.kind == "Runtime.ExitError" => output.platform_line(&failure.lines()),
            _ => {}
        }
        output.platform_line(&format!("END RequestId: {request_id}"));
        let billed = billed(duration, init);
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            milliseconds(duration),
            settings.memory_mb,
            memory_used(environment, duration),
        );
        if let Some(init) = init {
            line += &format!("Init Duration: {:.2} ms\t", milliseconds(init));
        }
        if let Some(failure) = &failure {
            line += &failure.status();
        }
        output.platform_line(&line);
        has_tail.then(|| output.take_tail().unwrap_or_default().into())
    }
}

/// An invocation that is over, for a log in JSON.
struct Ended<'a> {
    request_id: &'a str,
    duration: Duration,
    init: Option<Duration>,
    failure: Option<Failure>,
}

impl Ended<'_> {
    /// Writes `platform.runtimeDone` and `platform.report`.
    fn write(&self, environment: &Environment, levels: &LogLevels, clock: &Clock) {
        let Ended { request_id, duration, init, failure } = self;
        let (done, reported) = match failure {
            None => (Level::Debug, Level::Info),
            Some(_) => (Level::Warn, Level::Warn),
        };
        let mut record = json!({
            "requestId": request_id,
            "metrics": { "durationMs": hundredths(*duration) },
            "status": failure.as_ref().map_or("success", Failure::word),
        });
        if let Some(kind) = failure.as_ref().map(|failure| &failure.kind).filter(|kind| !kind.is_empty()) {
            record["errorType"] = json!(kind);
        }
        environment.output.platform_event(events::line(levels, clock.now(), done, "runtimeDone", record.clone()));
        let metrics = &mut record["metrics"];
        metrics["billedDurationMs"] = json!(billed(*duration, *init));
        metrics["memorySizeMB"] = json!(environment.version.settings.memory_mb);
        metrics["maxMemoryUsedMB"] = json!(memory_used(environment, *duration));
        if let Some(init) = init {
            metrics["initDurationMs"] = json!(hundredths(*init));
        }
        environment.output.platform_event(events::line(levels, clock.now(), reported, "report", record));
    }
}

/// The line of an environment's start, if it is one that is kept.
pub(super) fn init_start(settings: &VersionSettings, now: Moment) -> Option<String> {
    let runtime = &settings.runtime;
    let split = runtime.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(runtime.len());
    let (family, version) = runtime.split_at(split);
    let version = version.trim_start_matches('.').trim_end_matches(".x");
    let arn = version_arn(&settings.region, runtime);
    let version = format!("{family}:{version}.v1");
    match &settings.json_log {
        None => Some(format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}")),
        Some(levels) => {
            let record = json!({
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": version,
                "runtimeVersionArn": arn,
            });
            events::line(levels, now, Level::Info, "initStart", record)
        }
    }
}

/// Writes the line of a start that came to nothing.
pub(super) fn init_failed(environment: &Environment, clock: &Clock, duration: Duration, failure: &[u8]) {
    if environment.output.is_kept() {
        environment.output.drain();
        if let Some(levels) = &environment.version.settings.json_log {
            let failure = Failure::read(failure);
            let record = json!({
                "initializationType": "on-demand",
                "phase": "init",
                "metrics": { "durationMs": hundredths(duration) },
                "status": failure.word(),
                "errorType": failure.kind,
            });
            environment.output.platform_event(events::line(levels, clock.now(), Level::Warn, "initReport", record));
            return;
        }
        environment.output.platform_line(&format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\t{}",
            milliseconds(duration),
            Failure::read(failure).status()
        ));
    }
}

/// What an error payload says.
struct Failure {
    kind: String,
    message: String,
}

impl Failure {
    fn read(payload: &[u8]) -> Failure {
        let value: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Failure { kind: text("errorType"), message: text("errorMessage") }
    }

    fn is_timeout(&self) -> bool {
        self.kind == "Sandbox.Timedout"
    }

    /// `status` of a log in JSON.
    fn word(&self) -> &'static str {
        if self.is_timeout() { "timeout" } else { "error" }
    }

    /// What stands at the end of `REPORT`.
    fn status(&self) -> String {
        match self.kind.as_str() {
            "Sandbox.Timedout" => "Status: timeout".to_owned(),
            "" => "Status: error".to_owned(),
            kind => format!("Status: error\tError Type: {kind}"),
        }
    }

    fn lines(&self) -> String {
        format!("{}\n{}", self.message, self.kind)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Milliseconds with two digits after the point.
fn hundredths(duration: Duration) -> f64 {
    (milliseconds(duration) * 100.0).round() / 100.0
}

/// What is charged: whole milliseconds of the start and of the invocation.
fn billed(duration: Duration, init: Option<Duration>) -> u64 {
    milliseconds(duration + init.unwrap_or_default()).ceil() as u64
}

/// How long what the kernel said of a process's memory holds for calls that are over quickly.
const MEMORY_HOLDS: Duration = Duration::from_millis(100);

/// A call that took longer may have changed it.
const QUICK: Duration = Duration::from_millis(10);

/// The most memory the process has had, in MB; the limit's worth when it is gone. Asking the kernel costs more than a quick
/// call does, so that is not done for each of many.
fn memory_used(environment: &Environment, duration: Duration) -> u64 {
    let now = Instant::now();
    if let Some((asked, megabytes)) = environment.life.memory_used.get()
        && duration < QUICK
        && now.duration_since(asked) < MEMORY_HOLDS
    {
        return megabytes;
    }
    let status = environment.life.process().read_proc("status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let megabytes =
        kilobytes.map_or(u64::from(environment.version.settings.memory_mb), |kilobytes| kilobytes.div_ceil(1024));
    environment.life.memory_used.set(Some((now, megabytes)));
    megabytes
}
