//! The ways to name a function: its name, `name:qualifier`, a partial or a full ARN.

use store::Scope;
use wire::{ApiError, Call};

use super::{invalid, not_found, scope};
use crate::index::function_arn;
use crate::records::LATEST;

/// A function as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Its owner.
    pub(super) scope: Scope,
    /// `FunctionName`.
    pub(super) name: String,
    /// The version or alias, where one was named.
    pub(super) qualifier: Option<String>,
}

/// What a name of a function says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// `us-east-1`, where it is an ARN or a part of one.
    pub(super) region: Option<&'a str>,
    /// The owner's 12 digits, likewise.
    pub(super) account: Option<&'a str>,
    /// The function's own name.
    pub(super) name: &'a str,
    /// The version or alias.
    pub(super) qualifier: Option<&'a str>,
}

impl Parts<'_> {
    /// Takes a name, `name:qualifier`, a partial or a full ARN apart.
    pub(super) fn of(text: &str) -> Parts<'_> {
        let rest =
            text.strip_prefix("arn:").and_then(|rest| rest.split_once(":lambda:")).map_or(text, |(_, rest)| rest);
        let mut parts: Vec<&str> = rest.split(':').collect();
        let mut take = |is_it: fn(&str) -> bool| (parts.len() > 1 && is_it(parts[0])).then(|| parts.remove(0));
        let (region, account, _) = (take(is_region), take(is_account), take(|part| part == "function"));
        Parts { region, account, name: parts[0], qualifier: parts.get(1).copied() }
    }
}

impl Named {
    /// Reads `FunctionName` (which has passed the model's pattern) and `Qualifier`.
    ///
    /// # Errors
    /// When both name a qualifier and differ, or the function is another region's or account's.
    pub(super) fn read(call: &Call, text: &str, qualifier: Option<&str>) -> Result<Named, ApiError> {
        let scope = scope(call);
        let parts = Parts::of(text);
        if let Some(region) = parts.region.filter(|region| **region != *scope.region) {
            let own = &scope.region;
            return Err(not_found(format!("Functions from '{region}' are not reachable in this region ('{own}')")));
        }
        // Whom the function's policy lets in comes here with its owner's account.
        if parts.account.is_some_and(|account| *account != *scope.account) {
            let (operation, own) = (call.operation, &scope.account);
            return Err(ApiError::access_denied(format!(
                "User: arn:aws:iam::{own}:root is not authorized to perform: lambda:{operation} on resource: {text} because no resource-based policy allows the lambda:{operation} action"
            )));
        }
        let of_name = parts.qualifier;
        if let (Some(one), Some(other)) = (of_name, qualifier)
            && one != other
        {
            return Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        Ok(Named { scope, name: parts.name.to_owned(), qualifier: of_name.or(qualifier).map(str::to_owned) })
    }

    /// As [`read`](Named::read), for operations without a `Qualifier`.
    pub(super) fn unqualified(call: &Call, text: &str) -> Result<Named, ApiError> {
        Named::read(call, text, None)
    }

    /// The ARN without a qualifier.
    pub(super) fn arn(&self) -> String {
        function_arn(&self.scope, &self.name)
    }

    /// The ARN with the qualifier that was named, if any.
    pub(super) fn qualified_arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.arn()),
            None => self.arn(),
        }
    }

    /// The qualifier; `$LATEST` where none was named.
    pub(super) fn qualifier(&self) -> &str {
        self.qualifier.as_deref().unwrap_or(LATEST)
    }

    /// `Function not found: {arn}[:{qualifier}]`.
    pub(super) fn missing(&self) -> ApiError {
        not_found(format!("Function not found: {}", self.qualified_arn()))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `us-east-1`, `us-gov-west-1`, ...: names of functions may look so, hence only before another part.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [places @ .., number] if places.len() >= 2 => {
            places.iter().all(letters) && number.len() == 1 && number.as_bytes()[0].is_ascii_digit()
        }
        _ => false,
    }
}
