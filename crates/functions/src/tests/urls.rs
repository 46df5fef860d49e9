//! Function URLs: their configuration, as recorded, and what the data plane is told of them.

use base::seams::{Caller, FindFunctionUrl, Invocation, InvokeFunction, InvokeRefusal, UrlAuth};
use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, Reply, create};
use super::lab::{Lab, on_data_thread};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:Items";
const CODE: &str = "def handler(event, context): return event\n";

async fn config(client: &Client, method: &str, path: &str, body: Value) -> Reply {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    client.call(method, &format!("/2021-10-31/functions{path}"), &[], body).await
}

/// `Items` with version 1 and the alias `prod`.
async fn items(lab: &Lab) -> Client {
    let client = Client::of(lab);
    assert_eq!(client.create("Items", CODE).await.status, 201);
    assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.status, 201);
    let alias = json!({ "Name": "prod", "FunctionVersion": "1" });
    assert_eq!(client.ask("POST", "/Items/aliases", alias).await.status, 201);
    client
}

fn id_of(shown: &Value) -> String {
    let url = shown["FunctionUrl"].as_str().unwrap();
    let id = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix(".lambda-url.us-east-1.localhost:4566/"));
    id.unwrap_or_else(|| panic!("{url}")).to_owned()
}

#[test]
fn a_url_is_made_shown_changed_and_deleted() {
    on_data_thread(|lab| async move {
        let client = items(&lab).await;
        let made = config(&client, "POST", "/Items/url", json!({ "AuthType": "NONE" })).await;
        assert_eq!(made.status, 201, "{made:?}");
        let made = made.json();
        assert_eq!((&made["FunctionArn"], &made["AuthType"]), (&json!(ARN), &json!("NONE")));
        assert_eq!((made.get("InvokeMode"), made.get("LastModifiedTime"), made.get("Cors")), (None, None, None));
        let id = id_of(&made);
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{id}");
        let again = config(&client, "POST", "/Items/url", json!({ "AuthType": "NONE" })).await;
        let message = format!(
            "Failed to create function url config for [functionArn = {ARN}]. Error message:  FunctionUrlConfig exists for this Lambda function"
        );
        assert_eq!(again.error(), (409, "ResourceConflictException".to_owned(), message));
        let got = config(&client, "GET", "/Items/url", Value::Null).await.json();
        assert_eq!((&got["InvokeMode"], &got["FunctionUrl"]), (&json!("BUFFERED"), &made["FunctionUrl"]));
        assert!(got["LastModifiedTime"].is_string());
        let found = lab.functions.find(&id).unwrap();
        assert_eq!((&*found.function_arn, found.auth, found.streams, &found.cors), (ARN, UrlAuth::None, false, &None));

        let cors = json!({ "AllowCredentials": false, "AllowOrigins": ["*"], "MaxAge": 5 });
        let change = json!({ "AuthType": "AWS_IAM", "Cors": cors });
        let changed = config(&client, "PUT", "/Items/url", change).await.json();
        assert_eq!((&changed["AuthType"], &changed["Cors"]), (&json!("AWS_IAM"), &cors));
        assert_eq!(changed.get("InvokeMode"), None);
        let changed = config(&client, "PUT", "/Items/url", json!({ "InvokeMode": "RESPONSE_STREAM" })).await.json();
        assert_eq!(changed["InvokeMode"], "RESPONSE_STREAM");
        let changed = config(&client, "PUT", "/Items/url", json!({})).await.json();
        assert_eq!((&changed["InvokeMode"], &changed["Cors"]), (&json!("RESPONSE_STREAM"), &cors));
        let found = lab.functions.find(&id).unwrap();
        assert_eq!((found.auth, found.streams), (UrlAuth::Iam, true));
        assert_eq!(found.cors.as_ref().unwrap().allow_origins, ["*"]);

        assert_eq!(config(&client, "DELETE", "/Items/url", Value::Null).await.status, 204);
        assert!(lab.functions.find(&id).is_none());
        let gone = config(&client, "GET", "/Items/url", Value::Null).await.error();
        let message = "The resource you requested does not exist.".to_owned();
        assert_eq!(gone, (404, "ResourceNotFoundException".to_owned(), message));
    });
}

#[test]
fn a_function_and_its_aliases_have_urls_of_their_own() {
    on_data_thread(|lab| async move {
        let client = items(&lab).await;
        let of_function = config(&client, "POST", "/Items/url", json!({ "AuthType": "NONE" })).await.json();
        let path = "/Items:prod/url?Qualifier=prod";
        let of_alias = config(&client, "POST", path, json!({ "AuthType": "NONE" })).await.json();
        assert_eq!(of_alias["FunctionArn"], format!("{ARN}:prod"));
        let all = config(&client, "GET", "/Items/urls", Value::Null).await.json();
        let arns: Vec<&Value> =
            all["FunctionUrlConfigs"].as_array().unwrap().iter().map(|url| &url["FunctionArn"]).collect();
        assert_eq!(arns, [&of_function["FunctionArn"], &of_alias["FunctionArn"]]);
        assert_eq!((all.get("NextMarker"), &all["FunctionUrlConfigs"][0]["InvokeMode"]), (None, &json!("BUFFERED")));
        let first = config(&client, "GET", "/Items/urls?MaxItems=1", Value::Null).await.json();
        let marker = first["NextMarker"].as_str().unwrap().replace('$', "%24");
        let path = format!("/Items/urls?MaxItems=1&Marker={marker}");
        let second = config(&client, "GET", &path, Value::Null).await.json();
        assert_eq!((first["FunctionUrlConfigs"].as_array().unwrap().len(), second.get("NextMarker")), (1, None));
        assert_eq!(second["FunctionUrlConfigs"][0]["FunctionUrl"], of_alias["FunctionUrl"]);
        // The URL of the function goes, that of the alias stays; and goes with it.
        assert_eq!(config(&client, "DELETE", "/Items/url", Value::Null).await.status, 204);
        assert!(lab.functions.find(&id_of(&of_alias)).is_some());
        assert_eq!(client.ask("DELETE", "/Items/aliases/prod", Value::Null).await.status, 204);
        assert!(lab.functions.find(&id_of(&of_alias)).is_none());
        let of_function = config(&client, "POST", "/Items/url", json!({ "AuthType": "NONE" })).await.json();
        assert_eq!(client.ask("DELETE", "/Items", Value::Null).await.status, 204);
        assert!(lab.functions.find(&id_of(&of_function)).is_none());
        let empty = config(&client, "GET", "/Items/urls", Value::Null).await.error();
        assert_eq!((empty.0, empty.2.as_str()), (404, "Function does not exist"));
    });
}

#[test]
fn urls_are_there_after_a_restart() {
    on_data_thread(|lab| async move {
        let client = items(&lab).await;
        let made = config(&client, "POST", "/Items/url?Qualifier=prod", json!({ "AuthType": "NONE" })).await.json();
        let index = crate::index::Index::load(&lab.data.store(), &lab.functions.engine).await.unwrap();
        assert_eq!(&*index.urls.find(&id_of(&made)).unwrap().function_arn, format!("{ARN}:prod"));
    });
}

#[test]
fn what_is_wrong_is_refused_as_recorded() {
    on_data_thread(|lab| async move {
        let client = items(&lab).await;
        let pattern = |value: &str| {
            let message = format!(
                "1 validation error detected: Value '{value}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
            );
            (400, "ValidationException".to_owned(), message)
        };
        let no_function = (404, "ResourceNotFoundException".to_owned(), "Function does not exist".to_owned());
        let no_url =
            (404, "ResourceNotFoundException".to_owned(), "The resource you requested does not exist.".to_owned());
        let mismatch = (
            400,
            "InvalidParameterValueException".to_owned(),
            "The derived qualifier from the function name does not match the specified qualifier.".to_owned(),
        );
        for method in ["POST", "GET", "PUT", "DELETE"] {
            let body = || match method {
                "POST" => json!({ "AuthType": "NONE" }),
                "PUT" => json!({ "AuthType": "AWS_IAM" }),
                _ => Value::Null,
            };
            let absent = if matches!(method, "POST" | "PUT") { &no_function } else { &no_url };
            let arn = ARN.replace(':', "%3A");
            for (path, expected) in [
                ("/absent/url".to_owned(), absent.clone()),
                (format!("/{}/url", arn.replace("Items", "absent")), absent.clone()),
                ("/absent/url?Qualifier=1".to_owned(), pattern("1")),
                ("/Items/url?Qualifier=2".to_owned(), pattern("2")),
                ("/Items:1/url".to_owned(), pattern("1")),
                ("/Items/url?Qualifier=%24LATEST".to_owned(), pattern("$LATEST")),
                ("/Items/url?Qualifier=v1".to_owned(), absent.clone()),
                ("/Items:prod-x/url?Qualifier=prod".to_owned(), mismatch.clone()),
            ] {
                assert_eq!(config(&client, method, &path, body()).await.error(), expected, "{method} {path}");
            }
            if method != "POST" {
                assert_eq!(config(&client, method, "/Items/url", body()).await.error(), no_url, "{method}");
            }
        }
        let unknown =
            config(&client, "POST", "/Items/url", json!({ "AuthType": "NONE", "InvokeMode": "UNKNOWN" })).await;
        let message = "1 validation error detected: Value 'UNKNOWN' at 'invokeMode' failed to satisfy constraint: Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]";
        assert_eq!(unknown.error(), (400, "ValidationException".to_owned(), message.to_owned()));
    });
}

#[test]
fn a_tag_chooses_the_id() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        for (name, tag) in [("Items", "My-Items"), ("Same", "my-items"), ("Bad", "_not_valid")] {
            let mut request = create(name, CODE);
            request["Tags"] = json!({ "_custom_id_": tag });
            assert_eq!(client.ask("POST", "", request).await.status, 201);
            let made = config(&client, "POST", &format!("/{name}/url"), json!({ "AuthType": "NONE" })).await.json();
            assert_eq!(id_of(&made) == "my-items", name == "Items", "{made}");
        }
        let alias = json!({ "Name": "V1", "FunctionVersion": "$LATEST" });
        assert_eq!(client.ask("POST", "/Items/aliases", alias).await.status, 201);
        let made = config(&client, "POST", "/Items/url?Qualifier=V1", json!({ "AuthType": "NONE" })).await.json();
        assert_eq!(id_of(&made), "my-items-v1");
    });
}

#[test]
fn the_policy_says_who_may_call_by_url() {
    on_data_thread(|lab| async move {
        let client = items(&lab).await;
        let call = async |arn: String| {
            let invocation = Invocation {
                function_arn: arn.into(),
                payload: Bytes::from_static(b"{}"),
                caller: Caller::AnyoneByUrl,
                trace_id: None,
                client_context: None,
                tail_log: false,
                request_id: None,
            };
            match lab.functions.invoke(invocation).await {
                Ok(_) => true,
                Err(InvokeRefusal::NotPermitted) => false,
                Err(other) => panic!("{other:?}"),
            }
        };
        assert!(!call(ARN.to_owned()).await);
        for (sid, change, allows) in [
            ("a", json!({ "Action": "lambda:InvokeFunction", "FunctionUrlAuthType": null }), false),
            ("b", json!({ "Principal": "111122223333" }), false),
            ("c", json!({ "FunctionUrlAuthType": "AWS_IAM" }), false),
            ("d", json!({ "SourceAccount": "111122223333" }), false),
            ("e", json!({}), true),
        ] {
            let mut statement = json!({
                "StatementId": sid, "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE",
            });
            statement.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let added = client.ask("POST", "/Items/policy", statement).await;
            assert_eq!(added.status, 201, "{added:?}");
            assert_eq!(call(ARN.to_owned()).await, allows, "{sid}");
        }
        // What holds for the function does not hold for its alias.
        assert!(!call(format!("{ARN}:prod")).await);
        assert_eq!(client.ask("DELETE", "/Items/policy/e", Value::Null).await.status, 204);
        assert!(!call(ARN.to_owned()).await);
    });
}
