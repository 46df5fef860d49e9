//! Policies that are a part of a role.

use std::ops::Bound;
use std::sync::Arc;

use model_iam as model;
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::{attempt, documents, encoded, pages, refusals, scope};
use crate::Identity;

/// Characters of all inline policies of a role, without white space.
const INLINE_POLICIES_SIZE: usize = 10_240;

impl Identity {
    pub(super) async fn put_role_policy(
        self: Arc<Self>,
        call: Call,
        input: model::PutRolePolicyRequest,
    ) -> Result<(), ApiError> {
        documents::check_permissions(&input.policy_document)?;
        let scope = scope(&call);
        attempt(|| async {
            let Stored { record: mut role, revision } = self.role(&scope, &input.role_name).await?;
            role.inline.insert(input.policy_name.clone(), input.policy_document.clone());
            if role.inline.values().map(|document| documents::size(document)).sum::<usize>() > INLINE_POLICIES_SIZE {
                return Err(refusals::inline_policies_too_large(INLINE_POLICIES_SIZE, &role.name).into());
            }
            self.store.commit(Transaction::new().update(&scope, &role, revision)).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn get_role_policy(
        self: Arc<Self>,
        call: Call,
        input: model::GetRolePolicyRequest,
    ) -> Result<model::GetRolePolicyResponse, ApiError> {
        let role = self.role(&scope(&call), &input.role_name).await?.record;
        let document = role.inline.get(&input.policy_name);
        let document = document.ok_or_else(|| refusals::no_such_role_policy(&input.policy_name))?;
        Ok(model::GetRolePolicyResponse {
            policy_document: encoded(document),
            policy_name: input.policy_name,
            role_name: role.name,
        })
    }

    pub(super) async fn delete_role_policy(
        self: Arc<Self>,
        call: Call,
        input: model::DeleteRolePolicyRequest,
    ) -> Result<(), ApiError> {
        let scope = scope(&call);
        attempt(|| async {
            let Stored { record: mut role, revision } = self.role(&scope, &input.role_name).await?;
            if role.inline.remove(&input.policy_name).is_none() {
                return Err(refusals::no_such_role_policy(&input.policy_name).into());
            }
            self.store.commit(Transaction::new().update(&scope, &role, revision)).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn list_role_policies(
        self: Arc<Self>,
        call: Call,
        input: model::ListRolePoliciesRequest,
    ) -> Result<model::ListRolePoliciesResponse, ApiError> {
        let role = self.role(&scope(&call), &input.role_name).await?.record;
        let from = input.marker.map_or(Bound::Unbounded, Bound::Excluded);
        let names = role.inline.range((from, Bound::Unbounded)).map(|(name, _)| name.clone()).collect();
        let (policy_names, marker) = pages::cut(names, pages::size(input.max_items), String::clone);
        Ok(model::ListRolePoliciesResponse { policy_names, is_truncated: Some(marker.is_some()), marker })
    }
}
