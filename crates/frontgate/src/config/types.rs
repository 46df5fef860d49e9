//! How the text of a setting becomes its type, and what is said when it cannot.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use base::service_endpoints::ServiceEndpoint;
use tracing_subscriber::EnvFilter;

/// Whether callers of the AWS APIs must prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Auth {
    /// Any credentials are accepted.
    Off,
    /// Signatures are verified and policies evaluated.
    Enforce,
}

/// How much of a sandbox functions run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sandbox {
    /// All of it, or nothing is served.
    Strict,
    /// What this machine offers.
    Auto,
    /// Only what needs nothing of it.
    Off,
}

impl From<Sandbox> for functions::SandboxMode {
    fn from(sandbox: Sandbox) -> Self {
        match sandbox {
            Sandbox::Strict => functions::SandboxMode::Strict,
            Sandbox::Auto => functions::SandboxMode::Auto,
            Sandbox::Off => functions::SandboxMode::Off,
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people, coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// More threads than this is a slip of the hand: each has its own connections and its own functions.
const MOST_THREADS: usize = 1024;

/// A day has 24 of these; a longer wait at shutdown is a slip of the hand.
const LONGEST_GRACE_SECONDS: u64 = 3600;

/// The longest name that DNS allows.
const LONGEST_HOST: usize = 253;

/// An IP address with a port. Names are not looked up: what one listens on should not depend on a resolver.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, for example 127.0.0.1:4566 or [::1]:4566".to_owned())
}

/// A host name or an IP address, without scheme, port or path; in lower case, as hosts are compared.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_name = text.len() <= LONGEST_HOST && text.split('.').all(is_label);
    let is_address = text.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok();
    if is_name || is_address {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected a host name without scheme, port or path, for example frontgate.test".to_owned())
    }
}

/// An AWS service and its address.
pub(super) fn service_endpoint(text: &str) -> Result<ServiceEndpoint, String> {
    ServiceEndpoint::parse(text)
}

/// Whole seconds, at most an hour.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= LONGEST_GRACE_SECONDS);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("expected whole seconds, 0 to {LONGEST_GRACE_SECONDS}"))
}

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse::<NonZeroUsize>().ok().filter(|threads| threads.get() <= MOST_THREADS);
    threads.ok_or_else(|| format!("expected a number of threads, 1 to {MOST_THREADS}"))
}

/// A level, or levels by part of the program, as tracing-subscriber reads them.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    let is_known = |level: &str| matches!(level, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    let level_of =
        |directive: &str| directive.rsplit_once('=').map_or(directive, |(_, level)| level).to_ascii_lowercase();
    let reads = directives.iter().all(|directive| is_known(&level_of(directive))) && EnvFilter::try_new(text).is_ok();
    if reads {
        Ok(text.to_owned())
    } else {
        Err("expected error, warn, info, debug or trace, or such levels by part, for example info,gateway=debug"
            .to_owned())
    }
}
