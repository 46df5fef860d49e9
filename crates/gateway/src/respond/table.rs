//! One table from cause to refusal: gateway response type, status, error type header and text.
//!
//! Sources: the REST data plane's sections 5 and 8.1. Status codes of refusals are chosen here and only here.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::fault::Fault;
use templates::document::push_quoted;

/// The error type of everything that fails in or behind the integration.
const INTERNAL: &str = "InternalServerErrorException";

/// What a cause answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayResponse {
    /// AWS's response type: the key under which an API may replace it.
    pub response_type: &'static str,
    /// The default status.
    pub status: StatusCode,
    /// `x-amzn-ErrorType`.
    pub error_type: &'static str,
    /// `$context.error.message`; `%s` stands for what the fault adds to it.
    message: &'static str,
}

/// The gateway response of a cause.
pub fn gateway_response(fault: &Fault) -> GatewayResponse {
    use StatusCode as S;
    let row =
        |response_type, status, error_type, message| GatewayResponse { response_type, status, error_type, message };
    match fault {
        Fault::UnknownStage | Fault::UnknownFunctionUrl => {
            row("ACCESS_DENIED", S::FORBIDDEN, "ForbiddenException", "Forbidden")
        }
        Fault::NoRoute => row(
            "MISSING_AUTHENTICATION_TOKEN",
            S::FORBIDDEN,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        Fault::NotASignature { .. } => row(
            "DEFAULT_4XX",
            S::FORBIDDEN,
            "IncompleteSignatureException",
            "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with \
             Base64): '%s'.",
        ),
        Fault::UriTooLong => row("DEFAULT_4XX", S::URI_TOO_LONG, "BadRequestException", "Request URI too long"),
        // What AWS would answer to a caller without credentials, as nobody can have any yet.
        Fault::GuardNotBuilt { .. } | Fault::NotSigned { .. } => {
            row("ACCESS_DENIED", S::FORBIDDEN, "ForbiddenException", "Forbidden")
        }
        Fault::Throttled => row("THROTTLED", S::TOO_MANY_REQUESTS, "TooManyRequestsException", "Too Many Requests"),
        Fault::RequestTooLarge => {
            row("REQUEST_TOO_LARGE", S::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "Request Too Long")
        }
        Fault::HeadersTooLarge => row(
            "DEFAULT_4XX",
            S::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "BadRequestException",
            "Request Header Fields Too Large",
        ),
        Fault::BadBody | Fault::SeveralHosts | Fault::BadQuery => {
            row("DEFAULT_4XX", S::BAD_REQUEST, "BadRequestException", "Bad Request")
        }
        Fault::MissingParameters { .. } => row(
            "BAD_REQUEST_PARAMETERS",
            S::BAD_REQUEST,
            "BadRequestException",
            "Missing required request parameters: [%s]",
        ),
        Fault::InvalidBody { .. } => {
            row("BAD_REQUEST_BODY", S::BAD_REQUEST, "BadRequestException", "Invalid request body")
        }
        Fault::UnsupportedMediaType | Fault::BadCoding => {
            row("UNSUPPORTED_MEDIA_TYPE", S::UNSUPPORTED_MEDIA_TYPE, "BadRequestException", "Unsupported Media Type")
        }
        Fault::BodyNotJson => row("DEFAULT_4XX", S::BAD_REQUEST, "BadRequestException", "Invalid JSON in request body"),
        Fault::BackendUnreachable { .. } => {
            row("INTEGRATION_FAILURE", S::GATEWAY_TIMEOUT, INTERNAL, "Network error communicating with endpoint")
        }
        Fault::BackendTimeout => row("INTEGRATION_TIMEOUT", S::GATEWAY_TIMEOUT, INTERNAL, "Endpoint request timed out"),
        Fault::FunctionFailed | Fault::MalformedProxyResponse { .. } => internal("INTEGRATION_FAILURE", S::BAD_GATEWAY),
        // What Lambda itself refuses, a throttled function above all, is a 500, not a 502, and no mapping sees it.
        Fault::FunctionRefused { .. }
        | Fault::FunctionThrottled { .. }
        | Fault::FunctionNotPermitted
        | Fault::MalformedStream { .. }
        | Fault::BrokenIntegration { .. } => internal("INTEGRATION_FAILURE", S::INTERNAL_SERVER_ERROR),
        Fault::RequestTransformation { .. }
        | Fault::ResponseTransformation { .. }
        | Fault::ReservedHeader { .. }
        | Fault::BadEndpoint { .. }
        | Fault::NoIntegrationResponse { .. }
        | Fault::NoMethodResponse { .. } => internal("API_CONFIGURATION_ERROR", S::INTERNAL_SERVER_ERROR),
        Fault::Internal { .. } => internal("DEFAULT_5XX", S::INTERNAL_SERVER_ERROR),
    }
}

fn internal(response_type: &'static str, status: StatusCode) -> GatewayResponse {
    GatewayResponse { response_type, status, error_type: INTERNAL, message: "Internal server error" }
}

impl GatewayResponse {
    /// `$context.error.message`.
    pub fn message(&self, fault: &Fault) -> Cow<'static, str> {
        match fault {
            Fault::NotASignature { digest: detail } | Fault::MissingParameters { names: detail } => {
                self.message.replace("%s", detail).into()
            }
            _ => self.message.into(),
        }
    }

    /// Appends `$context.error.messageString`: the message as a JSON string. For what fails in or behind the integration
    /// it begins with a blank on AWS, so that the body of a 500 has 36 bytes.
    pub fn push_message_string(&self, fault: &Fault, out: &mut String) {
        if self.error_type == INTERNAL {
            out.push(' ');
        }
        push_quoted(out, &self.message(fault));
    }

    /// The default body: `{"message":$context.error.messageString}`.
    pub fn body(&self, fault: &Fault) -> Bytes {
        let mut body = String::from("{\"message\":");
        self.push_message_string(fault, &mut body);
        body.push('}');
        Bytes::from(body)
    }

    /// Whether the API's owner may replace it; a body that is too large is refused in the gateway's own words.
    pub fn is_replaceable(&self) -> bool {
        self.response_type != "REQUEST_TOO_LARGE"
    }
}

/// `$context.error.validationErrorString`: what the request's body lacks; empty for other causes.
pub(super) fn validation_error(fault: &Fault) -> &str {
    match fault {
        Fault::InvalidBody { errors, .. } => errors,
        _ => "",
    }
}

/// Whether the cause is looked at before the request's resource is, so that nothing of a resource may be said.
pub(super) fn precedes_routing(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::UnknownStage
            | Fault::NoRoute
            | Fault::NotASignature { .. }
            | Fault::UriTooLong
            | Fault::HeadersTooLarge
            | Fault::SeveralHosts
            | Fault::BadQuery
    )
}

/// Whether the backend or the way to it has failed.
pub fn is_of_integration(fault: &Fault) -> bool {
    matches!(gateway_response(fault).response_type, "INTEGRATION_FAILURE" | "INTEGRATION_TIMEOUT")
}

/// What the operator reads about a cause, in the access log; the client never sees it.
pub fn log_text(fault: &Fault) -> String {
    match fault {
        Fault::UnknownStage => "no such API or stage".into(),
        Fault::UnknownFunctionUrl => "no such function URL".into(),
        Fault::NotSigned { reason } => reason.clone().into(),
        Fault::FunctionThrottled { reason } => format!("Lambda refused the invocation: Rate Exceeded. ({reason})"),
        Fault::NoRoute => "no resource and method match the path and verb".into(),
        Fault::NotASignature { .. } => {
            "no resource and method match the path and verb, and Authorization is not a signature".into()
        }
        Fault::UriTooLong => "path and query exceed 10,240 bytes".into(),
        Fault::GuardNotBuilt { what } => {
            format!("{what} is not enforced by this version of Frontgate, so the method stays shut")
        }
        Fault::Throttled => "the account's request rate is exceeded".into(),
        Fault::RequestTooLarge => "the body exceeds 10 MB".into(),
        Fault::HeadersTooLarge => "the headers exceed 10,240 bytes".into(),
        Fault::BadBody => "the body could not be read".into(),
        Fault::SeveralHosts => "the request has several Host headers".into(),
        Fault::BadQuery => "the query has a character that must be escaped".into(),
        Fault::MissingParameters { names } => format!("Missing required request parameters: [{names}]"),
        Fault::InvalidBody { media_type, errors } => {
            format!("Request body does not match model schema for content type {media_type}: {errors}")
        }
        Fault::UnsupportedMediaType => "no template for this media type, and passthrough is not allowed".into(),
        Fault::BadCoding => "the body's Content-Encoding is unknown, or the body is not packed so".into(),
        Fault::BodyNotJson => "a mapping needs a JSON body".into(),
        Fault::RequestTransformation { reason } => {
            format!("Execution failed due to configuration error: Unable to transform request: {reason}")
        }
        Fault::ResponseTransformation { reason } => {
            format!("Execution failed due to configuration error: Unable to transform response: {reason}")
        }
        Fault::BrokenIntegration { reason } | Fault::Internal { reason } => reason.clone().into_owned(),
        Fault::ReservedHeader { name } => {
            format!("a mapping sets the header {name}, which the gateway keeps to itself")
        }
        Fault::BadEndpoint { reason } => format!("Invalid endpoint address: {reason}"),
        Fault::BackendUnreachable { reason } => format!("Network error communicating with endpoint: {reason}"),
        Fault::BackendTimeout => "Endpoint request timed out".into(),
        Fault::FunctionNotPermitted => "Invalid permissions on Lambda function".into(),
        Fault::FunctionRefused { reason } => format!("Lambda refused the invocation: {reason}"),
        Fault::FunctionFailed => "Lambda execution failed: the function returned an error".into(),
        Fault::MalformedProxyResponse { reason } => format!("Malformed Lambda proxy response: {reason}"),
        Fault::MalformedStream { reason } => format!("Malformed Lambda response stream: {reason}"),
        Fault::NoIntegrationResponse { value } => format!(
            "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: {value}"
        ),
        Fault::NoMethodResponse { status } => {
            format!("Output mapping refers to an invalid method response: {}", status.as_u16())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks status, type of gateway response, error type and message of a cause.
    fn check(fault: &Fault, status: u16, response_type: &str, error_type: &str, message: &str) {
        let row = gateway_response(fault);
        assert_eq!(
            (row.status.as_u16(), row.response_type, row.error_type),
            (status, response_type, error_type),
            "{fault:?}"
        );
        assert_eq!(row.message(fault), message, "{fault:?}");
    }

    #[test]
    fn answers_as_aws_does() {
        check(
            &Fault::NoRoute,
            403,
            "MISSING_AUTHENTICATION_TOKEN",
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
        check(&Fault::UnknownStage, 403, "ACCESS_DENIED", "ForbiddenException", "Forbidden");
        check(&Fault::UriTooLong, 414, "DEFAULT_4XX", "BadRequestException", "Request URI too long");
        check(&Fault::Throttled, 429, "THROTTLED", "TooManyRequestsException", "Too Many Requests");
        check(&Fault::RequestTooLarge, 413, "REQUEST_TOO_LARGE", "RequestTooLargeException", "Request Too Long");
        check(
            &Fault::MissingParameters { names: "x-header-param, issuer, qs1".into() },
            400,
            "BAD_REQUEST_PARAMETERS",
            "BadRequestException",
            "Missing required request parameters: [x-header-param, issuer, qs1]",
        );
        let body = Fault::InvalidBody { media_type: "application/json".into(), errors: "[x]".into() };
        check(&body, 400, "BAD_REQUEST_BODY", "BadRequestException", "Invalid request body");
        assert_eq!((validation_error(&body), validation_error(&Fault::NoRoute)), ("[x]", ""));
        check(
            &Fault::UnsupportedMediaType,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "BadRequestException",
            "Unsupported Media Type",
        );
        check(&Fault::BodyNotJson, 400, "DEFAULT_4XX", "BadRequestException", "Invalid JSON in request body");
    }

    #[test]
    fn what_fails_in_or_behind_the_integration_is_answered_as_aws_does() {
        let check = |fault: &Fault, status, response_type, message| {
            check(fault, status, response_type, "InternalServerErrorException", message);
        };
        let unreachable = Fault::BackendUnreachable { reason: "x".into() };
        check(&unreachable, 504, "INTEGRATION_FAILURE", "Network error communicating with endpoint");
        check(&Fault::BackendTimeout, 504, "INTEGRATION_TIMEOUT", "Endpoint request timed out");
        for (fault, status) in [
            (Fault::FunctionFailed, 502),
            (Fault::MalformedProxyResponse { reason: "x" }, 502),
            (Fault::FunctionRefused { reason: "x".into() }, 500),
            (Fault::FunctionNotPermitted, 500),
            (Fault::BrokenIntegration { reason: "x".into() }, 500),
        ] {
            check(&fault, status, "INTEGRATION_FAILURE", "Internal server error");
        }
        for fault in [
            Fault::BadEndpoint { reason: "x".into() },
            Fault::RequestTransformation { reason: "x".into() },
            Fault::ResponseTransformation { reason: "x".into() },
            Fault::ReservedHeader { name: "x".into() },
            Fault::NoIntegrationResponse { value: "x".into() },
            Fault::NoMethodResponse { status: StatusCode::OK },
        ] {
            check(&fault, 500, "API_CONFIGURATION_ERROR", "Internal server error");
        }
    }

    #[test]
    fn bodies_of_integrations_have_a_blank_after_the_colon() {
        let body = |fault: &Fault| gateway_response(fault).body(fault);
        assert_eq!(body(&Fault::FunctionFailed), r#"{"message": "Internal server error"}"#.as_bytes());
        assert_eq!(body(&Fault::Throttled), r#"{"message":"Too Many Requests"}"#.as_bytes());
    }
}
