//! IAM: roles, the policies in them and the managed policies attached to them.

mod attachments;
mod documents;
mod inline_policies;
mod pages;
mod policies;
mod policy_names;
mod refusals;
mod roles;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use model_iam as model;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use store::Scope;
use wire::{ApiError, Call, Service};

use crate::{Failure, Identity};

pub(crate) fn service(identity: Arc<Identity>) -> Service<Identity> {
    Service::new(&model::SERVICE, identity)
        .operation(model::CreateRole, Identity::create_role)
        .operation(model::GetRole, Identity::get_role)
        .operation(model::DeleteRole, Identity::delete_role)
        .operation(model::ListRoles, Identity::list_roles)
        .operation(model::PutRolePolicy, Identity::put_role_policy)
        .operation(model::GetRolePolicy, Identity::get_role_policy)
        .operation(model::DeleteRolePolicy, Identity::delete_role_policy)
        .operation(model::ListRolePolicies, Identity::list_role_policies)
        .operation(model::AttachRolePolicy, Identity::attach_role_policy)
        .operation(model::DetachRolePolicy, Identity::detach_role_policy)
        .operation(model::ListAttachedRolePolicies, Identity::list_attached_role_policies)
        .operation(model::CreatePolicy, Identity::create_policy)
        .operation(model::GetPolicy, Identity::get_policy)
        .operation(model::DeletePolicy, Identity::delete_policy)
}

/// How often an operation starts anew when another caller changed the same rows in between.
const ATTEMPTS: usize = 8;

/// Runs an attempt, and again while its commit meets rows that were changed since it read them.
async fn attempt<T, F: Future<Output = Result<T, Failure>>>(attempt: impl Fn() -> F) -> Result<T, ApiError> {
    let overtaken = |failure: &Failure| matches!(failure, Failure::Store(error) if error.is_overtaken());
    store::attempts(ATTEMPTS, overtaken, attempt).await.map_err(|failure| match overtaken(&failure) {
        true => refusals::concurrent_modification(),
        false => failure.into(),
    })
}

/// Whose roles and policies a call is about: IAM knows no regions.
pub(crate) fn scope(call: &Call) -> Scope {
    Scope::global(Arc::clone(&call.account))
}

/// What IAM leaves as it is when it encodes a document: RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A policy document as answers carry it.
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}
