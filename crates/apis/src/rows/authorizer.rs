//! Authorizers, as they are stored and frozen by deployments.

use serde::{Deserialize, Serialize};
use store::Record;

use crate::words::AuthorizerType;

/// Who decides whether a caller may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authorizer {
    pub(crate) api: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: AuthorizerType,
    /// What OpenAPI documents call it; AWS's word for the kind unless given.
    pub(crate) auth_type: String,
    /// User pools of a Cognito authorizer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) provider_arns: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    /// The role that calls the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<String>,
    /// Where the token or the values of the caller stand, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity_source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity_validation_expression: Option<String>,
    /// 0 to 3,600; absent: AWS's 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_in_seconds: Option<u16>,
}

impl Record for Authorizer {
    const KIND: &'static str = "rest_authorizer";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.id)
    }
}
