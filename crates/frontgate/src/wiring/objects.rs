//! Reads objects from the S3 that the operator names (`--service-endpoint s3=URL`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::clock::Clock;
use base::seams::{ObjectName, ReadObject, ReadObjectError, SendFuture, ServiceCall};
use base::service_endpoints::{ServiceEndpoint, ServiceEndpoints};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;

use super::forwarding::{Clients, SendError};
use super::service_calls::signed;

/// How long S3 may take over an object.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The largest error document that is read.
const LARGEST_REFUSAL: usize = 65_536;

/// See the module.
pub(crate) struct Objects {
    endpoints: Arc<ServiceEndpoints>,
    clients: Clients,
    clock: Clock,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("endpoint", &self.endpoints.get("s3")).finish_non_exhaustive()
    }
}

impl Objects {
    pub(crate) fn new(endpoints: Arc<ServiceEndpoints>, clock: Clock) -> Objects {
        Objects { endpoints, clients: Clients::new(), clock }
    }

    async fn read(&self, object: &ObjectName) -> Result<Bytes, ReadObjectError> {
        let endpoint = self.endpoints.get("s3").ok_or_else(|| {
            let text = "nobody said where S3 is; start Frontgate with `--service-endpoint s3=URL`";
            ReadObjectError::NoEndpoint(text.to_owned())
        })?;
        let request = request(endpoint, object, &self.clock).map_err(ReadObjectError::Unreachable)?;
        let sent = self.clients.send_within(endpoint, request, object.largest.max(LARGEST_REFUSAL));
        let answer = match tokio::time::timeout(TIMEOUT, sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(SendError::TooLarge)) => return Err(ReadObjectError::TooLarge),
            Ok(Err(SendError::Failed(reason))) => return Err(ReadObjectError::Unreachable(reason)),
            Err(_) => return Err(ReadObjectError::Unreachable("it did not answer in time".to_owned())),
        };
        if !answer.status().is_success() {
            return Err(refusal(&answer));
        }
        match answer.into_body() {
            body if body.len() > object.largest => Err(ReadObjectError::TooLarge),
            body => Ok(body),
        }
    }
}

impl ReadObject for Objects {
    fn read_object(&self, object: ObjectName) -> SendFuture<'_, Result<Bytes, ReadObjectError>> {
        Box::pin(async move { self.read(&object).await })
    }
}

/// GetObject, with the bucket in the path: any S3 takes that, and needs no names that resolve.
fn request(endpoint: &ServiceEndpoint, object: &ObjectName, clock: &Clock) -> Result<Request<Full<Bytes>>, String> {
    let path = format!("/{}/{}", escaped(&object.bucket), escaped(&object.key).replace("%2F", "/"));
    let version = object.version.as_deref().map(|version| format!("?versionId={}", escaped(version)));
    let call = ServiceCall {
        service: "s3",
        account: object.account.as_str().into(),
        region: object.region.as_str().into(),
        method: Method::GET,
        path: path + version.as_deref().unwrap_or_default(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    signed(endpoint, call, clock)
}

/// Every byte but the unreserved ones escaped.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Reads S3's error document as far as it is of use; a status stands in for a code that is not there.
fn refusal(answer: &Response<Bytes>) -> ReadObjectError {
    let text = String::from_utf8_lossy(answer.body());
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    ReadObjectError::Refused {
        code: element("Code").unwrap_or_else(|| answer.status().as_str().to_owned()),
        message: element("Message").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use base::clock::Moment;

    use super::*;

    fn object() -> ObjectName {
        ObjectName {
            account: "000000000000".to_owned(),
            region: "eu-west-1".to_owned(),
            bucket: "b".to_owned(),
            key: "a folder/ä.zip".to_owned(),
            version: Some("x+y".to_owned()),
            largest: 10,
        }
    }

    #[test]
    fn an_object_is_asked_for_by_its_path() {
        let endpoint = ServiceEndpoint::parse("s3=http://127.0.0.1:9000").expect("the text is right");
        let request = request(&endpoint, &object(), &Clock::fake(Moment(0))).expect("it can be asked for");
        assert_eq!(request.uri(), "http://127.0.0.1:9000/b/a%20folder/%C3%A4.zip?versionId=x%2By");
        let authorization = request.headers()["authorization"].to_str().expect("it is text");
        assert!(
            authorization.contains("Credential=000000000000/19700101/eu-west-1/s3/aws4_request"),
            "{authorization}"
        );
        assert!(request.headers().contains_key("x-amz-content-sha256"));
    }

    #[test]
    fn refusals_are_read() {
        let answer = |body: &'static str| Response::new(Bytes::from_static(body.as_bytes()));
        let refused =
            |code: &str, message: &str| ReadObjectError::Refused { code: code.into(), message: message.into() };
        let document =
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The specified key</Message></Error>";
        assert_eq!(refusal(&answer(document)), refused("NoSuchKey", "The specified key"));
        assert_eq!(refusal(&answer("<html>")), refused("200", ""));
    }

    #[tokio::test]
    async fn without_an_endpoint_the_flag_is_named() {
        let objects = Objects::new(Arc::default(), Clock::System);
        let Err(ReadObjectError::NoEndpoint(text)) = objects.read(&object()).await else { panic!("there is no S3") };
        assert!(text.contains("--service-endpoint s3=URL"), "{text}");
    }
}
