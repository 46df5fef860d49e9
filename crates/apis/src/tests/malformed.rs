//! Hostile and malformed requests: AWS's error or a refusal of ours, never a failure, never half a change.

use bytes::Bytes;
use serde_json::{Value, json};

use super::harness::Node;

/// Every path of the control plane, `{}` standing for an id.
const PATHS: [&str; 22] = [
    "/restapis",
    "/restapis/{}",
    "/restapis/{}/resources",
    "/restapis/{}/resources/{}",
    "/restapis/{}/resources/{}/methods/{}",
    "/restapis/{}/resources/{}/methods/{}/responses/{}",
    "/restapis/{}/resources/{}/methods/{}/integration",
    "/restapis/{}/resources/{}/methods/{}/integration/responses/{}",
    "/restapis/{}/deployments",
    "/restapis/{}/deployments/{}",
    "/restapis/{}/stages",
    "/restapis/{}/stages/{}",
    "/tags/{}",
    "/restapis/{}/authorizers",
    "/restapis/{}/authorizers/{}",
    "/restapis/{}/documentation/parts",
    "/restapis/{}/documentation/parts/{}",
    "/restapis/{}/documentation/versions",
    "/restapis/{}/documentation/versions/{}",
    "/vpclinks",
    "/vpclinks/{}",
    "/restapis/{}/nothing",
];

fn bodies() -> Vec<Bytes> {
    let deep = "[".repeat(100_000);
    let wide: Value =
        (0..5_000).map(|number| (format!("k{number}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let patch = |operation: Value| json!({"patchOperations": [operation]}).to_string().into();
    vec![
        Bytes::new(),
        Bytes::from_static(b"{"),
        Bytes::from_static(b"null"),
        Bytes::from_static(b"[]"),
        Bytes::from_static(b"\"text\""),
        Bytes::from_static(b"{\"name\": 5, \"pathPart\": [], \"authorizationType\": {}, \"type\": true}"),
        Bytes::from_static(b"{\"name\": null, \"pathPart\": null, \"patchOperations\": null, \"tags\": null}"),
        Bytes::from_static(b"\xff\xfe{}"),
        deep.into(),
        json!({"variables": wide, "tags": wide, "stageName": "s", "deploymentId": "d", "name": "n"}).to_string().into(),
        patch(json!({})),
        patch(json!(null)),
        patch(json!({"op": "replace", "path": "", "value": null})),
        patch(json!({"op": "move", "path": "/name", "from": "/description"})),
        patch(json!({"op": "replace", "path": "/~2/~/~1", "value": "\u{0}"})),
        patch(json!({"op": "add", "path": "/".repeat(10_000), "value": "x"})),
    ]
}

#[tokio::test]
async fn no_request_brings_it_down() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    let deployment = node.deploy(&api, "dev").await;
    let known: [&[&str]; 4] = [
        &[&api, &root, "GET", "200"],
        &[&api, &deployment],
        &[&api, "dev"],
        &["..%2F..%2Fx", "a%2Fb", "%00", "%F0%9F%98%80"],
    ];
    for template in PATHS {
        for ids in known {
            let mut ids = ids.iter();
            let path: String = template
                .split("{}")
                .enumerate()
                .map(|(number, part)| {
                    let id = if number == 0 { "" } else { ids.next().copied().unwrap_or("x") };
                    format!("{id}{part}")
                })
                .collect();
            for method in ["GET", "POST", "PUT", "PATCH"] {
                for body in bodies() {
                    let reply = node.send_bytes(method, &path, body).await;
                    assert!(reply.status < 500 || reply.status == 501, "{method} {path}: {reply:?}");
                }
            }
        }
    }
    // What was there is still served.
    assert!(matches!(node.index.stage(&api, "dev"), plan::Lookup::Ready(_)));
    node.get(&format!("/restapis/{api}/resources/{root}/methods/GET")).await.expect(200);
}

#[tokio::test]
async fn ids_do_not_reach_into_other_rows() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    node.deploy(&api, "dev").await;
    node.get(&format!("/restapis/{api}%2F{root}/resources/x")).await.expect(404);
    node.get(&format!("/restapis/{api}%2F{root}")).await.expect(404);
    node.delete(&format!("/restapis/{api}/stages/..%2Fdev")).await.expect(404);
    // Other accounts and regions see none of it: the id is looked for in the caller's scope alone.
    let reply = node.send_as("111111111111", "GET", &format!("/restapis/{api}")).await.expect(404);
    assert_eq!(reply.text("message"), format!("Invalid API identifier specified 111111111111:{api}"));
    let reply = node.send_as("111111111111", "GET", "/restapis").await.expect(200);
    assert_eq!(reply.body, json!({"item": []}));
}

#[tokio::test]
async fn a_patch_that_fails_in_the_middle_changes_nothing() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    node.deploy(&api, "dev").await;
    let path = format!("/restapis/{api}/stages/dev");
    let before = node.get(&path).await;
    let patch = json!({"patchOperations": [
        {"op": "replace", "path": "/variables/a", "value": "b"},
        {"op": "replace", "path": "/deploymentId", "value": "nothing"},
    ]});
    node.send("PATCH", &path, &patch).await.expect(400);
    assert_eq!(node.get(&path).await, before);
}
