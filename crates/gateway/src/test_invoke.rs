//! Test invocations: the control plane hands a request over, a data thread runs it and sends back what came of it.
//!
//! Functions' environments and upstream connections belong to the data threads, so a test runs on one of them. Each
//! thread has a bounded channel and runs a bounded number at once; who hangs up takes its test along.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::seams::SendFuture;
use plan::{TestAnswer, TestInvoke, TestRefusal, TestRequest};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::listener::Thread;
use crate::pipeline;

/// Tests that one thread runs at once; more wait.
const AT_ONCE: usize = 32;

/// Tests that wait in a thread's channel; who brings more waits for a place.
const WAITING: usize = 32;

/// A request and who waits for its answer.
#[derive(Debug)]
pub(crate) struct Job {
    request: TestRequest,
    answer: oneshot::Sender<Result<TestAnswer, TestRefusal>>,
}

/// The data thread's end of its channel.
pub(crate) type Jobs = mpsc::Receiver<Job>;

/// The control plane's ends of the channels; the threads take turns.
#[derive(Debug)]
pub(crate) struct Tester {
    threads: Vec<mpsc::Sender<Job>>,
    next: AtomicUsize,
}

/// One channel a thread.
pub(crate) fn channels(threads: usize) -> (Tester, Vec<Jobs>) {
    let (threads, jobs) = (0..threads).map(|_| mpsc::channel(WAITING)).unzip();
    (Tester { threads, next: AtomicUsize::new(0) }, jobs)
}

impl TestInvoke for Tester {
    fn test_invoke(&self, request: TestRequest) -> SendFuture<'static, Result<TestAnswer, TestRefusal>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let thread = self.threads.get(turn % self.threads.len().max(1)).cloned();
        Box::pin(async move {
            let unavailable = || TestRefusal::Unavailable("the data threads take no test invocations".into());
            let (answer, answered) = oneshot::channel();
            let thread = thread.ok_or_else(unavailable)?;
            thread.send(Job { request, answer }).await.map_err(|_| unavailable())?;
            answered.await.unwrap_or_else(|_| Err(TestRefusal::Unavailable("a test invocation did not end".into())))
        })
    }
}

/// Runs what comes through a thread's channel, until the thread ends.
pub(crate) async fn serve(mut jobs: Jobs, thread: Rc<Thread>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Job { request, mut answer }) = jobs.recv().await {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let thread = Rc::clone(&thread);
        tokio::task::spawn_local(async move {
            let _place = place;
            tokio::select! {
                ran = pipeline::test_invoke::run(&thread, request) => drop(answer.send(ran)),
                () = answer.closed() => {}
            }
        });
    }
}
