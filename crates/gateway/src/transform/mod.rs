//! The transform phases: the client's request becomes the integration's, and its answer the method's response.

pub mod content;
mod context;
pub(crate) mod facts;
mod gateway_response;
pub mod headers;
mod lambda_event;
mod mapping;
mod proxy_response;
pub mod query;
mod request;
mod response;
mod scope;
mod service;
mod stream_response;
mod trace;

pub use gateway_response::{ErrorContext, gateway_response};
pub use request::request;
pub use response::response;
