//! Calls about another account's function: whom its policy lets do so acts in its owner's name.

use std::sync::Arc;

use base::arn::matches_wildcard;
use serde_json::Value;
use store::Scope;
use wire::Call;

use super::names::Parts;
use crate::Functions;
use crate::index::function_arn;
use crate::records::{LATEST, Statement};

/// The owner of the function that a call names, where that is another account and lets the caller do this.
pub(super) fn owner(functions: &Functions, call: &Call, members: &Value) -> Option<Arc<str>> {
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    // What has tags need not be a function: a layer's name must not be taken for a function's qualifier.
    let tagged = || member("Resource").filter(|arn| arn.split(':').nth(5) == Some("function"));
    let parts = Parts::of(member("FunctionName").or_else(tagged)?);
    let account = parts.account.filter(|account| **account != *call.account)?;
    if parts.region.is_some_and(|region| *region != *call.region) {
        return None;
    }
    let arn = function_arn(&Scope::new(account, &*call.region), parts.name);
    let qualifier = parts.qualifier.or_else(|| member("Qualifier")).unwrap_or(LATEST);
    let action = match call.operation {
        "Invoke" | "InvokeAsync" | "InvokeWithResponseStream" => "lambda:invokefunction".to_owned(),
        operation => format!("lambda:{}", operation.to_ascii_lowercase()),
    };
    let permits = |statement: &Statement| statement.permits_account(&call.account, &action);
    functions.index.any_statement(&arn, qualifier, permits).then(|| account.into())
}

impl Statement {
    /// Whether it lets an account do something; `action` in lower case.
    fn permits_account(&self, account: &str, action: &str) -> bool {
        let root = self.principal.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
        let principal_fits = self.principal == "*" || root.unwrap_or(&self.principal) == account;
        // What these ask for, an account by itself does not bring.
        let others_fit = self.source_arn.is_none()
            && self.source_account.is_none()
            && self.event_source_token.is_none()
            && self.principal_org_id.is_none()
            && self.function_url_auth_type.is_none()
            && self.invoked_via_function_url != Some(true);
        principal_fits && others_fit && matches_wildcard(&self.action.to_ascii_lowercase(), action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_let_in_by_its_number_or_its_root() {
        let statement = |principal: &str, action: &str| Statement {
            sid: "s".to_owned(),
            principal: principal.to_owned(),
            action: action.to_owned(),
            ..Statement::default()
        };
        let permits = |statement: Statement| statement.permits_account("000000000002", "lambda:getfunction");
        assert!(permits(statement("000000000002", "lambda:*")));
        assert!(permits(statement("arn:aws:iam::000000000002:root", "lambda:GetFunction")));
        assert!(permits(statement("*", "*")));
        assert!(!permits(statement("000000000003", "lambda:*")));
        assert!(!permits(statement("arn:aws:iam::000000000002:user/a", "lambda:*")));
        assert!(!permits(statement("000000000002", "lambda:InvokeFunction")));
        let of_organization = Statement { principal_org_id: Some("o-1".to_owned()), ..statement("*", "lambda:*") };
        assert!(!permits(of_organization));
    }
}
