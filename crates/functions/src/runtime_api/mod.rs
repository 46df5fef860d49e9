//! The Runtime API: HTTP on a loopback address of its own for each environment whose program speaks it.
//!
//! `provided.*` functions are programs that fetch their events and post their answers over HTTP. To the pool they are
//! environments like any other: this module stands between, speaks the framed protocol (`runtimes/PROTOCOL.md`) as a
//! bootstrap would, and turns each frame into an answer to `next` and each post into a frame. Paths, headers and answers
//! are those of AWS's published description of the Runtime API, version 2018-06-01.

mod bridge;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use bridge::Bridge;

/// What stands between a process and its environment, before it serves.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    listener: TcpListener,
    frames: UnixStream,
}

impl RuntimeApi {
    /// Opens an address. Also returned: the address, for `AWS_LAMBDA_RUNTIME_API`, and the end of the framed socket that
    /// belongs to the environment.
    pub(crate) fn open() -> io::Result<(RuntimeApi, SocketAddr, UnixStream)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (environment, frames) = UnixStream::pair()?;
        environment.set_nonblocking(true)?;
        frames.set_nonblocking(true)?;
        Ok((RuntimeApi { listener, frames }, address, environment))
    }

    /// Serves the process until this future is dropped. Must run on the thread that owns the environment.
    pub(crate) async fn serve(self) {
        let opened = (tokio::net::TcpListener::from_std(self.listener), tokio::net::UnixStream::from_std(self.frames));
        let (listener, frames) = match opened {
            (Ok(listener), Ok(frames)) => (listener, frames),
            (Err(error), _) | (_, Err(error)) => return tracing::error!(%error, "a Runtime API cannot be served"),
        };
        let bridge = Rc::new(Bridge::new(frames));
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No descriptors, for example: asking again at once would only keep the thread from its other work.
                    tracing::debug!(%error, "a connection to a Runtime API was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let bridge = Rc::clone(&bridge);
            connections.spawn_local(async move {
                let service = service_fn(move |request| {
                    let bridge = Rc::clone(&bridge);
                    async move { Ok::<_, Infallible>(answer(&bridge, request).await) }
                });
                let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                if let Err(error) = served.await {
                    tracing::debug!(%error, "a connection to a Runtime API broke");
                }
            });
        }
    }
}

/// Answers one request of the process.
async fn answer(bridge: &Bridge, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default().split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => bridge.next().await,
        (&Method::POST, ["init", "error"]) => bridge.initialization_failed(request.into_body()).await,
        (&Method::POST, ["invocation", id, "error"]) if bridge.is_current(id) => {
            bridge.error(request.into_body()).await
        }
        (&Method::POST, ["invocation", id, "response"]) if bridge.is_current(id) => bridge.response(request).await,
        (&Method::POST, ["invocation", _, "error" | "response"]) => {
            // Read all the same, so that the connection can be used again.
            let _ = bridge::whole(request.into_body()).await;
            refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        _ => {
            let _ = bridge::whole(request.into_body()).await;
            refused(StatusCode::NOT_FOUND, "NotFound", "there is no such path in the Runtime API")
        }
    }
}

/// `{"errorMessage": ..., "errorType": ...}`.
fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, serde_json::json!({"errorMessage": message, "errorType": kind}).to_string())
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned())
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let value = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    response
}
