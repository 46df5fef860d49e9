//! Signs calls of AWS services that are not ours and sends them to where the operator says (`--service-endpoint`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::clock::Clock;
use base::seams::{CallService, SendFuture, ServiceAnswer, ServiceCall, ServiceSilence};
use base::service_endpoints::{ServiceEndpoint, ServiceEndpoints};
use base::services;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, HOST, HeaderName};
use http_body_util::Full;
use sigv4::Credentials;

use super::forwarding::Clients;

/// How long a service may take over a whole answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The secret of calls that are signed without keys of the operator's: whoever takes them verifies none.
const NO_SECRET: &str = "test";

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// Calls services.
pub(crate) struct ServiceCaller {
    endpoints: Arc<ServiceEndpoints>,
    clients: Clients,
    clock: Clock,
}

impl ServiceCaller {
    pub(crate) fn new(endpoints: Arc<ServiceEndpoints>, clock: Clock) -> ServiceCaller {
        ServiceCaller { endpoints, clients: Clients::new(), clock }
    }
}

impl fmt::Debug for ServiceCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCaller").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl CallService for ServiceCaller {
    fn call(&self, call: ServiceCall) -> SendFuture<'_, Result<ServiceAnswer, ServiceSilence>> {
        Box::pin(async move {
            let endpoint = self.endpoints.get(call.service).ok_or(ServiceSilence::NoEndpoint)?;
            let request = signed(endpoint, call, &self.clock).map_err(ServiceSilence::Unreachable)?;
            let sent = tokio::time::timeout(CALL_TIMEOUT, self.clients.send(endpoint, request)).await;
            let answer = sent.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
            let (head, body) = answer.map_err(ServiceSilence::Unreachable)?.into_parts();
            Ok(ServiceAnswer { status: head.status.as_u16(), body })
        })
    }
}

/// Gives a call its address and its signature.
pub(super) fn signed(
    endpoint: &ServiceEndpoint,
    call: ServiceCall,
    clock: &Clock,
) -> Result<Request<Full<Bytes>>, String> {
    let ServiceCall { service, account, region, method, path, headers, body } = call;
    let signing_name = services::by_any_name(service).map_or(service, |known| known.signing);
    let own_port = if endpoint.scheme == "https" { ":443" } else { ":80" };
    let host = endpoint.authority.strip_suffix(own_port).unwrap_or(&endpoint.authority);
    let credentials = match &endpoint.keys {
        Some(keys) => Credentials { access_key_id: &keys.id, secret_access_key: &keys.secret, session_token: None },
        // What stands in for AWS takes an account's number as one of its keys.
        None => Credentials { access_key_id: &account, secret_access_key: NO_SECRET, session_token: None },
    };
    let texts = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let texts: Vec<(&str, &str)> = texts.chain([("host", host)]).collect();
    let hash = sigv4::payload_hash(&body);
    let (bare, query) = path.split_once('?').unwrap_or((&path, ""));
    let asked = (method.as_str(), bare, query);
    let signed = sigv4::sign(&credentials, (&region, signing_name), clock.now(), asked, &texts, &hash);
    let mut request = Request::builder().method(&method).uri(format!("{}{path}", endpoint.url())).header(HOST, host);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some(content_hash) = signed.content_hash {
        request = request.header(CONTENT_HASH, content_hash);
    }
    let request = request.header(DATE, signed.date).header(AUTHORIZATION, signed.authorization);
    request.body(Full::new(body)).map_err(|error| format!("it cannot be asked: {error}"))
}

#[cfg(test)]
mod tests {
    use base::clock::Moment;
    use http::Method;

    use super::*;

    fn call(service: &'static str) -> ServiceCall {
        ServiceCall {
            service,
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            method: Method::PUT,
            path: "/bucket/key".to_owned(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn a_call_is_addressed_and_signed() {
        let endpoint = ServiceEndpoint::parse("s3=http://KEY:secret@minio:80").expect("the text is right");
        let request = signed(&endpoint, call("s3"), &Clock::fake(Moment(1_767_225_600_000))).expect("it can be sent");
        assert_eq!(request.uri(), "http://minio:80/bucket/key");
        assert_eq!(request.headers()["host"], "minio");
        assert_eq!(request.headers()["x-amz-date"], "20260101T000000Z");
        assert!(request.headers().contains_key("x-amz-content-sha256"));
        let authorization = request.headers()["authorization"].to_str().expect("it is text");
        let scope = "Credential=KEY/20260101/eu-west-1/s3/aws4_request";
        let signed = "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date";
        assert!(authorization.contains(scope) && authorization.contains(signed), "{authorization}");
    }

    #[tokio::test]
    async fn who_has_no_address_is_not_called() {
        let caller = ServiceCaller::new(Arc::default(), Clock::System);
        assert_eq!(caller.call(call("sqs")).await, Err(ServiceSilence::NoEndpoint));
    }
}
