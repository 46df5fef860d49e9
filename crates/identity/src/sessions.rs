//! Temporary credentials: made of nothing that is kept. The token says what the session is and carries our seal on it,
//! so that it need not be looked up and cannot be changed.

use aws_lc_rs::hmac;
use base::ids;
use base::seams::{RoleCredentials, RoleSession, TemporaryCredentials};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What access key ids are written with.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// How many bytes a seal has.
const SEAL_BYTES: usize = 32;

/// Issues sessions' credentials and knows them again, as long as the process runs.
#[derive(Debug)]
pub struct Sessions {
    key: hmac::Key,
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions { key: hmac::Key::new(hmac::HMAC_SHA256, &ids::random_bytes::<32>()) }
    }
}

impl RoleCredentials for Sessions {
    fn issue(&self, session: &RoleSession) -> TemporaryCredentials {
        let random = ids::random_bytes::<16>().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        let access_key_id: String = "ASIA".chars().chain(random).collect();
        let secret = hmac::sign(&self.key, format!("secret {access_key_id}").as_bytes());
        let mut secret_access_key = STANDARD.encode(secret.as_ref());
        secret_access_key.truncate(40);
        let text = format!("{access_key_id} {} {}", session.role_arn, session.name);
        let seal = hmac::sign(&self.key, text.as_bytes());
        let session_token = STANDARD.encode([seal.as_ref(), text.as_bytes()].concat());
        TemporaryCredentials { access_key_id, secret_access_key, session_token }
    }

    fn session(&self, access_key_id: &str, session_token: &str) -> Option<RoleSession> {
        let bytes = STANDARD.decode(session_token).ok()?;
        let (seal, text) = bytes.split_at_checked(SEAL_BYTES)?;
        hmac::verify(&self.key, text, seal).ok()?;
        let (role_arn, name) =
            std::str::from_utf8(text).ok()?.strip_prefix(access_key_id)?.strip_prefix(' ')?.split_once(' ')?;
        Some(RoleSession { role_arn: role_arn.to_owned(), name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_again_and_cannot_be_changed() {
        let (sessions, session) = (
            Sessions::default(),
            RoleSession { role_arn: "arn:aws:iam::123456789012:role/r".into(), name: "name".into() },
        );
        let issued = sessions.issue(&session);
        assert_eq!((issued.access_key_id.len(), issued.secret_access_key.len()), (20, 40));
        assert_eq!(sessions.session(&issued.access_key_id, &issued.session_token), Some(session.clone()));
        let again = sessions.issue(&session);
        assert_ne!(issued.access_key_id, again.access_key_id);
        assert_eq!(sessions.session(&again.access_key_id, &issued.session_token), None);
        assert_eq!(Sessions::default().session(&issued.access_key_id, &issued.session_token), None);
        let mut bytes = STANDARD.decode(&issued.session_token).unwrap();
        bytes[SEAL_BYTES + 25] ^= 1;
        assert_eq!(sessions.session(&issued.access_key_id, &STANDARD.encode(bytes)), None);
        for token in ["", "frontgate", "AAAA"] {
            assert_eq!(sessions.session(&issued.access_key_id, token), None, "{token}");
        }
    }
}
