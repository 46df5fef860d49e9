//! Who calls a function URL. One with `AuthType` `NONE` leaves that to the function's policy, which Lambda asks when the
//! function is invoked; one with `AWS_IAM` wants a signature.
//!
//! With `--auth off`, the only mode so far, no secret is known, so that a signature is looked at as the AWS APIs look at
//! theirs: it must be there, well-formed, and be one for this service and region.

use base::seams::{Caller, UrlAuth};
use http::header::AUTHORIZATION;
use sigv4::Claim;

use super::UrlExchange;
use crate::fault::Fault;

/// Whoever has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlCaller {
    /// Nobody knows who.
    Anonymous,
    /// The holder of an access key.
    Signer {
        /// The access key's id.
        access_key: Box<str>,
        /// The account that it belongs to.
        account: Box<str>,
    },
}

impl UrlCaller {
    /// As whom Lambda sees the caller.
    pub fn as_lambda_sees_it(&self) -> Caller {
        match self {
            UrlCaller::Anonymous => Caller::AnyoneByUrl,
            UrlCaller::Signer { .. } => Caller::Trusted,
        }
    }
}

/// Lets a request through, or not.
///
/// # Errors
/// [`Fault::NotSigned`].
pub fn authorize(exchange: &UrlExchange) -> Result<UrlCaller, Fault> {
    match exchange.url.auth {
        UrlAuth::None => Ok(UrlCaller::Anonymous),
        UrlAuth::Iam => signer(exchange),
    }
}

fn signer(exchange: &UrlExchange) -> Result<UrlCaller, Fault> {
    let refused = |reason: &str| Fault::NotSigned { reason: reason.into() };
    let claim = match exchange.head.headers.get(AUTHORIZATION) {
        Some(header) => header.to_str().ok().and_then(Claim::of_header),
        None => Claim::of_query(exchange.query()),
    };
    let claim = claim.ok_or_else(|| refused("the request has no signature, or one that is not well-formed"))?;
    if claim.service != "lambda" {
        return Err(refused("the signature is for another service than lambda"));
    }
    if claim.region != *exchange.url.region {
        return Err(refused("the signature is for another region than the function's"));
    }
    let is_account = claim.access_key_id.len() == 12 && claim.access_key_id.bytes().all(|byte| byte.is_ascii_digit());
    let account = if is_account { claim.access_key_id.as_str() } else { &exchange.url.account };
    Ok(UrlCaller::Signer { account: account.into(), access_key: claim.access_key_id.as_str().into() })
}
