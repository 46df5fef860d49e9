//! Reads, without verifying, what a SigV4 signature says about the caller.

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::codec::form::Parameters;

/// The credential of a well-formed SigV4 signature. Nothing is verified here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// Where the signature stands.
    pub source: CredentialSource,
}

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// In the `Authorization` header.
    Header,
    /// In the query string (a presigned URL).
    Query,
}

impl Credential {
    /// The credential of a request; absent when there is no signature or when it is not well-formed.
    pub fn of(request: &Parts) -> Option<Credential> {
        match request.headers.get(AUTHORIZATION) {
            Some(value) => Credential::from_header(value.to_str().ok()?),
            None => Credential::from_query(request.uri.query()?),
        }
    }

    fn from_header(value: &str) -> Option<Credential> {
        let (algorithm, rest) = value.trim().split_once(' ')?;
        if algorithm != "AWS4-HMAC-SHA256" {
            return None;
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed_headers = Some(value),
                "Signature" => signature = Some(value),
                _ => return None,
            }
        }
        check(signed_headers?, signature?)?;
        Credential::from_scope(credential?, CredentialSource::Header)
    }

    fn from_query(query: &str) -> Option<Credential> {
        let mut parameters = Parameters::parse(query.as_bytes());
        if parameters.take("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return None;
        }
        check(&parameters.take("X-Amz-SignedHeaders")?, &parameters.take("X-Amz-Signature")?)?;
        Credential::from_scope(&parameters.take("X-Amz-Credential")?, CredentialSource::Query)
    }

    /// Reads `AKID/20260101/us-east-1/lambda/aws4_request`. Key ids may hold slashes, so it is read from the end.
    fn from_scope(text: &str, source: CredentialSource) -> Option<Credential> {
        let mut parts = text.rsplitn(5, '/');
        let (terminator, service, region, date) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let access_key_id = parts.next().filter(|key| !key.is_empty())?;
        let dated = date.len() == 8 && date.bytes().all(|digit| digit.is_ascii_digit());
        if terminator != "aws4_request" || !dated || !is_name(service) || !is_name(region) {
            return None;
        }
        Some(Credential {
            access_key_id: access_key_id.into(),
            region: region.into(),
            service: service.to_ascii_lowercase(),
            source,
        })
    }
}

fn check(signed_headers: &str, signature: &str) -> Option<()> {
    let hexadecimal = signature.len() == 64 && signature.bytes().all(|digit| digit.is_ascii_hexdigit());
    (hexadecimal && !signed_headers.is_empty()).then_some(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
