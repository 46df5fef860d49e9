//! Writes `docs/operations.md`: what is done and what is absent, service by service.

use std::fmt::Write as _;

use crate::selection::Service;

/// The document, without its first line.
pub(crate) fn write(services: &[Service]) -> String {
    let mut out = String::from(
        "# Operations\n\nWhich operations of AWS's APIs Frontgate has. Those that are absent are answered with the error `NotImplemented`,\n\
         which names them.\n\n| service | API version | done | of |\n|---|---|---|---|\n",
    );
    for service in services {
        let metadata = &service.model.metadata;
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {} | {} |",
            service.name,
            service.name,
            metadata.api_version,
            service.selected.len(),
            service.model.operations.len()
        );
    }
    for service in services {
        let done: Vec<&str> = service.selected.iter().map(String::as_str).collect();
        let absent: Vec<&str> = service
            .model
            .operations
            .keys()
            .filter(|name| !service.selected.contains(*name))
            .map(String::as_str)
            .collect();
        let _ = write!(out, "\n## {}\n\n{}.\n\n", service.name, service.model.metadata.service_full_name);
        let _ = writeln!(
            out,
            "| | operations |\n|---|---|\n| done | {} |\n| absent | {} |",
            done.join(", "),
            absent.join(", ")
        );
    }
    out
}
