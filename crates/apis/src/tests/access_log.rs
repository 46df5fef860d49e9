//! Access logs of stages: compiled when they are complete.

use plan::Lookup;
use serde_json::{Value, json};

use super::harness::Node;

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:x";

fn replace(path: &str, value: &str) -> Value {
    json!({"op": "replace", "path": path, "value": value})
}

/// An API with a stage.
async fn with_stage(node: &Node) -> String {
    let (api, root) = node.make_api().await;
    node.make_mock(&api, &root, "GET").await;
    node.deploy(&api, "dev").await;
    api
}

#[tokio::test]
async fn a_stage_logs_when_it_has_both_settings() {
    let node = Node::start().await;
    let api = with_stage(&node).await;
    let group_and_names = || match node.index.stage(&api, "dev") {
        Lookup::Ready(plan) => plan.access_log.as_ref().map(|log| {
            (log.group_arn.to_string(), log.format.names().map(str::to_owned).collect::<Vec<_>>().join(" "))
        }),
        other => panic!("{other:?}"),
    };
    for (edit, expected) in [
        (replace("/accessLogSettings/destinationArn", GROUP), None),
        (replace("/accessLogSettings/format", "$context.requestId $context.x\n"), Some("context.requestId context.x")),
        (json!({"op": "remove", "path": "/accessLogSettings"}), None),
    ] {
        let edit = json!({"patchOperations": [edit]});
        node.send("PATCH", &format!("/restapis/{api}/stages/dev"), &edit).await.expect(200);
        let expected = expected.map(|names| (GROUP.to_owned(), names.to_owned()));
        assert_eq!(group_and_names(), expected, "{edit}");
    }
}
