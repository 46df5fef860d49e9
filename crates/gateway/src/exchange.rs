//! What is known about one request from its arrival on: the facts that every phase may read.

use std::sync::Arc;
use std::time::Instant;

use base::clock::Moment;
use http::request::Parts;
use plan::{StagePlan, TestCaller};

use crate::address;
use crate::listener::Connection;
use crate::log::access::Noted;
use crate::log::execution::ExecutionLog;
use crate::random::RequestIds;

/// One request to a deployed stage.
#[derive(Debug)]
pub struct Exchange {
    /// The request's ids.
    pub ids: RequestIds,
    /// When it arrived, on the monotonic clock.
    pub started: Instant,
    /// When it arrived, on the wall clock.
    pub received: Moment,
    /// The client's connection.
    pub connection: Arc<Connection>,
    /// Method, address and headers as they were sent.
    pub head: Parts,
    /// The stage that serves it, from its start to its end.
    pub plan: Arc<StagePlan>,
    /// Where in the path the resource's path begins.
    pub resource_at: usize,
    /// Where in the path `$context.path` begins; `None` puts the stage before the resource's path, for the addresses
    /// that carry the stage elsewhere.
    pub context_path_at: Option<usize>,
    /// The suffix that our own addresses have, for requests whose host does not name the API.
    pub domain: Arc<str>,
    /// What the phases report to, for a request that keeps a log of its execution.
    pub execution_log: Option<Box<ExecutionLog>>,
    /// What the stage's access log will say of the backend, for a stage that keeps one.
    pub noted: Option<Box<Noted>>,
    /// Who tries a method; `None` for the requests of clients.
    pub tested: Option<Box<TestCaller>>,
}

impl Exchange {
    /// The resource's path as it was sent: with one leading slash, trailing slash kept. `event.path`.
    pub fn path(&self) -> &str {
        let path = &self.head.uri.path()[self.resource_at..];
        let doubled = path.len() - path.trim_start_matches('/').len();
        if doubled == 0 { "/" } else { &path[doubled - 1..] }
    }

    /// The path with its stage, as sent: `$context.path`.
    pub fn context_path(&self) -> String {
        let path = self.head.uri.path();
        match self.context_path_at {
            Some(at) => path[at..].to_owned(),
            None => format!("/{}{}", self.plan.stage, &path[self.resource_at..]),
        }
    }

    /// The query as it was sent, without its question mark.
    pub fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }

    /// The client's address, as text.
    pub fn source_ip(&self) -> &str {
        &self.connection.ip
    }

    /// `HTTP/1.1`, `HTTP/2.0`, ...: `$context.protocol`.
    pub fn protocol(&self) -> &'static str {
        match self.head.version {
            http::Version::HTTP_10 => "HTTP/1.0",
            http::Version::HTTP_2 => "HTTP/2.0",
            _ => "HTTP/1.1",
        }
    }

    /// The host that the client asked for, port included; empty if it named none.
    pub fn host(&self) -> &str {
        address::host(&self.head)
    }

    /// The host without its port: `$context.domainName`. Requests by path get the API's own name.
    pub fn domain_name(&self) -> String {
        if self.tested.is_some() {
            return "testPrefix.testDomainName".to_owned();
        }
        let host = self.host();
        if address::api_of_host(host).is_some() {
            return host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
        }
        format!("{}.execute-api.{}", self.plan.api.id, self.domain)
    }

    /// The first value of a header as text, where it is text.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// `12/Jun/2023:18:05:10 +0000`: `$context.requestTime`.
    pub fn request_time(&self) -> String {
        let moment = jiff::Timestamp::from_millisecond(self.received.0 as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        moment.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }
}
