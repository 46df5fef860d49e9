//! Every way in which a request can be refused. One variant a cause; `respond::table` says what each answers.

use std::borrow::Cow;

/// The reason of [`Fault::RequestTransformation`] where a mock integration's template gives no status, in AWS's words.
pub const MOCK_STATUS: &str =
    "Unable to parse statusCode. It should be an integer that is defined in the request template.";

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The address names no API or stage that is served here.
    UnknownStage,
    /// The address names no function URL that is served here.
    UnknownFunctionUrl,
    /// A function URL asks for a signature and the request has none, or one for something else.
    NotSigned {
        /// For the client and for the log.
        reason: Box<str>,
    },
    /// A concurrency limit keeps the function behind a function URL from running.
    FunctionThrottled {
        /// Lambda's `Reason`.
        reason: &'static str,
    },
    /// No resource matches the path, or none that does serves the verb.
    NoRoute,
    /// The same, for a request whose `Authorization` is not a signature.
    NotASignature {
        /// SHA-256 of the header's value, in Base64.
        digest: Box<str>,
    },
    /// Path and query together exceed 10,240 bytes.
    UriTooLong,
    /// A guard that this version cannot enforce stands before the method: it stays shut.
    GuardNotBuilt {
        /// Which.
        what: Box<str>,
    },
    /// The account's rate is used up.
    Throttled,
    /// The body exceeds 10 MB.
    RequestTooLarge,
    /// The header names and values together exceed 10,240 bytes.
    HeadersTooLarge,
    /// The client closed, sent a malformed body or took too long over it.
    BadBody,
    /// The request has several `Host` headers.
    SeveralHosts,
    /// The query holds a character that must be escaped.
    BadQuery,
    /// The request lacks parameters that the method requires.
    MissingParameters {
        /// Their names, with commas between.
        names: Box<str>,
    },
    /// The body is not as its model says, or the model cannot be used.
    InvalidBody {
        /// The media type by which the model was chosen.
        media_type: Box<str>,
        /// `$context.error.validationErrorString`: what is wrong, in brackets.
        errors: Box<str>,
    },
    /// No template matches the body's media type and passing it through is not allowed.
    UnsupportedMediaType,
    /// The body's content coding is unknown, or the body is not packed so.
    BadCoding,
    /// A mapping needs JSON and the request's body is not.
    BodyNotJson,
    /// The request could not be transformed: a template failed, or Base64 could not be decoded.
    RequestTransformation {
        /// For the log.
        reason: Cow<'static, str>,
    },
    /// The response could not be transformed.
    ResponseTransformation {
        /// For the log.
        reason: Cow<'static, str>,
    },
    /// The integration is configured so that no call can succeed.
    BrokenIntegration {
        /// For the log.
        reason: Cow<'static, str>,
    },
    /// A mapping sets a header that the gateway keeps to itself.
    ReservedHeader {
        /// Which.
        name: Box<str>,
    },
    /// The address of the backend is malformed, unknown or not allowed.
    BadEndpoint {
        /// For the log.
        reason: Cow<'static, str>,
    },
    /// The backend could not be reached, or the connection broke.
    BackendUnreachable {
        /// For the log.
        reason: Box<str>,
    },
    /// The backend took longer than the integration's timeout.
    BackendTimeout,
    /// The function's policy does not let this API invoke it.
    FunctionNotPermitted,
    /// Lambda refused the invocation (no such function, throttled, payload too large, ...).
    FunctionRefused {
        /// For the log.
        reason: Box<str>,
    },
    /// The function raised, timed out or crashed behind a proxy integration.
    FunctionFailed,
    /// The function's answer is not what a proxy integration expects.
    MalformedProxyResponse {
        /// For the log.
        reason: &'static str,
    },
    /// What the function streams does not begin with metadata as a proxy integration expects them.
    MalformedStream {
        /// For the log.
        reason: &'static str,
    },
    /// No integration response matches what the backend answered, and there is no default.
    NoIntegrationResponse {
        /// The status or error message that was looked for.
        value: Box<str>,
    },
    /// The chosen integration response has a status that the method does not declare.
    NoMethodResponse {
        /// The status.
        status: http::StatusCode,
    },
    /// Frontgate could not do its part.
    Internal {
        /// For the log.
        reason: Cow<'static, str>,
    },
}
