//! GetAccountSettings: the account's limits in a region, and what of them is used.

use std::sync::Arc;

use model_lambda as model;
use model_lambda::errors;
use store::Scope;
use wire::{ApiError, Call};

use super::functions::PAGE;
use super::package::ZIPPED_BYTES;
use super::{refuse, scope};
use crate::Functions;
use crate::layers::LayerRecord;
use crate::package::UNPACKED_BYTES;

pub(super) async fn get_account_settings(
    functions: Arc<Functions>,
    call: Call,
    _: model::GetAccountSettingsRequest,
) -> Result<model::GetAccountSettingsResponse, ApiError> {
    let scope = scope(&call);
    let (count, code_size) = functions.code_usage(&scope).await?;
    let account = functions.index.account(&functions.engine, &scope).await;
    let limit = model::AccountLimit {
        total_code_size: Some(i64::try_from(functions.engine.limits.code_bytes).unwrap_or(i64::MAX)),
        code_size_unzipped: i64::try_from(UNPACKED_BYTES).ok(),
        code_size_zipped: i64::try_from(ZIPPED_BYTES).ok(),
        concurrent_executions: i32::try_from(account.quota()).ok(),
        unreserved_concurrent_executions: i32::try_from(account.unreserved()).ok(),
    };
    let usage = model::AccountUsage {
        total_code_size: i64::try_from(code_size).ok(),
        function_count: i64::try_from(count).ok(),
    };
    Ok(model::GetAccountSettingsResponse { account_limit: Some(limit), account_usage: Some(usage) })
}

impl Functions {
    /// Refuses what would make all code of the account take more than it may.
    pub(super) async fn check_code_storage(&self, scope: &Scope, more: u64) -> Result<(), ApiError> {
        let (_, used) = self.code_usage(scope).await?;
        match used.saturating_add(more) > self.engine.limits.code_bytes {
            true => Err(refuse(&errors::CODE_STORAGE_EXCEEDED_EXCEPTION, "Code storage limit exceeded.")),
            false => Ok(()),
        }
    }

    /// How many functions there are, and how many bytes the zips of all their versions and of all layers take. A zip
    /// counts as often as it is used.
    pub(super) async fn code_usage(&self, scope: &Scope) -> Result<(usize, u64), ApiError> {
        let (count, mut bytes) = self.index.code_usage(scope);
        let mut after: Option<String> = None;
        loop {
            let page = self.store.list::<LayerRecord>(scope, "", after.as_deref(), PAGE).await;
            let page = page.map_err(ApiError::internal)?;
            bytes += page.iter().map(|layer| layer.record.code_size).sum::<u64>();
            if page.len() < PAGE {
                return Ok((count, bytes));
            }
            after = page.last().map(|layer| layer.record.name.clone());
        }
    }
}
