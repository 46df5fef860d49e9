//! Log groups: made, listed, kept for a while, removed.

use std::sync::Arc;

use model_logs as model;
use store::Scope;
use store::telemetry::{GroupFilter, LogError, LogGroup};
use wire::{ApiError, Call};

use super::rows::GroupDocument;
use super::{Logs, failed, names, refusals, scope, tokens, unavailable};

/// How long events can be kept, in days.
const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Entries on a page, where the request does not say less.
const PAGE: usize = 50;

/// The class of all groups.
const STANDARD: &str = "STANDARD";

impl Logs {
    pub(super) async fn create_log_group(
        self: Arc<Self>,
        call: Call,
        input: model::CreateLogGroupRequest,
    ) -> Result<(), ApiError> {
        let name = names::checked(input.log_group_name)?;
        if input.kms_key_id.is_some() {
            return Err(refusals::not_built("kmsKeyId"));
        }
        if let Some(class) = input.log_group_class.filter(|class| class != STANDARD) {
            return Err(refusals::not_built(&format!("logGroupClass {class}")));
        }
        let document = GroupDocument {
            tags: input.tags.unwrap_or_default(),
            deletion_protection: input.deletion_protection_enabled.unwrap_or(false),
            ..GroupDocument::default()
        };
        let made = self.store.create_group(&scope(&call), &name, document.text()?).await;
        made.map_err(|error| if error == LogError::Exists { refusals::group_exists() } else { failed(error) })
    }

    pub(super) async fn delete_log_group(
        self: Arc<Self>,
        call: Call,
        input: model::DeleteLogGroupRequest,
    ) -> Result<(), ApiError> {
        let check = |group: &LogGroup| match GroupDocument::of(group)?.deletion_protection {
            true => Err(ApiError::new(
                &model::errors::INVALID_OPERATION_EXCEPTION,
                "The log group cannot be deleted because deletion protection is enabled.",
            )),
            false => Ok(()),
        };
        let (scope, name) = (scope(&call), names::checked(input.log_group_name)?);
        let group = self.group(&scope, &name).await?;
        self.store.delete_group(&scope, &name, check).await.map_err(failed)??;
        self.subscriptions.forget(group.id, &self);
        Ok(())
    }

    pub(super) async fn describe_log_groups(
        self: Arc<Self>,
        call: Call,
        input: model::DescribeLogGroupsRequest,
    ) -> Result<model::DescribeLogGroupsResponse, ApiError> {
        let scope = scope(&call);
        let (prefix, contains) = (input.log_group_name_prefix, input.log_group_name_pattern);
        if prefix.is_some() && contains.is_some() {
            return Err(refusals::invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        if is_elsewhere(&scope, input.account_identifiers.as_deref(), input.log_group_class.as_deref()) {
            return Ok(model::DescribeLogGroupsResponse { log_groups: Some(Vec::new()), next_token: None });
        }
        // A search by pattern tells less of each group.
        let is_search = contains.is_some();
        let (groups, next_token) = match input.log_group_identifiers {
            Some(identifiers) => (self.identified(&scope, &identifiers).await?, None),
            None => {
                let filter = GroupFilter { prefix, contains };
                self.page_of_groups(&scope, filter, input.next_token, page_size(input.limit)).await?
            }
        };
        let shown = groups.iter().map(|group| shown(&scope, group, is_search)).collect::<Result<_, _>>()?;
        Ok(model::DescribeLogGroupsResponse { log_groups: Some(shown), next_token })
    }

    pub(super) async fn list_log_groups(
        self: Arc<Self>,
        call: Call,
        input: model::ListLogGroupsRequest,
    ) -> Result<model::ListLogGroupsResponse, ApiError> {
        let missing = [
            ("dataSources", input.data_sources.is_some()),
            ("fieldIndexNames", input.field_index_names.is_some()),
            ("logGroupTags", input.log_group_tags.is_some()),
        ];
        if let Some((name, _)) = missing.into_iter().find(|(_, is_given)| *is_given) {
            return Err(refusals::not_built(&format!("ListLogGroups with {name}")));
        }
        let scope = scope(&call);
        let size = page_size(input.limit);
        let pattern = input.log_group_name_pattern.unwrap_or_default();
        let (mut token, mut found) = (input.next_token, Vec::new());
        if !is_elsewhere(&scope, input.account_identifiers.as_deref(), input.log_group_class.as_deref()) {
            loop {
                let rest = size - found.len();
                let (groups, next) = self.page_of_groups(&scope, GroupFilter::default(), token, rest).await?;
                found.extend(groups.into_iter().filter(|group| is_listed(&pattern, &group.name)));
                token = next;
                if token.is_none() || found.len() == size {
                    break;
                }
            }
        }
        let log_groups = found.into_iter().map(|group| model::LogGroupSummary {
            log_group_arn: Some(names::group_arn(&scope, &group.name)),
            log_group_name: Some(group.name),
            log_group_class: Some(STANDARD.to_owned()),
        });
        Ok(model::ListLogGroupsResponse { log_groups: Some(log_groups.collect()), next_token: token })
    }

    /// A page of groups, and the token of the next one.
    async fn page_of_groups(
        &self,
        scope: &Scope,
        filter: GroupFilter,
        token: Option<String>,
        size: usize,
    ) -> Result<(Vec<LogGroup>, Option<String>), ApiError> {
        let after = token.as_deref().map(tokens::unpack::<1>).transpose()?.map(|[name]| name);
        let mut groups = self.store.groups(scope, filter, after, size + 1).await.map_err(unavailable)?;
        let has_more = groups.len() > size;
        groups.truncate(size);
        let next = groups.last().filter(|_| has_more).map(|last| tokens::pack(&[&last.name]));
        Ok((groups, next))
    }

    /// Those of some groups that are there.
    async fn identified(&self, scope: &Scope, identifiers: &[String]) -> Result<Vec<LogGroup>, ApiError> {
        let mut groups = Vec::new();
        for identifier in identifiers {
            let name = names::identified(scope, identifier)?;
            groups.extend(self.store.group(scope, &name).await.map_err(unavailable)?);
        }
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(groups)
    }

    pub(super) async fn put_log_group_deletion_protection(
        self: Arc<Self>,
        call: Call,
        input: model::PutLogGroupDeletionProtectionRequest,
    ) -> Result<(), ApiError> {
        let scope = scope(&call);
        let name = names::identified(&scope, &input.log_group_identifier)?;
        let protected = input.deletion_protection_enabled;
        self.edit(&scope, &name, move |document| {
            document.deletion_protection = protected;
            Ok(())
        })
        .await
    }

    pub(super) async fn put_retention_policy(
        self: Arc<Self>,
        call: Call,
        input: model::PutRetentionPolicyRequest,
    ) -> Result<(), ApiError> {
        let days = input.retention_in_days;
        let Some(days) = RETENTIONS.into_iter().find(|known| i64::from(*known) == i64::from(days)) else {
            let known: Vec<String> = RETENTIONS.iter().map(u32::to_string).collect();
            return Err(refusals::invalid(format!(
                "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: \
                 Member must satisfy enum value set: [{}]",
                known.join(", ")
            )));
        };
        self.retain(&call, input.log_group_name, Some(days)).await
    }

    pub(super) async fn delete_retention_policy(
        self: Arc<Self>,
        call: Call,
        input: model::DeleteRetentionPolicyRequest,
    ) -> Result<(), ApiError> {
        self.retain(&call, input.log_group_name, None).await
    }

    async fn retain(&self, call: &Call, name: String, days: Option<u32>) -> Result<(), ApiError> {
        let change = move |group: &mut LogGroup| {
            group.retention_days = days;
            Ok(())
        };
        self.store.change_group(&scope(call), &names::checked(name)?, change).await.map_err(failed)?
    }

    /// Changes the document of a group.
    pub(super) async fn edit(
        &self,
        scope: &Scope,
        name: &str,
        edit: impl FnOnce(&mut GroupDocument) -> Result<(), ApiError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let change = move |group: &mut LogGroup| {
            let mut document = GroupDocument::of(group)?;
            edit(&mut document)?;
            group.document = document.text()?;
            Ok(())
        };
        self.store.change_group(scope, name, change).await.map_err(failed)?
    }

    /// The group of that name.
    pub(super) async fn group(&self, scope: &Scope, name: &str) -> Result<LogGroup, ApiError> {
        let group = self.store.group(scope, name).await.map_err(unavailable)?;
        group.ok_or_else(refusals::no_group)
    }
}

/// Entries on a page.
pub(super) fn page_size(limit: Option<i32>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE)
}

/// Whether only groups of other accounts or classes are asked for, of which there are none.
fn is_elsewhere(scope: &Scope, accounts: Option<&[String]>, class: Option<&str>) -> bool {
    let is_own =
        |accounts: &[String]| accounts.is_empty() || accounts.iter().any(|account| **account == *scope.account);
    !accounts.is_none_or(is_own) || class.is_some_and(|class| class != STANDARD)
}

/// Whether a name is one that ListLogGroups asks for: `part|^start`.
fn is_listed(pattern: &str, name: &str) -> bool {
    pattern.split('|').any(|part| match part.strip_prefix('^') {
        Some(start) => name.starts_with(start),
        None => name.contains(part),
    })
}

fn shown(scope: &Scope, group: &LogGroup, is_search: bool) -> Result<model::LogGroup, ApiError> {
    let arn = names::group_arn(scope, &group.name);
    let protected = GroupDocument::of(group)?.deletion_protection;
    Ok(model::LogGroup {
        log_group_name: Some(group.name.clone()),
        creation_time: Some(group.created),
        retention_in_days: group.retention_days.and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        stored_bytes: (!is_search).then_some(group.stored_bytes),
        log_group_class: Some(STANDARD.to_owned()),
        log_group_arn: Some(arn),
        deletion_protection_enabled: (!is_search).then_some(protected),
        ..model::LogGroup::default()
    })
}
