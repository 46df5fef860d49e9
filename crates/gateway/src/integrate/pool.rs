//! The connections of a data thread to its HTTP backends: kept while idle, lent to one request at a time.
//!
//! A connection comes back when its response has been read to the end; one whose response was given up closes. All of it
//! stays on the thread, so nothing is locked and nothing is woken elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::Authority;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;

use crate::body::Body;
use crate::coarse_time;

/// Idle connections to one backend that a thread keeps.
const IDLE_PER_BACKEND: usize = 256;

/// How long a thread keeps an idle connection. Shorter than the usual keep-alive of backends (nginx: 75 s), so that a
/// reused one is seldom closed at the same moment.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// A backend: its authority, and whether TLS is spoken with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Backend {
    pub(super) authority: Authority,
    pub(super) secure: bool,
}

/// The connections of a thread, by backend.
#[derive(Debug, Default)]
pub(super) struct Pool {
    backends: RefCell<HashMap<Backend, Rc<Connections>>>,
    /// The backend that was asked for last: mostly it is the next one too, and then nothing is hashed.
    recent: RefCell<Option<Rc<Connections>>>,
}

/// The idle connections to one backend.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) backend: Backend,
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Pool {
    /// The connections to a backend.
    pub(super) fn of(&self, backend: Backend) -> Rc<Connections> {
        let mut recent = self.recent.borrow_mut();
        if let Some(connections) = recent.as_ref()
            && connections.backend == backend
        {
            return Rc::clone(connections);
        }
        let mut backends = self.backends.borrow_mut();
        let new = || Rc::new(Connections { backend: backend.clone(), idle: RefCell::default() });
        let connections = Rc::clone(backends.entry(backend.clone()).or_insert_with(new));
        *recent = Some(Rc::clone(&connections));
        connections
    }

    /// Closes the connections that have been idle for too long, and forgets backends that have none.
    pub(super) fn prune(&self) {
        *self.recent.borrow_mut() = None;
        self.backends.borrow_mut().retain(|_, connections| {
            let mut idle = connections.idle.borrow_mut();
            idle.retain(|idle| !idle.sender.is_closed() && coarse_time::now() < idle.since + IDLE_FOR);
            // A request that is under way will give its connection back to where it took it from.
            !idle.is_empty() || Rc::strong_count(connections) > 1
        });
    }
}

impl Connections {
    /// The connection that was used last, if one is idle and still open.
    pub(super) fn take(&self) -> Option<SendRequest<Body>> {
        let mut kept = self.idle.borrow_mut();
        while let Some(Idle { sender, since }) = kept.pop() {
            if !sender.is_closed() && coarse_time::now() < since + IDLE_FOR {
                return Some(sender);
            }
        }
        None
    }

    fn put(&self, sender: SendRequest<Body>) {
        let mut kept = self.idle.borrow_mut();
        if !sender.is_closed() && kept.len() < IDLE_PER_BACKEND {
            kept.push(Idle { sender, since: coarse_time::now() });
        }
    }
}

/// A connection that serves a request.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) connections: Rc<Connections>,
    pub(super) sender: SendRequest<Body>,
}

impl Lease {
    fn give_back(self) {
        self.connections.put(self.sender);
    }
}

/// The body of a backend's response. Read to its end, it gives the connection back; dropped before, it closes it.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl ResponseBody {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> ResponseBody {
        let mut body = ResponseBody { incoming, lease: Some(lease) };
        body.release_at_end();
        body
    }

    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.incoming).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => {
                if let Some(lease) = this.lease.take() {
                    lease.give_back();
                }
            }
            Poll::Ready(Some(Err(_))) => this.lease = None,
            Poll::Ready(Some(Ok(_))) => this.release_at_end(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
