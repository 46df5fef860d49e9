//! Accepting connections: the socket's loop, TLS, and the choice between HTTP/1.1 and HTTP/2.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::connection::{self, Cipher, Connection, Open, Protocol};
use super::{Phase, Thread};
use crate::settings::HEAD_TIMEOUT;

/// What a thread listens on.
pub(super) struct Share {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
}

/// How long the reactor is given, when the gateway stops, to tell of connections that the kernel has taken for us.
const LAST_ARRIVALS: Duration = Duration::from_millis(2);

/// Accepts until the gateway drains; what the kernel has taken by then is still served.
pub(super) async fn accept(share: Share, thread: Rc<Thread>, open: Open) {
    let listener = match tokio::net::TcpListener::from_std(share.socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listening socket could not be used"),
    };
    let tls = share.tls.map(tokio_rustls::TlsAcceptor::from);
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = draining(&thread) => match tokio::time::timeout(LAST_ARRIVALS, listener.accept()).await {
                Ok(accepted) => accepted,
                Err(_) => return,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let connected = connect(stream, peer, tls.clone(), Rc::clone(&thread), open.enter());
                tokio::task::spawn_local(connected);
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                // No descriptors or no memory: those that are there are served, new ones wait in the kernel's queue.
                tracing::warn!(%error, "cannot accept a connection; trying again shortly");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    thread: Rc<Thread>,
    entered: connection::Entered,
) {
    // Without it an answer may wait for the acknowledgement of the one before.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else {
        let protocol = tokio::select! {
            biased;
            protocol = sniff(&stream) => protocol,
            // It has not begun to speak, and will not be asked to.
            () = draining(&thread) => None,
        };
        let Some(protocol) = protocol else { return };
        return connection::serve(stream, Connection::new(peer, false), protocol, thread, entered).await;
    };
    match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
            let cipher = Cipher::of(stream.get_ref().1);
            let connection = Connection { cipher, ..Connection::new(peer, true) };
            connection::serve(stream, connection, protocol, thread, entered).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

/// Returns when the gateway drains.
pub(super) async fn draining(thread: &Thread) {
    // What is waited for holds a lock as long as it lives, so it must not live on while requests finish.
    drop(thread.phase.clone().wait_for(|phase| *phase > Phase::Serving).await);
}

/// Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes, which stay in the socket.
async fn sniff(stream: &TcpStream) -> Option<Protocol> {
    const PREFACE: &[u8; 4] = b"PRI ";
    let look = async {
        let mut start = [0; 4];
        let mut seen = 0;
        loop {
            let length = stream.peek(&mut start).await.ok()?;
            if length == 0 {
                return None;
            }
            if start[..length] != PREFACE[..length] {
                return Some(Protocol::Http1);
            }
            if length == PREFACE.len() {
                return Some(Protocol::Http2);
            }
            // A peek does not consume, so the socket stays readable: wait for more before looking again.
            if length == seen {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            seen = length;
        }
    };
    tokio::time::timeout(HEAD_TIMEOUT, look).await.ok().flatten()
}
