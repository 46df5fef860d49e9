//! What a function is configured with: where its code comes from and can be fetched, its log, tracing, storage.

use std::sync::Arc;

use base::seams::{ObjectName, ReadObject, ReadObjectError, SendFuture};
use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, create};
use super::lab::{on_data_thread, with_settings, zip};
use crate::Settings;

const ECHO: &str = "def handler(event, context): return 'one'\n";
const ENVIRONMENT: &str = "import os\ndef handler(event, context): return dict(os.environ)\n";

/// An S3 with one object.
#[derive(Debug)]
struct Shelf(Vec<u8>);

impl ReadObject for Shelf {
    fn read_object(&self, object: ObjectName) -> SendFuture<'_, Result<Bytes, ReadObjectError>> {
        let refused = |code: &str, message: &str| {
            Err(ReadObjectError::Refused { code: code.to_owned(), message: message.to_owned() })
        };
        let read = match (object.bucket.as_str(), object.key.as_str(), object.version.as_deref()) {
            ("shelf", "code/a.zip", None | Some("v1")) => Ok(Bytes::from(self.0.clone())),
            ("shelf", "huge", _) => Err(ReadObjectError::TooLarge),
            ("shelf", "far", _) => Err(ReadObjectError::Unreachable("nobody listens".to_owned())),
            ("shelf", ..) => refused("NoSuchKey", "The specified key does not exist."),
            ("nowhere", ..) => Err(ReadObjectError::NoEndpoint("start Frontgate with a flag".to_owned())),
            _ => refused("NoSuchBucket", "The specified bucket does not exist"),
        };
        Box::pin(std::future::ready(read))
    }
}

fn from_s3(name: &str, code: Value) -> Value {
    let mut request = create(name, ECHO);
    request["Code"] = code;
    request
}

#[test]
fn code_comes_from_s3() {
    let shelf = Shelf(zip(&[("index.py", ECHO)]));
    with_settings(Settings { objects: Some(Arc::new(shelf)), ..Settings::default() }, |lab| async move {
        let client = Client::of(&lab);
        let code = json!({ "S3Bucket": "shelf", "S3Key": "code/a.zip", "S3ObjectVersion": "v1" });
        let made = client.ask("POST", "", from_s3("Items", code)).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(lab.returned("Items", "{}").await, json!("one"));
        let update = json!({ "S3Bucket": "shelf", "S3Key": "code/a.zip" });
        let updated = client.ask("PUT", "/Items/code", update).await.json();
        assert_eq!(updated["CodeSha256"], made.json()["CodeSha256"]);

        let refused = |code: &str, message: &str| {
            let text = format!("Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}");
            (400, "InvalidParameterValueException".to_owned(), text)
        };
        let cases = [
            ("shelf", "other", refused("NoSuchKey", "The specified key does not exist.")),
            ("other", "code/a.zip", refused("NoSuchBucket", "The specified bucket does not exist")),
            (
                "shelf",
                "huge",
                (
                    400,
                    "InvalidParameterValueException".to_owned(),
                    "Unzipped size must be smaller than 262144000 bytes".to_owned(),
                ),
            ),
            (
                "shelf",
                "far",
                (500, "ServiceException".to_owned(), "S3 could not be asked for the code: nobody listens".to_owned()),
            ),
            (
                "nowhere",
                "a",
                (
                    501,
                    "NotImplemented".to_owned(),
                    "Function code cannot be read from S3: start Frontgate with a flag".to_owned(),
                ),
            ),
        ];
        for (bucket, key, expected) in cases {
            let code = json!({ "S3Bucket": bucket, "S3Key": key });
            assert_eq!(client.ask("POST", "", from_s3("Other", code.clone())).await.error(), expected);
            assert_eq!(client.ask("PUT", "/Items/code", code).await.error(), expected);
        }
        let half = client.ask("PUT", "/Items/code", json!({ "S3Bucket": "shelf" })).await.error();
        assert_eq!(half.2, "Please provide a source for function code.");
    });
}

#[test]
fn code_can_be_fetched_where_get_function_says() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        let shown = client.ask("GET", "/Items", Value::Null).await.json();
        assert_eq!(shown["Code"]["RepositoryType"], "S3");
        let location = shown["Code"]["Location"].as_str().unwrap();
        let page = location.strip_prefix("http://127.0.0.1:4566/_frontgate/code/").unwrap();
        let (page, query) = page.split_once('?').unwrap();
        let fetched = lab.functions.code_at(page, query).await.unwrap();
        assert_eq!(fetched.len() as u64, shown["Configuration"]["CodeSize"].as_u64().unwrap());
        assert!(lab.functions.code_at(page, &query.replace("expires=", "expires=9")).await.is_none());
    });
}

#[test]
fn a_log_in_json_has_levels() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ENVIRONMENT).await;
        let log = async |change: Value| {
            let changed = client.ask("PUT", "/Items/configuration", json!({ "LoggingConfig": change })).await;
            assert_eq!(changed.status, 200, "{changed:?}");
            let environment = lab.returned("Items", "{}").await;
            (changed.json()["LoggingConfig"].clone(), environment)
        };
        let (shown, environment) = log(json!({ "LogFormat": "JSON" })).await;
        let usual = "/aws/lambda/Items";
        let expected =
            json!({ "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": usual });
        assert_eq!(shown, expected);
        assert_eq!(
            (&environment["AWS_LAMBDA_LOG_FORMAT"], &environment["AWS_LAMBDA_LOG_LEVEL"]),
            (&json!("JSON"), &json!("INFO"))
        );
        let (shown, environment) = log(json!({ "ApplicationLogLevel": "DEBUG", "LogGroup": "g" })).await;
        let expected =
            json!({ "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO", "LogGroup": "g" });
        assert_eq!((shown, &environment["AWS_LAMBDA_LOG_LEVEL"]), (expected, &json!("DEBUG")));
        let (shown, environment) = log(json!({ "LogFormat": "Text" })).await;
        assert_eq!(shown, json!({ "LogFormat": "Text", "LogGroup": "g" }));
        assert_eq!(environment.get("AWS_LAMBDA_LOG_FORMAT"), None);
        let change = json!({ "LoggingConfig": { "SystemLogLevel": "WARN" } });
        let (status, code, _) = client.ask("PUT", "/Items/configuration", change).await.error();
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"));
    });
}

#[test]
fn active_tracing_samples_the_calls_that_nobody_decided_about() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let mut request =
            create("Items", "import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']\n");
        request["TracingConfig"] = json!({ "Mode": "Active" });
        assert_eq!(client.ask("POST", "", request).await.json()["TracingConfig"], json!({ "Mode": "Active" }));
        let traced = async |header: &str| {
            let invocation =
                base::seams::Invocation { trace_id: Some(header.to_owned()), ..lab.invocation("Items", "{}") };
            let invoked = lab.functions.invoke_from_anywhere(invocation).await.unwrap();
            let base::seams::Outcome::Returned(payload) = invoked.outcome else { panic!("it returns") };
            serde_json::from_slice::<String>(&payload).unwrap()
        };
        assert_eq!(traced("Root=1-2").await, "Root=1-2;Sampled=1");
        assert_eq!(traced("Root=1-2;Sampled=0").await, "Root=1-2;Sampled=0");
        let reply = client.send("POST", "/Items/invocations", &[], Bytes::new()).await;
        assert!(reply.json().as_str().unwrap().ends_with(";Sampled=1"), "{reply:?}");
        let change = json!({ "TracingConfig": { "Mode": "PassThrough" } });
        assert_eq!(client.ask("PUT", "/Items/configuration", change).await.status, 200);
        assert_eq!(traced("Root=1-2").await, "Root=1-2");
    });
}

#[test]
fn ephemeral_storage_is_kept() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let mut request = create("Items", ECHO);
        request["EphemeralStorage"] = json!({ "Size": 1024 });
        assert_eq!(client.ask("POST", "", request).await.json()["EphemeralStorage"], json!({ "Size": 1024 }));
        let change = json!({ "EphemeralStorage": { "Size": 10_240 } });
        client.ask("PUT", "/Items/configuration", change).await;
        client.ask("PUT", "/Items/configuration", json!({ "Description": "d" })).await;
        let shown = client.ask("GET", "/Items/configuration", Value::Null).await.json();
        assert_eq!(shown["EphemeralStorage"], json!({ "Size": 10_240 }));
    });
}
