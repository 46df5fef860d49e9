//! Where the AWS services are that are not ours: one address each, as the operator says (`--service-endpoint`).

use std::collections::BTreeMap;
use std::fmt;

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::services;

/// One service and its address.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// The service's name, as [`services::canonical_name`] has it.
    pub service: Box<str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and, where it is given, port.
    pub authority: Box<str>,
    /// With what requests of our own are signed, where the operator says.
    pub keys: Option<AccessKeys>,
}

/// An access key id and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The id.
    pub id: Box<str>,
    /// The secret.
    pub secret: Box<str>,
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// `s3=http://127.0.0.1:9000`, without keys.
impl fmt::Display for ServiceEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.service, self.url())
    }
}

impl fmt::Debug for ServiceEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ServiceEndpoint {
    /// Reads `NAME=URL`. The URL has a scheme and a host, and before the host it may have the keys to sign with
    /// (`http://KEY_ID:SECRET@host:9000`, with the escapes of URLs).
    ///
    /// # Errors
    /// A text for the operator, beginning with "expected".
    pub fn parse(text: &str) -> Result<ServiceEndpoint, String> {
        const EXAMPLE: &str = "for example sqs=http://127.0.0.1:9324";
        let (name, url) =
            text.split_once('=').ok_or_else(|| format!("expected the name of a service, = and its URL, {EXAMPLE}"))?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_name) {
            return Err(format!("expected the name of an AWS service in lower case before the =, {EXAMPLE}"));
        }
        let service = services::canonical_name(name);
        if services::OWN.contains(&service) {
            return Err(format!("expected a service that Frontgate does not have itself; it has {service}"));
        }
        let uri: Uri = url.parse().map_err(|_| format!("expected a URL after the =, {EXAMPLE}"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(format!("expected a URL that begins with http:// or https://, {EXAMPLE}")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || url.contains('#') {
            return Err(format!("expected a URL without a path or query, {EXAMPLE}"));
        }
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let (keys, authority) = match authority.rsplit_once('@') {
            Some((keys, authority)) => (Some(AccessKeys::parse(keys)?), authority),
            None => (None, authority),
        };
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if uri.host().is_none_or(str::is_empty) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(format!("expected a URL with a host and, if any, a port, {EXAMPLE}"));
        }
        Ok(ServiceEndpoint { service: service.into(), scheme, authority: authority.into(), keys })
    }

    /// `http://127.0.0.1:9324`, without keys.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

impl AccessKeys {
    fn parse(text: &str) -> Result<AccessKeys, String> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
        let keys = text.split_once(':').and_then(|(id, secret)| Some((decoded(id)?, decoded(secret)?)));
        // The id stands in a header, between slashes, commas and blanks.
        let is_id = |id: &str| {
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        match keys.filter(|(id, secret)| is_id(id) && !secret.is_empty()) {
            Some((id, secret)) => Ok(AccessKeys { id: id.into(), secret: secret.into() }),
            None => Err("expected an access key id, a colon and its secret before the @ of the URL".into()),
        }
    }
}

/// The endpoints, by service.
#[derive(Clone, Debug, Default)]
pub struct ServiceEndpoints(BTreeMap<Box<str>, ServiceEndpoint>);

impl ServiceEndpoints {
    /// The endpoint of a service, by its canonical name.
    pub fn get(&self, service: &str) -> Option<&ServiceEndpoint> {
        self.0.get(service)
    }
}

impl FromIterator<ServiceEndpoint> for ServiceEndpoints {
    /// The last endpoint of a service counts.
    fn from_iter<I: IntoIterator<Item = ServiceEndpoint>>(endpoints: I) -> ServiceEndpoints {
        ServiceEndpoints(endpoints.into_iter().map(|endpoint| (endpoint.service.clone(), endpoint)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_addresses() {
        for (text, expected) in [
            ("sqs=http://127.0.0.1:9324", "sqs=http://127.0.0.1:9324"),
            ("states=http://localhost:8083/", "stepfunctions=http://localhost:8083"),
            ("s3=https://[::1]:9000", "s3=https://[::1]:9000"),
            ("s3=https://[::1]", "s3=https://[::1]"),
            ("monitoring=http://moto", "cloudwatch=http://moto"),
            ("wavelengths=http://moto:5000", "wavelengths=http://moto:5000"),
            ("s3=http://KEY:a%2Fb%40c@minio:9000", "s3=http://minio:9000"),
        ] {
            assert_eq!(ServiceEndpoint::parse(text).map(|endpoint| endpoint.to_string()).as_deref(), Ok(expected));
        }
        let endpoint = ServiceEndpoint::parse("s3=http://KEY:a%2Fb%40c@minio:9000").unwrap();
        assert!(!format!("{endpoint:?} {:?}", endpoint.keys).contains("a/b@c"));
        assert_eq!(endpoint.keys.map(|keys| (keys.id, keys.secret)), Some(("KEY".into(), "a/b@c".into())));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("http://127.0.0.1:9324", "expected the name of a service, = and its URL"),
            ("sqs", "expected the name of a service, = and its URL"),
            ("=http://h", "expected the name of an AWS service"),
            ("SQS=http://h", "expected the name of an AWS service"),
            ("lambda=http://h", "expected a service that Frontgate does not have itself; it has lambda"),
            ("sqs=", "expected a URL"),
            ("sqs=h:9324", "expected a URL that begins"),
            ("sqs=ftp://h", "expected a URL that begins"),
            ("sqs=http://", "expected a URL"),
            ("sqs=http://:80", "expected a URL with a host"),
            ("sqs=http://h:99999", "expected a URL with a host"),
            ("sqs=http://h/path", "expected a URL without a path"),
            ("sqs=http://h?x=1", "expected a URL without a path"),
            ("sqs=http://KEY@h", "expected an access key id"),
            ("sqs=http://K,Y:s@h", "expected an access key id"),
        ] {
            let error = ServiceEndpoint::parse(text).expect_err(text);
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
