//! What is served when: deployments, roll back, live edits, restarts, deletion.

use plan::{CompileStage, Lookup, StagePlan};
use serde_json::json;
use std::sync::Arc;

use super::harness::Node;
use base::limits::AccountLimits;

fn served(node: &Node, api: &str, stage: &str) -> Arc<StagePlan> {
    match node.index.stage(api, stage) {
        Lookup::Ready(plan) => plan,
        other => panic!("{other:?}"),
    }
}

fn paths(plan: &StagePlan, candidates: &[&'static str]) -> Vec<&'static str> {
    let has = |path: &&&str| plan.router.find(path, &mut plan::Captures::new(), |_| true).is_some();
    candidates.iter().filter(has).copied().collect()
}

#[tokio::test]
async fn an_edit_is_served_after_a_deployment_and_an_old_deployment_can_be_put_back() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    let first = node.deploy(&api, "dev").await;
    assert_eq!(paths(&served(&node, &api, "dev"), &["/", "/new"]), ["/"]);

    let resource =
        node.post(&format!("/restapis/{api}/resources/{root}"), json!({"pathPart": "new"})).await.expect(201);
    node.make_mock(&api, &resource.text("id"), "GET").await;
    assert_eq!(paths(&served(&node, &api, "dev"), &["/", "/new"]), ["/"]);
    let second = node.deploy(&api, "dev").await;
    assert_eq!(paths(&served(&node, &api, "dev"), &["/", "/new"]), ["/", "/new"]);
    assert_eq!(&*served(&node, &api, "dev").deployment_id, second);

    // The resource goes from the live API, and stays in what is served.
    node.delete(&format!("/restapis/{api}/resources/{}", resource.text("id"))).await.expect(202);
    let stage = format!("/restapis/{api}/stages/dev");
    let to = |id: &str| json!({"patchOperations": [{"op": "replace", "path": "/deploymentId", "value": id}]});
    node.send("PATCH", &stage, &to(&first)).await.expect(200);
    assert_eq!(paths(&served(&node, &api, "dev"), &["/", "/new"]), ["/"]);
    node.send("PATCH", &stage, &to(&second)).await.expect(200);
    assert_eq!(paths(&served(&node, &api, "dev"), &["/", "/new"]), ["/", "/new"]);
}

#[tokio::test]
async fn a_restart_serves_the_same_plans_on_first_use() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    let deployment = node.deploy(&api, "dev").await;
    node.delete(&format!("/restapis/{api}/resources/{root}/methods/GET")).await.expect(204);

    let node = node.restart().await;
    assert!(matches!(node.index.stage(&api, "dev"), Lookup::Pending));
    assert!(matches!(node.index.stage(&api, "prod"), Lookup::Unknown));
    let plan = node.apis.compile_stage(&api, "dev").await.unwrap().unwrap();
    assert_eq!((&*plan.deployment_id, paths(&plan, &["/"])), (deployment.as_str(), vec!["/"]));
    assert!(Arc::ptr_eq(&plan, &served(&node, &api, "dev")));
    assert!(node.apis.compile_stage(&api, "prod").await.unwrap().is_none());
}

#[tokio::test]
async fn variables_change_what_is_served_at_once() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    node.deploy(&api, "dev").await;
    let patch = json!({"patchOperations": [{"op": "replace", "path": "/variables/alias", "value": "dev"}]});
    node.send("PATCH", &format!("/restapis/{api}/stages/dev"), &patch).await.expect(200);
    assert_eq!(served(&node, &api, "dev").variables.get("alias").map(AsRef::as_ref), Some("dev"));
}

#[tokio::test]
async fn what_is_deleted_is_no_longer_served() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    node.deploy(&api, "dev").await;
    node.deploy(&api, "prod").await;
    node.delete(&format!("/restapis/{api}/stages/dev")).await.expect(202);
    assert!(matches!(node.index.stage(&api, "dev"), Lookup::Unknown));
    node.delete(&format!("/restapis/{api}")).await.expect(202);
    assert!(!node.index.has_api(&api));
    let node = node.restart().await;
    assert!(!node.index.has_api(&api));
}

#[tokio::test]
async fn quotas_hold() {
    let limits = AccountLimits { resources_per_api: 2, stages_per_api: 1, apis: 1, ..AccountLimits::AWS };
    let node = Node::with_limits(limits).await;
    let (api, root) = node.make_api().await;
    let refused = node.post("/restapis", json!({"name": "more"})).await.expect(429);
    assert_eq!(refused.error.as_deref(), Some("LimitExceededException"));

    let resources = format!("/restapis/{api}/resources/{root}");
    let a = node.post(&resources, json!({"pathPart": "a"})).await.expect(201).text("id");
    node.post(&resources, json!({"pathPart": "b"})).await.expect(201);
    let refused = node.post(&resources, json!({"pathPart": "c"})).await.expect(429);
    assert_eq!(
        refused.text("message"),
        "Maximum number of Resources for this API has been reached.  Please contact AWS if you need additional Resources."
    );
    node.delete(&format!("/restapis/{api}/resources/{a}")).await.expect(202);
    node.post(&resources, json!({"pathPart": "c"})).await.expect(201);

    node.make_mock(&api, &root, "GET").await;
    let deployment = node.deploy(&api, "dev").await;
    let body = json!({"stageName": "prod", "deploymentId": deployment});
    node.post(&format!("/restapis/{api}/stages"), body).await.expect(429);
    node.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod"})).await.expect(429);
    // A stage that is there can still be moved.
    node.deploy(&api, "dev").await;
}

#[tokio::test]
async fn apis_are_listed_as_they_were_made() {
    let node = Node::start().await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(node.make_api().await.0);
        node.clock.advance(1);
    }
    let (mut listed, mut page) = (Vec::new(), "/restapis?limit=5".to_owned());
    loop {
        let reply = node.get(&page).await.expect(200);
        listed.extend(reply.body["item"].as_array().unwrap().iter().map(|api| api["id"].as_str().unwrap().to_owned()));
        match reply.body["position"].as_str() {
            Some(position) => page = format!("/restapis?limit=5&position={position}"),
            None => break,
        }
    }
    assert_eq!(listed, made);
}
