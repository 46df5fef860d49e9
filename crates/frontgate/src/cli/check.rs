//! What can be found wrong with the settings without taking a port or writing a byte.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::config::{Layers, Problem, Resolved, long_name};

/// A certificate chain or a key of more than this is another file given by mistake.
const LARGEST_PEM_BYTES: u64 = 1024 * 1024;

/// Everything that would keep the program from starting, as far as can be told beforehand.
pub(super) fn problems(resolved: &Resolved) -> Vec<Problem> {
    let (config, layers) = (&resolved.config, &resolved.layers);
    let mut problems = config.problems(layers);
    problems.extend(data_directory(&config.data_dir, layers));
    if let Some(tls) = config.tls() {
        problems.extend(pem_problem("tls_certificate", &tls.certificate, layers, Pem::Certificate));
        problems.extend(pem_problem("tls_key", &tls.key, layers, Pem::Key));
    }
    problems
}

/// The data directory must be a directory, or be one that can be made: the nearest ancestor that exists is one.
fn data_directory(directory: &Path, layers: &Layers) -> Option<Problem> {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    let existing = absolute.ancestors().find(|ancestor| ancestor.exists())?;
    let metadata = std::fs::metadata(existing);
    let (what, next) = match metadata {
        Ok(metadata) if !metadata.is_dir() => ("is a file, not a directory", "name a directory, or move the file away"),
        Ok(metadata) if metadata.permissions().readonly() => {
            ("may not be written to", "name a directory that this user may write to")
        }
        Ok(_) => return None,
        Err(_) => ("cannot be looked at", "name a directory that this user may enter"),
    };
    let what = format!("the data directory {} cannot be used: {} {what}", directory.display(), existing.display());
    Some(Problem { what, place: layers.origin("data_dir"), next: next.into() })
}

/// What a PEM file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pem {
    Certificate,
    Key,
}

/// Looks at a PEM file as a person would: is it there, does it hold the right kind of block, is the block whole?
/// Whether the key belongs to the certificate is found when the listener starts.
fn pem_problem(field: &str, path: &Path, layers: &Layers, wanted: Pem) -> Option<Problem> {
    let fault = |what: String, next: &str| {
        let what = format!("{} cannot be used for `--{}`: {what}", path.display(), long_name(field));
        Some(Problem { what, place: layers.origin(field), next: next.to_owned() })
    };
    let next = "name a PEM file that this user may read";
    match std::fs::metadata(path) {
        Err(error) => return fault(error.to_string(), next),
        Ok(metadata) if !metadata.is_file() => return fault("it is not a file".into(), next),
        Ok(metadata) if metadata.len() > LARGEST_PEM_BYTES => return fault("it is larger than 1 MiB".into(), next),
        Ok(_) => {}
    }
    match std::fs::read_to_string(path) {
        Err(error) => fault(error.to_string(), next),
        Ok(text) => pem_fault(&text, wanted).and_then(|(what, next)| fault(what, next)),
    }
}

/// What is wrong with a PEM text, and what to do about it.
fn pem_fault(text: &str, wanted: Pem) -> Option<(String, &'static str)> {
    let labels: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----")).collect();
    let is_wanted = |label: &str| match wanted {
        Pem::Certificate => label == "CERTIFICATE",
        Pem::Key => matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY"),
    };
    if labels.contains(&"ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Some((
            "the key has a passphrase".into(),
            "write it without one, for example with `openssl pkey -in FILE -out NEW`",
        ));
    }
    let Some(label) = labels.iter().find(|label| is_wanted(label)) else {
        let found = if labels.is_empty() { "nothing in PEM form".to_owned() } else { labels.join(", ") };
        let next = match wanted {
            Pem::Certificate => "name the certificate chain: a PEM file with -----BEGIN CERTIFICATE-----",
            Pem::Key => "name the private key: a PEM file with -----BEGIN PRIVATE KEY-----",
        };
        return Some((format!("it holds {found}"), next));
    };
    let body = text.split_once(&format!("-----BEGIN {label}-----")).map_or("", |(_, rest)| rest);
    let Some((body, _)) = body.split_once(&format!("-----END {label}-----")) else {
        return Some((format!("the {label} block has no end"), "the file is cut short: copy it again"));
    };
    let is_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ' | b'\t');
    let filled = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).count();
    if filled < 32 || !body.bytes().all(is_base64) {
        return Some((format!("the {label} block is not base64"), "the file is damaged: copy it again"));
    }
    None
}

/// All settings with their origin, for `--check-config`.
pub(super) fn summary(resolved: &Resolved, config_file: Option<&Path>) -> String {
    let config = &resolved.config;
    let path = |path: &Option<PathBuf>| path.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
    let on_or_off = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let rows = [
        ("listen", config.listen.to_string()),
        ("tls_listen", config.tls_listen.map_or("none".to_owned(), |address| address.to_string())),
        ("tls_certificate", path(&config.tls_certificate)),
        ("tls_key", path(&config.tls_key)),
        ("domain", config.domain.clone()),
        ("data_dir", config.data_dir.display().to_string()),
        ("auth", format!("{:?}", config.auth).to_lowercase()),
        ("insecure_remote_admin", on_or_off(config.insecure_remote_admin)),
        (
            "allowed_host",
            if config.allowed_host.is_empty() { "none".to_owned() } else { config.allowed_host.join(", ") },
        ),
        ("allow_internal_integrations", on_or_off(config.allow_internal_integrations)),
        (
            "service_endpoint",
            match config.service_endpoint.as_slice() {
                [] => "none".to_owned(),
                endpoints => endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            },
        ),
        ("hot_reload_root", path(&config.hot_reload_root)),
        ("no_account_limits", on_or_off(config.no_account_limits)),
        ("runtime_substitution", on_or_off(config.runtime_substitution)),
        ("event_retry_delay", format!("{} s", config.event_retry_delay.as_secs())),
        ("sandbox", format!("{:?}", config.sandbox).to_lowercase()),
        ("grace_period", format!("{} s", config.grace_period.as_secs())),
        ("data_threads", config.data_thread_count().to_string()),
        ("log_format", format!("{:?}", config.log_format).to_lowercase()),
        ("log_level", config.log_level.clone()),
    ];
    let mut summary = String::from("The settings are right.");
    if let Some(file) = config_file {
        let _ = write!(summary, " Settings file: {}", file.display());
    }
    for (field, value) in rows {
        let _ = write!(summary, "\n  {:<28} {value:<24} {}", long_name(field), resolved.layers.origin(field));
    }
    for warning in resolved.layers.warnings.iter().chain(&config.warnings()) {
        let _ = write!(summary, "\nwarning: {warning}");
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "MIIBszCCAVmgAwIBAgIUQ0h1bmsgb2YgYmFzZTY0IGJ5dGVzIGZvciB0ZXN0cw==";

    fn block(label: &str) -> String {
        format!("-----BEGIN {label}-----\n{BODY}\n-----END {label}-----\n")
    }

    fn fault(text: &str, wanted: Pem) -> String {
        pem_fault(text, wanted).map_or_else(String::new, |(what, _)| what)
    }

    #[test]
    fn whole_blocks_of_the_right_kind_pass() {
        assert_eq!(fault(&block("CERTIFICATE"), Pem::Certificate), "");
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            assert_eq!(fault(&format!("a remark\n{}", block(label)), Pem::Key), "");
        }
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert_eq!(fault("", Pem::Key), "it holds nothing in PEM form");
        assert_eq!(fault(&block("CERTIFICATE"), Pem::Key), "it holds CERTIFICATE");
        assert_eq!(fault(&block("PRIVATE KEY"), Pem::Certificate), "it holds PRIVATE KEY");
        assert_eq!(fault(&block("ENCRYPTED PRIVATE KEY"), Pem::Key), "the key has a passphrase");
        let cut = block("CERTIFICATE").replace("-----END", "");
        assert_eq!(fault(&cut, Pem::Certificate), "the CERTIFICATE block has no end");
        let damaged = block("CERTIFICATE").replace("MIIB", "M\u{0}?B");
        assert_eq!(fault(&damaged, Pem::Certificate), "the CERTIFICATE block is not base64");
    }
}
