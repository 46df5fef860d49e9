//! The error payloads that Lambda itself writes, where the function could not.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

/// The function took longer than its `Timeout` (the form recorded in November 2025).
pub(crate) fn timed_out(request_id: &str, timeout: Duration) -> Bytes {
    let message = format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64());
    payload("Sandbox.Timedout", &message)
}

/// The process ended, or closed its socket (no status), before it had answered.
pub(crate) fn exited(request_id: &str, status: Option<ExitStatus>) -> Bytes {
    let how = match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) if code != 0 => format!("Runtime exited with error: exit status {code}"),
        Some((None, Some(signal))) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        _ => "Runtime exited without providing a reason".to_owned(),
    };
    payload("Runtime.ExitError", &format!("RequestId: {request_id} Error: {how}"))
}

/// The platform could not run the function's files.
pub(super) fn platform(request_id: &str, kind: &str, message: &str) -> Bytes {
    payload(kind, &format!("RequestId: {request_id} Error: {message}"))
}

/// The function wrote more than a caller can have.
pub(super) fn too_large() -> Bytes {
    let limit = base::limits::FUNCTION_PAYLOAD_BYTES;
    let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
    payload("Function.ResponseSizeTooLarge", &message)
}

fn payload(kind: &str, message: &str) -> Bytes {
    json!({ "errorType": kind, "errorMessage": message }).to_string().into()
}

/// A signal as AWS names it.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "hangup",
        libc::SIGINT => "interrupt",
        libc::SIGQUIT => "quit",
        libc::SIGILL => "illegal instruction",
        libc::SIGTRAP => "trace/breakpoint trap",
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "floating point exception",
        libc::SIGKILL => "killed",
        libc::SIGUSR1 => "user defined signal 1",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGUSR2 => "user defined signal 2",
        libc::SIGPIPE => "broken pipe",
        libc::SIGALRM => "alarm clock",
        libc::SIGTERM => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(status: Option<i32>) -> String {
        let payload = exited("id", status.map(ExitStatus::from_raw));
        let value: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(value["errorType"], "Runtime.ExitError");
        value["errorMessage"].as_str().unwrap().to_owned()
    }

    #[test]
    fn ends_are_told_as_aws_tells_them() {
        assert_eq!(text(None), "RequestId: id Error: Runtime exited without providing a reason");
        assert_eq!(text(Some(0)), "RequestId: id Error: Runtime exited without providing a reason");
        assert_eq!(text(Some(127 << 8)), "RequestId: id Error: Runtime exited with error: exit status 127");
        assert_eq!(text(Some(9)), "RequestId: id Error: Runtime exited with error: signal: killed");
        assert_eq!(
            timed_out("id", Duration::from_secs(30)),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 30.00 seconds"}"#
        );
    }
}
