//! Tags of log groups, by the two families of operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use model_logs as model;
use store::Scope;
use wire::{ApiError, Call};

use super::rows::GroupDocument;
use super::{Logs, names, refusals, scope};

/// Tags that a group may have.
const TAGS: usize = 50;

type Tags = BTreeMap<String, String>;

impl Logs {
    pub(super) async fn tag_log_group(
        self: Arc<Self>,
        call: Call,
        input: model::TagLogGroupRequest,
    ) -> Result<(), ApiError> {
        self.tag(&scope(&call), &names::checked(input.log_group_name)?, input.tags).await
    }

    pub(super) async fn untag_log_group(
        self: Arc<Self>,
        call: Call,
        input: model::UntagLogGroupRequest,
    ) -> Result<(), ApiError> {
        self.untag(&scope(&call), &names::checked(input.log_group_name)?, input.tags).await
    }

    pub(super) async fn list_tags_log_group(
        self: Arc<Self>,
        call: Call,
        input: model::ListTagsLogGroupRequest,
    ) -> Result<model::ListTagsLogGroupResponse, ApiError> {
        let tags = self.tags(&scope(&call), &names::checked(input.log_group_name)?).await?;
        Ok(model::ListTagsLogGroupResponse { tags: Some(tags) })
    }

    pub(super) async fn tag_resource(
        self: Arc<Self>,
        call: Call,
        input: model::TagResourceRequest,
    ) -> Result<(), ApiError> {
        let scope = scope(&call);
        self.tag(&scope, &tagged(&scope, &input.resource_arn)?, input.tags).await
    }

    pub(super) async fn untag_resource(
        self: Arc<Self>,
        call: Call,
        input: model::UntagResourceRequest,
    ) -> Result<(), ApiError> {
        let scope = scope(&call);
        self.untag(&scope, &tagged(&scope, &input.resource_arn)?, input.tag_keys).await
    }

    pub(super) async fn list_tags_for_resource(
        self: Arc<Self>,
        call: Call,
        input: model::ListTagsForResourceRequest,
    ) -> Result<model::ListTagsForResourceResponse, ApiError> {
        let scope = scope(&call);
        let tags = self.tags(&scope, &tagged(&scope, &input.resource_arn)?).await?;
        Ok(model::ListTagsForResourceResponse { tags: Some(tags) })
    }

    async fn tag(&self, scope: &Scope, name: &str, tags: Tags) -> Result<(), ApiError> {
        self.edit(scope, name, move |document| {
            document.tags.extend(tags);
            match document.tags.len() {
                0..=TAGS => Ok(()),
                _ => Err(ApiError::new(
                    &model::errors::TOO_MANY_TAGS_EXCEPTION,
                    format!("A log group may have {TAGS} tags at most."),
                )),
            }
        })
        .await
    }

    async fn untag(&self, scope: &Scope, name: &str, keys: Vec<String>) -> Result<(), ApiError> {
        self.edit(scope, name, move |document| {
            document.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
        .await
    }

    async fn tags(&self, scope: &Scope, name: &str) -> Result<Tags, ApiError> {
        Ok(GroupDocument::of(&self.group(scope, name).await?)?.tags)
    }
}

/// The group of a resource's ARN; nothing else has tags here.
fn tagged(scope: &Scope, arn: &str) -> Result<String, ApiError> {
    match arn.contains(":log-group:") {
        true => names::identified(scope, arn),
        false => Err(refusals::invalid(format!("Invalid resource ARN: {arn}"))),
    }
}
