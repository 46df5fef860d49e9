//! Tags, the account's settings, and the small settings of functions.

use base::limits::AccountLimits;
use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{Client, package};
use super::lab::{on_data_thread, with_settings, zip};
use crate::Settings;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:Items";
const CODE: &str = "def handler(e, c): return 1\n";

#[test]
fn tags_are_added_changed_and_removed() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", CODE).await;
        let path = |arn: &str| format!("/2017-03-31/tags/{}", arn.replace(':', "%3A"));
        let tag = async |arn: &str, tags: Value| client.ask_at("POST", &path(arn), json!({ "Tags": tags })).await;
        let tags = async |arn: &str| client.ask_at("GET", &path(arn), Value::Null).await.json()["Tags"].clone();
        assert_eq!(tags(ARN).await, json!({}));
        let revision =
            async || client.ask("GET", "/Items", Value::Null).await.json()["Configuration"]["RevisionId"].clone();
        let before = revision().await;
        assert_eq!(tag(ARN, json!({ "a": "1", "b": "2" })).await.status, 204);
        assert_ne!(revision().await, before);
        tag(ARN, json!({ "b": "3", "c": "" })).await;
        assert_eq!(tags(ARN).await, json!({ "a": "1", "b": "3", "c": "" }));
        let untag = async |query: &str| client.ask_at("DELETE", &format!("{}{query}", path(ARN)), Value::Null).await;
        assert_eq!(untag("?tagKeys=a&tagKeys=c&tagKeys=none").await.status, 204);
        assert_eq!(tags(ARN).await, json!({ "b": "3" }));
        assert_eq!(client.ask("GET", "/Items", Value::Null).await.json()["Tags"], json!({ "b": "3" }));

        let invalid = |text: &str| (400, "InvalidParameterValueException".to_owned(), text.to_owned());
        let versions =
            invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.");
        for qualifier in ["$LATEST", "v1", "1"] {
            assert_eq!(tag(&format!("{ARN}:{qualifier}"), json!({ "a": "" })).await.error(), versions);
        }
        assert_eq!(
            tag(ARN, json!({})).await.error(),
            invalid("An error occurred and the request cannot be processed.")
        );
        let many: serde_json::Map<String, Value> = (0..50).map(|n| (n.to_string(), json!(""))).collect();
        assert_eq!(
            tag(ARN, Value::Object(many.clone())).await.error(),
            invalid("Number of tags exceeds resource tag limit.")
        );
        assert_eq!(tags(ARN).await, json!({ "b": "3" }));
        let (status, code, text) = untag("").await.error();
        assert_eq!((status, code.as_str()), (400, "ValidationException"));
        assert_eq!(
            text,
            "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"
        );
        let missing = tag(&format!("{ARN}x"), json!({ "a": "" })).await.error();
        assert_eq!(missing, (404, "ResourceNotFoundException".to_owned(), format!("Function not found: {ARN}x")));
        assert_eq!(tag("arn:aws:something", json!({ "a": "" })).await.error().1, "ValidationException");

        let body = json!({ "Content": { "ZipFile": STANDARD.encode(zip(&[("a", "")])) } });
        client.ask_at("POST", "/2018-10-31/layers/tools/versions", body).await;
        let layer = "arn:aws:lambda:us-east-1:000000000000:layer:tools";
        assert_eq!(tag(layer, json!({ "a": "1" })).await.status, 204);
        assert_eq!(tags(layer).await, json!({ "a": "1" }));

        // Another account may do what the function's policy says, and nothing with a layer that bears a function's name.
        client.create("layer", CODE).await;
        client.ask("POST", "/layer/aliases", json!({ "Name": "tools", "FunctionVersion": "$LATEST" })).await;
        let all = json!({ "StatementId": "s", "Action": "lambda:*", "Principal": "*" });
        for function in ["Items", "layer", "layer:tools"] {
            assert_eq!(client.ask("POST", &format!("/{function}/policy"), all.clone()).await.status, 201);
        }
        let other = Client::of(&lab).of_account("000000000002");
        let seen = async |arn: &str| other.ask_at("GET", &path(arn), Value::Null).await;
        assert_eq!(seen(ARN).await.json()["Tags"], json!({ "b": "3" }));
        assert_eq!(seen(layer).await.error().1, "AccessDeniedException");
    });
}

#[test]
fn the_account_counts_code_as_often_as_it_is_kept() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let settings = async || client.ask_at("GET", "/2016-08-19/account-settings", Value::Null).await.json();
        let usage = async || {
            let usage = settings().await["AccountUsage"].clone();
            (usage["FunctionCount"].as_u64().unwrap(), usage["TotalCodeSize"].as_u64().unwrap())
        };
        let limit = settings().await["AccountLimit"].clone();
        let expected = json!({ "TotalCodeSize": 80_530_636_800_u64, "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800, "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000 });
        assert_eq!((limit, usage().await), (expected, (0, 0)));
        client.create("Items", CODE).await;
        let (_, size) = usage().await;
        assert_eq!(size, STANDARD.decode(package(CODE)).unwrap().len() as u64);
        client.ask("POST", "/Items/versions", json!({})).await;
        client.create("Others", CODE).await;
        assert_eq!(usage().await, (2, 3 * size));
        let layer = zip(&[("a", "layer")]);
        let body = json!({ "Content": { "ZipFile": STANDARD.encode(&layer) } });
        for _ in 0..2 {
            client.ask_at("POST", "/2018-10-31/layers/tools/versions", body.clone()).await;
        }
        assert_eq!(usage().await, (2, 3 * size + 2 * layer.len() as u64));
        client.ask_at("DELETE", "/2018-10-31/layers/tools/versions/1", Value::Null).await;
        client.ask("DELETE", "/Items", Value::Null).await;
        assert_eq!(usage().await, (1, size + layer.len() as u64));
    });
}

#[test]
fn recursion_runtimes_and_code_signing_are_told() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", CODE).await;
        let recursion = "/2024-08-31/functions/Items/recursion-config";
        let get = async |path: &str| client.ask_at("GET", path, Value::Null).await;
        assert_eq!(get(recursion).await.json(), json!({ "RecursiveLoop": "Terminate" }));
        let allow = json!({ "RecursiveLoop": "Allow" });
        assert_eq!(client.ask_at("PUT", recursion, allow.clone()).await.json(), allow);
        assert_eq!(get(recursion).await.json(), allow);
        let bad = client.ask_at("PUT", recursion, json!({ "RecursiveLoop": "No" })).await.error();
        assert_eq!((bad.0, bad.1.as_str()), (400, "ValidationException"));
        assert_eq!(get(&recursion.replace("Items", "Items:1")).await.status, 400);

        let runtime = "/2021-07-20/functions/Items/runtime-management-config";
        assert_eq!(get(runtime).await.json(), json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": ARN }));
        let shown = client.ask("GET", "/Items/configuration", Value::Null).await.json();
        let own = shown["RuntimeVersionConfig"]["RuntimeVersionArn"].clone();
        client.ask("POST", "/Items/versions", json!({})).await;
        let manual = json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": own });
        let put = client.ask_at("PUT", &format!("{runtime}?Qualifier=1"), manual.clone()).await;
        assert_eq!((put.status, &put.json()["FunctionArn"]), (200, &json!(format!("{ARN}:1"))));
        assert_eq!(get(&format!("{runtime}?Qualifier=1")).await.json()["RuntimeVersionArn"], own);
        assert_eq!(get(runtime).await.json()["UpdateRuntimeOn"], "Auto");
        // It is no change of the function.
        client.ask_at("PUT", runtime, json!({ "UpdateRuntimeOn": "FunctionUpdate" })).await;
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.json()["Version"], "1");
        for bad in [
            json!({ "UpdateRuntimeOn": "Manual" }),
            json!({ "UpdateRuntimeOn": "Auto", "RuntimeVersionArn": own }),
            json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:x" }),
        ] {
            assert_eq!(client.ask_at("PUT", runtime, bad).await.error().1, "InvalidParameterValueException");
        }

        let signing = "/2020-06-30/functions/Items/code-signing-config";
        assert_eq!(get(signing).await.json(), json!({}));
        assert_eq!(get(&signing.replace("Items", "None")).await.status, 404);
    });
}

#[test]
fn a_function_that_calls_itself_is_stopped_unless_it_may() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let code = "import os\ndef handler(e, c): return os.environ['_X_AMZN_TRACE_ID']\n";
        client.create("Items", code).await;
        client.create("Others", code).await;
        // What an SDK inside the function does: it passes on the trace that the function was called with.
        let round = async |name: &str, trace: &str| {
            let headers = [("x-amzn-trace-id", trace)];
            client.call("POST", &format!("/2015-03-31/functions/{name}/invocations"), &headers, "{}".into()).await
        };
        let mut trace = client.ask("POST", "/Items/invocations", json!({})).await.json().as_str().unwrap().to_owned();
        let root = trace.split(';').next().unwrap().to_owned();
        for _ in 1..16 {
            trace = round("Items", &trace).await.json().as_str().unwrap().to_owned();
            assert!(trace.starts_with(&root), "{trace}");
        }
        let (status, code, _) = round("Items", &trace).await.error();
        assert_eq!((status, code.as_str()), (400, "RecursiveInvocationException"));
        assert_eq!(round("Others", &trace).await.status, 200);
        let allow = json!({ "RecursiveLoop": "Allow" });
        client.ask_at("PUT", "/2024-08-31/functions/Items/recursion-config", allow).await;
        assert_eq!(round("Items", &trace).await.status, 200);
    });
}

#[test]
fn code_is_kept_up_to_the_accounts_limit() {
    let size = STANDARD.decode(package(CODE)).unwrap().len() as u64;
    let limits = AccountLimits { code_bytes: 3 * size, ..AccountLimits::AWS };
    with_settings(Settings { limits, ..Settings::default() }, |lab| async move {
        let client = Client::of(&lab);
        let full = (400, "CodeStorageExceededException".to_owned(), "Code storage limit exceeded.".to_owned());
        let layer = json!({ "Content": { "ZipFile": package(CODE) } });
        let publish = async || client.ask_at("POST", "/2018-10-31/layers/tools/versions", layer.clone()).await;
        assert_eq!(client.create("Items", CODE).await.status, 201);
        assert_eq!(publish().await.status, 201);
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.status, 201);
        assert_eq!(publish().await.error(), full);
        assert_eq!(client.create("Others", CODE).await.error(), full);
        client.ask("PUT", "/Items/configuration", json!({ "Timeout": 9 })).await;
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.error(), full);
        client.ask_at("DELETE", "/2018-10-31/layers/tools/versions/1", Value::Null).await;
        assert_eq!(client.create("Others", CODE).await.status, 201);
    });
}
