//! A caller of the Lambda API, through the wire.

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use wire::{ControlPlane, Settings};

use super::lab::{Lab, runtime, zip};

/// See the module.
pub(super) struct Client {
    plane: ControlPlane,
    access_key_id: &'static str,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The code and the text of an error.
    pub(super) fn error(&self) -> (u16, String, String) {
        let body = self.json();
        let text = body.get("message").or(body.get("Message")).and_then(Value::as_str).unwrap_or_default();
        let code = self.headers.get("x-amzn-errortype").unwrap_or_else(|| panic!("{self:?}")).to_str().unwrap();
        (self.status, code.to_owned(), text.to_owned())
    }
}

impl Client {
    pub(super) fn of(lab: &Lab) -> Client {
        let plane = ControlPlane::new([lab.functions.service().into()], Settings::default());
        Client { plane, access_key_id: "AKIAIOSFODNN7EXAMPLE" }
    }

    /// The same for another account.
    pub(super) fn of_account(self, account: &'static str) -> Client {
        Client { access_key_id: account, ..self }
    }

    /// Sends a request to a path below `/2015-03-31/functions`.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.send(method, path, &[], body).await
    }

    /// As [`ask`](Client::ask), at any path.
    pub(super) async fn ask_at(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.call(method, path, &[], body).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        self.call(method, &format!("/2015-03-31/functions{path}"), headers, body).await
    }

    /// Sends a request to a whole path.
    pub(super) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        let scope = format!("{}/20231114/us-east-1/lambda/aws4_request", self.access_key_id);
        let signature = "0".repeat(64);
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:4566").header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={signature}"),
        );
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        let answer = self.plane.handle(request.body(()).unwrap().into_parts().0, body, peer).await;
        let (parts, body) = answer.into_parts();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await }
    }

    /// Creates a Python function.
    pub(super) async fn create(&self, name: &str, code: &str) -> Reply {
        self.ask("POST", "", create(name, code)).await
    }
}

/// The request that creates a Python function.
pub(super) fn create(name: &str, code: &str) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": runtime("python"),
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Code": { "ZipFile": package(code) },
    })
}

/// A zip with an `index.py`, in base64.
pub(super) fn package(code: &str) -> String {
    STANDARD.encode(zip(&[("index.py", code)]))
}
