//! The Lambda API as the tutorials use it.

use std::time::Duration;

use base::seams::{Caller, Invocation, InvokeFunction, InvokeRefusal, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, create, package};
use super::lab::{Lab, on_data_thread, runtime};
use crate::records::LATEST;
use crate::{Functions, Settings};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:Items";
const ECHO: &str = "def handler(event, context): return {'version': context.function_version, 'arn': context.invoked_function_arn, 'event': event}\n";

#[test]
fn every_operation_of_the_model_has_its_handler() {
    on_data_thread(|lab| async move {
        let mounted = wire::Mounted::from(lab.functions.service());
        assert_eq!(mounted.missing(), Vec::<&str>::new());
    });
}

#[test]
fn a_function_is_created_shown_and_deleted() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let mut request = create("Items", ECHO);
        request["Tags"] = json!({ "team": "a" });
        let made = client.ask("POST", "", request).await;
        assert_eq!(made.status, 201, "{made:?}");
        let mut shown = made.json();
        assert_eq!(shown["State"], "Pending");
        assert_eq!(shown["StateReason"], "The function is being created.");
        assert_eq!(shown["StateReasonCode"], "Creating");
        let settled = client.ask("GET", "/Items", Value::Null).await.json();
        assert_ne!(settled["Configuration"]["RevisionId"], shown["RevisionId"]);
        assert_eq!(settled["Tags"], json!({ "team": "a" }));
        let body = shown.as_object_mut().unwrap();
        for varying in ["RevisionId", "LastModified", "CodeSize", "CodeSha256", "RuntimeVersionConfig"] {
            assert!(body.remove(varying).is_some(), "{varying}");
        }
        let expected = json!({
            "FunctionName": "Items", "FunctionArn": ARN, "Runtime": runtime("python"),
            "Role": "arn:aws:iam::000000000000:role/r", "Handler": "index.handler", "Description": "",
            "Timeout": 3, "MemorySize": 128, "Version": "$LATEST", "TracingConfig": { "Mode": "PassThrough" },
            "State": "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating",
            "PackageType": "Zip", "Architectures": ["x86_64"], "EphemeralStorage": { "Size": 512 },
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
            "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/Items" },
        });
        assert_eq!(shown, expected);
        let configuration = client.ask("GET", "/Items/configuration", Value::Null).await.json();
        assert_eq!(configuration["State"], "Active");
        assert_eq!(configuration["LastUpdateStatus"], "Successful");
        assert_eq!(configuration, settled["Configuration"]);

        assert_eq!(client.ask("DELETE", "/Items", Value::Null).await.status, 204);
        let gone = client.ask("GET", "/Items", Value::Null).await.error();
        assert_eq!(gone, (404, "ResourceNotFoundException".to_owned(), format!("Function not found: {ARN}")));
        assert_eq!(client.create("Items", ECHO).await.status, 201);
    });
}

#[test]
fn a_function_is_invoked() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        let names = ["Items", "Items:$LATEST", "000000000000:function:Items", "function:Items", ARN];
        for name in names {
            let reply = client.send("POST", &format!("/{name}/invocations"), &[], "{\"a\":1}".into()).await;
            assert_eq!(reply.status, 200, "{name} {reply:?}");
            assert_eq!(reply.json()["event"], json!({ "a": 1 }));
            assert_eq!(reply.headers["x-amz-executed-version"], "$LATEST");
            assert!(!reply.headers.contains_key("x-amz-function-error"));
        }
        let context = STANDARD.encode("{\"custom\":{}}");
        let headers = [("x-amz-log-type", "Tail"), ("x-amz-client-context", &context)];
        let reply = client.send("POST", "/Items/invocations", &headers, Bytes::new()).await;
        assert_eq!(reply.json()["event"], json!({}));
        let log = STANDARD.decode(reply.headers["x-amz-log-result"].as_bytes()).unwrap();
        let id = reply.headers["x-amzn-requestid"].to_str().unwrap();
        assert!(String::from_utf8(log).unwrap().starts_with(&format!("START RequestId: {id} Version: $LATEST\n")));

        let dry = client.send("POST", "/Items/invocations", &[("x-amz-invocation-type", "DryRun")], Bytes::new()).await;
        assert_eq!((dry.status, dry.body.len()), (204, 0));
        client.create("Raise", "def handler(e, c): raise Exception('oh')\n").await;
        let reply = client.send("POST", "/Raise/invocations", &[], Bytes::new()).await;
        assert_eq!((reply.status, &reply.headers["x-amz-function-error"]), (200, &"Unhandled".parse().unwrap()));
        assert_eq!(reply.json()["errorMessage"], "oh");
    });
}

#[test]
fn code_and_configuration_are_updated() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", "def handler(e, c): return 'one'\n").await;
        let invoke = async || client.send("POST", "/Items/invocations", &[], Bytes::new()).await.json();
        assert_eq!(invoke().await, json!("one"));
        let before = client.ask("GET", "/Items/configuration", Value::Null).await.json();

        let update =
            json!({ "ZipFile": package("import os\ndef handler(e, c): return os.environ.get('XX', 'two')\n") });
        let dry = json!({ "ZipFile": update["ZipFile"], "DryRun": true });
        assert_ne!(client.ask("PUT", "/Items/code", dry).await.json()["CodeSha256"], before["CodeSha256"]);
        assert_eq!(invoke().await, json!("one"));
        let updated = client.ask("PUT", "/Items/code", update).await.json();
        assert_eq!((&updated["State"], &updated["LastUpdateStatus"]), (&json!("Active"), &json!("InProgress")));
        assert_ne!(updated["CodeSha256"], before["CodeSha256"]);
        assert_eq!(invoke().await, json!("two"));

        let change = json!({ "Environment": { "Variables": { "XX": "three" } }, "Timeout": 7, "Description": "d" });
        let changed = client.ask("PUT", "/Items/configuration", change).await.json();
        assert_eq!(changed["Environment"], json!({ "Variables": { "XX": "three" } }));
        assert_eq!((&changed["Timeout"], &changed["MemorySize"]), (&json!(7), &json!(128)));
        assert_eq!(invoke().await, json!("three"));

        let stale = json!({ "Timeout": 8, "RevisionId": before["RevisionId"] });
        let (status, code, text) = client.ask("PUT", "/Items/configuration", stale).await.error();
        assert_eq!((status, code.as_str()), (412, "PreconditionFailedException"));
        assert!(text.starts_with(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API"
        ));
    });
}

#[test]
fn versions_and_aliases_stand_still() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let say = |text: &str| {
            format!(
                "def handler(e, c): return ['{text}', c.function_version, c.invoked_function_arn.split(':', 7)[7:]]\n"
            )
        };
        client.create("Items", &say("one")).await;
        let first = client.ask("POST", "/Items/versions", json!({ "Description": "v1" })).await;
        assert_eq!(first.status, 201);
        let first = first.json();
        assert_eq!((&first["Version"], &first["FunctionArn"]), (&json!("1"), &json!(format!("{ARN}:1"))));
        assert_eq!(first["Description"], "v1");
        // Nothing has changed since.
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.json()["Version"], "1");
        client.ask("PUT", "/Items/code", json!({ "ZipFile": package(&say("two")) })).await;
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.json()["Version"], "2");

        let alias = json!({ "Name": "prod", "FunctionVersion": "1" });
        let made = client.ask("POST", "/Items/aliases", alias.clone()).await;
        assert_eq!(made.status, 201);
        let mut made = made.json();
        assert!(made.as_object_mut().unwrap().remove("RevisionId").is_some());
        let expected =
            json!({ "AliasArn": format!("{ARN}:prod"), "Name": "prod", "FunctionVersion": "1", "Description": "" });
        assert_eq!(made, expected);
        let again = client.ask("POST", "/Items/aliases", alias).await.error();
        assert_eq!(again, (409, "ResourceConflictException".to_owned(), format!("Alias already exists: {ARN}:prod")));

        let invoke = async |path: &str| client.send("POST", path, &[], Bytes::new()).await;
        let reply = invoke("/Items/invocations?Qualifier=prod").await;
        assert_eq!(
            (reply.json(), &reply.headers["x-amz-executed-version"]),
            (json!(["one", "1", ["prod"]]), &"1".parse().unwrap())
        );
        assert_eq!(invoke("/Items:2/invocations").await.json(), json!(["two", "2", ["2"]]));
        let moved = client.ask("PUT", "/Items/aliases/prod", json!({ "FunctionVersion": "2" })).await.json();
        assert_eq!(moved["FunctionVersion"], "2");
        assert_eq!(invoke("/Items:prod/invocations").await.json(), json!(["two", "2", ["prod"]]));
        let shown = client.ask("GET", "/Items?Qualifier=prod", Value::Null).await.json();
        assert_eq!(shown["Configuration"]["FunctionArn"], format!("{ARN}:prod"));
        assert_eq!(shown["Configuration"]["Version"], "2");

        let all = json!({ "RoutingConfig": { "AdditionalVersionWeights": { "1": 1.0 } } });
        let weighted = client.ask("PUT", "/Items/aliases/prod", all).await.json();
        assert_eq!(weighted["RoutingConfig"], json!({ "AdditionalVersionWeights": { "1": 1.0 } }));
        assert_eq!(invoke("/Items:prod/invocations").await.json()[0], "one");
        let none = json!({ "RoutingConfig": { "AdditionalVersionWeights": {} } });
        assert_eq!(client.ask("PUT", "/Items/aliases/prod", none).await.json().get("RoutingConfig"), None);

        let versions = client.ask("GET", "/Items/versions", Value::Null).await.json();
        let numbers: Vec<&Value> = versions["Versions"].as_array().unwrap().iter().map(|v| &v["Version"]).collect();
        assert_eq!(numbers, ["$LATEST", "1", "2"]);
        let page = client.ask("GET", "/Items/versions?MaxItems=2", Value::Null).await.json();
        assert_eq!((page["Versions"].as_array().unwrap().len(), &page["NextMarker"]), (2, &json!("1")));
        let rest = client.ask("GET", "/Items/versions?MaxItems=2&Marker=1", Value::Null).await.json();
        assert_eq!((&rest["Versions"][0]["Version"], rest.get("NextMarker")), (&json!("2"), None));
        let aliases = client.ask("GET", "/Items/aliases?FunctionVersion=2", Value::Null).await.json();
        assert_eq!(aliases["Aliases"][0]["Name"], "prod");
        assert_eq!(
            client.ask("GET", "/Items/aliases?FunctionVersion=1", Value::Null).await.json()["Aliases"],
            json!([])
        );

        let in_use = client.ask("DELETE", "/Items?Qualifier=2", Value::Null).await.error();
        assert_eq!((in_use.0, in_use.1.as_str()), (409, "ResourceConflictException"));
        assert_eq!(client.ask("DELETE", "/Items/aliases/prod", Value::Null).await.status, 204);
        assert_eq!(client.ask("DELETE", "/Items?Qualifier=2", Value::Null).await.status, 204);
        assert_eq!(client.ask("GET", "/Items?Qualifier=2", Value::Null).await.status, 404);
        // A number is never used again.
        client.ask("PUT", "/Items/code", json!({ "ZipFile": package(&say("three")) })).await;
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.json()["Version"], "3");
    });
}

#[test]
fn publishing_with_the_creation_makes_version_one() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let mut request = create("Items", ECHO);
        request["Publish"] = json!(true);
        let made = client.ask("POST", "", request).await.json();
        assert_eq!((&made["Version"], &made["FunctionArn"]), (&json!("1"), &json!(ARN)));
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.json()["Version"], "1");
        let reply = client.send("POST", "/Items:1/invocations", &[], Bytes::new()).await;
        assert_eq!(reply.json()["arn"], format!("{ARN}:1"));
    });
}

fn service_call(lab: &Lab, qualifier: &str, path: &str) -> Invocation {
    Invocation {
        function_arn: format!("{ARN}{qualifier}").into(),
        caller: Caller::Service {
            principal: "apigateway.amazonaws.com",
            source_arn: format!("arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/{path}"),
            source_account: "000000000000".into(),
        },
        ..lab.invocation("Items", "{}")
    }
}

#[test]
fn permissions_open_exactly_what_they_name() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        client.ask("POST", "/Items/versions", json!({})).await;
        client.ask("POST", "/Items/aliases", json!({ "Name": "dev", "FunctionVersion": "1" })).await;
        let may =
            async |qualifier: &str, path: &str| match lab.functions.invoke(service_call(&lab, qualifier, path)).await {
                Ok(_) => true,
                Err(InvokeRefusal::NotPermitted) => false,
                Err(other) => panic!("{other:?}"),
            };
        assert!(!may("", "dev/GET/items").await);
        let permission = json!({
            "StatementId": "gateway", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
            "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/GET/items",
        });
        let added = client.ask("POST", "/Items/policy", permission.clone()).await;
        assert_eq!(added.status, 201);
        let statement: Value = serde_json::from_str(added.json()["Statement"].as_str().unwrap()).unwrap();
        let expected = json!({
            "Sid": "gateway", "Effect": "Allow", "Principal": { "Service": "apigateway.amazonaws.com" },
            "Action": "lambda:InvokeFunction", "Resource": ARN,
            "Condition": { "ArnLike": { "AWS:SourceArn": "arn:aws:execute-api:us-east-1:000000000000:a1b2c3d4e5/*/GET/items" } },
        });
        assert_eq!(statement, expected);
        assert!(may("", "dev/GET/items").await && !may("", "dev/POST/items").await);
        assert!(!may(":dev", "dev/GET/items").await && !may(":1", "dev/GET/items").await);

        client.ask("POST", "/Items/policy?Qualifier=dev", permission).await;
        assert!(may(":dev", "dev/GET/items").await && !may(":1", "dev/GET/items").await);
        let policy = client.ask("GET", "/Items/policy?Qualifier=dev", Value::Null).await.json();
        let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
        assert_eq!((&policy["Version"], &policy["Id"]), (&json!("2012-10-17"), &json!("default")));
        assert_eq!(policy["Statement"][0]["Resource"], format!("{ARN}:dev"));

        assert_eq!(client.ask("DELETE", "/Items/policy/gateway?Qualifier=dev", Value::Null).await.status, 204);
        assert!(!may(":dev", "dev/GET/items").await && may("", "dev/GET/items").await);
        let none = client.ask("GET", "/Items/policy?Qualifier=dev", Value::Null).await.error();
        assert_eq!(
            none,
            (404, "ResourceNotFoundException".to_owned(), "The resource you requested does not exist.".to_owned())
        );
    });
}

#[test]
fn functions_are_listed_page_by_page() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        for name in ["A", "B", "C"] {
            client.create(name, ECHO).await;
        }
        client.ask("POST", "/B/versions", json!({})).await;
        let names = |page: &Value| -> Vec<String> {
            page["Functions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["FunctionName"].as_str().unwrap().to_owned())
                .collect()
        };
        let first = client.ask("GET", "?MaxItems=2", Value::Null).await.json();
        assert_eq!(names(&first), ["A", "B"]);
        let rest =
            client.ask("GET", &format!("?Marker={}", first["NextMarker"].as_str().unwrap()), Value::Null).await.json();
        assert_eq!((names(&rest), rest.get("NextMarker")), (vec!["C".to_owned()], None));
        let all = client.ask("GET", "?FunctionVersion=ALL", Value::Null).await.json();
        assert_eq!(names(&all), ["A", "B", "B", "C"]);
        assert_eq!(all["Functions"][0]["Version"], LATEST);
        assert_eq!(all["Functions"][0].get("State"), None);
    });
}

#[test]
fn a_restart_finds_everything() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        client.ask("POST", "/Items/versions", json!({})).await;
        client.ask("POST", "/Items/aliases", json!({ "Name": "dev", "FunctionVersion": "1" })).await;
        // Another process would find the store and the blobs, and nothing else.
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: folder.path().to_owned(), ..Settings::default() };
        let (store, blobs) = (lab.data.store(), lab.data.blobs());
        let control = lab.functions.engine.control.clone();
        let again = Functions::open(store, blobs, settings, control).await.unwrap();
        again.attach(0);
        for (qualifier, number) in [("", LATEST), (":$LATEST", LATEST), (":1", "1"), (":dev", "1")] {
            let invoked = again.invoke(lab.invocation(&format!("Items{qualifier}"), "{}")).await.unwrap();
            assert_eq!(&*invoked.executed_version, number);
            assert!(matches!(invoked.outcome, Outcome::Returned(_)));
        }
        again.shutdown(Duration::from_secs(1)).await;
    });
}
