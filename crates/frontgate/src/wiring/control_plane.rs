//! The AWS APIs and `/_frontgate/`: what answers requests that are not for a deployed API.

use std::net::SocketAddr;
use std::sync::Arc;

use base::limits::AccountLimits;
use base::seams::{AnswerBody, NotifyFunction, RoleCredentials, SendFuture};
use base::service_endpoints::ServiceEndpoints;
use bytes::Bytes;
use gateway::AnswerElse;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use plan::PlanIndex;
use store::DataDir;
use tokio::runtime::Handle;
use wire::ControlPlane;

use super::clock;
use super::forwarding::Forwarder;
use super::log_sink::Delivery;
use super::logs::LogPlace;
use super::objects::Objects;
use super::service_calls::ServiceCaller;
use crate::config::Config;

/// The subsystems that the AWS APIs are made of.
pub(crate) struct Services {
    pub(crate) apis: Arc<apis::Apis>,
    pub(crate) functions: Arc<functions::Functions>,
    pub(crate) front: Arc<ControlPlane>,
    pub(crate) endpoints: Arc<ServiceEndpoints>,
    /// CloudWatch Logs.
    pub(crate) logs: LogPlace,
    /// Carries what functions print there, if it is elsewhere.
    pub(crate) function_logs: Option<Delivery>,
}

/// Opens the subsystems on the data directory.
pub(crate) async fn open(
    config: &Config,
    data: &DataDir,
    index: &Arc<PlanIndex>,
    limits: AccountLimits,
    address: SocketAddr,
    control: &Handle,
) -> anyhow::Result<Services> {
    let endpoints: Arc<ServiceEndpoints> = Arc::new(config.service_endpoint.iter().cloned().collect());
    let apis_settings = apis::Settings { limits, clock: clock() };
    let apis = apis::Apis::open(data.store(), Arc::clone(index), apis_settings).await?;
    let logs = LogPlace::open(data, &endpoints)?;
    let (function_log_sink, function_logs) = logs.sink("functions' logs", control);
    let sessions = Arc::new(identity::Sessions::default());
    let functions_settings = functions::Settings {
        data_dir: config.data_dir.clone(),
        limits,
        runtime_substitution: config.runtime_substitution,
        sandbox: config.sandbox.into(),
        endpoint_url: format!("http://{}", reachable(address)),
        url_suffix: with_port(&config.domain, address.port()),
        data_threads: config.data_thread_count(),
        clock: clock(),
        hot_reload: config.hot_reload(),
        logs: Some(function_log_sink),
        credentials: Some(Arc::clone(&sessions) as Arc<dyn RoleCredentials>),
        objects: Some(Arc::new(Objects::new(Arc::clone(&endpoints), clock()))),
        retry_delays: functions::RetryDelays::starting_with(config.event_retry_delay),
        services: Some(Arc::new(ServiceCaller::new(Arc::clone(&endpoints), clock()))),
        ..functions::Settings::default()
    };
    let functions = functions::Functions::open(data.store(), data.blobs(), functions_settings, control.clone()).await?;
    logs.start(Arc::clone(&functions) as Arc<dyn NotifyFunction>).await?;
    let identity = identity::Identity::open(data.store(), clock());
    let mounted = [apis.service().into(), functions.service().into(), identity.iam().into(), identity.sts().into()];
    let mounted = mounted.into_iter().chain(logs.service());
    let settings = wire::Settings {
        hosts: config.allowed_host.iter().cloned().chain([config.domain.clone()]).collect(),
        ..wire::Settings::default()
    };
    let front = ControlPlane::new(mounted, settings)
        .with_forward(Arc::new(Forwarder::new(Arc::clone(&endpoints))))
        .with_credentials(sessions);
    Ok(Services { apis, functions, front: Arc::new(front), endpoints, logs, function_logs })
}

/// A host as addresses print it: the port is left out where it is HTTP's own.
fn with_port(host: &str, port: u16) -> String {
    if port == 80 { host.to_owned() } else { format!("{host}:{port}") }
}

/// An address that this machine can call: a listener on every address is called on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port()),
        std::net::IpAddr::V6(_) => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port()),
    }
}

/// Runs the AWS APIs on the control runtime and answers `/_frontgate/` by itself.
pub(crate) struct Front {
    pub(crate) front: Arc<ControlPlane>,
    pub(crate) functions: Arc<functions::Functions>,
    pub(crate) control: Handle,
}

impl AnswerElse for Front {
    fn largest_body(&self, head: &Parts, _peer: SocketAddr) -> Result<usize, Box<Response<Bytes>>> {
        if code_page(head).is_some() {
            return Ok(0);
        }
        match own_page(head) {
            Some(page) => Err(Box::new(page)),
            None => self.front.admit(head).map(|()| ControlPlane::MAXIMUM_BODY),
        }
    }

    fn too_large(&self, head: &Parts) -> Response<Bytes> {
        self.front.too_large(head)
    }

    fn answer(&self, head: Parts, body: Bytes, peer: SocketAddr) -> SendFuture<'static, Response<AnswerBody>> {
        if let Some(page) = code_page(&head) {
            let code = code(Arc::clone(&self.functions), self.control.clone(), page.to_owned(), head);
            return Box::pin(async move { code.await.map(AnswerBody::Whole) });
        }
        let front = Arc::clone(&self.front);
        // A handler that panics takes its own task down, not the data thread.
        let answered = self.control.spawn(async move { front.handle(head, body, peer).await });
        Box::pin(async move {
            answered.await.unwrap_or_else(|error| {
                tracing::error!(%error, "an API call's handler panicked");
                json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"Internal server error"}"#).map(AnswerBody::Whole)
            })
        })
    }
}

/// The page of a function's code that a request is for, as GetFunction's `Location` names it.
fn code_page(head: &Parts) -> Option<&str> {
    head.uri.path().strip_prefix("/_frontgate/code/").filter(|_| matches!(head.method, Method::GET | Method::HEAD))
}

/// Answers with the code that a location leads to. Whoever has the location may read it, so nothing else is asked for.
async fn code(functions: Arc<functions::Functions>, control: Handle, page: String, head: Parts) -> Response<Bytes> {
    let query = head.uri.query().unwrap_or_default().to_owned();
    let read = control.spawn(async move { functions.code_at(&page, &query).await });
    match read.await.ok().flatten() {
        Some(zip) => {
            let mut response = Response::new(zip);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
            response
        }
        None => json(StatusCode::FORBIDDEN, r#"{"message":"The location is not one of ours, or it has expired"}"#),
    }
}

/// Frontgate's own pages.
fn own_page(head: &Parts) -> Option<Response<Bytes>> {
    let page = head.uri.path().strip_prefix("/_frontgate/")?;
    Some(match (page, &head.method) {
        ("health", &Method::GET | &Method::HEAD) => {
            json(StatusCode::OK, concat!(r#"{"status":"ok","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#))
        }
        ("health", _) => json(StatusCode::METHOD_NOT_ALLOWED, r#"{"message":"health answers GET"}"#),
        _ => json(StatusCode::NOT_FOUND, r#"{"message":"Frontgate has no such page; there is /_frontgate/health"}"#),
    })
}

fn json(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
