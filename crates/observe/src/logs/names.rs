//! Names and ARNs of groups and streams.

use base::arn::Arn;
use store::Scope;
use wire::ApiError;

use super::refusals;

/// The longest name of a group or a stream, in characters.
const LONGEST: usize = 512;

/// A name that is not too long. What it consists of has been checked by the model.
pub(super) fn checked(name: String) -> Result<String, ApiError> {
    if name.chars().count() > LONGEST { Err(refusals::too_long()) } else { Ok(name) }
}

/// The group that a request names in one of two ways.
pub(super) fn group(scope: &Scope, name: Option<String>, identifier: Option<String>) -> Result<String, ApiError> {
    match (name, identifier) {
        (Some(_), Some(_)) => Err(refusals::name_and_arn()),
        (Some(name), None) => checked(name),
        (None, Some(identifier)) => identified(scope, &identifier),
        (None, None) => Err(refusals::invalid("Exactly one of logGroupName or logGroupIdentifier must be specified.")),
    }
}

/// The group of an identifier: a name, or an ARN in the account and region of the caller.
pub(super) fn identified(scope: &Scope, identifier: &str) -> Result<String, ApiError> {
    let Some(arn) = Arn::parse(identifier) else { return checked(identifier.to_owned()) };
    let name = arn.resource.strip_prefix("log-group:").filter(|_| arn.service == "logs");
    let Some(name) = name else { return Err(refusals::invalid(format!("Invalid log group identifier: {identifier}"))) };
    if arn.account != &*scope.account || arn.region != &*scope.region {
        return Err(refusals::no_group());
    }
    checked(name.strip_suffix(":*").unwrap_or(name).to_owned())
}

/// `arn:aws:logs:{region}:{account}:log-group:{name}`.
pub(super) fn group_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", scope.region, scope.account)
}
