//! Who calls, where, and under which id.

use std::net::IpAddr;
use std::sync::Arc;

use base::seams::RoleSession;

/// Who calls, where, and under which id; built from the request before the handler runs.
#[derive(Clone, Debug)]
pub struct Call {
    /// The account: that of the session, a 12-digit access key id, else the default account.
    pub account: Arc<str>,
    /// The region of the credential scope, else the default region.
    pub region: Arc<str>,
    /// The access key id of the signature. It is not verified where authentication is off.
    pub access_key_id: Option<String>,
    /// The session whose temporary credentials these are, where they are ours.
    pub session: Option<RoleSession>,
    /// The id that the answer carries, a UUID.
    pub request_id: String,
    /// The peer's address.
    pub source_ip: IpAddr,
    /// The service as we name it (`apigateway`).
    pub service: &'static str,
    /// The operation (`CreateRestApi`).
    pub operation: &'static str,
    /// The `Host` of the request with its port, as the client sent it; empty when it sent none.
    pub host: String,
    /// The `User-Agent` of the request; empty when it sent none.
    pub user_agent: String,
    /// The trace that the request belongs to (`X-Amzn-Trace-Id`), which SDKs inside functions pass on; at most 1,024 bytes.
    pub trace_id: Option<String>,
}

impl Call {
    /// Account and region, the scope of almost every row.
    pub fn scope(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.account), Arc::clone(&self.region))
    }
}
