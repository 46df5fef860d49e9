//! AWS services as backends: what an integration's address says about how one is called.

use std::sync::Arc;

use base::services::{self, KnownService};
use http::Method;

use crate::uri::UriTemplate;

/// A service of AWS that is called by its own API.
#[derive(Debug)]
pub struct Service {
    /// Its name, which says where it is (`--service-endpoint`).
    pub name: Arc<str>,
    /// Its name in signatures.
    pub signing_name: Arc<str>,
    /// The region of the address; empty for the API's own.
    pub region: Arc<str>,
    /// The host that AWS gives it, where the address names a subdomain; otherwise the host is the endpoint's.
    pub host: Option<Box<str>>,
    /// `None` takes the client's verb (`ANY`).
    pub method: Option<Method>,
    /// Path and query with places for path parameters; stage variables are filled in.
    pub uri: UriTemplate,
    /// The name of the action, for addresses of the form `action/Name`.
    pub action: Option<Box<str>>,
    /// `X-Amz-Target` and `Content-Type`, for the services that get them without a mapping.
    pub target: Option<(Box<str>, &'static str)>,
    /// What is done about the protocol, because what stands in for the service knows less than AWS's own does.
    pub dialect: Dialect,
    /// The role with whose rights the service is called. Stage variables are filled in.
    pub credentials: Option<Arc<str>>,
}

/// The protocols of which AWS's own services know more than what stands in for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Both speak alike.
    Plain,
    /// The query protocol: AWS answers it in JSON where the request accepts that, others in XML only.
    Query,
    /// AWS still takes the query protocol for the action, others take JSON only.
    QueryOverJson,
}

/// Those of the JSON services whose calls by action get their target from the gateway itself.
const WITH_TARGET: &[&str] = &["dynamodb", "dynamodbstreams", "firehose", "kinesis", "stepfunctions"];

/// Those of the JSON services that are called by the query protocol all the same.
const QUERY_OVER_JSON: &[&str] = &["ssm"];

impl Service {
    /// Reads the parts of `arn:aws:apigateway:{region}:{service}:{path|action}/{rest}`, in which stage variables are
    /// filled in. `service` may have a subdomain in front of it.
    pub fn new(region: &str, service: &str, is_action: bool, rest: &str) -> Service {
        let (subdomain, known, plain) = resolve(service);
        let name = known.map_or(plain, |known| known.name);
        let action = is_action.then(|| rest.split(['&', '?']).next().unwrap_or(rest));
        let path = match (action, subdomain) {
            (Some(_), _) => format!("/?Action={}", rest.replacen('?', "&", 1)),
            // A bucket that is named as a subdomain is named in the path instead, which needs no DNS.
            (None, Some(bucket)) if name == "s3" => format!("/{bucket}/{rest}"),
            (None, _) => format!("/{rest}"),
        };
        let target = known.and_then(|known| known.target).filter(|_| WITH_TARGET.contains(&name));
        Service {
            name: name.into(),
            signing_name: known.map_or(plain, |known| known.signing).into(),
            region: region.into(),
            host: subdomain
                .filter(|_| name != "s3" && !region.is_empty())
                .map(|_| format!("{service}.{region}.amazonaws.com").into()),
            method: None,
            uri: UriTemplate::parse(&path),
            target: action
                .zip(target)
                .map(|(action, (prefix, version))| (format!("{prefix}.{action}").into(), version.content_type())),
            dialect: match known {
                Some(known) if known.query_version.is_some() => Dialect::Query,
                Some(known) if is_action && QUERY_OVER_JSON.contains(&known.name) => Dialect::QueryOverJson,
                _ => Dialect::Plain,
            },
            action: action.map(Into::into),
            credentials: None,
        }
    }
}

/// Takes `{subdomain.}service` apart: the subdomain, the service if we know it, and its bare name.
fn resolve(service: &str) -> (Option<&str>, Option<&'static KnownService>, &str) {
    if let Some(known) = services::by_any_name(service) {
        // Some services have a dot in their host's name (`runtime.sagemaker`), which then is AWS's.
        let subdomain = service.contains('.').then_some(service);
        return (subdomain, Some(known), service);
    }
    match service.rsplit_once('.') {
        Some((subdomain, name)) => (Some(subdomain), services::by_any_name(name), name),
        None => (None, None, service),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks name, signing name, host, path and target.
    fn check(service: &str, rest: &str, expected: [&str; 5]) {
        let (kind, rest) = rest.split_once('/').unwrap();
        let service = Service::new("eu-west-1", service, kind == "action", rest);
        let target = service.target.as_ref().map_or("", |(target, _)| target);
        let mut path = String::new();
        service.uri.fill_into(&mut path, |name, out| out.push_str(&format!("<{name}>")));
        let found = [&*service.name, &*service.signing_name, service.host.as_deref().unwrap_or(""), &*path, target];
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_addresses() {
        check("s3", "path/{bucket}/{key}", ["s3", "s3", "", "/<bucket>/<key>", ""]);
        check("bucket.s3", "path/{key}", ["s3", "s3", "", "/bucket/<key>", ""]);
        check("s3", "action/GetObject&Bucket={b}", ["s3", "s3", "", "/?Action=GetObject&Bucket=<b>", ""]);
        check("sqs", "path/000000000000/q", ["sqs", "sqs", "", "/000000000000/q", ""]);
        check("sqs", "action/SendMessage", ["sqs", "sqs", "", "/?Action=SendMessage", ""]);
        check("dynamodb", "action/Query", ["dynamodb", "dynamodb", "", "/?Action=Query", "DynamoDB_20120810.Query"]);
        check("dynamodb", "path/", ["dynamodb", "dynamodb", "", "/", ""]);
        let target = "AWSStepFunctions.StartExecution";
        check("states", "action/StartExecution", ["stepfunctions", "states", "", "/?Action=StartExecution", target]);
        check("events", "action/PutEvents", ["events", "events", "", "/?Action=PutEvents", ""]);
        let host = "runtime.sagemaker.eu-west-1.amazonaws.com";
        check("runtime.sagemaker", "path/endpoints/e", ["sagemaker-runtime", "sagemaker", host, "/endpoints/e", ""]);
        let host = "abc.appsync-api.eu-west-1.amazonaws.com";
        check("abc.appsync-api", "path/graphql", ["appsync", "appsync", host, "/graphql", ""]);
        check("wavelengths", "path/x", ["wavelengths", "wavelengths", "", "/x", ""]);
    }

    #[test]
    fn knows_the_dialects() {
        let dialect = |service, is_action| Service::new("", service, is_action, "X").dialect;
        assert_eq!(dialect("sqs", false), Dialect::Query);
        assert_eq!(dialect("monitoring", true), Dialect::Query);
        assert_eq!(dialect("ssm", true), Dialect::QueryOverJson);
        assert_eq!(dialect("ssm", false), Dialect::Plain);
        assert_eq!(dialect("s3", false), Dialect::Plain);
    }
}
