//! The Extensions API: who has registered for what, who waits for its next event, who has failed.
//!
//! External extensions are programs of their own, known by the names of their files before they register; internal ones
//! register from the runtime's process under any other name.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;

use base::ids;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

use super::{json, refused};
use crate::version::VersionSettings;

/// As many as AWS takes.
const MOST: usize = 10;

/// The longest name that an extension may have: the longest that a file may have.
const NAME_BYTES: usize = 255;

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const EVENT_IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-event-identifier");
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
const ACCEPT_FEATURE: &str = "lambda-extension-accept-feature";

type Refusal = Box<Response<Full<Bytes>>>;

/// What an extension is told when it registers, and who is expected to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Introduction {
    /// `functionName`.
    pub(crate) function: String,
    /// `functionVersion`.
    pub(crate) version: String,
    /// `handler`.
    pub(crate) handler: String,
    /// `accountId`, for who asks.
    pub(crate) account: String,
    /// The names of the external extensions.
    pub(crate) external: Vec<String>,
}

impl Introduction {
    /// Of a version without external extensions.
    pub(crate) fn of(settings: &VersionSettings) -> Introduction {
        Introduction {
            function: settings.name.to_string(),
            version: settings.number.to_string(),
            handler: settings.handler.clone(),
            account: settings.account.to_string(),
            external: Vec::new(),
        }
    }
}

/// What extensions are told.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// An invocation has begun: the event as text.
    Invoke(Rc<str>),
    /// The environment ends; the deadline in milliseconds since 1970.
    Shutdown { reason: &'static str, deadline: u64 },
}

/// Those of one environment.
pub(super) struct Extensions {
    introduction: Introduction,
    registered: RefCell<Vec<Extension>>,
    is_closed: Cell<bool>,
}

struct Extension {
    identifier: String,
    name: String,
    is_external: bool,
    invoke: bool,
    shutdown: bool,
    /// It waits in `next`, or would if nothing had happened since.
    has_asked: bool,
    events: Rc<Events>,
    /// The error that it reported.
    error: Option<&'static str>,
}

#[derive(Default)]
struct Events {
    waiting: RefCell<VecDeque<Event>>,
    arrived: Notify,
}

#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

impl Extensions {
    pub(super) fn new(introduction: Introduction) -> Extensions {
        Extensions { introduction, registered: RefCell::default(), is_closed: Cell::new(false) }
    }

    /// Takes a registration.
    pub(super) fn register(&self, headers: &HeaderMap, body: &[u8]) -> Response<Full<Bytes>> {
        let name = headers.get(NAME).and_then(|name| name.to_str().ok()).unwrap_or_default();
        if name.is_empty() || name.len() > NAME_BYTES {
            return refused(StatusCode::FORBIDDEN, "Extension.InvalidExtensionName", "Empty extension name");
        }
        let Ok(registration) = serde_json::from_slice::<Registration>(body) else {
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestFormat", "unexpected end of JSON input");
        };
        let is_external = self.introduction.external.iter().any(|external| external == name);
        for event in &registration.events {
            let message = match event.as_str() {
                "INVOKE" => continue,
                "SHUTDOWN" if is_external => continue,
                "SHUTDOWN" => "SHUTDOWN event is not supported for internal extensions".to_owned(),
                other => format!("invalid event type: {other}"),
            };
            return refused(StatusCode::FORBIDDEN, "Extension.InvalidEventType", &message);
        }
        let mut registered = self.registered.borrow_mut();
        if registered.iter().any(|known| known.name == name) {
            return transition_refused("Registered", "Registered", name);
        }
        if self.is_closed.get() {
            let message = "Extension registration closed already";
            return refused(StatusCode::FORBIDDEN, "Extension.RegistrationClosed", message);
        }
        if registered.len() >= MOST {
            let message = format!("Extension limit ({MOST}) reached");
            return refused(StatusCode::FORBIDDEN, "Extension.TooManyExtensions", &message);
        }
        let identifier = ids::uuid();
        let wants = |event: &str| registration.events.iter().any(|wanted| wanted == event);
        let Introduction { function, version, handler, account, .. } = &self.introduction;
        let mut told = json!({"functionName": function, "functionVersion": version, "handler": handler});
        if headers.get(ACCEPT_FEATURE).is_some_and(|feature| feature == "accountId") {
            told["accountId"] = json!(account);
        }
        let mut response = json(StatusCode::OK, told.to_string());
        if let Ok(value) = HeaderValue::try_from(&identifier) {
            response.headers_mut().insert(IDENTIFIER, value);
        }
        registered.push(Extension {
            identifier,
            name: name.to_owned(),
            is_external,
            invoke: wants("INVOKE"),
            shutdown: wants("SHUTDOWN"),
            has_asked: false,
            events: Rc::default(),
            error: None,
        });
        response
    }

    /// Notes that an extension asks for its next event, and gives what waits for it.
    pub(super) fn ask(
        &self,
        headers: &HeaderMap,
    ) -> Result<impl Future<Output = Response<Full<Bytes>>> + use<>, Refusal> {
        let mut registered = self.registered.borrow_mut();
        let extension = find(&mut registered, headers)?;
        if let Some(error) = extension.error {
            return Err(Box::new(transition_refused(error, "Ready", &extension.name)));
        }
        let events = Rc::clone(&extension.events);
        extension.has_asked = events.waiting.borrow().is_empty();
        Ok(async move {
            loop {
                let event = events.waiting.borrow_mut().pop_front();
                match event {
                    Some(event) => return event.into_response(),
                    None => events.arrived.notified().await,
                }
            }
        })
    }

    /// Notes an error that an extension reports. Whether its process is expected to end by itself.
    pub(super) fn report_error(&self, headers: &HeaderMap, kind: &'static str) -> Result<bool, Refusal> {
        let mut registered = self.registered.borrow_mut();
        let extension = find(&mut registered, headers)?;
        if headers.get(ERROR_TYPE).is_none_or(HeaderValue::is_empty) {
            let message = "Lambda-Extension-Function-Error-Type not found";
            return Err(Box::new(refused(StatusCode::FORBIDDEN, "Extension.MissingHeader", message)));
        }
        extension.error = Some(kind);
        Ok(extension.is_external)
    }

    /// The error that the extension of that name has reported.
    pub(super) fn reported(&self, name: &str) -> Option<&'static str> {
        self.registered.borrow().iter().find(|extension| extension.name == name)?.error
    }

    /// Queues an event for those who want it.
    pub(super) fn tell(&self, event: &Event) {
        for extension in self.registered.borrow_mut().iter_mut() {
            if match event {
                Event::Invoke(_) => extension.invoke,
                Event::Shutdown { .. } => extension.shutdown,
            } {
                extension.has_asked = false;
                extension.events.waiting.borrow_mut().push_back(event.clone());
                extension.events.arrived.notify_one();
            }
        }
    }

    /// The runtime has asked for its first event: nobody may register any more.
    pub(super) fn close_registration(&self) {
        self.is_closed.set(true);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.registered.borrow().is_empty()
    }

    pub(super) fn is_any_external(&self) -> bool {
        self.registered.borrow().iter().any(|extension| extension.is_external)
    }

    pub(super) fn is_any_internal(&self) -> bool {
        self.registered.borrow().iter().any(|extension| !extension.is_external)
    }

    /// Whether all programs that were started have registered.
    pub(super) fn have_all_registered(&self) -> bool {
        let registered = self.registered.borrow();
        self.introduction.external.iter().all(|name| registered.iter().any(|extension| extension.name == *name))
    }

    /// Whether all wait for their next event.
    pub(super) fn have_all_asked(&self) -> bool {
        self.registered.borrow().iter().all(|extension| extension.has_asked)
    }

    /// Whether the extension of that name is told of the end.
    pub(super) fn wants_shutdown(&self, name: &str) -> bool {
        self.registered.borrow().iter().any(|extension| extension.name == name && extension.shutdown)
    }
}

/// The extension that a request names.
fn find<'e>(registered: &'e mut [Extension], headers: &HeaderMap) -> Result<&'e mut Extension, Refusal> {
    let refuse = |kind: &str, message: &str| Err(Box::new(refused(StatusCode::FORBIDDEN, kind, message)));
    let Some(identifier) = headers.get(IDENTIFIER) else {
        return refuse("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
    };
    let identifier = identifier.to_str().unwrap_or_default();
    let is_uuid = identifier.len() == 36
        && identifier.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if !is_uuid {
        return refuse("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
    }
    match registered.iter_mut().find(|extension| extension.identifier == identifier) {
        Some(extension) => Ok(extension),
        None => refuse("Extension.UnknownExtensionIdentifier", &format!("Unknown extension {identifier}")),
    }
}

fn transition_refused(from: &str, to: &str, name: &str) -> Response<Full<Bytes>> {
    let message = format!(
        "State transition from {from} to {to} failed for extension {name}. Error: State transition is not allowed"
    );
    refused(StatusCode::FORBIDDEN, "Extension.InvalidExtensionState", &message)
}

impl Event {
    fn into_response(self) -> Response<Full<Bytes>> {
        let text = match self {
            Event::Invoke(text) => text.to_string(),
            Event::Shutdown { reason, deadline } => {
                json!({"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline}).to_string()
            }
        };
        let mut response = json(StatusCode::OK, text);
        if let Ok(value) = HeaderValue::try_from(ids::uuid()) {
            response.headers_mut().insert(EVENT_IDENTIFIER, value);
        }
        response
    }
}
