//! One node's control plane in a directory of its own, called as clients call it.

use std::net::SocketAddr;
use std::sync::Arc;

use base::clock::{Clock, Moment};
use base::limits::AccountLimits;
use bytes::Bytes;
use http::Request;
use plan::PlanIndex;
use serde_json::Value;
use store::{DataDir, SharedStore};
use tempfile::TempDir;
use wire::ControlPlane;

use super::test_invoke::Tester;
use crate::{Apis, Settings};

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// `x-amzn-ErrorType`, up to a colon.
    pub(super) error: Option<String>,
    /// Null when the body is empty.
    pub(super) body: Value,
}

impl Reply {
    /// The member of that name as text.
    pub(super) fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("no {member} in {self:?}")).to_owned()
    }

    pub(super) fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

pub(super) struct Node {
    pub(super) apis: Arc<Apis>,
    pub(super) index: Arc<PlanIndex>,
    pub(super) clock: Clock,
    /// What test invocations reach.
    pub(super) tester: Arc<Tester>,
    front: ControlPlane,
    directory: Arc<TempDir>,
}

impl Node {
    pub(super) async fn start() -> Node {
        Node::with_limits(AccountLimits::LIFTED).await
    }

    pub(super) async fn with_limits(limits: AccountLimits) -> Node {
        Node::open(TempDir::new().unwrap(), limits).await
    }

    /// Stops the node and starts another one on its data.
    pub(super) async fn restart(self) -> Node {
        let Node { apis, index, front, directory, .. } = self;
        drop((apis, index, front));
        let directory = Arc::into_inner(directory).expect("no other node is on the directory");
        Node::open(directory, AccountLimits::LIFTED).await
    }

    /// A second node on the same store, as in a cluster.
    pub(super) async fn beside(&self) -> Node {
        Node::on(Arc::clone(&self.directory), self.apis.store.clone(), AccountLimits::LIFTED).await
    }

    async fn open(directory: TempDir, limits: AccountLimits) -> Node {
        let data = DataDir::open(directory.path()).unwrap();
        Node::on(Arc::new(directory), data.store(), limits).await
    }

    async fn on(directory: Arc<TempDir>, store: SharedStore, limits: AccountLimits) -> Node {
        let index = Arc::new(PlanIndex::new(limits));
        let clock = Clock::fake(Moment(1_700_000_000_000));
        let settings = Settings { limits, clock: clock.clone() };
        let apis = Apis::open(store, Arc::clone(&index), settings).await.unwrap();
        let tester = Arc::new(Tester::default());
        apis.test_on(Arc::clone(&tester) as Arc<dyn plan::TestInvoke>);
        let front = ControlPlane::new([apis.service().into()], wire::Settings::default());
        Node { apis, index, clock, tester, front, directory }
    }

    /// Sends a request as the AWS CLI does; a null body is none.
    pub(super) async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.send_bytes(method, path, body).await
    }

    pub(super) async fn send_bytes(&self, method: &str, path: &str, body: Bytes) -> Reply {
        self.call("000000000000", method, path, body).await
    }

    /// Sends a request without a body in the name of another account.
    pub(super) async fn send_as(&self, account: &str, method: &str, path: &str) -> Reply {
        self.call(account, method, path, Bytes::new()).await
    }

    async fn call(&self, account: &str, method: &str, path: &str, body: Bytes) -> Reply {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={account}/20231114/us-east-1/apigateway/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={:064}",
            0
        );
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:4566")
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("user-agent", "test/1")
            .header("x-amz-date", "20231114T221320Z")
            .header("authorization", authorization);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let (head, body) = self.front.handle(parts, body, peer).await.into_parts();
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let error = header("x-amzn-errortype").map(|kind| kind.split(':').next().unwrap_or_default().to_owned());
        let body = body.collect().await;
        let body = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body).unwrap(),
        };
        Reply { status: head.status.as_u16(), error, body }
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, &body).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, &body).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &Value::Null).await
    }

    pub(super) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &Value::Null).await
    }

    /// Makes an API; its id and its root resource's.
    pub(super) async fn make_api(&self) -> (String, String) {
        let api = self.post("/restapis", serde_json::json!({"name": "pets"})).await.expect(201);
        (api.text("id"), api.text("rootResourceId"))
    }

    /// Gives a resource a method with a MOCK integration.
    pub(super) async fn make_mock(&self, api: &str, resource: &str, verb: &str) {
        let path = format!("/restapis/{api}/resources/{resource}/methods/{verb}");
        self.put(&path, serde_json::json!({"authorizationType": "NONE"})).await.expect(201);
        let integration = serde_json::json!({
            "type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
        });
        self.put(&format!("{path}/integration"), integration).await.expect(201);
    }

    /// Deploys to a stage; the deployment's id.
    pub(super) async fn deploy(&self, api: &str, stage: &str) -> String {
        self.clock.advance(1_000);
        let body = serde_json::json!({"stageName": stage});
        self.post(&format!("/restapis/{api}/deployments"), body).await.expect(201).text("id")
    }
}
