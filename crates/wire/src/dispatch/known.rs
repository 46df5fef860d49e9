//! What AWS calls its services in signatures, targets, versions, hosts and paths, so that calls for those that are not
//! ours can be forwarded, or an error can name them.

use base::services::{self, KNOWN, KnownService};

/// First segments of paths that belong to API Gateway.
const API_GATEWAY_PATHS: &[&str] = &[
    "account",
    "apikeys",
    "clientcertificates",
    "domainnameaccessassociations",
    "domainnames",
    "rejectdomainnameaccessassociations",
    "restapis",
    "sdktypes",
    "tags",
    "usageplans",
    "vpclinks",
];

/// The service of a signing name. API Gateway's two APIs share one and are told apart by the path.
pub(super) fn by_signing_name(name: &str, path: &str) -> Option<String> {
    if name == "apigateway" {
        let second = path == "/v2" || path.starts_with("/v2/");
        return Some(if second { "apigatewayv2" } else { "apigateway" }.into());
    }
    Some(services::by_signing_name(name).map_or(name, |known| known.name).into())
}

/// The service of a target prefix; an unknown prefix stands for itself.
pub(super) fn by_target_prefix(prefix: &str) -> String {
    let is_meant = |known: &&KnownService| known.target.is_some_and(|(target, _)| target == prefix);
    KNOWN.iter().find(is_meant).map_or(prefix, |known| known.name).into()
}

/// The service of a query-protocol version.
pub(super) fn by_query_version(version: Option<&str>) -> &'static str {
    let known = KNOWN.iter().find(|known| version.is_some() && known.query_version == version);
    known.map_or("the service", |known| known.name)
}

/// The service that the host names, port and letter case aside.
pub(super) fn by_host(host: &str, path: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let known = services::of_host(&name.to_ascii_lowercase())?;
    if known.endpoint == "apigateway" { by_signing_name(known.endpoint, path) } else { Some(known.name.into()) }
}

/// The service that a path belongs to, though it has no such operation: its first segment is a date (Lambda) or one of
/// API Gateway's.
pub(super) fn by_path(path: &str) -> Option<&'static str> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let date = first.len() == 10
        && first.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if date {
        return Some("lambda");
    }
    API_GATEWAY_PATHS.contains(&first).then_some("apigateway")
}
