//! A client of API Gateway's control plane for our own commands: rest-json over HTTP or HTTPS, signed.
//!
//! It speaks what any SDK speaks, so a command works against every Frontgate that it can reach, and against nothing
//! that an API caller could not do.

use std::time::Duration;

use base::clock::Clock;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::causes::with_causes;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read: 10 MB.
const MAXIMUM_ANSWER: usize = 10 << 20;

/// Where the control plane is and who calls it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Target {
    /// Address of the server
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:4566")]
    endpoint_url: String,

    /// Region of the API
    #[arg(long, value_name = "REGION", env = "AWS_DEFAULT_REGION", default_value = "us-east-1")]
    region: String,

    /// Access key id; a server with `--auth off` takes any
    #[arg(long, value_name = "ID", env = "AWS_ACCESS_KEY_ID", default_value = "test", hide_env_values = true)]
    access_key_id: String,

    #[arg(skip = secret("AWS_SECRET_ACCESS_KEY"))]
    secret_access_key: Option<String>,

    #[arg(skip = secret("AWS_SESSION_TOKEN"))]
    session_token: Option<String>,
}

/// Secrets come from the environment only: a command line can be read by every user of a machine.
fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The server refused the call.
    #[error("{code}: {message}")]
    Refused {
        /// `NotFoundException`.
        code: String,
        /// What the server says about it.
        message: String,
    },
    /// No answer came.
    #[error("{0}")]
    Unreachable(String),
}

/// The client.
pub(super) struct ApiClient {
    target: Target,
    base: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl ApiClient {
    /// Makes a client; nothing is sent yet.
    pub(super) fn new(target: Target) -> Result<ApiClient, CallError> {
        let unusable =
            |reason: &str| CallError::Unreachable(format!("`--endpoint-url {}`: {reason}", target.endpoint_url));
        let base: Uri = target.endpoint_url.parse().map_err(|_| unusable("that is not a URL"))?;
        if !matches!(base.scheme_str(), Some("http" | "https")) || base.host().is_none() {
            return Err(unusable("it must begin with http:// or https:// and name a host"));
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(|error| unusable(&format!("TLS is not usable here: {error}")))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(ApiClient { target, base, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Makes one call; `path` is escaped already. An empty answer is `null`.
    pub(super) async fn call(&self, method: Method, path: &str, input: Option<Value>) -> Result<Value, CallError> {
        let request = self.request(method, path, input)?;
        let call = async {
            let unreachable = |reason: String| {
                CallError::Unreachable(format!("no answer from {}: {reason}", self.target.endpoint_url))
            };
            let response = self.client.request(request).await.map_err(|error| unreachable(with_causes(&error)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAXIMUM_ANSWER).collect().await;
            let body = body.map_err(|error| unreachable(error.to_string()))?.to_bytes();
            Ok((head, body))
        };
        let answered = tokio::time::timeout(TIMEOUT, call).await;
        let (head, body) = answered.unwrap_or_else(|_| {
            Err(CallError::Unreachable(format!("no answer from {} within 30 s", self.target.endpoint_url)))
        })?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if head.status.is_success() {
            return Ok(answer);
        }
        let code = head.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        let code = code.and_then(|code| code.split(':').next()).unwrap_or(head.status.as_str()).to_owned();
        let message = answer["message"].as_str().or(answer["Message"].as_str()).unwrap_or("no reason given").to_owned();
        Err(CallError::Refused { code, message })
    }

    fn request(&self, method: Method, path: &str, input: Option<Value>) -> Result<Request<Full<Bytes>>, CallError> {
        let unsendable = |error: http::Error| CallError::Unreachable(format!("{path} cannot be asked for: {error}"));
        let body = input.map_or_else(String::new, |input| input.to_string());
        let authority = self.base.authority().map_or("", |authority| authority.as_str());
        let scheme = self.base.scheme_str().unwrap_or("http");
        let uri =
            Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().map_err(unsendable)?;
        let credentials = sigv4::Credentials {
            access_key_id: &self.target.access_key_id,
            secret_access_key: self.target.secret_access_key.as_deref().unwrap_or("test"),
            session_token: self.target.session_token.as_deref(),
        };
        let signed = sigv4::sign(
            &credentials,
            (&self.target.region, "apigateway"),
            Clock::System.now(),
            (method.as_str(), uri.path(), uri.query().unwrap_or("")),
            &[("host", authority)],
            &sigv4::payload_hash(body.as_bytes()),
        );
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(HOST, authority)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header("x-amz-date", signed.date)
            .header(AUTHORIZATION, signed.authorization);
        if let Some(token) = signed.session_token {
            request =
                request.header("x-amz-security-token", HeaderValue::try_from(token).map_err(|e| unsendable(e.into()))?);
        }
        request.body(Full::new(body.into())).map_err(unsendable)
    }
}
