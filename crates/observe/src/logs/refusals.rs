//! What callers are refused with. The texts are AWS's where they were seen.

use model_logs::errors;
use wire::ApiError;

pub(super) fn no_group() -> ApiError {
    ApiError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "The specified log group does not exist.")
}

pub(super) fn no_stream() -> ApiError {
    ApiError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "The specified log stream does not exist.")
}

pub(super) fn group_exists() -> ApiError {
    ApiError::new(&errors::RESOURCE_ALREADY_EXISTS_EXCEPTION, "The specified log group already exists")
}

pub(super) fn stream_exists() -> ApiError {
    ApiError::new(&errors::RESOURCE_ALREADY_EXISTS_EXCEPTION, "The specified log stream already exists")
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

pub(super) fn too_long() -> ApiError {
    invalid("Invalid LogGroup or LogStream, both must have length less than or equal to 512.")
}

pub(super) fn bad_token() -> ApiError {
    invalid("The specified nextToken is invalid.")
}

/// Of a group that was named twice.
pub(super) fn name_and_arn() -> ApiError {
    ApiError::validation("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
}

/// Something that AWS has and we do not.
pub(super) fn not_built(what: &str) -> ApiError {
    ApiError::not_implemented(format!("Frontgate does not have {what} of CloudWatch Logs yet"))
}
