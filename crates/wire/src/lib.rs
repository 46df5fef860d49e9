//! AWS's wire protocols, once: decoding, validation, dispatch, encoding and errors.
//!
//! A service hands over its shape table and a handler per operation ([`Service`]); [`ControlPlane`] turns HTTP requests
//! into typed inputs and typed outputs into HTTP answers. Nothing here knows what a service does, and a service never
//! sees a protocol. The way of a request: [`guard`] (may a web page be behind it?), [`dispatch`] (which operation?),
//! decode and validate by table, the handler, encode. Calls of services that are not mounted leave by [`Forward`].

mod answer;
mod call;
mod codec;
mod control_plane;
pub mod dispatch;
mod error;
mod event_stream;
pub mod forward;
pub mod guard;
mod service;
mod validate;

pub use answer::Answer;
pub use call::Call;
pub use control_plane::{ControlPlane, Settings};
pub use error::ApiError;
pub use event_stream::{Event, EventStream, Events};
pub use forward::Forward;
pub use service::{Mounted, Service};
