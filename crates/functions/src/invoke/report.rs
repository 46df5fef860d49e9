//! The platform's own lines around an invocation (`START`, `END`, `REPORT`), for callers who asked for the log.

use std::time::Duration;

use base::seams::Outcome;
use bytes::Bytes;

use crate::pool::Environment;

/// An invocation whose log is being kept.
pub(super) struct Report {
    request_id: String,
}

impl Report {
    /// Writes `START`. What was printed before belongs to no invocation.
    pub(super) fn begin(environment: &Environment, request_id: &str) -> Report {
        let output = &environment.output;
        output.drain();
        output.begin_tail();
        let number = &environment.version.settings.number;
        output.platform_line(&format!("START RequestId: {request_id} Version: {number}"));
        Report { request_id: request_id.to_owned() }
    }

    /// Writes `END` and `REPORT` and returns the tail.
    pub(super) fn end(
        self,
        environment: &Environment,
        duration: Duration,
        init: Option<Duration>,
        outcome: &Outcome,
    ) -> Bytes {
        let (output, request_id) = (&environment.output, &self.request_id);
        output.drain();
        let ended = !environment.life.is_running() || !environment.is_sound();
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let billed = milliseconds(duration + init.unwrap_or_default()).ceil();
        output.platform_line(&format!("END RequestId: {request_id}"));
        let mut line = format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            milliseconds(duration),
            environment.version.settings.memory_mb,
            memory_used(environment),
        );
        if let Some(init) = init {
            line += &format!("Init Duration: {:.2} ms\t", milliseconds(init));
        }
        if ended && let Outcome::Failed(payload) = outcome {
            if payload.windows(16).any(|text| text == b"Sandbox.Timedout") {
                line += "Status: timeout";
            } else {
                line += "Status: error\tError Type: Runtime.ExitError";
            }
        }
        output.platform_line(&line);
        output.take_tail().unwrap_or_default().into()
    }
}

/// The most memory the process has had, in MB; the limit's worth when it is gone.
fn memory_used(environment: &Environment) -> u64 {
    let path = format!("/proc/{}/status", environment.life.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.map_or(u64::from(environment.version.settings.memory_mb), |kilobytes| kilobytes.div_ceil(1024))
}
