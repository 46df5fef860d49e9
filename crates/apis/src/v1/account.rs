//! The account: what all APIs of an account and region share.

use base::limits::AccountLimits;
use model_apigateway as model;
use store::{Scope, Transaction};

use crate::Apis;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::Account;

const PATCHES: Table =
    Table { wording: Wording::Listing, entries: &[("/cloudwatchRoleArn", &[Replace]), ("/features", &[Add, Remove])] };

/// The one feature that an account can have; it has had it from the start, and does not lose it.
const USAGE_PLANS: &str = "UsagePlans";

impl Apis {
    pub(crate) async fn get_account(&self, scope: &Scope, _: model::GetAccountRequest) -> Answer<model::Account> {
        let stored = self.store.get::<Account>(scope, Account::KEY).await?;
        Ok(self.shown_account(&stored.map(|stored| stored.record).unwrap_or_default()))
    }

    pub(crate) async fn update_account(
        &self,
        scope: &Scope,
        input: model::UpdateAccountRequest,
    ) -> Answer<model::Account> {
        let turn = format!("{}/{}/account", scope.account, scope.region);
        self.edit(scope, &turn, input, |apis, scope, input| async move {
            let stored = apis.store.get::<Account>(&scope, Account::KEY).await?;
            let before = stored.as_ref().map(|stored| stored.record.clone()).unwrap_or_default();
            let mut account = before.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut account, apply)?;
            if account != before {
                let change = match &stored {
                    Some(stored) => Transaction::new().update(&scope, &account, stored.revision),
                    None => Transaction::new().insert(&scope, &account),
                };
                apis.store.commit(change).await?;
            }
            Ok(apis.shown_account(&account))
        })
        .await
    }

    fn shown_account(&self, account: &Account) -> model::Account {
        let limits = &self.settings.limits;
        // Lifted limits have no number; AWS's stand for them.
        let (rate, burst) = match limits.requests_per_second {
            Some(rate) => (rate, limits.burst),
            None => (AccountLimits::AWS.requests_per_second.unwrap_or_default(), AccountLimits::AWS.burst),
        };
        model::Account {
            cloudwatch_role_arn: account.cloudwatch_role_arn.clone(),
            throttle_settings: Some(model::ThrottleSettings {
                burst_limit: Some(burst as i32),
                rate_limit: Some(rate),
            }),
            features: Some(vec![USAGE_PLANS.to_owned()]),
            api_key_version: Some("4".into()),
        }
    }
}

fn apply(account: &mut Account, edit: Edit) -> Answer<()> {
    match (edit.place, edit.op) {
        ("/cloudwatchRoleArn", _) => account.cloudwatch_role_arn = role(edit.optional())?,
        (_, op) if edit.text() == USAGE_PLANS => match op {
            Remove => return Err(Refusal::bad_request("Usage Plans cannot be disabled once enabled")),
            _ => return Ok(()),
        },
        _ => return Err(Refusal::BadRequest(format!("Invalid feature specified: {}", edit.text()))),
    }
    Ok(())
}

/// A role's ARN: `arn:{partition}:iam::{account}:role/{path and name}`. Emptied, the account has none. Whether the role
/// exists and trusts API Gateway is not looked at: nothing is written with it.
fn role(given: Option<String>) -> Answer<Option<String>> {
    let well_formed = |arn: &str| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [arn_word, partition, "iam", "", account, resource] = parts[..] else { return false };
        let named = resource.strip_prefix("role/").is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+=,.@_-".contains(&byte))
        });
        arn_word == "arn"
            && partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && named
            && arn.len() <= 2_048
    };
    match given {
        Some(arn) if !well_formed(&arn) => Err(Refusal::bad_request("The role ARN is not well formed")),
        arn => Ok(arn),
    }
}
