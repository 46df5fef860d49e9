//! The transform phases: the client's request becomes the integration's, and its answer the method's response.

mod access_log;
pub mod content;
mod context;
pub(crate) mod facts;
mod gateway_response;
pub mod headers;
mod lambda_event;
mod mapping;
mod proxy_response;
pub mod query;
mod report;
mod request;
mod response;
mod scope;
mod service;
mod stream_response;
mod trace;

pub(crate) use access_log::access_line;
pub(crate) use facts::text as header_text;
pub use gateway_response::{ErrorContext, gateway_response};
pub(crate) use proxy_response::{headers as response_headers, status as response_status};
pub use report::{report_answer, report_request};
pub use request::request;
pub use response::response;
pub(crate) use stream_response::{add_cookies, answer as stream_answer};
pub(crate) use trace::{Trace, continue_trace};
