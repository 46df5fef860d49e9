//! What stands between an environment and its processes: the invocation at hand, who has asked for the next, and who has
//! failed.
//!
//! The environment asks one thing at a time. Its frame becomes an answer to the runtime's `next` (`bridge`), or goes on to
//! a bootstrap of ours that a wrapper started (`relay`), and an event for each extension that asked for it (`extensions`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Notify};

use super::bridge::{self, Id, Invocation, Kind, LONGEST};
use super::extensions::{Event, Extensions, Introduction};
use super::{accepted, out_of_turn, refused};

/// The kind of the frame that tells a bootstrap that extensions share its process.
const BESIDE: u8 = 3;

/// Where the runtime is with its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has not asked for an event yet.
    Starting,
    /// It waits for one.
    Idle,
    /// It has one.
    Running,
    /// It is sending its answer.
    Answering,
    /// It has answered and not asked for the next yet.
    Answered,
}

/// A runtime whose connection breaks while it answers may answer again.
struct Turn<'d>(&'d Cell<Stage>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.0.get() == Stage::Answering {
            self.0.set(Stage::Running);
        }
    }
}

/// Why an environment cannot go on, where it is no fault of the runtime's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `errorType`: `Extension.Crash`, for example.
    pub(crate) kind: String,
    /// What follows `RequestId: ... Error: ` in `errorMessage`.
    pub(crate) message: String,
}

/// See the module.
pub(crate) struct Desk {
    answers: Mutex<OwnedWriteHalf>,
    /// The framed socket of a bootstrap of ours, once it has said that it is there.
    bootstrap: Mutex<Option<OwnedWriteHalf>>,
    stage: Cell<Stage>,
    /// What the runtime was given last.
    current: Cell<Option<Id>>,
    /// The invocation that the environment waits for.
    open: Cell<Option<Id>>,
    /// An event that the runtime has not fetched yet.
    pending: RefCell<Option<Invocation>>,
    arrived: Notify,
    /// The environment knows that it may ask.
    is_ready: Cell<bool>,
    pub(super) extensions: Extensions,
    pub(super) changed: Notify,
    failure: RefCell<Option<Failure>>,
}

impl Desk {
    /// Also returned: where invocations come from, for `take_invocations`.
    pub(super) fn new(frames: UnixStream, introduction: Introduction) -> (Rc<Desk>, OwnedReadHalf) {
        let (invocations, answers) = frames.into_split();
        let desk = Rc::new(Desk {
            answers: Mutex::new(answers),
            bootstrap: Mutex::new(None),
            stage: Cell::new(Stage::Starting),
            current: Cell::new(None),
            open: Cell::new(None),
            pending: RefCell::default(),
            arrived: Notify::new(),
            is_ready: Cell::new(false),
            extensions: Extensions::new(introduction),
            changed: Notify::new(),
            failure: RefCell::default(),
        });
        (desk, invocations)
    }

    /// Hands on what the environment asks, until it is gone.
    pub(super) async fn take_invocations(&self, mut invocations: OwnedReadHalf) {
        while let Ok(frame) = read_frame(&mut invocations, LONGEST).await {
            let Some(invocation) = Invocation::read(frame.slice(4..)) else { return };
            self.open.set(Some(invocation.id));
            self.extensions.tell(&Event::Invoke(Rc::from(invocation.event_text())));
            let mut bootstrap = self.bootstrap.lock().await;
            if let Some(socket) = bootstrap.as_mut() {
                self.begin(invocation.id);
                // A bootstrap that is gone is noticed by its end.
                let _ = socket.write_all(&frame).await;
            } else {
                self.pending.replace(Some(invocation));
                self.arrived.notify_one();
            }
        }
    }

    fn begin(&self, id: Id) {
        self.current.set(Some(id));
        self.stage.set(Stage::Running);
    }

    /// `GET /runtime/invocation/next`: waits for the next event.
    pub(super) async fn next(&self) -> Response<Full<Bytes>> {
        if matches!(self.stage.get(), Stage::Running | Stage::Answering) {
            return out_of_turn();
        }
        self.set_idle().await;
        loop {
            if let Some(invocation) = self.pending.take() {
                self.begin(invocation.id);
                return invocation.into_response();
            }
            self.arrived.notified().await;
        }
    }

    /// The runtime has nothing to do.
    pub(super) async fn set_idle(&self) {
        self.stage.set(Stage::Idle);
        self.extensions.close_registration();
        self.announce().await;
    }

    /// Tells the environment that all is ready, if it is and has not been told.
    pub(super) async fn announce(&self) {
        self.changed.notify_waiters();
        if self.stage.get() != Stage::Starting && self.extensions.have_all_asked() && !self.is_ready.replace(true) {
            self.send(Kind::Ready, None, &[]).await;
        }
    }

    /// `POST /runtime/init/error`: the runtime could not initialize; it ends by itself.
    pub(super) async fn initialization_failed(&self, body: Incoming) -> Response<Full<Bytes>> {
        let payload = match bridge::whole(body).await {
            Ok(payload) => payload,
            Err(refusal) => return *refusal,
        };
        if self.stage.get() != Stage::Starting {
            return out_of_turn();
        }
        self.send(Kind::InitFailed, None, &payload).await;
        accepted()
    }

    /// `POST /runtime/invocation/{id}/response` and `.../error`.
    pub(super) async fn answer(&self, id: &str, is_error: bool, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Some(id) = self.current.get().filter(|current| current == id.as_bytes()) else {
            let _ = bridge::whole(request.into_body()).await;
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
        };
        if self.stage.get() != Stage::Running {
            let _ = bridge::whole(request.into_body()).await;
            return out_of_turn();
        }
        self.stage.set(Stage::Answering);
        let turn = Turn(&self.stage);
        let response = if is_error { self.error(id, request).await } else { self.response(id, request).await };
        turn.0.set(Stage::Answered);
        response
    }

    /// Sends what ends an invocation. What comes after it is not for the environment, which asks for something else.
    pub(super) async fn finish(&self, kind: Kind, id: Id, payload: &[u8]) {
        if self.open.take() == Some(id) {
            self.send(kind, Some(id), payload).await;
        }
    }

    /// Writes a frame. An environment that is gone needs none: its process is ended.
    pub(super) async fn send(&self, kind: Kind, id: Option<Id>, payload: &[u8]) {
        let id = id.as_ref().map_or(&[][..], |id| &id[..]);
        let Ok(length) = u32::try_from(1 + id.len() + payload.len()) else { return };
        let mut head = Vec::with_capacity(5 + id.len());
        head.extend_from_slice(&length.to_le_bytes());
        head.push(kind as u8);
        head.extend_from_slice(id);
        let mut answers = self.answers.lock().await;
        if answers.write_all(&head).await.is_ok() {
            let _ = answers.write_all(payload).await;
        }
    }

    /// Passes a bootstrap's frame on as it is.
    pub(super) async fn pass_on(&self, frame: &[u8]) {
        let _ = self.answers.lock().await.write_all(frame).await;
    }

    /// The bootstrap has closed its socket: so does the environment's close.
    pub(super) async fn close(&self) {
        let _ = self.answers.lock().await.shutdown().await;
    }

    /// A bootstrap of ours is there, and has loaded the handler: events go to it.
    pub(super) async fn seat_bootstrap(&self, mut socket: OwnedWriteHalf) {
        self.extensions.close_registration();
        if self.extensions.is_any_internal() {
            // One that is gone is noticed by its end.
            let _ = socket.write_all(&[1, 0, 0, 0, BESIDE]).await;
        }
        *self.bootstrap.lock().await = Some(socket);
    }

    /// A bootstrap's answer has passed.
    pub(super) async fn bootstrap_answered(&self) {
        self.open.set(None);
        self.set_idle().await;
    }

    /// `POST /extension/register`.
    pub(super) async fn register(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let response = match bridge::whole(body).await {
            Ok(body) => self.extensions.register(&parts.headers, &body),
            Err(refusal) => *refusal,
        };
        self.changed.notify_waiters();
        response
    }

    /// `GET /extension/event/next`: waits for the next event.
    pub(super) async fn next_event(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let waiting = match self.extensions.ask(headers) {
            Ok(waiting) => waiting,
            Err(refusal) => return *refusal,
        };
        self.announce().await;
        waiting.await
    }

    /// `POST /extension/init/error` and `.../exit/error`: the environment cannot go on.
    pub(super) async fn extension_failed(&self, at_start: bool, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        // Its text is for the log, where the extension prints it itself.
        let _ = bridge::whole(body).await;
        let kind = if at_start { "Extension.InitError" } else { "Extension.ExitError" };
        match self.extensions.report_error(&parts.headers, kind) {
            Ok(ends_by_itself) => {
                if !ends_by_itself {
                    self.fail(kind, "exit code 0").await;
                }
                accepted()
            }
            Err(refusal) => *refusal,
        }
    }

    /// The process of an extension has ended, which it must not before it is told to.
    pub(crate) async fn extension_ended(&self, name: &str, how: &str) {
        let kind = self.extensions.reported(name).unwrap_or("Extension.Crash");
        self.fail(kind, how).await;
    }

    /// Ends what the environment waits for, and the environment with it.
    pub(crate) async fn fail(&self, kind: &str, message: &str) {
        if self.failure.borrow().is_some() {
            return;
        }
        *self.failure.borrow_mut() = Some(Failure { kind: kind.to_owned(), message: message.to_owned() });
        self.changed.notify_waiters();
        let told = |id: &str| {
            serde_json::json!({"errorType": kind, "errorMessage": format!("RequestId: {id} Error: {message}")})
                .to_string()
        };
        if let Some(id) = self.open.take() {
            self.send(Kind::LastError, Some(id), told(&String::from_utf8_lossy(&id)).as_bytes()).await;
        } else if !self.is_ready.replace(true) {
            self.send(Kind::InitFailed, None, told("").as_bytes()).await;
        }
    }

    /// Why the environment cannot go on, if it cannot.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.borrow().clone()
    }

    /// Waits until all extensions that were started have registered, or one has failed.
    pub(crate) async fn registered(&self) -> Result<(), Failure> {
        loop {
            let changed = self.changed.notified();
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            if self.extensions.have_all_registered() {
                return Ok(());
            }
            changed.await;
        }
    }

    /// Waits until the environment cannot go on.
    pub(crate) async fn failed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.failure.borrow().is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Whether the last invocation is over for the extensions too. Without extensions it is when it is answered.
    pub(crate) fn is_settled(&self) -> bool {
        self.extensions.is_empty() || self.stage.get() == Stage::Idle && self.extensions.have_all_asked()
    }

    /// Waits until the last invocation is over for the extensions too.
    pub(crate) async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_settled() {
                return;
            }
            changed.await;
        }
    }

    /// Whether there are extensions, and whether any is a process of its own.
    pub(crate) fn extensions(&self) -> (bool, bool) {
        (!self.extensions.is_empty(), self.extensions.is_any_external())
    }

    /// Tells the extensions that asked for it that the environment ends.
    pub(crate) fn tell_shutdown(&self, reason: &'static str, deadline: u64) {
        self.extensions.tell(&Event::Shutdown { reason, deadline });
    }

    /// Whether an extension is to be waited for at the end.
    pub(crate) fn wants_shutdown(&self, name: &str) -> bool {
        self.extensions.wants_shutdown(name)
    }
}

/// Reads a frame with its length, which is at most `longest`.
pub(super) async fn read_frame(socket: &mut OwnedReadHalf, longest: usize) -> std::io::Result<Bytes> {
    let length = socket.read_u32_le().await?;
    if length as usize > longest || length == 0 {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; 4 + length as usize];
    frame[..4].copy_from_slice(&length.to_le_bytes());
    socket.read_exact(&mut frame[4..]).await?;
    Ok(frame.into())
}
