//! Which service and operation a request means: a pure function of its head and, for form bodies, its body.
//!
//! The order: the service in the SigV4 credential scope, `X-Amz-Target`, `Action` (query or form body), the rpc-v2
//! path, the host's name (`sqs.us-east-1.localhost`, `bucket.s3.localhost`), the URL. A signature names the service only; the operation then follows from the service's own protocol.

mod credential;
mod known;
mod routes;

use base::shape::{self, OperationModel, Protocol};
use http::header::CONTENT_TYPE;
use http::request::Parts;

pub use credential::{Credential, CredentialSource};
use routes::Router;

use crate::codec::form::{Parameters, is_form};

/// What a request asks for.
#[derive(Debug)]
pub enum Decision {
    /// An operation of a service that is mounted.
    Operation {
        /// The service.
        service: &'static shape::Service,
        /// The operation, implemented or not.
        operation: &'static OperationModel,
        /// The decoded labels of the path, by their names in it.
        labels: Vec<(&'static str, String)>,
    },
    /// A mounted service, but nothing that it has.
    UnknownOperation {
        /// The service.
        service: &'static shape::Service,
        /// What was asked for: an operation's name, or method and path.
        asked: String,
    },
    /// A service that is not mounted; the name is AWS's where we know it.
    UnknownService {
        /// The service's name.
        name: String,
        /// In which form the caller can read an error.
        format: ErrorFormat,
    },
    /// Nothing in the request names a service.
    Nothing,
}

/// In which form a caller can read an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// JSON, with the code in a header.
    RestJson,
    /// JSON with `__type`, content type `application/x-amz-json-1.0`.
    Json10,
    /// JSON with `__type`, content type `application/x-amz-json-1.1`.
    Json11,
    /// XML, `ErrorResponse`.
    Query,
    /// XML, `Error`.
    RestXml,
    /// CBOR of rpc-v2.
    Cbor,
}

impl From<Protocol> for ErrorFormat {
    fn from(protocol: Protocol) -> ErrorFormat {
        match protocol {
            Protocol::RestJson => ErrorFormat::RestJson,
            Protocol::Json10 => ErrorFormat::Json10,
            Protocol::Json11 => ErrorFormat::Json11,
            Protocol::Query => ErrorFormat::Query,
        }
    }
}

/// Decides for a fixed set of services.
#[derive(Debug)]
pub struct Dispatcher {
    services: Vec<(&'static shape::Service, Router)>,
}

impl Dispatcher {
    /// A dispatcher for the mounted services.
    pub fn new(services: impl IntoIterator<Item = &'static shape::Service>) -> Dispatcher {
        Dispatcher { services: services.into_iter().map(|service| (service, Router::new(service))).collect() }
    }

    /// Decides what a request asks for. `credential` is what [`Credential::of`] found in it.
    pub fn decide(&self, request: &Parts, body: &[u8], credential: Option<&Credential>) -> Decision {
        let evidence = Evidence::of(request, body);
        let name = credential
            .and_then(|credential| known::by_signing_name(&credential.service, request.uri.path()))
            .or_else(|| evidence.target_prefix().map(|prefix| self.by_target_prefix(prefix)))
            .or_else(|| self.by_action(&evidence))
            .or_else(|| evidence.rpc_service.map(|prefix| self.by_target_prefix(prefix)))
            .or_else(|| known::by_host(crate::guard::host(request)?, request.uri.path()))
            .or_else(|| self.by_url(request));
        let Some(name) = name else { return Decision::Nothing };
        match self.services.iter().find(|(service, _)| service.name == name) {
            Some((service, router)) => operation(service, router, request, &evidence),
            None => Decision::UnknownService { format: evidence.format(&name), name },
        }
    }

    fn by_target_prefix(&self, prefix: &str) -> String {
        let mounted = self.services.iter().find(|(service, _)| service.target_prefix == Some(prefix));
        mounted.map_or_else(|| known::by_target_prefix(prefix), |(service, _)| service.name.into())
    }

    /// A query-protocol call without a signature: the version names the service, else whoever has the action.
    fn by_action(&self, evidence: &Evidence<'_>) -> Option<String> {
        let action = evidence.action.as_deref()?;
        let query =
            || self.services.iter().map(|(service, _)| *service).filter(|service| service.protocol == Protocol::Query);
        let mounted = query()
            .find(|service| Some(service.version) == evidence.version.as_deref())
            .or_else(|| query().find(|service| service.operation(action).is_some()));
        match mounted {
            Some(service) => Some(service.name.into()),
            None => Some(known::by_query_version(evidence.version.as_deref()).into()),
        }
    }

    fn by_url(&self, request: &Parts) -> Option<String> {
        let path = request.uri.path();
        if path == "/v2" || path.starts_with("/v2/") {
            return Some("apigatewayv2".into());
        }
        let mut rest = self.services.iter().filter(|(service, _)| service.protocol == Protocol::RestJson);
        let mounted = rest.find(|(_, router)| router.find(request).is_some());
        mounted.map(|(service, _)| service.name.to_string()).or_else(|| known::by_path(path).map(String::from))
    }
}

fn operation(service: &'static shape::Service, router: &Router, request: &Parts, evidence: &Evidence<'_>) -> Decision {
    let name = match service.protocol {
        Protocol::RestJson => {
            return match router.find(request) {
                Some((operation, labels)) => Decision::Operation { service, operation, labels },
                None => {
                    Decision::UnknownOperation { service, asked: format!("{} {}", request.method, request.uri.path()) }
                }
            };
        }
        Protocol::Query => evidence.action.as_deref().unwrap_or_default(),
        Protocol::Json10 | Protocol::Json11 => {
            evidence.target.and_then(|target| target.rsplit_once('.')).map(|(_, name)| name).unwrap_or_default()
        }
    };
    match service.operation(name) {
        Some(operation) => Decision::Operation { service, operation, labels: Vec::new() },
        None => Decision::UnknownOperation { service, asked: name.to_string() },
    }
}

/// What a request says about its service beyond its signature and its path.
struct Evidence<'r> {
    target: Option<&'r str>,
    action: Option<String>,
    version: Option<String>,
    rpc_service: Option<&'r str>,
    cbor: bool,
    json10: bool,
}

impl<'r> Evidence<'r> {
    fn of(request: &'r Parts, body: &[u8]) -> Evidence<'r> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let mut parameters = Parameters::parse(request.uri.query().unwrap_or_default().as_bytes());
        let mut action = parameters.take("Action");
        if action.is_none() && is_form(&request.headers) {
            parameters = Parameters::parse(body);
            action = parameters.take("Action");
        }
        let mut rpc_path = request.uri.path().strip_prefix("/service/").into_iter().flat_map(|rest| rest.split('/'));
        let rpc_service = rpc_path.next().filter(|_| rpc_path.next() == Some("operation"));
        let json10 = header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/x-amz-json-1.0"));
        let cbor = header("smithy-protocol") == Some("rpc-v2-cbor");
        let target = header("x-amz-target");
        Evidence { target, action, version: parameters.take("Version"), rpc_service, cbor, json10 }
    }

    fn target_prefix(&self) -> Option<&'r str> {
        self.target.map(|target| target.rsplit_once('.').map_or(target, |(prefix, _)| prefix))
    }

    fn format(&self, service: &str) -> ErrorFormat {
        match () {
            () if self.cbor => ErrorFormat::Cbor,
            () if self.target.is_some() && self.json10 => ErrorFormat::Json10,
            () if self.target.is_some() => ErrorFormat::Json11,
            () if self.action.is_some() => ErrorFormat::Query,
            () if service == "s3" => ErrorFormat::RestXml,
            () => ErrorFormat::RestJson,
        }
    }
}

#[cfg(test)]
mod tests;
