//! The Runtime API and the Extensions API: HTTP on a loopback address of its own for each environment that needs it.
//!
//! `provided.*` functions are programs that fetch their events and post their answers over HTTP; so do the programs that
//! a wrapper script starts instead of Python or Node, and extensions of any runtime. To the pool they are environments
//! like any other: the `desk` stands between, speaks the framed protocol (`runtimes/PROTOCOL.md`) as a bootstrap would,
//! and turns each frame into an answer to `next` and each post into a frame. Paths, headers and answers are those of
//! AWS's published descriptions (Runtime API 2018-06-01, Extensions API 2020-01-01). Environments that may do without all
//! that, but have an address, are the `lobby`'s.

mod bridge;
mod desk;
mod extensions;
mod lobby;
mod relay;

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

pub(crate) use desk::{Desk, Failure};
pub(crate) use extensions::Introduction;
pub(crate) use lobby::{Door, Lobby};

/// How many connections an environment may have to its address: a runtime and ten extensions need one or two each. What is
/// beyond waits, so that a function cannot use up our descriptors.
const CONNECTIONS: usize = 64;

/// An address that is open and not served yet.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    arrivals: Arrivals,
    frames: UnixStream,
}

/// Where connections come from.
#[derive(Debug)]
enum Arrivals {
    Listener(TcpListener),
    Door(Door),
}

impl RuntimeApi {
    /// Opens an address. Also returned: the address, for `AWS_LAMBDA_RUNTIME_API`, and the end of the framed socket that
    /// belongs to the environment.
    pub(crate) fn open() -> io::Result<(RuntimeApi, SocketAddr, UnixStream)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (environment, frames) = pair()?;
        Ok((RuntimeApi { arrivals: Arrivals::Listener(listener), frames }, address, environment))
    }

    /// As [`open`](RuntimeApi::open), at an address that the environment has already.
    pub(crate) fn behind(door: Door) -> io::Result<(RuntimeApi, UnixStream)> {
        let (environment, frames) = pair()?;
        Ok((RuntimeApi { arrivals: Arrivals::Door(door), frames }, environment))
    }

    /// Begins to serve; must run on the thread that owns the environment. Serving ends when the returned task is aborted.
    pub(crate) fn serve(self, introduction: Introduction) -> io::Result<(Rc<Desk>, tokio::task::JoinHandle<()>)> {
        let mut arrivals = self.arrivals.ready()?;
        let frames = tokio::net::UnixStream::from_std(self.frames)?;
        let (desk, invocations) = Desk::new(frames, introduction);
        let served = Rc::clone(&desk);
        let task = tokio::task::spawn_local(async move {
            tokio::join!(accept(&mut arrivals, &served), served.take_invocations(invocations));
        });
        Ok((desk, task))
    }
}

fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (environment, frames) = UnixStream::pair()?;
    environment.set_nonblocking(true)?;
    frames.set_nonblocking(true)?;
    Ok((environment, frames))
}

/// [`Arrivals`] on the thread that serves them.
enum Arriving {
    Listener(tokio::net::TcpListener),
    Door(Door),
}

impl Arrivals {
    fn ready(self) -> io::Result<Arriving> {
        Ok(match self {
            Arrivals::Listener(listener) => Arriving::Listener(tokio::net::TcpListener::from_std(listener)?),
            Arrivals::Door(door) => Arriving::Door(door),
        })
    }
}

impl Arriving {
    async fn next(&mut self) -> io::Result<tokio::net::TcpStream> {
        match self {
            Arriving::Listener(listener) => Ok(listener.accept().await?.0),
            Arriving::Door(door) => tokio::net::TcpStream::from_std(door.next().await),
        }
    }
}

/// Takes connections and serves them, without end.
async fn accept(arrivals: &mut Arriving, desk: &Rc<Desk>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = arrivals.next(), if connections.len() < CONNECTIONS => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // No descriptors, for example: asking again at once would only keep the thread from its other work.
                tracing::debug!(%error, "a connection to a Runtime API was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let desk = Rc::clone(desk);
        connections.spawn_local(async move {
            let service = service_fn(move |request| {
                let desk = Rc::clone(&desk);
                async move { Ok::<_, Infallible>(answer(&desk, request).await) }
            });
            let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection to a Runtime API broke");
            }
        });
    }
}

/// Answers one request of a process.
async fn answer(desk: &Desk, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => desk.next().await,
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            desk.initialization_failed(request.into_body()).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, kind @ ("response" | "error")]) => {
            desk.answer(id, *kind == "error", request).await
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => desk.register(request).await,
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => desk.next_event(request.headers()).await,
        (&Method::POST, ["2020-01-01", "extension", stage @ ("init" | "exit"), "error"]) => {
            desk.extension_failed(*stage == "init", request).await
        }
        // What AWS answers where these cannot be had: accepted, and nothing is ever sent.
        (&Method::PUT, ["2022-07-01", "telemetry"]) => {
            unread(request, StatusCode::ACCEPTED, "Telemetry.NotSupported", "Telemetry API is not supported").await
        }
        (&Method::PUT, ["2020-08-15", "logs"]) => {
            unread(request, StatusCode::ACCEPTED, "Logs.NotSupported", "Logs API is not supported").await
        }
        _ => {
            let message = "there is no such path in the Runtime API or the Extensions API";
            unread(request, StatusCode::NOT_FOUND, "NotFound", message).await
        }
    }
}

/// Refuses a request whose body does not matter. It is read all the same, so that the connection can be used again.
async fn unread(request: Request<Incoming>, status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let _ = bridge::whole(request.into_body()).await;
    refused(status, kind, message)
}

/// `{"errorMessage": ..., "errorType": ...}`.
fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, serde_json::json!({"errorMessage": message, "errorType": kind}).to_string())
}

/// What is asked now may not be asked now.
fn out_of_turn() -> Response<Full<Bytes>> {
    refused(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed")
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
