//! The control plane's front: HTTP in, HTTP out.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use base::seams::{AnswerBody, RoleCredentials, RoleSession};
use base::shape::{OperationModel, Service};
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};

use crate::codec::form::Parameters;
use crate::codec::{self, encode};
use crate::dispatch::{Credential, Decision, Dispatcher, ErrorFormat};
use crate::forward::{Forward, ForwardError};
use crate::validate::validate;
use crate::{ApiError, Call, Mounted, guard};

/// What an operator can set about the control plane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names, beyond loopback names and addresses, under which the control plane may be called, without ports;
    /// `*.example.com` covers all names below, `*` any.
    pub hosts: Vec<String>,
    /// Origins (`https://console.example.com`) beyond the own host from which pages may call the control plane.
    pub origins: Vec<String>,
    /// The account of callers whose access key id is not a 12-digit account number.
    pub default_account: String,
    /// The region of requests without a credential scope.
    pub default_region: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hosts: Vec::new(),
            origins: Vec::new(),
            default_account: "000000000000".into(),
            default_region: "us-east-1".into(),
        }
    }
}

/// Every mounted service behind one entrance.
pub struct ControlPlane {
    services: Vec<Mounted>,
    dispatcher: Dispatcher,
    settings: Settings,
    forward: Arc<dyn Forward>,
    credentials: Option<Arc<dyn RoleCredentials>>,
}

impl ControlPlane {
    /// The most bytes that any request may have: AWS's bound on CreateFunction. The caller reads no further than one
    /// byte beyond it; `handle` refuses what is over the bound of its service.
    pub const MAXIMUM_BODY: usize = 70_167_211;

    /// Mounts the services: `ControlPlane::new([apis.into(), functions.into()], settings)`.
    pub fn new(services: impl IntoIterator<Item = Mounted>, settings: Settings) -> ControlPlane {
        let services: Vec<Mounted> = services.into_iter().collect();
        let dispatcher = Dispatcher::new(services.iter().map(|mounted| mounted.model));
        ControlPlane { services, dispatcher, settings, forward: Arc::new(()), credentials: None }
    }

    /// Has calls of services that are not mounted passed on.
    #[must_use]
    pub fn with_forward(self, forward: Arc<dyn Forward>) -> ControlPlane {
        ControlPlane { forward, ..self }
    }

    /// Knows callers by the temporary credentials that were issued to them.
    #[must_use]
    pub fn with_credentials(self, credentials: Arc<dyn RoleCredentials>) -> ControlPlane {
        ControlPlane { credentials: Some(credentials), ..self }
    }

    /// Judges a request by its head alone, so that a refused one need not be read; the refusal is the whole answer.
    ///
    /// # Errors
    /// The answer of [`guard::check`]'s refusal.
    pub fn admit(&self, request: &Parts) -> Result<(), Box<Response<Bytes>>> {
        guard::check(request, Credential::of(request).as_ref(), &self.settings).map_err(|refusal| {
            let request_id = base::ids::uuid();
            tracing::warn!(%request_id, path = request.uri.path(), ?refusal, "refused a control-plane call");
            Box::new(encode::error(&refusal.answer(), ErrorFormat::RestJson, None, &request_id))
        })
    }

    /// The answer to a request with more than [`ControlPlane::MAXIMUM_BODY`] bytes, of which only the head is known.
    pub fn too_large(&self, request: &Parts) -> Response<Bytes> {
        let request_id = base::ids::uuid();
        match self.dispatcher.decide(request, &Bytes::new(), Credential::of(request).as_ref()) {
            Decision::Operation { service, operation, .. } => encode::error(
                &oversized(service, operation),
                service.protocol.into(),
                service.xml_namespace,
                &request_id,
            ),
            _ => {
                let text = "The request's body is larger than any operation takes";
                let error = ApiError::custom("RequestEntityTooLargeException", 413, text);
                encode::error(&error, ErrorFormat::RestJson, None, &request_id)
            }
        }
    }

    /// Answers one request, whose body has been read whole by the caller (bounded by [`ControlPlane::MAXIMUM_BODY`]).
    /// It does not panic by itself; a panic of a handler passes through.
    pub async fn handle(&self, request: Parts, body: Bytes, peer: SocketAddr) -> Response<AnswerBody> {
        let request_id = base::ids::uuid();
        let credential = Credential::of(&request);
        if let Err(refusal) = self.admit(&request) {
            return refusal.map(AnswerBody::Whole);
        }
        let whole = match self.dispatcher.decide(&request, &body, credential.as_ref()) {
            Decision::Operation { service, operation, labels } => {
                let call = self.call(service, operation, &request, credential, &request_id, peer);
                let answer = self.run(service, operation, labels, call, &request, body).await;
                let answer = answer.and_then(|output| encode::answer(service, operation, output, &request_id));
                return answer.unwrap_or_else(|error| {
                    let (service_name, operation) = (service.name, operation.name);
                    if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
                        tracing::warn!(%request_id, service = service_name, operation, %error, "a control-plane call failed");
                    } else {
                        tracing::debug!(%request_id, service = service_name, operation, %error, "answered with an error");
                    }
                    encode::error(&error, service.protocol.into(), service.xml_namespace, &request_id)
                        .map(AnswerBody::Whole)
                });
            }
            Decision::UnknownOperation { service, asked } => {
                let error = unknown_operation(service, &asked);
                encode::error(&error, service.protocol.into(), service.xml_namespace, &request_id)
            }
            Decision::UnknownService { name, format } => {
                let error = match self.forward.forward(&name, request, body) {
                    None => unknown_service(&name),
                    Some(forwarding) => match forwarding.await {
                        Ok(answer) => return answer.map(AnswerBody::Whole),
                        Err(ForwardError(reason)) => {
                            tracing::warn!(%request_id, service = name, reason, "a call could not be forwarded");
                            ApiError::custom("ServiceUnavailable", 503, reason)
                        }
                    },
                };
                encode::error(&error, format, None, &request_id)
            }
            Decision::Nothing => {
                let error = ApiError::custom(
                    "UnknownOperationException",
                    404,
                    format!(
                        "Nothing answers {} {}: no AWS API and no deployed API.",
                        request.method,
                        request.uri.path()
                    ),
                );
                encode::error(&error, ErrorFormat::RestJson, None, &request_id)
            }
        };
        whole.map(AnswerBody::Whole)
    }

    /// The four steps: read and check the input, call the handler; its output is written by the caller.
    async fn run(
        &self,
        service: &'static Service,
        operation: &'static OperationModel,
        labels: Vec<(&'static str, String)>,
        call: Call,
        request: &Parts,
        body: Bytes,
    ) -> Result<crate::service::Output, ApiError> {
        let mounted = self.services.iter().find(|mounted| std::ptr::eq(mounted.model, service));
        let Some(handler) = mounted.and_then(|mounted| mounted.handlers.get(operation.name)) else {
            let message = format!("Frontgate does not have {}:{} yet", service.name, operation.name);
            return Err(ApiError::not_implemented(message));
        };
        if body.len() > largest(service, operation) {
            return Err(oversized(service, operation));
        }
        let input = codec::decode(service, operation, labels, request, body)?;
        validate(service, operation, &input.members)?;
        let owner = mounted.and_then(|mounted| mounted.owner.as_ref());
        let account = owner.and_then(|owner| owner(&call, &input.members));
        let call = Call { account: account.unwrap_or_else(|| Arc::clone(&call.account)), ..call };
        handler(call, input).await
    }

    fn session(&self, access_key_id: &str, request: &Parts) -> Option<RoleSession> {
        self.credentials.as_ref()?.session(access_key_id, &session_token(request)?)
    }

    fn call(
        &self,
        service: &'static Service,
        operation: &'static OperationModel,
        request: &Parts,
        credential: Option<Credential>,
        request_id: &str,
        peer: SocketAddr,
    ) -> Call {
        let (access_key_id, region) = match credential {
            Some(credential) => (Some(credential.access_key_id), Some(credential.region)),
            None => (None, None),
        };
        let session = access_key_id.as_deref().and_then(|key| self.session(key, request));
        let named = access_key_id.as_deref().filter(|key| is_account(key));
        let account = session.as_ref().map(RoleSession::account).or(named);
        Call {
            account: Arc::from(account.unwrap_or(&self.settings.default_account)),
            session,
            region: Arc::from(region.as_deref().unwrap_or(&self.settings.default_region)),
            access_key_id,
            request_id: request_id.into(),
            source_ip: peer.ip(),
            service: service.name,
            operation: operation.name,
            host: guard::host(request).unwrap_or_default().into(),
            user_agent: request
                .headers
                .get(http::header::USER_AGENT)
                .and_then(|agent| agent.to_str().ok())
                .unwrap_or_default()
                .into(),
            trace_id: request
                .headers
                .get("x-amzn-trace-id")
                .and_then(|trace| trace.to_str().ok())
                .filter(|trace| !trace.is_empty() && trace.len() <= TRACE_BYTES)
                .map(str::to_owned),
        }
    }
}

/// The longest trace header that is taken.
const TRACE_BYTES: usize = 1024;

/// The token that goes with temporary credentials.
fn session_token(request: &Parts) -> Option<Cow<'_, str>> {
    const NAME: &str = "X-Amz-Security-Token";
    match request.headers.get(NAME) {
        Some(value) => value.to_str().ok().map(Cow::Borrowed),
        None => Parameters::parse(request.uri.query()?.as_bytes()).take(NAME).map(Cow::Owned),
    }
}

fn is_account(key: &str) -> bool {
    key.len() == 12 && key.bytes().all(|digit| digit.is_ascii_digit())
}

/// Lambda's own bounds (its quota page and recorded texts), and 10 MiB for everything else.
fn largest(service: &Service, operation: &OperationModel) -> usize {
    match (service.name, operation.name) {
        ("lambda", "Invoke" | "InvokeAsync" | "InvokeWithResponseStream") => 6_291_456,
        ("lambda", _) => ControlPlane::MAXIMUM_BODY,
        _ => 10 << 20,
    }
}

/// The refusal of a request that is larger than that.
fn oversized(service: &Service, operation: &OperationModel) -> ApiError {
    let code = match (service.name, operation.name) {
        ("lambda", "Invoke" | "InvokeAsync") => "RequestTooLargeException",
        _ => "RequestEntityTooLargeException",
    };
    let (most, operation) = (largest(service, operation), operation_in_prose(operation));
    let message = format!("Request must be smaller than {most} bytes for the {operation} operation");
    let error = ApiError::custom(code, 413, message);
    if service.name == "lambda" { error.with_member("Type", "User") } else { error }
}

/// Lambda calls Invoke by its longer name in this message.
fn operation_in_prose(operation: &OperationModel) -> &'static str {
    if operation.name == "Invoke" { "InvokeFunction" } else { operation.name }
}

fn unknown_operation(service: &Service, asked: &str) -> ApiError {
    use base::shape::Protocol;
    match service.protocol {
        Protocol::RestJson => {
            ApiError::custom("UnknownOperationException", 404, format!("{} has no operation for {asked}", service.name))
        }
        Protocol::Query => ApiError::custom(
            "InvalidAction",
            400,
            format!("Could not find operation {asked} for version {}", service.version),
        ),
        Protocol::Json10 | Protocol::Json11 => {
            ApiError::custom("UnknownOperationException", 400, format!("{} has no operation {asked}", service.name))
        }
    }
}

fn unknown_service(name: &str) -> ApiError {
    ApiError::not_implemented(format!(
        "{name} is not part of Frontgate; start it with `--service-endpoint {name}=URL` to have such calls forwarded"
    ))
}

#[cfg(test)]
mod tests;
