//! Policies of layers: which accounts may use a version.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::errors;
use serde_json::{Value, json};
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::permissions::POLICY_BYTES;
use super::{Failure, attempts, check_revision, conflict, layers, not_found, refuse};
use crate::Functions;
use crate::layers::{LayerName, LayerStatement, LayerVersionRecord};

/// Who tells the latest revision id, as the refusal names it; there is no such operation.
const TELLS_REVISION: &str = "GetLayerPolicy";

pub(super) async fn add_layer_version_permission(
    functions: Arc<Functions>,
    call: Call,
    input: model::AddLayerVersionPermissionRequest,
) -> Result<model::AddLayerVersionPermissionResponse, ApiError> {
    let layer = layers::own_layer(&call, &input.layer_name)?;
    let number = layers::number(input.version_number)?;
    let statement = LayerStatement {
        sid: input.statement_id,
        action: input.action,
        principal: input.principal,
        organization_id: input.organization_id,
    };
    let revision_id = attempts(async || {
        let Stored { record: mut version, revision } = functions.existing(&layer, number).await?;
        check_revision(input.revision_id.as_deref(), &version.policy_revision_id, TELLS_REVISION)?;
        if version.statements.iter().any(|other| other.sid == statement.sid) {
            let sid = &statement.sid;
            let message = format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
            );
            return Err(conflict(message).into());
        }
        version.statements.push(statement.clone());
        version.policy_revision_id = base::ids::uuid();
        let length = show_all(&layer, &version).to_string().len();
        if length > POLICY_BYTES {
            let message = format!("The final policy size ({length}) is bigger than the limit ({POLICY_BYTES}).");
            return Err(refuse(&errors::POLICY_LENGTH_EXCEEDED_EXCEPTION, message).into());
        }
        functions.store.commit(Transaction::new().update(&layer.scope, &version, revision)).await?;
        Ok::<_, Failure>(version.policy_revision_id)
    })
    .await?;
    let shown = show(&layer, number, &statement).to_string();
    Ok(model::AddLayerVersionPermissionResponse { statement: Some(shown), revision_id: Some(revision_id) })
}

pub(super) async fn remove_layer_version_permission(
    functions: Arc<Functions>,
    call: Call,
    input: model::RemoveLayerVersionPermissionRequest,
) -> Result<(), ApiError> {
    let layer = layers::own_layer(&call, &input.layer_name)?;
    let number = layers::number(input.version_number)?;
    attempts(async || {
        let Stored { record: mut version, revision } = functions.existing(&layer, number).await?;
        if version.statements.is_empty() {
            return Err(no_policy().into());
        }
        check_revision(input.revision_id.as_deref(), &version.policy_revision_id, TELLS_REVISION)?;
        let before = version.statements.len();
        version.statements.retain(|statement| statement.sid != input.statement_id);
        if version.statements.len() == before {
            let message = format!("Statement {} is not found in resource policy.", input.statement_id);
            return Err(not_found(message).into());
        }
        version.policy_revision_id = base::ids::uuid();
        functions.store.commit(Transaction::new().update(&layer.scope, &version, revision)).await?;
        Ok::<_, Failure>(())
    })
    .await
}

pub(super) async fn get_layer_version_policy(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetLayerVersionPolicyRequest,
) -> Result<model::GetLayerVersionPolicyResponse, ApiError> {
    let layer = layers::own_layer(&call, &input.layer_name)?;
    let version = functions.existing(&layer, layers::number(input.version_number)?).await?.record;
    if version.statements.is_empty() {
        return Err(no_policy());
    }
    let policy = Some(show_all(&layer, &version).to_string());
    Ok(model::GetLayerVersionPolicyResponse { policy, revision_id: Some(version.policy_revision_id) })
}

fn no_policy() -> ApiError {
    not_found("No policy is associated with the given resource.")
}

fn show(layer: &LayerName, number: u64, statement: &LayerStatement) -> Value {
    let principal = match statement.principal.as_str() {
        "*" => json!("*"),
        arn if arn.starts_with("arn:") => json!({ "AWS": arn }),
        account => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
    };
    let mut shown = json!({
        "Sid": statement.sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": statement.action,
        "Resource": layer.version_arn(number),
    });
    if let Some(organization) = &statement.organization_id {
        shown["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
    }
    shown
}

fn show_all(layer: &LayerName, version: &LayerVersionRecord) -> Value {
    let statements = version.statements.iter().map(|statement| show(layer, version.number, statement));
    json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements.collect::<Vec<_>>() })
}

impl Functions {
    /// The row of a version that must be there.
    async fn existing(&self, layer: &LayerName, number: u64) -> Result<Stored<LayerVersionRecord>, ApiError> {
        let missing = || not_found(format!("Layer version {} does not exist.", layer.version_arn(number)));
        self.layer_version(layer, number).await?.ok_or_else(missing)
    }
}
