//! The connections of a data thread to its HTTP backends: kept while idle, lent to one request at a time.
//!
//! A connection comes back when its response has been read to the end; one whose response was given up closes. All of it
//! stays on the thread, so nothing is locked and nothing is woken elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use crate::body::Body;

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

/// The idle connections of a thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    idle: Rc<RefCell<HashMap<Backend, Vec<Idle>>>>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Pool {
    /// The connection to `backend` that was used last, if one is idle and still open.
    pub(super) fn take(&self, backend: &Backend) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.get_mut(backend)?;
        while let Some(Idle { sender, since }) = kept.pop() {
            if !sender.is_closed() && since.elapsed() < IDLE_FOR {
                return Some(sender);
            }
        }
        None
    }

    fn put(&self, backend: Backend, sender: SendRequest<Body>) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let kept = idle.entry(backend).or_default();
        if kept.len() < IDLE_PER_BACKEND {
            kept.push(Idle { sender, since: Instant::now() });
        }
    }

    /// Closes the connections that have been idle for too long.
    pub(super) fn prune(&self) {
        self.idle.borrow_mut().retain(|_, kept| {
            kept.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < IDLE_FOR);
            !kept.is_empty()
        });
    }

    /// Lends a connection out until its response has been read.
    pub(super) fn lend(&self, backend: Backend, sender: SendRequest<Body>) -> Lease {
        Lease { pool: self.clone(), backend, sender }
    }
}

/// A connection that serves a request.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Pool,
    backend: Backend,
    sender: SendRequest<Body>,
}

impl Lease {
    fn give_back(self) {
        self.pool.put(self.backend, self.sender);
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
