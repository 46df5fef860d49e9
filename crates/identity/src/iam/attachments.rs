//! Managed policies that are attached to roles.

use std::sync::Arc;

use model_iam as model;
use store::{Scope, Stored, Transaction};
use wire::{ApiError, Call};

use super::policy_names::PolicyName;
use super::rows::ManagedPolicy;
use super::{attempt, pages, refusals, scope};
use crate::{Failure, Identity};

/// Managed policies that a role may have.
const POLICIES_PER_ROLE: usize = 10;

impl Identity {
    pub(super) async fn attach_role_policy(
        self: Arc<Self>,
        call: Call,
        input: model::AttachRolePolicyRequest,
    ) -> Result<(), ApiError> {
        let (scope, arn) = (scope(&call), &input.policy_arn);
        attempt(|| async {
            let Stored { record: mut role, revision } = self.role(&scope, &input.role_name).await?;
            let policy = self.attachable(&scope, arn).await?;
            if !role.attached.insert(arn.clone()) {
                return Ok(());
            }
            if role.attached.len() > POLICIES_PER_ROLE {
                return Err(refusals::quota("PoliciesPerRole", POLICIES_PER_ROLE).into());
            }
            let mut transaction = Transaction::new().update(&scope, &role, revision);
            if let Some(Stored { record, revision }) = policy {
                let attachments = record.attachments + 1;
                transaction = transaction.update(&scope, &ManagedPolicy { attachments, ..record }, revision);
            }
            self.store.commit(transaction).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn detach_role_policy(
        self: Arc<Self>,
        call: Call,
        input: model::DetachRolePolicyRequest,
    ) -> Result<(), ApiError> {
        let (scope, arn) = (scope(&call), &input.policy_arn);
        let name = PolicyName::parse(arn)?;
        attempt(|| async {
            let Stored { record: mut role, revision } = self.role(&scope, &input.role_name).await?;
            if !role.attached.remove(arn) {
                return Err(refusals::no_such_policy(arn).into());
            }
            let mut transaction = Transaction::new().update(&scope, &role, revision);
            if let PolicyName::Account { name, .. } = name
                && let Some(Stored { record, revision }) = self.account_policy(&scope, arn, name).await?
            {
                let attachments = record.attachments.saturating_sub(1);
                transaction = transaction.update(&scope, &ManagedPolicy { attachments, ..record }, revision);
            }
            self.store.commit(transaction).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn list_attached_role_policies(
        self: Arc<Self>,
        call: Call,
        input: model::ListAttachedRolePoliciesRequest,
    ) -> Result<model::ListAttachedRolePoliciesResponse, ApiError> {
        let role = self.role(&scope(&call), &input.role_name).await?.record;
        // An ARN may be longer than a marker, so that the marker counts.
        let passed = match &input.marker {
            Some(marker) => marker.parse::<usize>().map_err(|_| refusals::invalid_marker())?,
            None => 0,
        };
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let below =
            role.attached.iter().filter(|arn| path_and_name(arn).is_some_and(|(path, _)| path.starts_with(prefix)));
        let left: Vec<_> = below.enumerate().skip(passed).collect();
        let (page, marker) = pages::cut(left, pages::size(input.max_items), |(index, _)| (index + 1).to_string());
        let policies = page.into_iter().map(|(_, arn)| model::AttachedPolicy {
            policy_name: path_and_name(arn).map(|(_, name)| name.to_owned()),
            policy_arn: Some(arn.clone()),
        });
        Ok(model::ListAttachedRolePoliciesResponse {
            attached_policies: Some(policies.collect()),
            is_truncated: Some(marker.is_some()),
            marker,
        })
    }

    /// Checks that there is a policy of that ARN; gives it if it is the account's own.
    async fn attachable(&self, scope: &Scope, arn: &str) -> Result<Option<Stored<ManagedPolicy>>, Failure> {
        match PolicyName::parse(arn)? {
            PolicyName::Aws { .. } => Ok(None),
            PolicyName::ServiceLinked => Err(refusals::not_attachable().into()),
            PolicyName::Account { account, name } if *account == *scope.account => {
                match self.account_policy(scope, arn, name).await? {
                    Some(policy) => Ok(Some(policy)),
                    None => Err(refusals::no_attachable_policy(arn).into()),
                }
            }
            PolicyName::Account { .. } | PolicyName::Unknown => Err(refusals::no_attachable_policy(arn).into()),
        }
    }
}

/// Path and name in the ARN of a managed policy.
fn path_and_name(arn: &str) -> Option<(&str, &str)> {
    let (_, resource) = arn.split_once(":policy")?;
    let name = resource.rfind('/')? + 1;
    Some(resource.split_at(name))
}
