//! Resource policies: who may invoke a function.

use std::sync::Arc;

use base::arn::Arn;
use model_lambda as model;
use model_lambda::errors;
use serde_json::{Map, Value, json};
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::names::Named;
use super::{Failure, aliases, attempts, check_revision, conflict, invalid, not_found, refuse};
use crate::Functions;
use crate::records::{FunctionRecord, LATEST, PolicyRecord, Statement, VersionRecord, version_key};

/// The longest policy, as JSON.
pub(super) const POLICY_BYTES: usize = 20_480;

pub(super) async fn add_permission(
    functions: Arc<Functions>,
    call: Call,
    input: model::AddPermissionRequest,
) -> Result<model::AddPermissionResponse, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    if named.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    if input.function_url_auth_type.is_some() && input.action != "lambda:InvokeFunctionUrl" {
        return Err(invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"));
    }
    if !is_principal(&input.principal) {
        return Err(invalid("The provided principal was invalid. Please check the principal and try again."));
    }
    let statement = Statement {
        sid: input.statement_id,
        action: input.action,
        principal: input.principal,
        source_arn: input.source_arn,
        source_account: input.source_account,
        event_source_token: input.event_source_token,
        principal_org_id: input.principal_org_id,
        function_url_auth_type: input.function_url_auth_type,
        invoked_via_function_url: input.invoked_via_function_url,
    };
    attempts(|| functions.try_add(&named, &statement, input.revision_id.as_deref())).await?;
    functions.refresh(&named.scope, &named.name).await?;
    Ok(model::AddPermissionResponse { statement: Some(show(&named, &statement).to_string()) })
}

pub(super) async fn remove_permission(
    functions: Arc<Functions>,
    call: Call,
    input: model::RemovePermissionRequest,
) -> Result<(), ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    attempts(async || {
        let nowhere = || not_found(format!("No policy found for: {}", named.qualified_arn()));
        let function = functions.function(&named).await?.ok_or_else(nowhere)?;
        functions.check_qualifier(&named, &function.record).await?;
        let missing = || not_found("No policy is associated with the given resource.");
        let Stored { record: mut policy, revision } = functions.policy(&named).await?.ok_or_else(missing)?;
        check_revision(input.revision_id.as_deref(), &policy.revision_id, "GetPolicy")?;
        let before = policy.statements.len();
        policy.statements.retain(|statement| statement.sid != input.statement_id);
        if policy.statements.len() == before {
            let message = format!("Statement {} is not found in resource policy.", input.statement_id);
            return Err(not_found(message).into());
        }
        policy.revision_id = base::ids::uuid();
        let transaction = Transaction::new();
        let transaction = if policy.statements.is_empty() {
            transaction.delete::<PolicyRecord>(&named.scope, &policy_key(&named), revision)
        } else {
            transaction.update(&named.scope, &policy, revision)
        };
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await
}

pub(super) async fn get_policy(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetPolicyRequest,
) -> Result<model::GetPolicyResponse, ApiError> {
    let named = Named::read(&call, &input.function_name, input.qualifier.as_deref())?;
    let policy = functions.policy(&named).await?;
    let policy = policy.ok_or_else(|| not_found("The resource you requested does not exist."))?.record;
    let text = show_all(&named, &policy.statements).to_string();
    Ok(model::GetPolicyResponse { policy: Some(text), revision_id: Some(policy.revision_id) })
}

/// A service, an account, a user, role or account by ARN, or everybody.
fn is_principal(text: &str) -> bool {
    let account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let arn = Arn::parse(text).is_some_and(|arn| matches!(arn.service, "iam" | "sts"));
    let service = [".amazonaws.com", ".amazon.com", ".amazonaws.com.cn"].iter().any(|end| {
        text.strip_suffix(end).is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        })
    });
    text == "*" || account || arn || service
}

fn show(named: &Named, statement: &Statement) -> Value {
    let principal = match statement.principal.as_str() {
        "*" => json!("*"),
        account if account.bytes().all(|byte| byte.is_ascii_digit()) => {
            json!({ "AWS": format!("arn:aws:iam::{account}:root") })
        }
        arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
        service => json!({ "Service": service }),
    };
    let mut shown = json!({
        "Sid": statement.sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": statement.action,
        "Resource": named.qualified_arn(),
    });
    let texts = [
        ("AWS:SourceAccount", &statement.source_account),
        ("lambda:FunctionUrlAuthType", &statement.function_url_auth_type),
        ("lambda:EventSourceToken", &statement.event_source_token),
        ("aws:PrincipalOrgID", &statement.principal_org_id),
    ];
    let equals: Map<String, Value> =
        texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value.as_ref()?)))).collect();
    let mut condition = Map::new();
    if !equals.is_empty() {
        condition.insert("StringEquals".to_owned(), Value::Object(equals));
    }
    if let Some(via_url) = statement.invoked_via_function_url {
        condition.insert("Bool".to_owned(), json!({ "lambda:InvokedViaFunctionUrl": via_url.to_string() }));
    }
    if let Some(arn) = &statement.source_arn {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": arn }));
    }
    if !condition.is_empty() {
        shown["Condition"] = Value::Object(condition);
    }
    shown
}

fn show_all(named: &Named, statements: &[Statement]) -> Value {
    let statements: Vec<Value> = statements.iter().map(|statement| show(named, statement)).collect();
    json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements })
}

fn policy_key(named: &Named) -> String {
    format!("{}/{}", named.name, named.qualifier())
}

impl Functions {
    async fn policy(&self, named: &Named) -> Result<Option<Stored<PolicyRecord>>, ApiError> {
        self.store.get(&named.scope, &policy_key(named)).await.map_err(ApiError::internal)
    }

    /// What a policy is given to must be there: the version or alias that was named, or else the function. Returns its
    /// revision id, which stands in for that of a policy that is not there yet.
    async fn check_qualifier(&self, named: &Named, function: &FunctionRecord) -> Result<String, ApiError> {
        let Some(qualifier) = named.qualifier.as_deref().filter(|qualifier| *qualifier != LATEST) else {
            return Ok(function.latest.revision_id.clone());
        };
        if let Ok(number) = qualifier.parse() {
            let key = version_key(&named.name, number);
            let version = self.store.get::<VersionRecord>(&named.scope, &key).await.map_err(ApiError::internal)?;
            return version.map(|found| found.record.configuration.revision_id).ok_or_else(|| named.missing());
        }
        let is_name = qualifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_name {
            return Err(named.missing());
        }
        let alias = self.alias(named, qualifier).await?;
        alias.map(|found| found.record.revision_id).ok_or_else(|| aliases::missing(named, qualifier))
    }

    async fn try_add(&self, named: &Named, statement: &Statement, revision_id: Option<&str>) -> Result<(), Failure> {
        let unqualified = Named { qualifier: None, ..named.clone() };
        let function = self.function(named).await?.ok_or_else(|| unqualified.missing())?;
        let owner_revision = self.check_qualifier(named, &function.record).await?;
        let before = self.policy(named).await?;
        let mut policy = before.as_ref().map_or_else(
            || PolicyRecord {
                function: named.name.clone(),
                qualifier: named.qualifier().to_owned(),
                statements: Vec::new(),
                revision_id: base::ids::uuid(),
            },
            |before| before.record.clone(),
        );
        let revision = before.as_ref().map_or(&owner_revision, |before| &before.record.revision_id);
        check_revision(revision_id, revision, "GetPolicy")?;
        if policy.statements.iter().any(|other| other.sid == statement.sid) {
            let sid = &statement.sid;
            let message = format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
            );
            return Err(conflict(message).into());
        }
        policy.statements.push(statement.clone());
        policy.revision_id = base::ids::uuid();
        let length = show_all(named, &policy.statements).to_string().len();
        if length > POLICY_BYTES {
            let message = format!("The final policy size ({length}) is bigger than the limit ({POLICY_BYTES}).");
            return Err(refuse(&errors::POLICY_LENGTH_EXCEEDED_EXCEPTION, message).into());
        }
        let transaction = Transaction::new().expect::<FunctionRecord>(&named.scope, &named.name, function.revision);
        let transaction = match before {
            Some(before) => transaction.update(&named.scope, &policy, before.revision),
            None => transaction.insert(&named.scope, &policy),
        };
        self.store.commit(transaction).await?;
        Ok(())
    }
}
