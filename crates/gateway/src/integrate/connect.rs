//! Connecting to backends: names, and the addresses that an integration must not reach.
//!
//! An integration's address is written by whoever may deploy an API, and may carry what a client sent. So it never
//! reaches link-local addresses (a cloud's metadata service) or our own listeners, unless the operator allows it or
//! the name is that of a deployed API or a function URL, which leads to the data plane and nowhere else.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::address::is_of_data_plane;
use crate::settings::Settings;

/// How long a backend may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens TCP connections for a thread's client.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    guard: Arc<Guard>,
}

#[derive(Debug)]
struct Guard {
    own: Vec<SocketAddr>,
    /// The suffix of our own names.
    domain: Arc<str>,
    allow_internal: bool,
}

/// An address that cannot or must not be connected to.
#[derive(Debug)]
pub(super) enum NotAllowed {
    /// Our own listener.
    OwnListener(SocketAddr),
    /// A link-local address.
    LinkLocal(IpAddr),
    /// A name that does not resolve.
    Unresolved(String),
}

impl std::fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotAllowed::OwnListener(address) => {
                write!(f, "{address} is Frontgate's own listener; `--allow-internal-integrations` would allow it")
            }
            NotAllowed::LinkLocal(address) => {
                write!(f, "{address} is a link-local address; `--allow-internal-integrations` would allow it")
            }
            NotAllowed::Unresolved(host) => write!(f, "the name {host} does not resolve"),
        }
    }
}

impl std::error::Error for NotAllowed {}

impl Connector {
    pub(super) fn new(settings: &Settings) -> Connector {
        let own = settings.own_addresses.clone();
        let domain = Arc::clone(&settings.domain);
        Connector { guard: Arc::new(Guard { own, domain, allow_internal: settings.allow_internal }) }
    }
}

impl Guard {
    fn check(&self, address: SocketAddr, is_own_name: bool) -> Result<(), NotAllowed> {
        if self.allow_internal {
            return Ok(());
        }
        let ip = address.ip().to_canonical();
        if is_link_local(ip) {
            return Err(NotAllowed::LinkLocal(ip));
        }
        let is_own = self.own.iter().any(|own| {
            let everywhere = own.ip().is_unspecified() && (ip.is_loopback() || ip.is_unspecified());
            own.port() == address.port() && (own.ip().to_canonical() == ip || everywhere || ip.is_unspecified())
        });
        if is_own && !is_own_name { Err(NotAllowed::OwnListener(address)) } else { Ok(()) }
    }

    /// A name under which this process serves: it leads here without asking DNS.
    fn own_name(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let own = self.own.iter().find(|own| own.port() == port)?;
        let suffixes = [&*self.domain, "localhost", "localhost.localstack.cloud"];
        let local = suffixes.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|name| name.ends_with('.')));
        let ip = if own.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { own.ip() };
        (local && is_of_data_plane(host)).then_some(SocketAddr::new(ip, port))
    }
}

/// `169.254.0.0/16`, `fe80::/10` and the metadata address of EC2 in IPv6.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80 || ip.segments()[..2] == [0xfd00, 0x0ec2],
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let connecting = connect(&guard, &uri);
            let timed = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
            timed.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the backend did not accept in time")))
        })
    }
}

async fn connect(guard: &Guard, uri: &Uri) -> io::Result<TokioIo<TcpStream>> {
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let is_own_name = is_of_data_plane(host);
    let addresses: Vec<SocketAddr> = match (host.parse::<IpAddr>(), guard.own_name(host, port)) {
        (Ok(ip), _) => vec![SocketAddr::new(ip, port)],
        (_, Some(own)) => vec![own],
        // Names that end in localhost are this machine (RFC 6761), whatever the resolver says.
        _ if host == "localhost" || host.ends_with(".localhost") => {
            vec![
                SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
                SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), port),
            ]
        }
        _ => match tokio::net::lookup_host((host, port)).await {
            Ok(found) => found.collect(),
            Err(_) => return Err(io::Error::other(NotAllowed::Unresolved(host.to_owned()))),
        },
    };
    let mut last = io::Error::other(NotAllowed::Unresolved(host.to_owned()));
    for address in addresses {
        guard.check(address, is_own_name).map_err(io::Error::other)?;
        match TcpStream::connect(address).await {
            Ok(stream) => {
                drop(stream.set_nodelay(true));
                return Ok(TokioIo::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_integrations_away_from_ourselves_and_from_metadata() {
        let own = vec!["127.0.0.1:4566".parse().unwrap()];
        let guard = Guard { own, domain: "localhost".into(), allow_internal: false };
        for (address, is_own_name, allowed) in [
            ("127.0.0.1:4566", false, false),
            ("127.0.0.1:4566", true, true),
            ("[::ffff:127.0.0.1]:4566", false, false),
            ("0.0.0.0:4566", false, false),
            ("127.0.0.1:8080", false, true),
            ("169.254.169.254:80", false, false),
            ("169.254.169.254:80", true, false),
            ("[fe80::1]:80", false, false),
            ("[fd00:ec2::254]:80", false, false),
            ("10.0.0.1:80", false, true),
        ] {
            assert_eq!(guard.check(address.parse().unwrap(), is_own_name).is_ok(), allowed, "{address}");
        }
        let open = Guard { own: vec![], domain: "localhost".into(), allow_internal: true };
        assert!(open.check("169.254.169.254:80".parse().unwrap(), false).is_ok());
    }

    #[test]
    fn a_listener_on_every_address_is_ours_on_loopback_too() {
        let own = vec!["0.0.0.0:4566".parse().unwrap()];
        let guard = Guard { own, domain: "apis.example.com".into(), allow_internal: false };
        assert!(guard.check("127.0.0.1:4566".parse().unwrap(), false).is_err());
        assert_eq!(guard.own_name("abc.execute-api.localhost", 4566), Some("127.0.0.1:4566".parse().unwrap()));
        assert_eq!(guard.own_name("abc.execute-api.localhost", 80), None);
        for (host, is_own) in [
            ("abc.lambda-url.us-east-1.localhost.localstack.cloud", true),
            ("abc.lambda-url.us-east-1.apis.example.com", true),
            ("abc.execute-api.us-east-1.amazonaws.com", false),
            ("abc.lambda-url.us-east-1.notlocalhost", false),
            ("localhost", false),
        ] {
            assert_eq!(guard.own_name(host, 4566).is_some(), is_own, "{host}");
        }
    }
}
