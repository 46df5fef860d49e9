//! Answers that are AWS errors.

use std::borrow::Cow;
use std::fmt;

use base::shape::ErrorModel;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// An answer that is an AWS error: code, status and text together, and whatever else the body carries.
///
/// A service makes most of them from its model, `ApiError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "...")`. The
/// constructors without a model are the errors of API Gateway and those of the framework in front of every service.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Details>);

/// What an error consists of; boxed, so that results stay small.
#[derive(Clone, Debug)]
struct Details {
    code: Cow<'static, str>,
    status: StatusCode,
    message: Option<String>,
    message_member: &'static str,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl ApiError {
    /// An error of a service's model, with its status and the spelling of its body. Errors that have a `Type` member
    /// get it (`User` or `Service`).
    pub fn new(model: &ErrorModel, message: impl Into<String>) -> ApiError {
        let mut error = ApiError::custom(model.code, model.status, message);
        // The code of a generated table is static, but a table in a test need not be.
        error.0.message_member = if model.message_member == "Message" { "Message" } else { "message" };
        if model.has_type {
            error.0.members.insert("Type".into(), if model.fault { "Service" } else { "User" }.into());
        }
        error
    }

    /// An error that no model has. A status that is not one becomes 500.
    pub fn custom(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> ApiError {
        ApiError(Box::new(Details {
            code: code.into(),
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            message: Some(message.into()),
            message_member: "message",
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// API Gateway's `BadRequestException`, status 400.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::custom("BadRequestException", 400, message)
    }

    /// API Gateway's `NotFoundException`, status 404.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::custom("NotFoundException", 404, message)
    }

    /// API Gateway's `ConflictException`, status 409.
    pub fn conflict(message: impl Into<String>) -> ApiError {
        ApiError::custom("ConflictException", 409, message)
    }

    /// API Gateway's `LimitExceededException`, status 429, with the `Retry-After` header that AWS sends.
    pub fn limit_exceeded(message: impl Into<String>) -> ApiError {
        ApiError::custom("LimitExceededException", 429, message).with_retry_after(1)
    }

    /// API Gateway's `TooManyRequestsException`, status 429, with the `Retry-After` header that AWS sends.
    pub fn too_many_requests(message: impl Into<String>) -> ApiError {
        ApiError::custom("TooManyRequestsException", 429, message).with_retry_after(1)
    }

    /// The framework's `ValidationException`, status 400.
    pub fn validation(message: impl Into<String>) -> ApiError {
        ApiError::custom("ValidationException", 400, message)
    }

    /// The framework's `SerializationException`, status 400.
    pub fn serialization(message: impl Into<String>) -> ApiError {
        ApiError::custom("SerializationException", 400, message)
    }

    /// The framework's `AccessDeniedException`, status 403.
    pub fn access_denied(message: impl Into<String>) -> ApiError {
        ApiError::custom("AccessDeniedException", 403, message)
    }

    /// Something that AWS has and we do not have yet: `NotImplemented`, status 501. The message names it.
    pub fn not_implemented(message: impl Into<String>) -> ApiError {
        ApiError::custom("NotImplemented", 501, message)
    }

    /// A failure of ours: `InternalFailure`, status 500. `detail` goes to the log; the caller does not see it.
    pub fn internal(detail: impl fmt::Display) -> ApiError {
        tracing::error!(%detail, "internal failure");
        ApiError::custom("InternalFailure", 500, "An internal failure occurred; the log says more.")
    }

    /// The error with one more member in its body.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> ApiError {
        self.0.members.insert(name.into(), value.into());
        self
    }

    /// The error with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> ApiError {
        self.0.headers.append(name, value);
        self
    }

    /// The error with a `Retry-After` header, in seconds.
    #[must_use]
    pub fn with_retry_after(self, seconds: u32) -> ApiError {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    /// The error without any text, as AWS sends some.
    #[must_use]
    pub fn without_message(mut self) -> ApiError {
        self.0.message = None;
        self
    }

    /// The code that goes over the wire.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The text; empty when there is none.
    pub fn message(&self) -> &str {
        self.0.message.as_deref().unwrap_or_default()
    }

    /// The members of the body beyond the text.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0.members
    }

    /// The headers that go with it.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The body's members with the text among them, in AWS's order.
    pub(crate) fn body(&self) -> Map<String, Value> {
        let mut body = self.0.members.clone();
        if let Some(message) = &self.0.message {
            body.insert(self.0.message_member.into(), message.as_str().into());
        }
        body
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}): {}", self.0.code, self.0.status.as_u16(), self.message())
    }
}

impl std::error::Error for ApiError {}
