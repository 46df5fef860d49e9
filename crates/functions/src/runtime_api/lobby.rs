//! The lobby: one listener for all environments that are likely never to ask for it.
//!
//! Functions in Python and Node are spoken to over their framed socket. What they may want of the Runtime API is to register
//! internal extensions while they load. So each has an address, but no listener: the addresses are those of the loopback
//! device (127.0.0.0/8), any of which leads to the one listener that is bound to that device. Who connects is led to the
//! environment of that address as long as it starts, and is told that registration is closed ever after.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::ids;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::{CONNECTIONS, out_of_turn, refused};

/// How many connections wait for the system to accept them.
const BACKLOG: u32 = 256;

/// How long somebody who comes too late may hold a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Lobby {
    port: u16,
    doors: Arc<Doors>,
    serving: AbortHandle,
}

/// The addresses of the environments that start, and the ways to them.
#[derive(Debug, Default)]
struct Doors(Mutex<HashMap<Ipv4Addr, mpsc::Sender<std::net::TcpStream>>>);

/// An environment's address, and who has connected to it.
#[derive(Debug)]
pub(crate) struct Door {
    address: Ipv4Addr,
    port: u16,
    arrived: mpsc::Receiver<std::net::TcpStream>,
    first: Option<std::net::TcpStream>,
    doors: Arc<Doors>,
}

impl Lobby {
    /// Opens the listener, which `control` serves.
    ///
    /// # Errors
    /// The system's: before Linux 5.7 a listener could not be bound to a device by everybody.
    pub(crate) fn open(control: &Handle) -> io::Result<Lobby> {
        let _context = control.enter();
        let socket = TcpSocket::new_v4()?;
        // The device is what nobody outside of this machine can reach.
        socket.bind_device(Some(b"lo"))?;
        socket.bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let port = listener.local_addr()?.port();
        let doors = Arc::<Doors>::default();
        let serving = control.spawn(receive(listener, Arc::clone(&doors))).abort_handle();
        Ok(Lobby { port, doors, serving })
    }

    /// An address for an environment that is about to start. Nobody can guess it.
    pub(crate) fn door(&self) -> Door {
        let (sender, arrived) = mpsc::channel(CONNECTIONS);
        let mut doors = self.doors.lock();
        let address = loop {
            let [second, third, fourth] = ids::random_bytes();
            let address = Ipv4Addr::new(127, second, third, fourth);
            // The first addresses are used by others, the last is everybody's.
            let is_ours = (1..255).contains(&second) && !doors.contains_key(&address);
            if is_ours {
                break address;
            }
        };
        doors.insert(address, sender);
        drop(doors);
        Door { address, port: self.port, arrived, first: None, doors: Arc::clone(&self.doors) }
    }

    /// How many environments start.
    #[cfg(test)]
    pub(crate) fn doors(&self) -> usize {
        self.doors.lock().len()
    }
}

impl Drop for Lobby {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Doors {
    fn lock(&self) -> MutexGuard<'_, HashMap<Ipv4Addr, mpsc::Sender<std::net::TcpStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leads a connection to the environment that it was meant for. Gives it back where there is none.
    fn lead(&self, stream: TcpStream) -> Option<TcpStream> {
        let address = match stream.local_addr().map(|address| address.ip()) {
            Ok(IpAddr::V4(address)) if address.is_loopback() => address,
            // From this machine, but not to an address of ours.
            _ => return None,
        };
        let Some(door) = self.lock().get(&address).cloned() else { return Some(stream) };
        if let Ok(stream) = stream.into_std() {
            // One that has too many gets no more.
            let _ = door.try_send(stream);
        }
        None
    }
}

impl Door {
    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> SocketAddr {
        (self.address, self.port).into()
    }

    /// Waits until somebody connects, whom [`next`](Door::next) then gives.
    pub(crate) async fn knock(&mut self) {
        let arrived = self.next().await;
        self.first = Some(arrived);
    }

    /// Waits for the next connection.
    pub(super) async fn next(&mut self) -> std::net::TcpStream {
        if let Some(first) = self.first.take() {
            return first;
        }
        match self.arrived.recv().await {
            Some(stream) => stream,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.doors.lock().remove(&self.address);
    }
}

/// Takes connections, without end.
async fn receive(listener: TcpListener, doors: Arc<Doors>) {
    let late = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(stream) = doors.lead(stream)
                    && let Ok(place) = Arc::clone(&late).try_acquire_owned()
                {
                    tokio::spawn(async move {
                        turn_away(stream).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                // No descriptors, for example.
                tracing::debug!(%error, "a connection to a Runtime API was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers somebody for whom nobody is there any more.
async fn turn_away(stream: TcpStream) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(too_late(&request)) });
    let served =
        hyper::server::conn::http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, served).await {
        tracing::debug!(%error, "a connection to a Runtime API broke");
    }
}

fn too_late(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/2020-01-01/extension/register") => {
            let message = "Extension registration closed already";
            refused(StatusCode::FORBIDDEN, "Extension.RegistrationClosed", message)
        }
        _ => out_of_turn(),
    }
}
