//! Managed policies of an account. AWS's own are known by name alone, without their documents.

use std::sync::Arc;

use base::ids::iam_id;
use model_iam as model;
use store::{Scope, Stored, Transaction};
use wire::{ApiError, Call};

use super::policy_names::{PolicyName, policy_arn};
use super::roles::{checked_path, checked_tags, shown_tags};
use super::rows::{ManagedPolicy, Role, key};
use super::{attempt, documents, refusals, scope};
use crate::{Failure, Identity, timestamp};

/// Characters of a managed policy, without white space.
const POLICY_SIZE: usize = 6144;

impl Identity {
    pub(super) async fn create_policy(
        self: Arc<Self>,
        call: Call,
        input: model::CreatePolicyRequest,
    ) -> Result<model::CreatePolicyResponse, ApiError> {
        let scope = scope(&call);
        documents::check_permissions(&input.policy_document)?;
        if documents::size(&input.policy_document) > POLICY_SIZE {
            return Err(refusals::quota("PolicySize", POLICY_SIZE));
        }
        let policy = ManagedPolicy {
            name: input.policy_name,
            id: iam_id("ANPA"),
            path: checked_path(input.path)?,
            document: input.policy_document,
            description: input.description,
            tags: checked_tags(input.tags)?,
            created: self.now(),
            attachments: 0,
            boundary_uses: 0,
        };
        attempt(|| async {
            if self.store.get::<ManagedPolicy>(&scope, &key(&policy.name)).await?.is_some() {
                return Err(refusals::policy_exists(&policy.name).into());
            }
            self.store.commit(Transaction::new().insert(&scope, &policy)).await?;
            Ok(())
        })
        .await?;
        // CreatePolicy does not repeat the description, as AWS does not.
        let shown = model::Policy { description: None, ..shown(&call.account, &policy) };
        Ok(model::CreatePolicyResponse { policy: Some(shown) })
    }

    pub(super) async fn get_policy(
        self: Arc<Self>,
        call: Call,
        input: model::GetPolicyRequest,
    ) -> Result<model::GetPolicyResponse, ApiError> {
        let (scope, arn) = (scope(&call), &input.policy_arn);
        let policy = match PolicyName::parse(arn)? {
            PolicyName::Account { account, name } if *account == *scope.account => {
                let policy = self.account_policy(&scope, arn, name).await?;
                shown(account, &policy.ok_or_else(|| refusals::no_such_policy(arn))?.record)
            }
            PolicyName::Aws { path, name } => self.aws_policy(&scope, arn, path, name).await?,
            _ => return Err(refusals::no_such_policy(arn)),
        };
        Ok(model::GetPolicyResponse { policy: Some(policy) })
    }

    pub(super) async fn delete_policy(
        self: Arc<Self>,
        call: Call,
        input: model::DeletePolicyRequest,
    ) -> Result<(), ApiError> {
        let (scope, arn) = (scope(&call), &input.policy_arn);
        let name = match PolicyName::parse(arn)? {
            PolicyName::Account { account, name } if *account == *scope.account => name,
            PolicyName::Aws { .. } | PolicyName::ServiceLinked => return Err(refusals::not_own_policy()),
            _ => return Err(refusals::no_such_policy(arn)),
        };
        attempt(|| async {
            let policy = self.account_policy(&scope, arn, name).await?;
            let Stored { record, revision } = policy.ok_or_else(|| refusals::no_such_policy(arn))?;
            if record.attachments > 0 || record.boundary_uses > 0 {
                return Err(refusals::policy_is_attached().into());
            }
            self.store.commit(Transaction::new().delete::<ManagedPolicy>(&scope, &key(name), revision)).await?;
            Ok(())
        })
        .await
    }

    /// The account's policy of that name, if the rest of the ARN is its own too.
    pub(super) async fn account_policy(
        &self,
        scope: &Scope,
        arn: &str,
        name: &str,
    ) -> Result<Option<Stored<ManagedPolicy>>, Failure> {
        let policy = self.store.get::<ManagedPolicy>(scope, &key(name)).await?;
        Ok(policy.filter(|policy| policy_arn(&scope.account, &policy.record.path, &policy.record.name) == arn))
    }

    /// What is known of one of AWS's policies.
    async fn aws_policy(&self, scope: &Scope, arn: &str, path: &str, name: &str) -> Result<model::Policy, ApiError> {
        let roles = self.store.list::<Role>(scope, "", None, usize::MAX).await.map_err(ApiError::internal)?;
        let attachments = roles.iter().filter(|role| role.record.attached.contains(arn)).count();
        let boundary_uses =
            roles.iter().filter(|role| role.record.permissions_boundary.as_deref() == Some(arn)).count();
        Ok(model::Policy {
            policy_name: Some(name.to_owned()),
            arn: Some(arn.to_owned()),
            path: Some(path.to_owned()),
            attachment_count: i32::try_from(attachments).ok(),
            permissions_boundary_usage_count: i32::try_from(boundary_uses).ok(),
            is_attachable: Some(true),
            ..model::Policy::default()
        })
    }
}

fn shown(account: &str, policy: &ManagedPolicy) -> model::Policy {
    model::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy_arn(account, &policy.path, &policy.name)),
        path: Some(policy.path.clone()),
        default_version_id: Some("v1".to_owned()),
        attachment_count: i32::try_from(policy.attachments).ok(),
        permissions_boundary_usage_count: i32::try_from(policy.boundary_uses).ok(),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(timestamp(policy.created)),
        update_date: Some(timestamp(policy.created)),
        tags: shown_tags(&policy.tags),
    }
}
