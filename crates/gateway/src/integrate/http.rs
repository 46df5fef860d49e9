//! HTTP backends: one pooled HTTP/1.1 client for each data thread, never shared between threads.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::{Connector, NotAllowed};
use crate::body::Body;
use crate::fault::Fault;
use crate::settings::Settings;

/// Idle connections to one backend that a thread keeps.
const IDLE_PER_HOST: usize = 256;

/// How long a thread keeps an idle connection. Shorter than the usual keep-alive of backends (nginx: 75 s, node: 5 s
/// from the client's last byte on), so that a reused one is seldom closed at the same moment.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// A thread's client.
pub struct Upstream {
    connector: Connector,
    plain: Client<Connector, Body>,
    /// Made when the first `https` backend is called, for reading the system's roots takes milliseconds.
    secure: OnceCell<Client<HttpsConnector<Connector>, Body>>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

impl Upstream {
    /// Makes a client without connections.
    pub fn new(settings: &Arc<Settings>) -> Upstream {
        let connector = Connector::new(settings);
        Upstream { plain: client().build(connector.clone()), connector, secure: OnceCell::new() }
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// [`Fault::BackendTimeout`], [`Fault::BackendUnreachable`], or [`Fault::BadEndpoint`] for a name that does not
    /// resolve or an address that integrations must not reach.
    pub async fn send(&self, request: Request<Body>, timeout: Duration) -> Result<Response<Incoming>, Fault> {
        let sent = if request.uri().scheme_str() == Some("https") {
            self.secure()?.request(request)
        } else {
            self.plain.request(request)
        };
        match tokio::time::timeout(timeout, sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(fault_of(&error)),
            Err(_) => Err(Fault::BackendTimeout),
        }
    }

    fn secure(&self) -> Result<&Client<HttpsConnector<Connector>, Body>, Fault> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(|error| Fault::Internal { reason: format!("TLS towards backends is not usable: {error}").into() })?
            .https_or_http()
            .enable_http1()
            .wrap_connector(self.connector.clone());
        Ok(self.secure.get_or_init(|| client().build(https)))
    }
}

fn client() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_FOR)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .http1_max_buf_size(256 * 1024);
    builder
}

/// Tells what went wrong by walking down to the cause.
fn fault_of(error: &(dyn std::error::Error + 'static)) -> Fault {
    let mut cause = Some(error);
    let mut reason = String::new();
    while let Some(error) = cause {
        // An I/O error's source is what lies below the error inside it, so that one is looked at by name.
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(not_allowed) = inside.and_then(|inside| inside.downcast_ref::<NotAllowed>()) {
            return Fault::BadEndpoint { reason: not_allowed.to_string().into() };
        }
        if !reason.is_empty() {
            reason.push_str(": ");
        }
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    Fault::BackendUnreachable { reason: reason.into() }
}
