//! Calls of services that are not mounted: the seam through which they leave.

use base::seams::SendFuture;
use bytes::Bytes;
use http::Response;
use http::request::Parts;

/// Passes calls on to services that somebody else runs.
pub trait Forward: Send + Sync {
    /// Sends the call to the service, as it came, and returns what the service answers; `None` when nobody said where
    /// the service is. The call has passed the guard.
    fn forward(&self, service: &str, request: Parts, body: Bytes) -> Option<Forwarding>;
}

/// A call on its way.
pub type Forwarding = SendFuture<'static, Result<Response<Bytes>, ForwardError>>;

/// Why a call did not get its answer, in words for the caller, who is the operator or works beside him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardError(pub String);

/// For programs that forward nothing.
impl Forward for () {
    fn forward(&self, _: &str, _: Parts, _: Bytes) -> Option<Forwarding> {
        None
    }
}
