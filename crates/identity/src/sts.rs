//! STS: who the caller is.

use std::sync::Arc;

use model_sts as model;
use wire::{ApiError, Call, Service};

use crate::Identity;
use crate::iam;
use crate::iam::rows::{Role, key};

pub(crate) fn service(identity: Arc<Identity>) -> Service<Identity> {
    Service::new(&model::SERVICE, identity).operation(model::GetCallerIdentity, Identity::get_caller_identity)
}

impl Identity {
    /// The caller is a role's session where it has temporary credentials of ours, else the root user of its account,
    /// whose user id is the account's number.
    async fn get_caller_identity(
        self: Arc<Self>,
        call: Call,
        _input: model::GetCallerIdentityRequest,
    ) -> Result<model::GetCallerIdentityResponse, ApiError> {
        let account = call.account.to_string();
        if let Some(session) = &call.session {
            let scope = iam::scope(&call);
            let role = self.store.get::<Role>(&scope, &key(session.role_name())).await.map_err(ApiError::internal)?;
            // A role that is gone has no id any more.
            let id = role.map_or_else(|| session.role_name().to_owned(), |role| role.record.id);
            return Ok(model::GetCallerIdentityResponse {
                arn: Some(session.arn()),
                user_id: Some(format!("{id}:{}", session.name)),
                account: Some(account),
            });
        }
        Ok(model::GetCallerIdentityResponse {
            arn: Some(format!("arn:aws:iam::{account}:root")),
            user_id: Some(account.clone()),
            account: Some(account),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use base::clock::Clock;
    use store::DataDir;

    use super::*;

    #[tokio::test]
    async fn the_caller_is_the_root_user_of_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::open(DataDir::open(folder.path()).unwrap().store(), Clock::System);
        let call = Call {
            account: "123456789012".into(),
            region: "us-east-1".into(),
            access_key_id: Some("123456789012".into()),
            session: None,
            request_id: String::new(),
            source_ip: Ipv4Addr::LOCALHOST.into(),
            service: "sts",
            operation: "GetCallerIdentity",
            host: String::new(),
            user_agent: String::new(),
            trace_id: None,
        };
        let answer = identity.get_caller_identity(call, model::GetCallerIdentityRequest {}).await.unwrap();
        assert_eq!(answer.account.as_deref(), Some("123456789012"));
        assert_eq!(answer.user_id.as_deref(), Some("123456789012"));
        assert_eq!(answer.arn.as_deref(), Some("arn:aws:iam::123456789012:root"));
    }
}
