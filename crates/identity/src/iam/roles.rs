//! Roles: made, read, listed and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::ids::iam_id;
use model_iam as model;
use store::{Scope, Stored, Transaction};
use wire::{ApiError, Call};

use super::policy_names::PolicyName;
use super::rows::{ManagedPolicy, Role, Tag, key};
use super::{attempt, documents, encoded, pages, refusals, scope};
use crate::{Failure, Identity, timestamp};

/// Characters of a trust policy, without white space.
const TRUST_POLICY_SIZE: usize = 2048;
/// Seconds that a session of a role may last when the role does not say.
const SESSION_DURATION: i32 = 3600;

impl Identity {
    pub(super) async fn create_role(
        self: Arc<Self>,
        call: Call,
        input: model::CreateRoleRequest,
    ) -> Result<model::CreateRoleResponse, ApiError> {
        let scope = scope(&call);
        let role = new_role(input, self.now())?;
        attempt(|| async {
            if self.store.get::<Role>(&scope, &key(&role.name)).await?.is_some() {
                return Err(refusals::role_exists(&role.name).into());
            }
            let mut transaction = Transaction::new();
            if let Some(arn) = &role.permissions_boundary {
                transaction = self.use_boundary(&scope, arn, transaction, |uses| uses + 1).await?;
            }
            self.store.commit(transaction.insert(&scope, &role)).await?;
            Ok(())
        })
        .await?;
        let shown = model::Role { max_session_duration: None, ..shown(&call.account, &role) };
        Ok(model::CreateRoleResponse { role: shown })
    }

    pub(super) async fn get_role(
        self: Arc<Self>,
        call: Call,
        input: model::GetRoleRequest,
    ) -> Result<model::GetRoleResponse, ApiError> {
        let role = self.role(&scope(&call), &input.role_name).await?.record;
        // No role has been used yet, for nobody can assume one; AWS shows that as an empty element.
        let role_last_used = Some(model::RoleLastUsed::default());
        Ok(model::GetRoleResponse { role: model::Role { role_last_used, ..shown(&call.account, &role) } })
    }

    pub(super) async fn delete_role(
        self: Arc<Self>,
        call: Call,
        input: model::DeleteRoleRequest,
    ) -> Result<(), ApiError> {
        let scope = scope(&call);
        attempt(|| async {
            let Stored { record: role, revision } = self.role(&scope, &input.role_name).await?;
            if !role.attached.is_empty() {
                return Err(refusals::must_detach_policies().into());
            }
            if !role.inline.is_empty() {
                return Err(refusals::must_delete_policies().into());
            }
            let mut transaction = Transaction::new();
            if let Some(arn) = &role.permissions_boundary {
                transaction = self.use_boundary(&scope, arn, transaction, |uses| uses.saturating_sub(1)).await?;
            }
            self.store.commit(transaction.delete::<Role>(&scope, &key(&role.name), revision)).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn list_roles(
        self: Arc<Self>,
        call: Call,
        input: model::ListRolesRequest,
    ) -> Result<model::ListRolesResponse, ApiError> {
        let (scope, size) = (scope(&call), pages::size(input.max_items));
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let mut after = input.marker.as_deref().map(key);
        let mut found = Vec::new();
        // The prefix may leave out whole reads, so it is read on until the page is full and one more is known.
        while found.len() <= size {
            let read = self.store.list::<Role>(&scope, "", after.as_deref(), size + 1).await;
            let read = read.map_err(ApiError::internal)?;
            let Some(last) = read.last() else { break };
            after = Some(key(&last.record.name));
            found.extend(read.into_iter().map(|row| row.record).filter(|role| role.path.starts_with(prefix)));
        }
        let (roles, marker) = pages::cut(found, size, |role| role.name.clone());
        // A list leaves out what GetRole tells of tags, boundaries and use.
        let roles = roles.iter().map(|role| model::Role {
            tags: None,
            permissions_boundary: None,
            ..shown(&call.account, role)
        });
        Ok(model::ListRolesResponse { roles: roles.collect(), is_truncated: Some(marker.is_some()), marker })
    }

    /// The role of that name.
    pub(super) async fn role(&self, scope: &Scope, name: &str) -> Result<Stored<Role>, Failure> {
        let role = self.store.get::<Role>(scope, &key(name)).await?;
        role.ok_or_else(|| refusals::no_such_role(name).into())
    }

    /// Adds to a transaction that a permissions boundary is used once more or less.
    async fn use_boundary(
        &self,
        scope: &Scope,
        arn: &str,
        transaction: Transaction,
        change: impl Fn(u32) -> u32,
    ) -> Result<Transaction, Failure> {
        match PolicyName::parse(arn)? {
            PolicyName::Aws { .. } => Ok(transaction),
            PolicyName::Account { account, name } if *account == *scope.account => {
                match self.account_policy(scope, arn, name).await? {
                    Some(Stored { record, revision }) => {
                        let boundary_uses = change(record.boundary_uses);
                        Ok(transaction.update(scope, &ManagedPolicy { boundary_uses, ..record }, revision))
                    }
                    None => Err(refusals::no_boundary_policy(arn).into()),
                }
            }
            _ => Err(refusals::no_boundary_policy(arn).into()),
        }
    }
}

fn new_role(input: model::CreateRoleRequest, now: u64) -> Result<Role, ApiError> {
    documents::check_trust(&input.assume_role_policy_document)?;
    if documents::size(&input.assume_role_policy_document) > TRUST_POLICY_SIZE {
        return Err(refusals::quota("ACLSizePerRole", TRUST_POLICY_SIZE));
    }
    Ok(Role {
        name: input.role_name,
        id: iam_id("AROA"),
        path: checked_path(input.path)?,
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        max_session_duration: input.max_session_duration.unwrap_or(SESSION_DURATION),
        permissions_boundary: input.permissions_boundary,
        tags: checked_tags(input.tags)?,
        created: now,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
    })
}

/// A path, `/` if there is none.
pub(super) fn checked_path(path: Option<String>) -> Result<String, ApiError> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    let graphic = path.bytes().all(|byte| byte.is_ascii_graphic());
    if graphic && path.starts_with('/') && path.ends_with('/') { Ok(path) } else { Err(refusals::invalid_path()) }
}

/// Tags as they are kept.
pub(super) fn checked_tags(tags: Option<Vec<model::Tag>>) -> Result<Vec<Tag>, ApiError> {
    let mut keys = BTreeSet::new();
    let tags = tags.unwrap_or_default();
    if tags.iter().all(|tag| keys.insert(tag.key.to_lowercase())) {
        Ok(tags.into_iter().map(|tag| Tag { key: tag.key, value: tag.value }).collect())
    } else {
        Err(refusals::duplicate_tags())
    }
}

/// Tags as answers carry them: no element when there are none.
pub(super) fn shown_tags(tags: &[Tag]) -> Option<Vec<model::Tag>> {
    let tags: Vec<_> = tags.iter().map(|tag| model::Tag { key: tag.key.clone(), value: tag.value.clone() }).collect();
    (!tags.is_empty()).then_some(tags)
}

fn shown(account: &str, role: &Role) -> model::Role {
    let boundary = role.permissions_boundary.as_ref().map(|arn| model::AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".to_owned()),
        permissions_boundary_arn: Some(arn.clone()),
    });
    model::Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: format!("arn:aws:iam::{account}:role{}{}", role.path, role.name),
        create_date: timestamp(role.created),
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_duration),
        permissions_boundary: boundary,
        tags: shown_tags(&role.tags),
        role_last_used: None,
    }
}
