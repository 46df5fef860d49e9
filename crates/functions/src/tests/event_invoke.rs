//! EventInvokeConfigs and dead letter configs through the API, in the words that AWS was recorded with.

use serde_json::{Value, json};

use super::client::{Client, create};
use super::lab::on_data_thread;

const CODE: &str = "def handler(e, c): return 1\n";
const CONFIG: &str = "/2019-09-25/functions/F/event-invoke-config";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:F";

/// A config as it is shown, without the moment.
fn shown(mut config: Value) -> Value {
    let modified = config.as_object_mut().unwrap().remove("LastModified").unwrap();
    assert!(modified.as_f64().unwrap() > 1e9, "{modified}");
    config
}

fn config(qualifier: &str, more: Value) -> Value {
    let mut config = json!({
        "FunctionArn": format!("{ARN}:{qualifier}"),
        "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

#[test]
fn a_config_is_put_updated_listed_and_deleted() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("F", CODE).await;
        client.ask("POST", "/F/versions", json!({})).await;
        client.ask("POST", "/F/aliases", json!({ "Name": "live", "FunctionVersion": "1" })).await;
        let put = async |query: &str, body| shown(client.ask_at("PUT", &format!("{CONFIG}{query}"), body).await.json());
        let both = json!({ "MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60 });
        assert_eq!(put("", both.clone()).await, config("$LATEST", both));
        let one = json!({ "MaximumRetryAttempts": 0 });
        assert_eq!(put("", one.clone()).await, config("$LATEST", one.clone()), "what is put replaces all");
        let updated = client.ask_at("POST", CONFIG, json!({ "MaximumEventAgeInSeconds": 90 })).await.json();
        let both = json!({ "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 90 });
        assert_eq!(shown(updated), config("$LATEST", both.clone()));
        assert_eq!(put("?Qualifier=1", one.clone()).await, config("1", one.clone()));
        assert_eq!(put("?Qualifier=live", one.clone()).await, config("live", one));
        let read = client.ask_at("GET", &format!("{CONFIG}?Qualifier=$LATEST"), Value::Null).await.json();
        assert_eq!(shown(read), config("$LATEST", both));
        let page = client.ask_at("GET", &format!("{CONFIG}/list?MaxItems=2"), Value::Null).await.json();
        assert_eq!(page["FunctionEventInvokeConfigs"].as_array().unwrap().len(), 2);
        let marker = page["NextMarker"].as_str().unwrap();
        let rest = client.ask_at("GET", &format!("{CONFIG}/list?Marker={marker}"), Value::Null).await.json();
        assert_eq!(rest["FunctionEventInvokeConfigs"][0]["FunctionArn"], format!("{ARN}:live"));
        assert_eq!(rest.get("NextMarker"), None);
        assert_eq!(client.ask_at("DELETE", CONFIG, Value::Null).await.status, 204);
        // Those of a version and an alias go with them.
        assert_eq!(client.ask("DELETE", "/F/aliases/live", Value::Null).await.status, 204);
        assert_eq!(client.ask("DELETE", "/F?Qualifier=1", Value::Null).await.status, 204);
        let list = client.ask_at("GET", &format!("{CONFIG}/list"), Value::Null).await.json();
        assert_eq!(list, json!({ "FunctionEventInvokeConfigs": [] }));
    });
}

#[test]
fn refusals_are_those_of_aws() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("F", CODE).await;
        client.create("Other", CODE).await;
        let none = "/2019-09-25/functions/None/event-invoke-config";
        let missing = format!("The function {ARN}:$LATEST doesn't have an EventInvokeConfig");
        let retries = || json!({ "MaximumRetryAttempts": 1 });
        let on_success = |arn: &str| json!({ "DestinationConfig": { "OnSuccess": { "Destination": arn } } });
        let nothing = "You must specify at least one of error handling or destination setting.";
        let own = "You can't specify the function as a destination for itself.";
        let iam = ARN.replace(":lambda:", ":iam:");
        let unusable = format!(
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination={iam}), onFailure=null) is invalid."
        );
        let elsewhere = ARN.replace(":F", ":None");
        let mismatch = "The derived qualifier from the function name does not match the specified qualifier.";
        for (method, path, body, status, message) in [
            ("PUT", none, retries(), 404, "The function doesn't exist."),
            ("PUT", none, json!({}), 400, nothing),
            ("POST", none, retries(), 404, "The function doesn't exist."),
            ("PUT", &*format!("{CONFIG}?Qualifier=none"), retries(), 404, "The function doesn't exist."),
            ("PUT", CONFIG, on_success(&elsewhere), 400, &*format!("The destination ARN {elsewhere} is invalid.")),
            ("PUT", CONFIG, on_success(ARN), 400, own),
            ("PUT", CONFIG, on_success(&format!("{ARN}:$LATEST")), 400, own),
            ("PUT", CONFIG, on_success(&iam), 400, &*unusable),
            ("PUT", "/2019-09-25/functions/F:1/event-invoke-config?Qualifier=$LATEST", retries(), 400, mismatch),
            ("POST", CONFIG, retries(), 404, &*missing),
            ("GET", CONFIG, Value::Null, 404, &*missing),
            ("DELETE", CONFIG, Value::Null, 404, &*missing),
            ("GET", &*format!("{none}/list"), Value::Null, 404, "The function doesn't exist."),
        ] {
            let (got, _, text) = client.ask_at(method, path, body).await.error();
            assert_eq!((got, text.as_str()), (status, message), "{method} {path}");
        }
        let to_s3 = client.ask_at("PUT", CONFIG, on_success("arn:aws:s3:::bucket")).await;
        assert_eq!(to_s3.error().0, 400, "a bucket takes failures only");
        let kafka = json!({ "DestinationConfig": { "OnFailure": { "Destination": "kafka://topic" } } });
        let refused = client.ask_at("PUT", CONFIG, kafka).await.error();
        assert_eq!((refused.0, refused.1.as_str()), (501, "NotImplemented"), "{}", refused.2);
        for (arn, is_success) in [(ARN.replace(":F", ":Other"), true), ("arn:aws:s3:::bucket".to_owned(), false)] {
            let which = if is_success { "OnSuccess" } else { "OnFailure" };
            let body = json!({ "DestinationConfig": { which: { "Destination": arn } } });
            let put = client.ask_at("PUT", CONFIG, body).await.json();
            assert_eq!(put["DestinationConfig"][which]["Destination"], arn);
        }
    });
}

#[test]
fn a_dead_letter_queue_is_set_kept_and_taken_away() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let queue = "arn:aws:sqs:us-east-1:000000000000:dead";
        let mut request = create("F", CODE);
        request["DeadLetterConfig"] = json!({ "TargetArn": queue });
        assert_eq!(client.ask("POST", "", request).await.json()["DeadLetterConfig"]["TargetArn"], queue);
        let update = async |config: Value| {
            let body = json!({ "DeadLetterConfig": config });
            client.ask("PUT", "/F/configuration", body).await
        };
        // As recorded: a config that names none changes nothing.
        assert_eq!(update(json!({})).await.json()["DeadLetterConfig"]["TargetArn"], queue);
        let refused = update(json!({ "TargetArn": ARN })).await.error();
        assert_eq!((refused.0, refused.1.as_str()), (400, "InvalidParameterValueException"));
        assert_eq!(update(json!({ "TargetArn": "" })).await.json().get("DeadLetterConfig"), None);
        let shown = client.ask("GET", "/F/configuration", Value::Null).await.json();
        assert_eq!(shown.get("DeadLetterConfig"), None);
    });
}
