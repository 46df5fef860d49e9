//! Why an operation is refused, in AWS's words, and the texts that several operations share.

use store::StoreError;

/// A refusal: the cause decides AWS's error code, the text is what the caller reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `BadRequestException`, 400.
    BadRequest(String),
    /// `NotFoundException`, 404.
    NotFound(String),
    /// `ConflictException`, 409.
    Conflict(String),
    /// `LimitExceededException`, 429.
    LimitExceeded(String),
    /// Somebody else changed what was read; the operation is tried again and ends as a conflict.
    Raced,
    /// `ServiceUnavailableException`, 503: the store cannot answer; the text is for the operator's log.
    Unavailable(String),
    /// `ServiceUnavailableException`, 503: there is no room for the change; the text is for the caller, who may make some.
    Full(String),
    /// An internal failure, 500; the text is for the operator's log.
    Internal(String),
}

/// What every operation gives.
pub(crate) type Answer<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn bad_request(text: impl Into<String>) -> Refusal {
        Refusal::BadRequest(text.into())
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Refusal {
        Refusal::NotFound(text.into())
    }

    pub(crate) fn conflict(text: impl Into<String>) -> Refusal {
        Refusal::Conflict(text.into())
    }

    /// What AWS has and this version does not: never accepted in silence. `what` names the setting.
    pub(crate) fn not_built(what: impl std::fmt::Display) -> Refusal {
        Refusal::BadRequest(format!("{what} is not supported by this version of Frontgate"))
    }

    /// An API that the account does not have in the region.
    pub(crate) fn unknown_api(account: &str, api: &str) -> Refusal {
        Refusal::NotFound(format!("Invalid API identifier specified {account}:{api}"))
    }

    /// A resource, or the API that should hold it: the operations below resources do not tell them apart.
    pub(crate) fn unknown_resource() -> Refusal {
        Refusal::not_found("Invalid Resource identifier specified")
    }

    pub(crate) fn unknown_method() -> Refusal {
        Refusal::not_found("Invalid Method identifier specified")
    }

    pub(crate) fn unknown_integration() -> Refusal {
        Refusal::not_found("Invalid Integration identifier specified")
    }

    pub(crate) fn unknown_status_code() -> Refusal {
        Refusal::not_found("Invalid Response status code specified")
    }

    pub(crate) fn unknown_deployment() -> Refusal {
        Refusal::not_found("Invalid Deployment identifier specified")
    }

    pub(crate) fn unknown_stage() -> Refusal {
        Refusal::not_found("Invalid stage identifier specified")
    }

    /// A quota of the account; `what` is plural and capitalised as AWS writes it (`Resources`, `Stages`).
    pub(crate) fn quota(what: &str, of: &str) -> Refusal {
        // Two blanks, as AWS sends it.
        Refusal::LimitExceeded(format!(
            "Maximum number of {what} for this {of} has been reached.  Please contact AWS if you need additional {what}."
        ))
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        match error {
            StoreError::Exists { .. } | StoreError::Changed { .. } => Refusal::Raced,
            StoreError::Full => Refusal::Full(error.to_string()),
            StoreError::Unavailable(_) => Refusal::Unavailable(error.to_string()),
            StoreError::Corrupt { .. } | StoreError::Trimmed { .. } => Refusal::Internal(error.to_string()),
        }
    }
}
