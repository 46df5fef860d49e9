//! What IAM asks of a policy document before it keeps it. Nothing is evaluated here.

use std::collections::BTreeSet;

use base::arn::Arn;
use serde_json::{Map, Value};
use wire::ApiError;

use super::refusals::malformed_document;

/// Checks a document that says what may be done.
///
/// # Errors
/// `MalformedPolicyDocument`.
pub(crate) fn check_permissions(document: &str) -> Result<(), ApiError> {
    check(document, permissions_statement, Version::Current)
}

/// Checks a document that says who may assume a role.
///
/// # Errors
/// `MalformedPolicyDocument`.
pub(crate) fn check_trust(document: &str) -> Result<(), ApiError> {
    check(document, trust_statement, Version::Any)
}

/// The size that quotas speak of: characters that are no white space.
pub(crate) fn size(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

/// Versions of the policy language that a document may have.
#[derive(PartialEq, Eq)]
enum Version {
    /// 2012-10-17.
    Current,
    /// That, or 2008-10-17, which a document has that does not say.
    Any,
}

type Object = Map<String, Value>;

/// The refusal's text.
type Checked = Result<(), String>;

const SYNTAX: &str = "Syntax errors in policy.";

fn check(document: &str, statement: fn(&Object) -> Checked, version: Version) -> Result<(), ApiError> {
    let document: Value =
        serde_json::from_str(document).map_err(|_| malformed_document("This policy contains invalid Json"))?;
    check_document(&document, statement, version).map_err(malformed_document)
}

fn check_document(document: &Value, statement: fn(&Object) -> Checked, version: Version) -> Checked {
    let document = document.as_object().ok_or(SYNTAX)?;
    only(document, &["Version", "Id", "Statement"])?;
    match document.get("Version").map(Value::as_str) {
        Some(Some("2012-10-17")) => {}
        None | Some(Some("2008-10-17")) if version == Version::Any => {}
        None | Some(Some("2008-10-17")) => {
            return Err("Policy document must be version 2012-10-17 or greater.".to_owned());
        }
        Some(_) => return Err(SYNTAX.to_owned()),
    }
    if document.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(SYNTAX.to_owned());
    }
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err(SYNTAX.to_owned()),
    };
    let mut ids = BTreeSet::new();
    for one in statements {
        let one = one.as_object().ok_or(SYNTAX)?;
        common_elements(one, &mut ids)?;
        statement(one)?;
    }
    Ok(())
}

/// What every statement has, or may have.
fn common_elements<'a>(statement: &'a Object, ids: &mut BTreeSet<&'a str>) -> Checked {
    const KNOWN: &[&str] =
        &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    only(statement, KNOWN)?;
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err(SYNTAX.to_owned());
    }
    if let Some(id) = statement.get("Sid") {
        let id = id.as_str().ok_or(SYNTAX)?;
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let text = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
                        expression [0-9A-Za-z]*";
            return Err(text.to_owned());
        }
        if !id.is_empty() && !ids.insert(id) {
            return Err("Statement IDs (SID) in a single policy must be unique.".to_owned());
        }
    }
    let condition = statement.get("Condition");
    if condition.is_some_and(|condition| !is_condition(condition)) {
        return Err(SYNTAX.to_owned());
    }
    Ok(())
}

fn permissions_statement(statement: &Object) -> Checked {
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Err("Policy document should not specify a principal.".to_owned());
    }
    let actions = one_of(statement, "Action", "NotAction")?.ok_or("Policy statement must contain actions.")?;
    actions.into_iter().try_for_each(action)?;
    let resources = one_of(statement, "Resource", "NotResource")?.ok_or("Policy statement must contain resources.")?;
    resources.into_iter().try_for_each(resource)
}

fn trust_statement(statement: &Object) -> Checked {
    for prohibited in ["Resource", "NotResource"] {
        if statement.contains_key(prohibited) {
            return Err(format!("Has prohibited field {prohibited}"));
        }
    }
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principals), None) | (None, Some(principals)) => check_principals(principals)?,
        (None, None) => return Err("Missing required field Principal".to_owned()),
        (Some(_), Some(_)) => return Err(SYNTAX.to_owned()),
    }
    let actions = one_of(statement, "Action", "NotAction")?.ok_or("Missing required field Action")?;
    for name in actions {
        action(name)?;
        let service = name.split(':').next().unwrap_or_default();
        if !service.eq_ignore_ascii_case("sts") {
            return Err("AssumeRole policy may only specify STS AssumeRole actions.".to_owned());
        }
    }
    Ok(())
}

/// `*`, or a service and an action of it, either with wildcards.
fn action(name: &str) -> Checked {
    let word = |word: &str, also: &[u8]| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
    };
    match name.split_once(':') {
        None if name == "*" => Ok(()),
        Some((service, action)) if word(service, b"-*?") && word(action, b"*?-_") => Ok(()),
        _ => Err("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned()),
    }
}

/// `*` or an ARN, either with wildcards.
fn resource(name: &str) -> Checked {
    if name == "*" {
        return Ok(());
    }
    if !name.starts_with("arn:") {
        return Err(format!("Resource {name} must be in ARN format or \"*\"."));
    }
    // An asterisk may stand for the fields that follow it.
    if name.split(':').count() >= 6 || name.ends_with('*') {
        return Ok(());
    }
    Err("The policy failed legacy parsing".to_owned())
}

fn check_principals(principals: &Value) -> Checked {
    let principals = match principals {
        Value::String(all) if all == "*" => return Ok(()),
        Value::Object(principals) if !principals.is_empty() => principals,
        _ => return Err(SYNTAX.to_owned()),
    };
    for (kind, names) in principals {
        let (shown, valid): (_, fn(&str) -> bool) = match kind.as_str() {
            "AWS" => ("AWS", is_aws_principal),
            "Service" => ("SERVICE", is_service_principal),
            "Federated" => ("FEDERATED", |name| !name.is_empty()),
            "CanonicalUser" => ("CANONICALUSER", |name| !name.is_empty()),
            _ => return Err(SYNTAX.to_owned()),
        };
        for name in texts(names)? {
            if !valid(name) {
                return Err(format!("Invalid principal in policy: \"{shown}\":\"{name}\""));
            }
        }
    }
    Ok(())
}

/// Everybody, an account, or an identity of IAM or STS; that it exists is not asked.
fn is_aws_principal(name: &str) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    name == "*"
        || is_account(name)
        || Arn::parse(name)
            .is_some_and(|arn| matches!(arn.service, "iam" | "sts") && arn.region.is_empty() && is_account(arn.account))
}

fn is_service_principal(name: &str) -> bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal"].iter().any(|end| name.ends_with(end))
}

/// Operators with keys with values.
fn is_condition(condition: &Value) -> bool {
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let values = |value: &Value| match value {
        Value::Array(values) => values.iter().all(scalar),
        one => scalar(one),
    };
    let keys = |keys: &Value| keys.as_object().is_some_and(|keys| keys.values().all(values));
    condition.as_object().is_some_and(|operators| operators.values().all(keys))
}

/// The texts of one of two elements that exclude each other; nothing if neither is there.
fn one_of<'a>(statement: &'a Object, element: &str, complement: &str) -> Result<Option<Vec<&'a str>>, String> {
    match (statement.get(element), statement.get(complement)) {
        (None, None) => Ok(None),
        (Some(value), None) | (None, Some(value)) => texts(value).map(Some),
        (Some(_), Some(_)) => Err(SYNTAX.to_owned()),
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Result<Vec<&str>, String> {
    let texts = match value {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Array(texts) if !texts.is_empty() => texts.iter().map(Value::as_str).collect(),
        _ => None,
    };
    texts.ok_or_else(|| SYNTAX.to_owned())
}

fn only(object: &Object, known: &[&str]) -> Checked {
    if object.keys().all(|key| known.contains(&key.as_str())) { Ok(()) } else { Err(SYNTAX.to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        /// A text is the document itself; anything else is one as JSON.
        document: Value,
        /// Text of the refusal; none if the document is taken.
        refused: Option<String>,
    }

    fn run(cases: &str, check: fn(&str) -> Result<(), ApiError>) {
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        for case in cases {
            let document = case.document.as_str().map_or_else(|| case.document.to_string(), str::to_owned);
            let refused = check(&document).err();
            assert_eq!(refused.as_ref().map(|error| error.message()), case.refused.as_deref(), "{document}");
            assert!(refused.is_none_or(|error| error.code() == "MalformedPolicyDocument"));
        }
    }

    #[test]
    fn permissions_policies() {
        run(include_str!("../../cases/policies/permissions.json"), check_permissions);
    }

    #[test]
    fn trust_policies() {
        run(include_str!("../../cases/policies/trust.json"), check_trust);
    }

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(size("{ \"Version\":\n\t\"2012-10-17\" }"), 24);
    }

    #[test]
    fn a_deep_document_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(check_trust(&deep).unwrap_err().message(), "This policy contains invalid Json");
    }
}
