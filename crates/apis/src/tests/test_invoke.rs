//! TestInvokeMethod: what it refuses, and what it hands to the data plane.

use std::sync::Mutex;
use std::time::Duration;

use base::seams::SendFuture;
use plan::{TestAnswer, TestCaller, TestInvoke, TestRefusal, TestRequest};
use serde_json::{Value, json};

use super::harness::Node;

/// A data plane that keeps what it was asked and answers with two headers of one name.
#[derive(Default)]
pub(super) struct Tester(pub(super) Mutex<Option<TestRequest>>);

impl TestInvoke for Tester {
    fn test_invoke(&self, request: TestRequest) -> SendFuture<'static, Result<TestAnswer, TestRefusal>> {
        let unfit = request.verb.contains(' ');
        *self.0.lock().unwrap() = Some(request);
        Box::pin(async move {
            if unfit {
                return Err(TestRefusal::BadRequest("unfit".into()));
            }
            Ok(TestAnswer {
                status: 201,
                headers: [("A", "1"), ("A", "2"), ("B", "3")].map(|(name, value)| (name.into(), value.into())).into(),
                body: "body".into(),
                log: "log\n".into(),
                latency: Duration::from_micros(7_900),
            })
        })
    }
}

/// An API with the resources `/` (ANY) and `/pets/{id}` (GET without an integration); its id and theirs.
async fn make(node: &Node) -> (String, String, String) {
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "ANY").await;
    let path = format!("/restapis/{api}/resources");
    let pets = node.post(&format!("{path}/{root}"), json!({"pathPart": "pets"})).await.expect(201).text("id");
    let pet = node.post(&format!("{path}/{pets}"), json!({"pathPart": "{id}"})).await.expect(201).text("id");
    node.put(&format!("{path}/{pet}/methods/GET"), json!({"authorizationType": "AWS_IAM"})).await.expect(201);
    (api, root, pet)
}

#[tokio::test]
async fn refuses_what_the_service_refuses() {
    let node = Node::start().await;
    let (api, root, pet) = make(&node).await;
    for (api, resource, verb, input, status, message) in [
        ("x", root.as_str(), "GET", json!({}), 404, "Invalid Resource identifier specified"),
        (&api, "x", "GET", json!({}), 404, "Invalid Resource identifier specified"),
        (&api, &pet, "HEAD", json!({}), 404, "Invalid Method identifier specified"),
        (&api, &root, "TRACE", json!({}), 404, "Invalid Method identifier specified"),
        (&api, &pet, "GET", json!({}), 400, "No integration defined for method"),
        (
            &api,
            &root,
            "GET",
            json!({"clientCertificateId": "abc"}),
            400,
            "clientCertificateId is not supported by this version of Frontgate",
        ),
    ] {
        let path = format!("/restapis/{api}/resources/{resource}/methods/{verb}");
        let reply = node.post(&path, input).await.expect(status);
        assert_eq!(reply.text("message"), message, "{path}");
    }
    let path = format!("/restapis/{api}/resources/{root}/methods/GET");
    node.post(&path, json!({"stageVariables": {"a b": "c"}})).await.expect(400);
    assert!(node.tester.0.lock().unwrap().is_none(), "nothing of this reaches the data plane");
}

#[tokio::test]
async fn hands_over_the_api_as_it_is_now() {
    let node = Node::start().await;
    let (api, root, _) = make(&node).await;
    let input = json!({
        "pathWithQueryString": "/?a=b", "body": "text", "stageVariables": {"colour": "red"},
        "headers": {"a": "1", "c": "3"}, "multiValueHeaders": {"A": ["1", "2"]},
    });
    let path = format!("/restapis/{api}/resources/{root}/methods/GET");
    let reply = node.post(&path, input).await.expect(200);
    assert_eq!(
        reply.body,
        json!({
            "status": 201, "body": "body", "log": "log\n", "latency": 7,
            "headers": {"A": "2", "B": "3"}, "multiValueHeaders": {"A": ["1", "2"], "B": ["3"]},
        })
    );
    let asked = node.tester.0.lock().unwrap().take().unwrap();
    assert_eq!((asked.resource_path.as_ref(), asked.verb.as_ref()), ("/", "GET"));
    assert_eq!((asked.target.as_deref(), asked.body.as_str()), (Some("/?a=b"), "text"));
    let headers: Vec<_> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("A", "1"), ("A", "2"), ("c", "3")]);
    let caller = TestCaller { access_key_id: Some("000000000000".into()), user_agent: "test/1".into() };
    assert_eq!(asked.caller, caller);
    assert_eq!((asked.plan.stage.as_ref(), asked.plan.variables["colour"].as_ref()), ("test-invoke-stage", "red"));
    assert!(asked.plan.router.exact("/").is_some_and(|root| root.any.is_some()));
    // Nothing of it is deployed, and what is asked once more is asked without what was given before.
    assert!(matches!(node.index.stage(&api, "test-invoke-stage"), plan::Lookup::Unknown));
    node.post(&path, Value::Null).await.expect(200);
    let asked = node.tester.0.lock().unwrap().take().unwrap();
    assert!(asked.target.is_none() && asked.body.is_empty() && asked.headers.is_empty());
    assert!(asked.plan.variables.is_empty());
}
