//! The listener: data threads, each with a runtime, an accept socket and upstream connections of its own.
//!
//! A request stays on its thread from accept to reply. Requests that are not for a deployed API are handed to
//! [`AnswerElse`] together with their whole body.

mod accept;
mod connection;
mod spelling;
pub mod tap;
pub mod tls;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base::seams::{AnswerBody, SendFuture};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use plan::TestInvoke;
use tokio::sync::watch;

pub use connection::Connection;
pub use spelling::Spelled;

use crate::integrate::http::Upstream;
use crate::log::FLUSH_AFTER;
use crate::settings::Settings;
use crate::test_invoke::{self, Tester};

/// Answers requests that are not for a deployed API: the AWS APIs, health, the console.
pub trait AnswerElse: Send + Sync {
    /// The largest body that this request may have, in bytes, judged by its head alone; or the answer that refuses it
    /// before a byte of the body has been read.
    ///
    /// # Errors
    /// The refusal.
    fn largest_body(&self, head: &Parts, peer: SocketAddr) -> Result<usize, Box<Response<Bytes>>>;

    /// The answer to a request whose body is larger than that, of which the rest has not been read.
    fn too_large(&self, head: &Parts) -> Response<Bytes>;

    /// Answers the request. The future may be run on another thread.
    fn answer(&self, head: Parts, body: Bytes, peer: SocketAddr) -> SendFuture<'static, Response<AnswerBody>>;
}

/// What one data thread has for itself.
pub(crate) struct Thread {
    pub(crate) settings: Arc<Settings>,
    pub(crate) upstream: Upstream,
    /// Moves on when the gateway is to stop.
    pub(crate) phase: watch::Receiver<Phase>,
}

/// How far the gateway has got in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Accepting and serving.
    Serving,
    /// Finishing what is open.
    Draining,
    /// The threads end.
    Ended,
}

/// The running data plane.
#[derive(Debug)]
pub struct Gateway {
    threads: Vec<std::thread::JoinHandle<()>>,
    phase: watch::Sender<Phase>,
    /// Told by each thread once; taken by who waits for it.
    drained: Option<std::sync::mpsc::Receiver<()>>,
    tester: Arc<Tester>,
}

/// A socket that listens, and what is spoken on it.
#[derive(Debug)]
pub struct Listener {
    /// One accept socket a data thread, all on the same address.
    pub sockets: Vec<TcpListener>,
    /// TLS, where it is spoken.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// What is done on each data thread before it serves, inside its runtime; the argument is its number from 0.
pub type OnThread = Arc<dyn Fn(usize) + Send + Sync>;

impl Gateway {
    /// Starts the data threads. Each serves all `listeners`, which have a socket for each thread.
    ///
    /// `grace` is how long connections may finish their requests after [`Gateway::stop`].
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(
        settings: Arc<Settings>,
        listeners: Vec<Listener>,
        threads: usize,
        grace: Duration,
        on_thread: OnThread,
    ) -> std::io::Result<Gateway> {
        let (phase, watched) = watch::channel(Phase::Serving);
        let (drained_here, drained) = std::sync::mpsc::channel();
        let mut shares: Vec<Vec<accept::Share>> = (0..threads).map(|_| Vec::new()).collect();
        for listener in listeners {
            for (share, socket) in shares.iter_mut().zip(listener.sockets) {
                share.push(accept::Share { socket, tls: listener.tls.clone() });
            }
        }
        let (tester, jobs) = test_invoke::channels(threads);
        let mut gateway = Gateway { threads: Vec::new(), phase, drained: Some(drained), tester: Arc::new(tester) };
        for (number, (share, jobs)) in shares.into_iter().zip(jobs).enumerate() {
            let (settings, phase, on_thread) = (Arc::clone(&settings), watched.clone(), Arc::clone(&on_thread));
            let drained = drained_here.clone();
            let run = move || {
                let runtime =
                    match tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()) {
                        Ok(runtime) => runtime,
                        Err(error) => return tracing::error!(%error, "a data thread could not start its runtime"),
                    };
                runtime.block_on(async move {
                    on_thread(number);
                    let mut ended = phase.clone();
                    serve(number, settings, share, jobs, phase, grace).await;
                    // Whoever waits may have gone, and then the phase is over as well.
                    let _ = drained.send(());
                    drop(drained);
                    let _ = ended.wait_for(|phase| *phase == Phase::Ended).await;
                });
            };
            gateway.threads.push(std::thread::Builder::new().name(format!("data-{number}")).spawn(run)?);
        }
        Ok(gateway)
    }

    /// Runs test invocations on the data threads, as long as they live.
    pub fn tester(&self) -> Arc<dyn TestInvoke> {
        Arc::clone(&self.tester) as Arc<dyn TestInvoke>
    }

    /// Stops accepting and waits until open requests have finished, at most for the grace period. The threads live on,
    /// so that what else they carry (functions' environments) can end in its turn.
    pub fn drain(&mut self) {
        let Some(drained) = self.drained.take() else { return };
        // A thread that has died no longer listens, nor does it answer.
        let _ = self.phase.send(Phase::Draining);
        for _ in &self.threads {
            let _ = drained.recv();
        }
    }

    /// Drains, if that has not been done, then waits for the threads to end.
    pub fn stop(mut self) {
        self.drain();
        let _ = self.phase.send(Phase::Ended);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a data thread panicked");
            }
        }
    }
}

/// One data thread's life.
async fn serve(
    number: usize,
    settings: Arc<Settings>,
    share: Vec<accept::Share>,
    jobs: test_invoke::Jobs,
    phase: watch::Receiver<Phase>,
    grace: Duration,
) {
    let log = settings.log.clone();
    let thread = Rc::new(Thread { upstream: Upstream::new(&settings), settings, phase: phase.clone() });
    let ticker = {
        let (log, upstream) = (log.clone(), Rc::clone(&thread));
        tokio::task::spawn_local(async move {
            let mut ticks = tokio::time::interval(FLUSH_AFTER);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                log.flush();
                upstream.upstream.prune();
            }
        })
    };
    // It ends with the thread: whoever waits for a test holds a connection open, for which a stop waits.
    tokio::task::spawn_local(test_invoke::serve(jobs, Rc::clone(&thread)));
    let open = connection::Open::default();
    let accepting: Vec<_> = share
        .into_iter()
        .map(|share| tokio::task::spawn_local(accept::accept(share, Rc::clone(&thread), open.clone())))
        .collect();
    let mut stop = phase;
    // The gateway is gone when its side of the channel is, and that means the same.
    let _ = stop.wait_for(|phase| *phase > Phase::Serving).await.map(drop);
    for task in accepting {
        // It ends by itself; a panic has been reported where it happened.
        let _ = task.await;
    }
    if tokio::time::timeout(grace, open.none_left()).await.is_err() {
        tracing::warn!(
            thread = number,
            "requests were still open when the grace period ended; their connections close"
        );
    }
    ticker.abort();
    log.flush();
}

/// Binds `threads` sockets to one address, for the kernel to spread connections over. Port 0 takes a free one.
///
/// # Errors
/// When the address is taken, also by another process that would share it.
pub fn bind(address: SocketAddr, threads: usize) -> std::io::Result<Vec<TcpListener>> {
    use socket2::{Domain, Protocol, Socket, Type};
    let open = |address: SocketAddr, shared: bool| -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if shared {
            socket.set_reuse_port(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        Ok(socket.into())
    };
    // Sockets that share a port do not notice another process that shares it too; one that does not share does.
    let address = open(address, false)?.local_addr()?;
    (0..threads).map(|_| open(address, true)).collect()
}
