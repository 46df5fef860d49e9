//! Every refusal of IAM, with AWS's code and text.

use model_iam::errors;
use wire::ApiError;

pub(crate) fn no_such_role(name: &str) -> ApiError {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

pub(crate) fn no_such_role_policy(name: &str) -> ApiError {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

pub(crate) fn no_such_policy(arn: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} was not found."))
}

pub(crate) fn no_attachable_policy(arn: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} does not exist or is not attachable."))
}

pub(crate) fn no_boundary_policy(arn: &str) -> ApiError {
    no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable."))
}

pub(crate) fn not_attachable() -> ApiError {
    ApiError::new(&errors::POLICY_NOT_ATTACHABLE_EXCEPTION, "Cannot attach a Service Role Policy to a Customer Role.")
}

pub(crate) fn role_exists(name: &str) -> ApiError {
    let text = format!("Role with name {name} already exists.");
    ApiError::new(&errors::ENTITY_ALREADY_EXISTS_EXCEPTION, text)
}

pub(crate) fn policy_exists(name: &str) -> ApiError {
    let text = format!("A policy called {name} already exists. Duplicate names are not allowed.");
    ApiError::new(&errors::ENTITY_ALREADY_EXISTS_EXCEPTION, text)
}

pub(crate) fn must_detach_policies() -> ApiError {
    delete_conflict("Cannot delete entity, must detach all policies first.")
}

pub(crate) fn must_delete_policies() -> ApiError {
    delete_conflict("Cannot delete entity, must delete policies first.")
}

pub(crate) fn policy_is_attached() -> ApiError {
    delete_conflict("Cannot delete a policy attached to entities.")
}

/// AWS's own policies belong to no customer.
pub(crate) fn not_own_policy() -> ApiError {
    ApiError::custom("AccessDenied", 403, "Policy is outside your own account.")
}

pub(crate) fn malformed_document(text: impl Into<String>) -> ApiError {
    ApiError::new(&errors::MALFORMED_POLICY_DOCUMENT_EXCEPTION, text)
}

pub(crate) fn quota(what: &str, limit: usize) -> ApiError {
    ApiError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, format!("Cannot exceed quota for {what}: {limit}"))
}

pub(crate) fn inline_policies_too_large(limit: usize, role: &str) -> ApiError {
    let text = format!("Maximum policy size of {limit} bytes exceeded for role {role}");
    ApiError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, text)
}

pub(crate) fn no_arn() -> ApiError {
    // The two blanks are AWS's.
    ApiError::custom("ValidationError", 400, "Invalid ARN:  Could not be parsed!")
}

pub(crate) fn no_policy_arn(arn: &str) -> ApiError {
    ApiError::new(&errors::INVALID_INPUT_EXCEPTION, format!("ARN {arn} is not valid."))
}

pub(crate) fn invalid_path() -> ApiError {
    let text = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
                characters and/or / characters.";
    ApiError::custom("ValidationError", 400, text)
}

pub(crate) fn duplicate_tags() -> ApiError {
    let text = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
    ApiError::new(&errors::INVALID_INPUT_EXCEPTION, text)
}

pub(crate) fn invalid_marker() -> ApiError {
    ApiError::custom("ValidationError", 400, "Invalid Marker.")
}

pub(crate) fn concurrent_modification() -> ApiError {
    let text = "The request was rejected because multiple requests to change this object were submitted \
                simultaneously. Wait a few minutes and submit your request again.";
    ApiError::new(&errors::CONCURRENT_MODIFICATION_EXCEPTION, text)
}

fn no_such_entity(text: String) -> ApiError {
    ApiError::new(&errors::NO_SUCH_ENTITY_EXCEPTION, text)
}

fn delete_conflict(text: &str) -> ApiError {
    ApiError::new(&errors::DELETE_CONFLICT_EXCEPTION, text)
}
