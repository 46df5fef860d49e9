//! The seams: traits where subsystems meet without knowing each other, one file each. The binary ties them together.

mod answer_body;
mod call_service;
mod find_function_url;
mod function_stream;
mod invoke_function;
mod notify_function;
mod read_object;
mod role_credentials;
mod write_log;

pub use answer_body::{AnswerBody, ByteStream};
pub use call_service::{CallService, ServiceAnswer, ServiceCall, ServiceSilence};
pub use find_function_url::{FindFunctionUrl, FunctionUrl, UrlAuth, UrlCors};
pub use function_stream::{StreamPart, StreamParts, Streaming};
pub use invoke_function::{Caller, Invocation, InvokeFunction, InvokeRefusal, Invoked, Outcome};
pub use notify_function::NotifyFunction;
pub use read_object::{ObjectName, ReadObject, ReadObjectError};
pub use role_credentials::{RoleCredentials, RoleSession, TemporaryCredentials};
pub use write_log::{LogLine, WriteLog};

use std::future::Future;
use std::pin::Pin;

/// A future that stays on the thread that made it, as everything on a request's way does.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A future that may move between threads, for the control plane.
pub type SendFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
