//! The control plane's front: HTTP in, HTTP out.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::Mounted;

/// What an operator can set about the control plane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names, beyond loopback names and addresses, under which the control plane may be called, without ports.
    pub hosts: Vec<String>,
    /// Origins (`https://console.example.com`) beyond the own host from which pages may call the control plane.
    pub origins: Vec<String>,
    /// The account of callers whose access key id is not a 12-digit account number.
    pub default_account: String,
    /// The region of requests without a credential scope.
    pub default_region: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hosts: Vec::new(),
            origins: Vec::new(),
            default_account: "000000000000".into(),
            default_region: "us-east-1".into(),
        }
    }
}

/// Every mounted service behind one entrance.
pub struct ControlPlane {
    services: Vec<Mounted>,
    settings: Settings,
}

impl ControlPlane {
    /// Mounts the services: `ControlPlane::new([apis.into(), functions.into()], settings)`.
    pub fn new(services: impl IntoIterator<Item = Mounted>, settings: Settings) -> ControlPlane {
        ControlPlane { services: services.into_iter().collect(), settings }
    }

    /// Answers one request, whose body has been read whole by the caller (bounded by [`ControlPlane::MAXIMUM_BODY`]).
    pub async fn handle(&self, request: Parts, body: Bytes, peer: SocketAddr) -> Response<Bytes> {
        let _ = (&self.services, &self.settings, request, body, peer);
        Response::new(Bytes::new())
    }

    /// The most bytes that any request may have: AWS's bound on CreateFunction. The caller reads no further than one
    /// byte beyond it; `handle` refuses what is over the bound of its service.
    pub const MAXIMUM_BODY: usize = 70_167_211;
}
