//! What a request says about its own signature: whose it is, and for which day, region and service.

use percent_encoding::percent_decode_str;

use crate::key::ALGORITHM;

/// A well-formed signature as a request carries it. Nothing of it has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The access key's id.
    pub access_key_id: String,
    /// The day of the scope, `20150830`.
    pub date: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// The names of the signed headers, in lower case and in order.
    pub signed_headers: Vec<String>,
    /// 64 hexadecimal digits.
    pub signature: String,
}

impl Claim {
    /// The claim of an `Authorization` header; `None` when it is no signature, or not well-formed.
    pub fn of_header(value: &str) -> Option<Claim> {
        let (algorithm, rest) = value.trim().split_once(' ')?;
        if algorithm != ALGORITHM {
            return None;
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            let member = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return None,
            };
            // Said twice is not well-formed.
            if member.replace(value).is_some() {
                return None;
            }
        }
        Claim::new(credential?, signed_headers?, signature?)
    }

    /// The claim of a presigned query; `None` when it has none, or one that is not well-formed.
    pub fn of_query(query: &str) -> Option<Claim> {
        let parameter = |wanted: &str| {
            let mut all = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name == wanted);
            let (_, value) = all.next()?;
            let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
            all.next().is_none().then_some(value)
        };
        if parameter("X-Amz-Algorithm")? != ALGORITHM {
            return None;
        }
        let (credential, signature) = (parameter("X-Amz-Credential")?, parameter("X-Amz-Signature")?);
        Claim::new(&credential, &parameter("X-Amz-SignedHeaders")?, &signature)
    }

    /// Reads `AKID/20150830/us-east-1/lambda/aws4_request` and the rest. Key ids may hold slashes.
    fn new(credential: &str, signed_headers: &str, signature: &str) -> Option<Claim> {
        let mut parts = credential.rsplitn(5, '/');
        let (terminator, service, region, date) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let access_key_id = parts.next().filter(|key| !key.is_empty())?;
        let is_name = |text: &str| {
            let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !text.is_empty() && text.len() <= 64 && text.bytes().all(inside)
        };
        let is_day = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
        let is_signature = signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_whole = terminator == "aws4_request" && is_day && is_name(region) && is_name(service) && is_signature;
        if !is_whole || signed_headers.is_empty() {
            return None;
        }
        Some(Claim {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_ascii_lowercase(),
            signed_headers: signed_headers.split(';').map(str::to_ascii_lowercase).collect(),
            signature: signature.to_ascii_lowercase(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn header(credential: &str) -> String {
        format!("{ALGORITHM} Credential={credential}, SignedHeaders=host;X-Amz-Date, Signature={SIGNATURE}")
    }

    #[test]
    fn reads_headers_and_queries() {
        let claim = Claim::of_header(&header("A/B/20150830/us-east-1/Lambda/aws4_request")).unwrap();
        assert_eq!((claim.access_key_id.as_str(), claim.date.as_str()), ("A/B", "20150830"));
        assert_eq!((claim.region.as_str(), claim.service.as_str()), ("us-east-1", "lambda"));
        assert_eq!(claim.signed_headers, ["host", "x-amz-date"]);
        let query = format!(
            "a=b&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=A%2FB%2F20150830%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-SignedHeaders=host%3Bx-amz-date&X-Amz-Signature={SIGNATURE}"
        );
        assert_eq!(Claim::of_query(&query), Some(claim));
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for credential in [
            "",
            "A/20150830/us-east-1/lambda",
            "/20150830/us-east-1/lambda/aws4_request",
            "A/2015083/us-east-1/lambda/aws4_request",
            "A/20150830//lambda/aws4_request",
            "A/20150830/us east/lambda/aws4_request",
            "A/20150830/us-east-1/lambda/aws3_request",
        ] {
            assert_eq!(Claim::of_header(&header(credential)), None, "{credential}");
        }
        let good = header("A/20150830/us-east-1/lambda/aws4_request");
        for bad in [
            good.replace("AWS4", "AWS3"),
            good.replace("SignedHeaders=", "Signature="),
            good.replace("bf31", "bf3"),
            good.replace("host;X-Amz-Date", ""),
            format!("{good}, Credential=x"),
            format!("{good}, more"),
            "Bearer x".to_owned(),
            String::new(),
        ] {
            assert_eq!(Claim::of_header(&bad), None, "{bad}");
        }
        assert_eq!(Claim::of_query("X-Amz-Algorithm=AWS4-HMAC-SHA256"), None);
        assert_eq!(Claim::of_query(""), None);
    }
}
