//! Several writers at once: nothing is lost, nothing is made twice, nothing is left dangling.

use std::sync::Arc;

use serde_json::{Value, json};

use super::harness::Node;

/// Sends all requests at once and gives their statuses, sorted.
async fn all(node: &Arc<Node>, requests: Vec<(&'static str, String, Value)>) -> Vec<u16> {
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|(method, path, body)| {
            let node = Arc::clone(node);
            tokio::spawn(async move { node.send(method, &path, &body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_one_resource_lose_nothing() {
    let node = Arc::new(Node::start().await);
    let (api, root) = node.make_api().await;
    let put = |verb: &str| {
        ("PUT", format!("/restapis/{api}/resources/{root}/methods/{verb}"), json!({"authorizationType": "NONE"}))
    };
    let verbs = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"];
    assert_eq!(all(&node, verbs.iter().map(|verb| put(verb)).collect()).await, [201; 8]);
    let resource = node.get(&format!("/restapis/{api}/resources/{root}")).await;
    assert_eq!(resource.body["resourceMethods"].as_object().unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_wins_a_name() {
    let node = Arc::new(Node::start().await);
    let (api, root) = node.make_api().await;
    let make = || ("POST", format!("/restapis/{api}/resources/{root}"), json!({"pathPart": "pets"}));
    let statuses = all(&node, (0..8).map(|_| make()).collect()).await;
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let listed = node.get(&format!("/restapis/{api}/resources")).await;
    assert_eq!(listed.body["item"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_never_outlives_its_parent() {
    let node = Arc::new(Node::start().await);
    let (api, root) = node.make_api().await;
    let parent = node.post(&format!("/restapis/{api}/resources/{root}"), json!({"pathPart": "a"})).await.expect(201);
    let path = format!("/restapis/{api}/resources/{}", parent.text("id"));
    let mut requests: Vec<_> =
        (0..6).map(|number| ("POST", path.clone(), json!({"pathPart": format!("c{number}")}))).collect();
    requests.insert(3, ("DELETE", path.clone(), Value::Null));
    all(&node, requests).await;
    let listed = node.get(&format!("/restapis/{api}/resources")).await;
    assert_eq!(listed.body["item"], json!([{"id": root, "path": "/"}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stage_never_points_to_a_deleted_deployment() {
    let node = Arc::new(Node::start().await);
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    for round in 0..5 {
        let deployment = node.post(&format!("/restapis/{api}/deployments"), json!({})).await.expect(201).text("id");
        let body = json!({"stageName": format!("s{round}"), "deploymentId": deployment});
        let requests = vec![
            ("POST", format!("/restapis/{api}/stages"), body),
            ("DELETE", format!("/restapis/{api}/deployments/{deployment}"), Value::Null),
        ];
        // Whichever comes first, the other is refused.
        let statuses = all(&node, requests).await;
        assert!(statuses == [201, 400] || statuses == [202, 400], "{statuses:?}");
    }
}

/// Two nodes on one store: their locks know nothing of each other, so only the revisions guard.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_lose_nothing() {
    let one = Arc::new(Node::start().await);
    let other = Arc::new(one.beside().await);
    let (api, root) = one.make_api().await;
    let requests = |from: usize| -> Vec<_> {
        (from..from + 4)
            .map(|number| {
                ("POST", format!("/restapis/{api}/resources/{root}"), json!({"pathPart": format!("r{number}")}))
            })
            .collect()
    };
    let (first, second) = tokio::join!(all(&one, requests(0)), all(&other, requests(4)));
    let made = first.iter().chain(&second).filter(|status| **status == 201).count();
    let refused = first.iter().chain(&second).filter(|status| **status == 409).count();
    assert_eq!(made + refused, 8, "{first:?} {second:?}");
    let listed = one.get(&format!("/restapis/{api}/resources")).await;
    assert_eq!(listed.body["item"].as_array().unwrap().len(), made + 1);
}
