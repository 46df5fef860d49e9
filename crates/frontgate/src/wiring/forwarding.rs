//! Forwards calls of AWS services that are not ours to where the operator says (`--service-endpoint`).
//!
//! A call goes on as it came: method, path, query, headers, `Host` among them, and body. So the signature stays the
//! client's, and whoever verifies it there can. Bodies are held whole, both ways, and are bounded.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::service_endpoints::{ServiceEndpoint, ServiceEndpoints};
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, VIA,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use wire::forward::{Forward, ForwardError, Forwarding};

use crate::causes::with_causes;

/// How long a service may take over a whole answer. The longest calls of AWS (a synchronous execution) take 5 minutes.
const LONGEST_CALL: Duration = Duration::from_secs(330);

/// How long a service may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is passed on, as large as the largest request.
const LARGEST_ANSWER: usize = wire::ControlPlane::MAXIMUM_BODY;

/// How we sign the calls that we pass on, so that one that comes round is known.
const OURSELVES: &str = "frontgate";

/// Headers that are about one connection only (RFC 9110, 7.6.1).
const OF_A_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("te"),
    HeaderName::from_static("trailer"),
    HeaderName::from_static("upgrade"),
];

type Plain = Client<HttpConnector, Full<Bytes>>;
type Secure = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends calls on.
pub(crate) struct Forwarder {
    endpoints: Arc<ServiceEndpoints>,
    clients: Arc<Clients>,
}

/// Sends requests and reads the answers whole.
pub(super) struct Clients {
    plain: Plain,
    /// Made for the first `https` endpoint that is called, for reading the system's roots takes milliseconds.
    secure: OnceLock<Secure>,
}

/// Why there is no answer.
pub(super) enum SendError {
    /// It is longer than it may be.
    TooLarge,
    /// For the operator.
    Failed(String),
}

impl Forwarder {
    pub(crate) fn new(endpoints: Arc<ServiceEndpoints>) -> Forwarder {
        Forwarder { endpoints, clients: Arc::new(Clients::new()) }
    }
}

impl Forward for Forwarder {
    fn forward(&self, service: &str, request: Parts, body: Bytes) -> Option<Forwarding> {
        let endpoint = self.endpoints.get(service)?.clone();
        let clients = Arc::clone(&self.clients);
        Some(Box::pin(async move {
            let called = tokio::time::timeout(LONGEST_CALL, call(&clients, &endpoint, request, body)).await;
            let answered = called.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
            answered.map_err(|reason| {
                let ServiceEndpoint { service, .. } = &endpoint;
                let url = endpoint.url();
                ForwardError(format!("{service} cannot be reached at {url} (`--service-endpoint`): {reason}"))
            })
        }))
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

fn client() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(4)).pool_max_idle_per_host(16);
    builder
}

impl Clients {
    pub(super) fn new() -> Clients {
        Clients { plain: client().build(connector()), secure: OnceLock::new() }
    }

    /// Sends a request whose address is the endpoint's.
    pub(super) async fn send(
        &self,
        endpoint: &ServiceEndpoint,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, String> {
        self.send_within(endpoint, request, LARGEST_ANSWER).await.map_err(|error| match error {
            SendError::TooLarge => format!("its answer has more than {LARGEST_ANSWER} bytes"),
            SendError::Failed(reason) => reason,
        })
    }

    /// As [`send`](Clients::send), for an answer of at most `largest` bytes.
    pub(super) async fn send_within(
        &self,
        endpoint: &ServiceEndpoint,
        request: Request<Full<Bytes>>,
        largest: usize,
    ) -> Result<Response<Bytes>, SendError> {
        let sent = match endpoint.scheme {
            "https" => self.secure().map_err(SendError::Failed)?.request(request),
            _ => self.plain.request(request),
        };
        let answer = sent.await.map_err(|error| SendError::Failed(with_causes(&error)))?;
        let (head, incoming) = answer.into_parts();
        let body =
            Limited::new(incoming, largest).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
                true => SendError::TooLarge,
                false => SendError::Failed(with_causes(error.as_ref())),
            })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn secure(&self) -> Result<&Secure, String> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(|error| format!("TLS is not usable: {error}"))?
            .https_only()
            .enable_http1()
            .wrap_connector(connector());
        Ok(self.secure.get_or_init(|| client().build(https)))
    }
}

async fn call(
    clients: &Clients,
    endpoint: &ServiceEndpoint,
    request: Parts,
    body: Bytes,
) -> Result<Response<Bytes>, String> {
    let is_head = request.method == Method::HEAD;
    let request = outgoing(endpoint, request, body)?;
    let (head, body) = clients.send(endpoint, request).await?.into_parts();
    let mut headers = head.headers;
    remove_of_connection(&mut headers);
    // Answers without a body keep the length that they say the body has.
    if !is_head && head.status != StatusCode::NOT_MODIFIED {
        headers.remove(CONTENT_LENGTH);
    }
    let mut answer = Response::new(body);
    (*answer.status_mut(), *answer.headers_mut()) = (head.status, headers);
    Ok(answer)
}

/// The request as it goes to the endpoint.
fn outgoing(endpoint: &ServiceEndpoint, request: Parts, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
    let mut headers = request.headers;
    let is_round = headers.get_all(VIA).iter().any(|via| via.to_str().is_ok_and(|via| via.ends_with(OURSELVES)));
    if is_round {
        return Err("the address leads back to Frontgate itself".into());
    }
    remove_of_connection(&mut headers);
    // The body is here, whole, and is sent at once.
    headers.remove(EXPECT);
    headers.remove(CONTENT_LENGTH);
    // What HTTP/2 says in its address, HTTP/1.1 says in a header.
    if let Some(authority) = request.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(HOST, host);
    }
    headers.append(VIA, HeaderValue::from_static("1.1 frontgate"));
    let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri =
        format!("{}{path}", endpoint.url()).parse().map_err(|error| format!("it has no such address: {error}"))?;
    let mut outgoing = Request::new(Full::new(body));
    (*outgoing.method_mut(), *outgoing.uri_mut(), *outgoing.headers_mut()) = (request.method, uri, headers);
    Ok(outgoing)
}

fn remove_of_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named.iter().chain(&OF_A_CONNECTION) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> ServiceEndpoint {
        ServiceEndpoint::parse("s3=http://127.0.0.1:9000").expect("the text is right")
    }

    fn parts(request: http::request::Builder) -> Parts {
        request.body(()).expect("the request is right").into_parts().0
    }

    #[test]
    fn a_call_goes_on_as_it_came() {
        let request = Request::put("/bucket/a%20b//c?x=1&acl")
            .header("host", "bucket.s3.localhost:4566")
            .header("authorization", "AWS4-HMAC-SHA256 ...")
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("expect", "100-continue")
            .header("content-encoding", "aws-chunked");
        let outgoing = outgoing(&endpoint(), parts(request), Bytes::from_static(b"body")).expect("it can be sent");
        assert_eq!(outgoing.uri(), "http://127.0.0.1:9000/bucket/a%20b//c?x=1&acl");
        let names: Vec<&str> = outgoing.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["host", "authorization", "content-encoding", "via"]);
        assert_eq!(outgoing.headers()["host"], "bucket.s3.localhost:4566");
    }

    #[test]
    fn a_call_that_comes_round_goes_no_further() {
        let request = Request::get("/").header("via", "1.1 proxy").header("via", "1.1 frontgate");
        let error = outgoing(&endpoint(), parts(request), Bytes::new()).expect_err("it is a circle");
        assert_eq!(error, "the address leads back to Frontgate itself");
    }

    #[test]
    fn http2_names_its_host_in_the_address() {
        let request = Request::get("http://bucket.s3.localhost:4566/key").version(http::Version::HTTP_2);
        let outgoing = outgoing(&endpoint(), parts(request), Bytes::new()).expect("it can be sent");
        assert_eq!(outgoing.headers()["host"], "bucket.s3.localhost:4566");
        assert_eq!(outgoing.uri(), "http://127.0.0.1:9000/key");
    }
}
