//! Signing a request that is sent.

use base::clock::Moment;

use crate::canonical::{Rules, canonical_request};
use crate::key::{ALGORITHM, Scope, SigningKey, string_to_sign, timestamp};

/// With whose keys a request is signed.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key id, which the signature shows.
    pub access_key_id: &'a str,
    /// The secret that it hides.
    pub secret_access_key: &'a str,
    /// Goes with temporary credentials.
    pub session_token: Option<&'a str>,
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The headers that a signed request has beyond those it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// `authorization`.
    pub authorization: String,
    /// `x-amz-date`.
    pub date: String,
    /// `x-amz-security-token`.
    pub session_token: Option<String>,
    /// `x-amz-content-sha256`.
    pub content_hash: Option<String>,
}

/// Signs a request; the headers of the result are to be added to it.
///
/// `headers` are all that are to be signed, `host` among them; those that the signature adds are not. Path and query are
/// as they are sent. A repeated query parameter, a `+` in the query and a path with `..` are signed as AWS reads them.
pub fn sign(
    credentials: &Credentials<'_>,
    (region, service): (&str, &str),
    now: Moment,
    request: (&str, &str, &str),
    headers: &[(&str, &str)],
    payload_hash: &str,
) -> Signed {
    let rules = Rules::of(service);
    let (method, path, query) = request;
    let date = timestamp(now);
    let mut headers = headers.to_vec();
    headers.push(("x-amz-date", &date));
    if let Some(token) = credentials.session_token {
        headers.push(("x-amz-security-token", token));
    }
    if rules.content_hash_header {
        headers.push(("x-amz-content-sha256", payload_hash));
    }
    let (canonical, signed_headers) = canonical_request(rules, method, path, query, &headers, payload_hash);
    let scope = Scope { date: &date[..8], region, service };
    let key = SigningKey::derive(credentials.secret_access_key, &scope);
    let signature = key.sign(&string_to_sign(&date, &scope, &canonical));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={signed_headers}, Signature={signature}",
        credentials.access_key_id,
        scope.text(),
    );
    Signed {
        authorization,
        session_token: credentials.session_token.map(str::to_owned),
        content_hash: rules.content_hash_header.then(|| payload_hash.to_owned()),
        date,
    }
}
