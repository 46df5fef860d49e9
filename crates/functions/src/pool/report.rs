//! The platform's own lines around an invocation (`START`, `END`, `REPORT`), where the log is kept or a caller asked for it.

use std::time::Duration;

use base::clock::Clock;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::environment::Environment;
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
    pub(crate) fn begin(environment: &Environment, request_id: &str, has_tail: bool) -> Option<Report> {
        let output = &environment.output;
        if !has_tail && !output.is_kept() {
            return None;
        }
        output.drain();
        if has_tail {
            output.begin_tail();
        }
        let number = &environment.version.settings.number;
        output.platform_line(&format!("START RequestId: {request_id} Version: {number}"));
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
        let billed = milliseconds(duration + init.unwrap_or_default()).ceil();
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            milliseconds(duration),
            settings.memory_mb,
            memory_used(environment),
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

/// The line of an environment's start.
pub(super) fn init_start(settings: &VersionSettings) -> String {
    let runtime = &settings.runtime;
    let split = runtime.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(runtime.len());
    let (family, version) = runtime.split_at(split);
    let version = version.trim_start_matches('.').trim_end_matches(".x");
    let arn = version_arn(&settings.region, runtime);
    format!("INIT_START Runtime Version: {family}:{version}.v1\tRuntime Version ARN: {arn}")
}

/// Writes the line of a start that came to nothing.
pub(super) fn init_failed(environment: &Environment, duration: Duration, failure: &[u8]) {
    if environment.output.is_kept() {
        environment.output.drain();
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

/// The most memory the process has had, in MB; the limit's worth when it is gone.
fn memory_used(environment: &Environment) -> u64 {
    let path = format!("/proc/{}/status", environment.life.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.map_or(u64::from(environment.version.settings.memory_mb), |kilobytes| kilobytes.div_ceil(1024))
}
