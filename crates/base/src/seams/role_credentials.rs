//! The seam to STS: temporary credentials, for code that runs under a role.

use std::fmt;

/// Issues temporary credentials, and knows them when they come back.
pub trait RoleCredentials: fmt::Debug + Send + Sync {
    /// Credentials of a session. They work as long as this process runs.
    fn issue(&self, session: &RoleSession) -> TemporaryCredentials;

    /// The session that credentials were issued for; nothing for those that are not ours.
    fn session(&self, access_key_id: &str, session_token: &str) -> Option<RoleSession>;
}

/// A role that somebody has assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSession {
    /// `arn:aws:iam::123456789012:role/path/name`.
    pub role_arn: String,
    /// `RoleSessionName`.
    pub name: String,
}

impl RoleSession {
    /// The role's account.
    pub fn account(&self) -> &str {
        self.role_arn.split(':').nth(4).unwrap_or_default()
    }

    /// The role's name, without its path.
    pub fn role_name(&self) -> &str {
        self.role_arn.rsplit('/').next().unwrap_or_default()
    }

    /// `arn:aws:sts::123456789012:assumed-role/name/session`.
    pub fn arn(&self) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account(), self.role_name(), self.name)
    }
}

/// What signs requests in a session's name.
#[derive(Clone, PartialEq, Eq)]
pub struct TemporaryCredentials {
    /// `ASIA` and 16 more.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: String,
    /// Goes with every request, as `X-Amz-Security-Token`.
    pub session_token: String,
}

impl fmt::Debug for TemporaryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporaryCredentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_its_roles_name_alone() {
        let session = RoleSession { role_arn: "arn:aws:iam::123456789012:role/a/b/Runs".into(), name: "f".into() };
        assert_eq!(session.account(), "123456789012");
        assert_eq!(session.arn(), "arn:aws:sts::123456789012:assumed-role/Runs/f");
    }
}
