//! Signing keys: derived from a secret for one day, region and service.

use aws_lc_rs::hmac;
use base::clock::Moment;

use crate::canonical::{hexadecimal, payload_hash};

/// The algorithm's name, as it stands in front of every signature.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `20150830`.
    pub date: &'a str,
    /// `us-east-1`.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
}

impl Scope<'_> {
    /// `20150830/us-east-1/service/aws4_request`.
    pub fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// A moment as signatures write it: `20150830T123600Z`. The first eight characters are the scope's date.
pub fn timestamp(moment: Moment) -> String {
    let seconds = i64::try_from(moment.whole_seconds()).unwrap_or(0);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The text that is signed: algorithm, time, scope and the canonical request's hash.
pub fn string_to_sign(timestamp: &str, scope: &Scope<'_>, canonical_request: &str) -> String {
    format!("{ALGORITHM}\n{timestamp}\n{}\n{}", scope.text(), payload_hash(canonical_request.as_bytes()))
}

/// A key for one scope.
pub struct SigningKey(hmac::Key);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// Derives the key of a scope from a secret access key.
    pub fn derive(secret: &str, scope: &Scope<'_>) -> SigningKey {
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        for part in [scope.date, scope.region, scope.service, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        SigningKey(key)
    }

    /// The signature of a text, in hexadecimal.
    pub fn sign(&self, string_to_sign: &str) -> String {
        hexadecimal(hmac::sign(&self.0, string_to_sign.as_bytes()).as_ref())
    }

    /// Whether `signature` (hexadecimal) is that of the text. The comparison takes the same time wherever they differ.
    pub fn verify(&self, string_to_sign: &str, signature: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.sign(string_to_sign).as_bytes(), signature.as_bytes())
            .is_ok()
    }
}
