//! One client connection: HTTP/1.1 or HTTP/2 on top of it, until it closes or the gateway stops.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::Thread;
use super::accept::draining;
use super::spelling::Due;
use super::tap::{Heads, Tap};
use crate::body::Body;
use crate::coarse_time::CoarseTimer;
use crate::pipeline;
use crate::settings::{HEAD_BYTES, HEAD_TIMEOUT, HTTP2_STREAMS};

/// What is known of a client's connection.
#[derive(Debug)]
pub struct Connection {
    /// The client's address and port.
    pub peer: SocketAddr,
    /// The client's address as text, which events, headers and log lines of each request carry.
    pub ip: Box<str>,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// What TLS has agreed upon, where it is known.
    pub cipher: Option<Cipher>,
    /// The spelling of its header names, where HTTP/1.1 keeps one.
    pub heads: Heads,
}

/// Version and cipher suite of a TLS session, as AWS's events name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cipher {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// `ECDHE-RSA-AES128-GCM-SHA256`, or `TLS_AES_128_GCM_SHA256` in TLS 1.3.
    pub suite: Box<str>,
}

impl Cipher {
    /// What a session has agreed upon.
    pub(super) fn of(session: &rustls::ServerConnection) -> Option<Cipher> {
        let version = match session.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
            _ => return None,
        };
        Some(Cipher { version, suite: suite_name(session.negotiated_cipher_suite()?.suite().as_str()?).into() })
    }
}

/// The name that OpenSSL has for a suite, of the one that the TLS library has.
fn suite_name(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let name = name.trim_start_matches("TLS_").replace("_WITH_", "-");
    name.replace("AES_", "AES").replace('_', "-")
}

impl Connection {
    /// Notes a connection that has sent nothing yet.
    pub fn new(peer: SocketAddr, tls: bool) -> Connection {
        Connection { peer, ip: peer.ip().to_string().into(), tls, cipher: None, heads: Heads::default() }
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Counts a thread's open connections.
#[derive(Clone, Default)]
pub(super) struct Open {
    count: Rc<Cell<usize>>,
    none: Rc<Notify>,
}

/// One open connection; leaves when dropped.
pub(super) struct Entered(Open);

impl Open {
    pub(super) fn enter(&self) -> Entered {
        self.count.set(self.count.get() + 1);
        Entered(self.clone())
    }

    /// Waits until no connection is open.
    pub(super) async fn none_left(&self) {
        while self.count.get() > 0 {
            self.none.notified().await;
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0 {
            self.0.none.notify_one();
        }
    }
}

/// Spawns hyper's tasks on the thread they come from.
#[derive(Clone, Copy, Debug)]
struct ThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for ThisThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// A request's way into the pipeline.
#[derive(Clone)]
struct Serve {
    thread: Rc<Thread>,
    connection: Arc<Connection>,
    /// Where HTTP/1.1 is spoken: what the writer of heads has to know.
    due: Option<Due>,
}

impl Service<Request<Incoming>> for Serve {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (thread, connection) = (Rc::clone(&self.thread), Arc::clone(&self.connection));
        let due = self.due.clone();
        Box::pin(async move {
            let mut response = pipeline::serve(&thread, connection, request).await;
            if let Some(due) = due {
                due.set(response.extensions_mut().remove());
            }
            Ok(response)
        })
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S>(
    stream: S,
    connection: Connection,
    protocol: Protocol,
    thread: Rc<Thread>,
    entered: Entered,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let _entered = entered;
    let (peer, connection) = (connection.peer, Arc::new(connection));
    let heads = connection.heads.clone();
    let mut service = Serve { thread: Rc::clone(&thread), connection, due: None };
    let ended = match protocol {
        Protocol::Http1 => {
            let due = Due::default();
            let tap = Tap::new(stream, heads, due.clone());
            service.due = Some(due);
            let served = hyper::server::conn::http1::Builder::new()
                .timer(CoarseTimer)
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES)
                .half_close(false)
                .serve_connection(TokioIo::new(tap), service);
            until_drained(served, &thread).await
        }
        Protocol::Http2 => {
            let served = hyper::server::conn::http2::Builder::new(ThisThread)
                .timer(CoarseTimer)
                .max_concurrent_streams(HTTP2_STREAMS)
                .max_header_list_size(HEAD_BYTES as u32)
                .serve_connection(TokioIo::new(stream), service);
            until_drained(served, &thread).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// Serves until the connection ends; when the gateway drains, until its open requests have.
async fn until_drained<C: GracefulConnection>(served: C, thread: &Thread) -> Result<(), C::Error> {
    let mut served = pin!(served);
    tokio::select! {
        // What has been sent already is read before the connection is told to end.
        biased;
        ended = served.as_mut() => ended,
        () = draining(thread) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::suite_name;

    #[test]
    fn suites_have_the_names_of_openssl() {
        assert_eq!(suite_name("TLS13_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256");
        assert_eq!(suite_name("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), "ECDHE-RSA-AES128-GCM-SHA256");
    }
}
