//! Layers, through the API and inside functions.

use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{Client, create};
use super::lab::{Lab, on_data_thread, runtime, zip};

const LAYERS: &str = "/2018-10-31/layers";

fn arn(name: &str, number: u64) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:{number}")
}

async fn publish(client: &Client, name: &str, files: &[(&str, &str)]) -> Value {
    let body = json!({ "Content": { "ZipFile": STANDARD.encode(zip(files)) } });
    let reply = client.ask_at("POST", &format!("{LAYERS}/{name}/versions"), body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

async fn attach(client: &Client, function: &str, layers: &[String]) -> Value {
    let body = json!({ "Layers": layers });
    let reply = client.ask("PUT", &format!("/{function}/configuration"), body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[test]
fn versions_are_published_listed_and_deleted() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let made = publish(&client, "tools", &[("python/x.py", "")]).await;
        let content = &made["Content"];
        assert!(content["Location"].as_str().unwrap().contains("/_frontgate/code/"), "{made}");
        assert_eq!((&made["Version"], &made["Description"]), (&json!(1), &json!("")));
        assert_eq!((&made["LayerVersionArn"], made.get("CompatibleRuntimes")), (&json!(arn("tools", 1)), None));
        let body = json!({
            "Content": { "ZipFile": STANDARD.encode(zip(&[("a", "b")])) }, "Description": "d", "LicenseInfo": "MIT",
            "CompatibleRuntimes": ["python3.12", "nodejs8.x"], "CompatibleArchitectures": ["arm64"],
        });
        let second = client.ask_at("POST", &format!("{LAYERS}/tools/versions"), body).await.json();
        assert_eq!(second["CompatibleRuntimes"], json!(["python3.12", "nodejs8.x"]));

        let numbers = async |query: &str| -> Vec<Value> {
            let page = client.ask_at("GET", &format!("{LAYERS}/tools/versions{query}"), Value::Null).await.json();
            page["LayerVersions"].as_array().unwrap().iter().map(|version| version["Version"].clone()).collect()
        };
        assert_eq!(numbers("").await, [2, 1]);
        assert_eq!(numbers("?CompatibleRuntime=python3.12").await, [2]);
        assert_eq!(numbers("?CompatibleArchitecture=x86_64").await, [] as [i32; 0]);
        let first = client.ask_at("GET", &format!("{LAYERS}/tools/versions?MaxItems=1"), Value::Null).await.json();
        assert_eq!((&first["LayerVersions"][0]["Version"], &first["NextMarker"]), (&json!(2), &json!("2")));
        assert_eq!(numbers("?MaxItems=1&Marker=2").await, [1]);

        publish(&client, "other", &[("a", "")]).await;
        let listed = async |query: &str| client.ask_at("GET", &format!("{LAYERS}{query}"), Value::Null).await.json();
        let all = listed("").await;
        assert_eq!(
            (all["Layers"][0]["LayerName"].as_str(), all["Layers"][1]["LayerName"].as_str()),
            (Some("other"), Some("tools"))
        );
        assert_eq!(all["Layers"][1]["LatestMatchingVersion"]["Version"], 2);
        let page = listed("?MaxItems=1").await;
        assert_eq!(page["NextMarker"], "other");
        assert_eq!(listed("?Marker=other").await["Layers"].as_array().unwrap().len(), 1);
        assert_eq!(listed("?CompatibleRuntime=python3.12").await["Layers"][0]["LayerName"], "tools");

        let by_arn = format!("{LAYERS}?find=LayerVersion&Arn={}", arn("tools", 2));
        let found = client.ask_at("GET", &by_arn, Value::Null).await.json();
        assert_eq!(
            (&found["LicenseInfo"], &found["Content"]["CodeSha256"]),
            (&json!("MIT"), &second["Content"]["CodeSha256"])
        );
        for number in [2, 1, 1] {
            let path = format!("{LAYERS}/tools/versions/{number}");
            assert_eq!(client.ask_at("DELETE", &path, Value::Null).await.status, 204);
        }
        assert_eq!(numbers("").await, [] as [i32; 0]);
        assert_eq!(listed("").await["Layers"].as_array().unwrap().len(), 1);
        assert_eq!(publish(&client, "tools", &[("a", "")]).await["Version"], 3);
    });
}

#[test]
fn refusals_have_the_words_of_the_service() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        publish(&client, "tools", &[("a", "")]).await;
        publish(&client, "tools", &[("a", "2")]).await;
        client.create("Items", "def handler(e, c): return 1\n").await;
        let layers = async |layers: &[&str]| {
            client.ask("PUT", "/Items/configuration", json!({ "Layers": layers })).await.error()
        };
        let invalid = |text: String| (400, "InvalidParameterValueException".to_owned(), text);
        let (one, two) = (arn("tools", 1), arn("tools", 2));
        assert_eq!(
            layers(&[&one, &two]).await,
            invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {one} and {two} are versions of the same layer."
            ))
        );
        assert_eq!(
            layers(&[&arn("tools", 9)]).await,
            invalid(format!("Layer version {} does not exist.", arn("tools", 9)))
        );
        assert_eq!(layers(&[one.as_str(); 6]).await, invalid("Cannot reference more than 5 layers.".to_owned()));
        assert_eq!(
            layers(&[&one.replace("us-east-1", "eu-west-1")]).await,
            invalid(
                "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
                    .to_owned()
            )
        );
        let (status, code, _) = layers(&[&one.replace("000000000000", "111111111111")]).await;
        assert_eq!((status, code.as_str()), (403, "AccessDeniedException"));
        assert_eq!(layers(&[one.trim_end_matches(":1")]).await.1, "ValidationException");

        let get = async |path: &str| client.ask_at("GET", &format!("{LAYERS}/{path}"), Value::Null).await.error();
        assert_eq!(get("tools/versions/0").await, invalid("Layer Version Cannot be less than 1".to_owned()));
        let missing =
            (404, "ResourceNotFoundException".to_owned(), "The resource you requested does not exist.".to_owned());
        assert_eq!(get("tools/versions/3").await, missing);
        assert_eq!(get("none/versions/1").await, missing);
        let (status, code, text) = get("tools/versions?CompatibleRuntime=cobol").await;
        assert_eq!((status, code.as_str()), (400, "ValidationException"));
        assert!(text.starts_with("1 validation error detected: Value 'cobol' at 'compatibleRuntime' failed to satisfy constraint: Member must satisfy enum value set: [ruby2.6, "), "{text}");
        let content = json!({ "ZipFile": STANDARD.encode(zip(&[("../a", "")])) });
        let hostile =
            client.ask_at("POST", &format!("{LAYERS}/x/versions"), json!({ "Content": content })).await.error();
        assert_eq!(
            hostile,
            invalid("Could not unzip uploaded file. Please check your file, then try to upload again.".to_owned())
        );
        assert_eq!(client.ask_at("GET", LAYERS, Value::Null).await.json()["Layers"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn policies_are_added_shown_and_removed() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        publish(&client, "tools", &[("a", "")]).await;
        let path = format!("{LAYERS}/tools/versions/1/policy");
        let none = (
            404,
            "ResourceNotFoundException".to_owned(),
            "No policy is associated with the given resource.".to_owned(),
        );
        assert_eq!(client.ask_at("GET", &path, Value::Null).await.error(), none);
        let allow = |sid: &str, principal: &str| json!({ "StatementId": sid, "Action": "lambda:GetLayerVersion", "Principal": principal });
        let added = client.ask_at("POST", &path, allow("s1", "111111111111")).await;
        assert_eq!(added.status, 201);
        let statement: Value = serde_json::from_str(added.json()["Statement"].as_str().unwrap()).unwrap();
        let expected = json!({ "Sid": "s1", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
            "Action": "lambda:GetLayerVersion", "Resource": arn("tools", 1) });
        assert_eq!(statement, expected);
        assert_eq!(client.ask_at("POST", &path, allow("s1", "*")).await.error().0, 409);
        let stale = format!("{path}?RevisionId=wrong");
        let text = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id";
        assert_eq!(
            client.ask_at("POST", &stale, allow("s2", "*")).await.error(),
            (412, "PreconditionFailedException".to_owned(), text.to_owned())
        );
        let policy = client.ask_at("GET", &path, Value::Null).await.json();
        assert_eq!(policy["RevisionId"], added.json()["RevisionId"]);
        let missing = client.ask_at("GET", &path.replace("/1/", "/2/"), Value::Null).await.error();
        assert_eq!(missing.2, format!("Layer version {} does not exist.", arn("tools", 2)));

        // Who is named may use it in functions; nobody else of another account may.
        let elsewhere = |account: &str| store::Scope::new(account, "us-east-1");
        let arns = [arn("tools", 1)];
        assert!(lab.functions.layers(&elsewhere("111111111111"), &arns).await.is_ok());
        assert!(lab.functions.layers(&elsewhere("222222222222"), &arns).await.is_err());
        assert_eq!(
            client.ask_at("DELETE", &format!("{path}/none"), Value::Null).await.error().2,
            "Statement none is not found in resource policy."
        );
        assert_eq!(client.ask_at("DELETE", &format!("{path}/s1"), Value::Null).await.status, 204);
        assert_eq!(client.ask_at("GET", &path, Value::Null).await.error(), none);
        assert!(lab.functions.layers(&elsewhere("111111111111"), &arns).await.is_err());
    });
}

async fn returned(lab: &Lab, name: &str) -> Value {
    lab.returned(name, "{}").await
}

#[test]
fn a_python_function_finds_its_layers_in_their_order() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let version = runtime("python");
        let site = format!("python/lib/{version}/site-packages/deep.py");
        publish(&client, "one", &[("python/shared.py", "WHO = 'one'\n"), (&site, "WHO = 'deep'\n"), ("data/x", "1")])
            .await;
        publish(&client, "two", &[("python/shared.py", "WHO = 'two'\n"), ("python/index.py", "not even Python")]).await;
        let code = "import os, shared, deep\nopt = os.environ['PATH'].rsplit(':', 1)[1][:-4]\ndef handler(e, c): return [shared.WHO, deep.WHO, sorted(os.listdir(opt)), 'FRONTGATE_LAYERS' in os.environ]\n";
        let mut request = create("Items", code);
        request["Layers"] = json!([arn("one", 1)]);
        let made = client.ask("POST", "", request).await.json();
        assert_eq!(made["Layers"][0]["Arn"], arn("one", 1));
        assert!(made["Layers"][0]["CodeSize"].as_u64().unwrap() > 100);
        assert_eq!(returned(&lab, "Items").await, json!(["one", "deep", ["data", "python"], false]));
        attach(&client, "Items", &[arn("one", 1), arn("two", 1)]).await;
        assert_eq!(returned(&lab, "Items").await[0], "two");
        attach(&client, "Items", &[arn("two", 1), arn("one", 1)]).await;
        assert_eq!(returned(&lab, "Items").await[0], "one");
        // A version that is deleted goes on to serve those that have it, and nobody else.
        assert_eq!(client.ask_at("DELETE", &format!("{LAYERS}/one/versions/1"), Value::Null).await.status, 204);
        client.ask("PUT", "/Items/configuration", json!({ "Timeout": 9 })).await;
        assert_eq!(returned(&lab, "Items").await[0], "one");
        let shown = client.ask("GET", "/Items", Value::Null).await.json();
        assert_eq!(shown["Configuration"]["Layers"][1]["Arn"], arn("one", 1));
        let again = client.ask("PUT", "/Items/configuration", json!({ "Layers": [arn("one", 1)] })).await.error();
        assert_eq!(again.2, format!("Layer version {} does not exist.", arn("one", 1)));
        assert_eq!(attach(&client, "Items", &[]).await.get("Layers"), None);
        let failed = lab.failed("Items", "{}").await;
        assert_eq!(failed["errorType"], "Runtime.ImportModuleError");
    });
}

#[test]
fn node_and_programs_of_their_own_find_their_layers() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let modules = [
            ("nodejs/node_modules/shared/index.js", "module.exports = 'layer';"),
            ("nodejs/node_modules/own/index.js", "module.exports = 'layer';"),
        ];
        publish(&client, "modules", &modules).await;
        let code = "exports.handler = async () => [require('shared'), require('own')];";
        let files = [("index.js", code), ("node_modules/own/index.js", "module.exports = 'function';")];
        lab.put("Node", &runtime("nodejs"), &files, |_| {}).await;
        attach(&client, "Node", &[arn("modules", 1)]).await;
        assert_eq!(returned(&lab, "Node").await, json!(["layer", "function"]));

        let bootstrap = "#!/usr/bin/env python3\nimport os, urllib.request as r\nbase = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\nwhile True:\n  with r.urlopen(base + 'next') as n: id = n.headers['Lambda-Runtime-Aws-Request-Id']\n  body = open('data').read().encode()\n  r.urlopen(r.Request(base + id + '/response', data=body)).close()\n";
        publish(&client, "program", &[("bootstrap", bootstrap)]).await;
        lab.put("Own", "provided.al2023", &[("data", "\"own\"")], |_| {}).await;
        attach(&client, "Own", &[arn("program", 1)]).await;
        assert_eq!(returned(&lab, "Own").await, json!("own"));
    });
}
