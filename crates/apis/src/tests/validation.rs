//! Models and validators over time: what a deployment freezes, and what APIs of early versions get.

use plan::validation::BodyModel;
use plan::{Captures, Lookup, Validation};
use serde_json::{Value, json};
use store::{Scope, Transaction};
use templates::document::Json;

use super::harness::Node;
use crate::rows::{ApiHead, Model};

/// What the stage `dev` asks of a POST to the root.
fn with_validation<T>(node: &Node, api: &str, look: impl FnOnce(Option<&Validation>) -> T) -> T {
    let Lookup::Ready(plan) = node.index.stage(api, "dev") else { panic!("the stage is served") };
    let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
    look(resource.method("POST").unwrap().validation.as_deref())
}

fn accepts(node: &Node, api: &str, body: &str) -> bool {
    with_validation(node, api, |validation| match validation.and_then(|found| found.model("application/json")) {
        Some(BodyModel::Schema(schema)) => schema.validate(&Json::parse(body).unwrap()).is_ok(),
        Some(BodyModel::Anything) | None => true,
    })
}

async fn validated_api(node: &Node) -> (String, String) {
    let (api, root) = node.make_api().await;
    let base = format!("/restapis/{api}");
    let pet = json!({"type": "object", "required": ["name"]}).to_string();
    let pets = json!({"items": {"$ref": format!("https://apigateway.amazonaws.com/restapis/{api}/models/Pet")}});
    for (name, schema) in [("Pet", pet), ("Pets", pets.to_string())] {
        let model = json!({"name": name, "contentType": "application/json", "schema": schema});
        node.post(&format!("{base}/models"), model).await.expect(201);
    }
    let validator = json!({"name": "all", "validateRequestBody": true, "validateRequestParameters": true});
    let validator = node.post(&format!("{base}/requestvalidators"), validator).await.expect(201).text("id");
    let path = format!("{base}/resources/{root}/methods/POST");
    let method = json!({
        "authorizationType": "NONE",
        "requestValidatorId": validator,
        "requestModels": {"application/json": "Pets", "text/plain": "Empty"},
        "requestParameters": {
            "method.request.querystring.q": true, "method.request.header.H": true, "method.request.path.p": false,
        },
    });
    node.put(&path, method).await.expect(201);
    node.put(&format!("{path}/integration"), json!({"type": "MOCK"})).await.expect(201);
    node.deploy(&api, "dev").await;
    (api, validator)
}

fn patch(path: &str, value: &str) -> Value {
    json!({"patchOperations": [{"op": "replace", "path": path, "value": value}]})
}

#[tokio::test]
async fn a_deployment_freezes_models_and_validators() {
    let node = Node::start().await;
    let (api, validator) = validated_api(&node).await;
    with_validation(&node, &api, |validation| {
        let validation = validation.unwrap();
        let names: Vec<&str> = validation.parameters.iter().map(|parameter| &*parameter.name).collect();
        assert_eq!(names, ["H", "q"]);
        assert!(matches!(validation.model("text/plain"), Some(BodyModel::Anything)));
        assert!(validation.model("text/html").is_none());
    });
    assert!(accepts(&node, &api, r#"[{"name":1}]"#) && !accepts(&node, &api, "[{}]"));

    let loose = patch("/schema", "{}");
    node.send("PATCH", &format!("/restapis/{api}/models/Pet"), &loose).await.expect(200);
    assert!(!accepts(&node, &api, "[{}]"), "an edit is not served before a deployment");
    node.deploy(&api, "dev").await;
    assert!(accepts(&node, &api, "[{}]"));

    for setting in ["/validateRequestBody", "/validateRequestParameters"] {
        let path = format!("/restapis/{api}/requestvalidators/{validator}");
        node.send("PATCH", &path, &patch(setting, "false")).await.expect(200);
    }
    node.deploy(&api, "dev").await;
    with_validation(&node, &api, |validation| assert!(validation.is_none(), "who is asked nothing pays nothing"));

    let node = node.restart().await;
    let models = node.get(&format!("/restapis/{api}/models")).await.expect(200);
    assert_eq!(models.body["item"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_changed_empty_model_counts() {
    let node = Node::start().await;
    let (api, root) = node.make_api().await;
    let validator = json!({"validateRequestBody": true});
    let validator = node.post(&format!("/restapis/{api}/requestvalidators"), validator).await.expect(201).text("id");
    let path = format!("/restapis/{api}/resources/{root}/methods/POST");
    let method = json!({
        "authorizationType": "NONE", "requestValidatorId": validator, "requestModels": {"application/json": "Empty"},
    });
    node.put(&path, method).await.expect(201);
    node.put(&format!("{path}/integration"), json!({"type": "MOCK"})).await.expect(201);
    node.deploy(&api, "dev").await;
    assert!(accepts(&node, &api, "[]"));
    let number = patch("/schema", r#"{"type":"number"}"#);
    node.send("PATCH", &format!("/restapis/{api}/models/Empty"), &number).await.expect(200);
    node.deploy(&api, "dev").await;
    assert!(!accepts(&node, &api, "[]") && accepts(&node, &api, "1"));
}

#[tokio::test]
async fn an_api_of_an_early_version_gets_its_default_models_once() {
    let node = Node::start().await;
    let (api, _) = node.make_api().await;
    let scope = Scope::new("000000000000", "us-east-1");
    // As an early version left it: no models, and a head that says nothing of them.
    let head = node.apis.head(&scope, &api).await.unwrap().unwrap();
    let early = ApiHead { has_models: false, ..head.record };
    let edit = Transaction::new().update(&scope, &early, head.revision).delete_tree::<Model>(&scope, &api);
    node.apis.store.commit(edit).await.unwrap();

    let node = node.restart().await;
    let names = async |node: &Node| {
        let models = node.get(&format!("/restapis/{api}/models")).await.expect(200).body;
        let names = models["item"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&node).await, ["Empty", "Error"]);
    node.delete(&format!("/restapis/{api}/models/Error")).await.expect(202);
    let node = node.restart().await;
    assert_eq!(names(&node).await, ["Empty"], "what is deleted stays so");
}

#[tokio::test]
async fn of_a_deletion_and_a_reference_on_two_nodes_one_goes_through() {
    let first = Node::start().await;
    let second = first.beside().await;
    let (api, root) = first.make_api().await;
    for round in 0..8 {
        let name = format!("M{round}");
        let model = json!({"name": name, "contentType": "application/json", "schema": "{}"});
        first.post(&format!("/restapis/{api}/models"), model).await.expect(201);
        let path = format!("/restapis/{api}/resources/{root}/methods/POST");
        let method = json!({"authorizationType": "NONE", "requestModels": {"application/json": name}});
        let gone = format!("/restapis/{api}/models/{name}");
        let (put, deleted) = tokio::join!(first.put(&path, method), second.delete(&gone));
        assert_ne!(put.status == 201, deleted.status == 202, "{put:?} {deleted:?}");
        if put.status == 201 {
            first.delete(&path).await.expect(204);
        }
    }
}
