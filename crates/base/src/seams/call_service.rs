//! The seam to the AWS services that are not ours: a subsystem says what is to be called, and somebody signs it and sends
//! it to where the operator says (`--service-endpoint`).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use super::SendFuture;

/// One call of a service, before it has an address and a signature.
#[derive(Clone, Debug)]
pub struct ServiceCall {
    /// The service's name, as [`canonical_name`](crate::services::canonical_name) has it: `sqs`.
    pub service: &'static str,
    /// On whose behalf it is made.
    pub account: Arc<str>,
    /// Where what is called lives.
    pub region: Arc<str>,
    /// The verb.
    pub method: Method,
    /// Path and query, as they are sent.
    pub path: String,
    /// The headers beyond those of the connection and of the signature; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// What a service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// The status.
    pub status: u16,
    /// The body, whole.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceSilence {
    /// Nobody said where the service is.
    NoEndpoint,
    /// It cannot be reached, or did not answer in time; for the operator's log.
    Unreachable(String),
}

/// Calls services.
pub trait CallService: fmt::Debug + Send + Sync {
    /// Signs and sends a call once, and reads the answer whole. The future may be long: services may be slow.
    fn call(&self, call: ServiceCall) -> SendFuture<'_, Result<ServiceAnswer, ServiceSilence>>;
}
