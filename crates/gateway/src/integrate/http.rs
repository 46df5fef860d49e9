//! HTTP backends: one HTTP/1.1 client for each data thread, never shared between threads.

use std::cell::OnceCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper::client::conn::http1;
use hyper::client::conn::http1::SendRequest;
use hyper::rt::{Read, Write};
use hyper_rustls::HttpsConnector;
use tower_service::Service;

use super::connect::{Connector, NotAllowed};
use super::pool::{Backend, Connections, Lease, Pool, ResponseBody};
use crate::address::is_of_data_plane;
use crate::body::{Body, TooLarge};
use crate::coarse_time;
use crate::fault::Fault;
use crate::settings::Settings;

/// A thread's client.
pub struct Upstream {
    pool: Pool,
    plain: Connector,
    /// Made when the first `https` backend is called, for reading the system's roots takes milliseconds.
    secure: OnceCell<HttpsConnector<Connector>>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

impl Upstream {
    /// Makes a client without connections.
    pub fn new(settings: &Arc<Settings>) -> Upstream {
        Upstream { pool: Pool::default(), plain: Connector::new(settings), secure: OnceCell::new() }
    }

    /// Closes the connections that have been idle for too long; to be called now and then.
    pub fn prune(&self) {
        self.pool.prune();
    }

    /// Sends a request, whose address is absolute, and waits for the head of its response. `Host` is the address's
    /// unless the request names one.
    ///
    /// # Errors
    /// [`Fault::BackendTimeout`], [`Fault::BackendUnreachable`], or [`Fault::BadEndpoint`] for a name that does not
    /// resolve or an address that integrations must not reach.
    pub async fn send(&self, request: Request<Body>, timeout: Duration) -> Result<Response<ResponseBody>, Fault> {
        let (mut head, body) = request.into_parts();
        let uri = std::mem::take(&mut head.uri).into_parts();
        let Some(authority) = uri.authority else {
            return Err(Fault::BadEndpoint { reason: "the address names no host".into() });
        };
        let secure = uri.scheme.is_some_and(|scheme| scheme == http::uri::Scheme::HTTPS);
        add_host(&mut head.headers, &authority, secure);
        head.uri = uri.path_and_query.unwrap_or(PathAndQuery::from_static("/")).into();
        let connections = self.pool.of(Backend { authority, secure });
        let sent = self.exchange(connections, Request::from_parts(head, body));
        let until = coarse_time::now() + timeout;
        tokio::time::timeout_at(until.into(), sent).await.unwrap_or(Err(Fault::BackendTimeout))
    }

    /// Sends a request on an idle connection, else on a new one. An idle one that its backend has closed meanwhile gives
    /// the request back unsent, and the next is tried.
    async fn exchange(
        &self,
        connections: Rc<Connections>,
        mut request: Request<Body>,
    ) -> Result<Response<ResponseBody>, Fault> {
        loop {
            let (mut sender, is_new) = match connections.take() {
                Some(sender) => (sender, false),
                // Boxed, so that the requests that find a connection do not carry the room for opening one.
                None => (Box::pin(self.connect(&connections.backend)).await?, true),
            };
            if sender.ready().await.is_err() && !is_new {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    let lease = Lease { connections, sender };
                    return Ok(response.map(|incoming| ResponseBody::new(incoming, lease)));
                }
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(fault_of(refused.error())),
                },
            }
        }
    }

    async fn connect(&self, backend: &Backend) -> Result<SendRequest<Body>, Fault> {
        let uri = Uri::builder().authority(backend.authority.clone()).path_and_query("/");
        let uri = uri.scheme(if backend.secure { "https" } else { "http" }).build();
        let uri = uri.map_err(|error| Fault::BadEndpoint { reason: error.to_string().into() })?;
        if backend.secure {
            let stream = self.secure()?.clone().call(uri).await.map_err(|error| fault_of(&*error))?;
            handshake(stream).await
        } else {
            let stream = self.plain.clone().call(uri).await.map_err(|error| fault_of(&error))?;
            handshake(stream).await
        }
    }

    fn secure(&self) -> Result<&HttpsConnector<Connector>, Fault> {
        if let Some(connector) = self.secure.get() {
            return Ok(connector);
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(|error| Fault::Internal { reason: format!("TLS towards backends is not usable: {error}").into() })?
            .https_or_http()
            .enable_http1()
            .wrap_connector(self.plain.clone());
        Ok(self.secure.get_or_init(|| https))
    }
}

/// Begins HTTP/1.1 on a connection, which then runs on this thread until both sides are done with it.
async fn handshake(stream: impl Read + Write + Unpin + 'static) -> Result<SendRequest<Body>, Fault> {
    let (sender, connection) =
        http1::Builder::new().max_buf_size(256 * 1024).handshake(stream).await.map_err(|error| fault_of(&error))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a backend broke");
        }
    });
    Ok(sender)
}

/// Unless the request names one: the address's host and, where it is not the scheme's own, its port.
///
/// An address whose name is the data plane's may be our own listener's, so there no other name may stand in the request,
/// for that would lead past the data plane.
fn add_host(headers: &mut HeaderMap, authority: &Authority, secure: bool) {
    let named = headers.get(HOST).map(|host| host.to_str().unwrap_or_default());
    if named.is_some_and(|named| is_of_data_plane(named) || !is_of_data_plane(authority.host())) {
        return;
    }
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let own_port = if secure { ":443" } else { ":80" };
    let text = text.strip_suffix(own_port).unwrap_or(text);
    headers.insert(HOST, HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("")));
}

/// Tells what went wrong by walking down to the cause.
fn fault_of(error: &(dyn Error + 'static)) -> Fault {
    let mut cause = Some(error);
    let mut reason = String::new();
    while let Some(error) = cause {
        // An I/O error's source is what lies below the error inside it, so that one is looked at by name.
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(not_allowed) = inside.and_then(|inside| inside.downcast_ref::<NotAllowed>()) {
            return Fault::BadEndpoint { reason: not_allowed.to_string().into() };
        }
        // It is the client's body that breaks off.
        if error.is::<TooLarge>() {
            return Fault::RequestTooLarge;
        }
        if !reason.is_empty() {
            reason.push_str(": ");
        }
        reason.push_str(&error.to_string());
        cause = error.source();
    }
    Fault::BackendUnreachable { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_request_names_counts_unless_it_leads_past_the_data_plane() {
        let check = |address: &'static str, named: Option<&'static str>, expected: &str| {
            let mut headers = HeaderMap::new();
            if let Some(named) = named {
                headers.insert(HOST, HeaderValue::from_static(named));
            }
            add_host(&mut headers, &Authority::from_static(address), false);
            assert_eq!(headers[HOST], expected, "{address} {named:?}");
        };
        check("example.com:80", None, "example.com");
        check("user@example.com:8080", None, "example.com:8080");
        check("example.com", Some("other"), "other");
        check(
            "abc.lambda-url.us-east-1.localhost:4566",
            Some("localhost:4566"),
            "abc.lambda-url.us-east-1.localhost:4566",
        );
        check("abc.execute-api.localhost", Some(""), "abc.execute-api.localhost");
        check("vpce-1.execute-api.us-east-1.vpce.amazonaws.com", Some("abc.execute-api.x"), "abc.execute-api.x");
    }
}
