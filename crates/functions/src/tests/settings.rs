//! What a function is configured with: where its code comes from and can be fetched, its log, tracing, storage.

use std::sync::Arc;

use base::seams::{ObjectName, ReadObject, ReadObjectError, SendFuture};
use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, create, package};
use super::lab::{Lab, on_data_thread, runtime, with_settings, zip};
use crate::Settings;
use crate::records::LogLevels;

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
        assert!(reply.json().as_str().unwrap().contains(";Sampled=1;Lineage="), "{reply:?}");
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

/// The lines of a log in JSON.
async fn json_tail(lab: &Lab, name: &str, event: &str) -> Vec<Value> {
    let tail = lab.tail(name, event).await;
    tail.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{tail}"))).collect()
}

fn in_json(application: &str, system: &str) -> impl Fn(&mut crate::records::Configuration) {
    let levels = LogLevels { application: application.to_owned(), system: system.to_owned() };
    move |configuration| configuration.json_log = Some(levels.clone())
}

#[test]
fn a_json_log_of_python() {
    const CODE: &str = r#"
import logging
log = logging.getLogger("own")
def handler(event, context):
    log.debug("hidden")
    log.warning("seen %s", 1, extra={"order": 7})
    if event.get("raise"): raise ValueError("oh")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
"#;
    on_data_thread(|lab| async move {
        let runtime = runtime("python");
        lab.put("Items", &runtime, &[("index.py", CODE)], in_json("INFO", "DEBUG")).await;
        let lines = json_tail(&lab, "Items", "{}").await;
        let kinds: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
        assert_eq!(kinds, ["platform.start", "platform.runtimeDone", "platform.report"]);
        let (start, report) = (&lines[0]["record"], &lines[4]["record"]);
        assert_eq!((&start["version"], &report["status"]), (&json!("$LATEST"), &json!("success")));
        assert_eq!(report["metrics"]["memorySizeMB"], 256);
        assert!(report["metrics"]["initDurationMs"].is_number() && report["metrics"]["billedDurationMs"].is_u64());
        let warning = lines[1].as_object().unwrap();
        assert_eq!(
            (&warning["level"], &warning["message"], &warning["logger"]),
            (&json!("WARNING"), &json!("seen 1"), &json!("own"))
        );
        assert_eq!((&warning["order"], &warning["requestId"]), (&json!(7), &start["requestId"]));
        assert_eq!(warning.len(), 6, "{warning:?}");
        let caught = &lines[2];
        assert_eq!(
            (&caught["errorType"], &caught["errorMessage"]),
            (&json!("ZeroDivisionError"), &json!("division by zero"))
        );
        assert!(
            caught["stackTrace"].is_array() && caught["location"].as_str().unwrap().ends_with(":handler:11"),
            "{caught}"
        );

        lab.put("Items", &runtime, &[("index.py", CODE)], in_json("DEBUG", "WARN")).await;
        let lines = json_tail(&lab, "Items", "{\"raise\":1}").await;
        assert_eq!((&lines[0]["message"], lines.len()), (&json!("hidden"), 5), "{lines:?}");
        assert_eq!((&lines[2]["log_level"], &lines[2]["errorMessage"]), (&json!("ERROR"), &json!("oh")));
        assert_eq!((&lines[4]["type"], &lines[4]["record"]["status"]), (&json!("platform.report"), &json!("error")));
    });
}

#[test]
fn a_json_log_of_node() {
    const CODE: &str = r#"
exports.handler = async (event) => {
  console.debug("hidden");
  console.log("plain");
  console.info({ an: "object" });
  console.warn("two %s", "values", new TypeError("oh"));
  const round = {}; round.self = round;
  console.error(round);
  if (event.raise) throw new RangeError("thrown");
};
"#;
    on_data_thread(|lab| async move {
        lab.put("Items", &runtime("nodejs"), &[("index.js", CODE)], in_json("INFO", "WARN")).await;
        let lines = json_tail(&lab, "Items", "{\"raise\":1}").await;
        let levels: Vec<&str> = lines.iter().filter_map(|line| line["level"].as_str()).collect();
        assert_eq!(levels, ["INFO", "INFO", "WARN", "ERROR", "ERROR"]);
        assert_eq!((&lines[0]["message"], &lines[1]["message"]), (&json!("plain"), &json!({ "an": "object" })));
        assert!(lines[2]["message"].as_str().unwrap().starts_with("two values"));
        assert_eq!((&lines[2]["errorType"], &lines[2]["errorMessage"]), (&json!("TypeError"), &json!("oh")));
        assert!(lines[3]["message"].as_str().unwrap().contains("Circular"));
        assert_eq!(lines[4]["message"]["errorType"], "RangeError");
        let report = &lines[6];
        assert_eq!(
            (&report["type"], &report["record"]["requestId"]),
            (&json!("platform.report"), &lines[0]["requestId"])
        );
    });
}

#[test]
fn lists_are_shown_page_by_page() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        for name in ["b", "a", "c"] {
            client.create(name, ECHO).await;
        }
        for change in ["1", "2"] {
            client.ask("PUT", "/b/configuration", json!({ "Handler": format!("index.{change}") })).await;
            client.ask("POST", "/b/versions", json!({})).await;
        }
        for (query, size, expected) in [
            ("", 1, vec!["a", "b", "c"]),
            ("", 2, vec!["a", "b", "c"]),
            ("FunctionVersion=ALL&", 1, vec!["a:$LATEST", "b:$LATEST", "b:1", "b:2", "c:$LATEST"]),
            ("FunctionVersion=ALL&", 2, vec!["a:$LATEST", "b:$LATEST", "b:1", "b:2", "c:$LATEST"]),
            ("FunctionVersion=ALL&", 3, vec!["a:$LATEST", "b:$LATEST", "b:1", "b:2", "c:$LATEST"]),
            ("MasterRegion=ALL&FunctionVersion=ALL&", 50, vec!["a:$LATEST", "b:$LATEST", "b:1", "b:2", "c:$LATEST"]),
            ("MasterRegion=eu-west-1&", 50, vec![]),
        ] {
            let (mut found, mut marker) = (Vec::new(), String::new());
            loop {
                let page = client.ask("GET", &format!("/?{query}MaxItems={size}{marker}"), Value::Null).await.json();
                let shown = page["Functions"].as_array().unwrap();
                assert!(shown.len() <= size);
                found.extend(shown.iter().map(|shown| {
                    let (_, name) = shown["FunctionArn"].as_str().unwrap().split_once("function:").unwrap();
                    name.to_owned()
                }));
                let Some(next) = page["NextMarker"].as_str() else { break };
                marker = format!("&Marker={}", next.replace('$', "%24").replace(':', "%3A"));
            }
            assert_eq!(found, expected, "{query} {size}");
        }
    });
}

#[test]
fn a_permission_needs_the_revision_of_what_it_is_for() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        client.ask("POST", "/Items/versions", json!({})).await;
        let alias =
            client.ask("POST", "/Items/aliases", json!({ "Name": "live", "FunctionVersion": "1" })).await.json();
        let permission = |sid: &str, revision: &Value| {
            json!({
                "StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "RevisionId": revision,
            })
        };
        let wrong = (412, "PreconditionFailedException".to_owned(), "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id".to_owned());
        let path = "/Items/policy?Qualifier=live";
        assert_eq!(client.ask("POST", path, permission("a", &json!("wrong"))).await.error(), wrong);
        assert_eq!(client.ask("POST", path, permission("a", &alias["RevisionId"])).await.status, 201);
        assert_eq!(client.ask("POST", path, permission("b", &alias["RevisionId"])).await.error(), wrong);
        let policy = client.ask("GET", path, Value::Null).await.json();
        assert_eq!(client.ask("POST", path, permission("b", &policy["RevisionId"])).await.status, 201);
        let mut for_urls = permission("u", &Value::Null);
        for_urls["FunctionUrlAuthType"] = json!("NONE");
        let text = "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action";
        assert_eq!(client.ask("POST", "/Items/policy", for_urls).await.error().2, text);
    });
}

#[test]
fn names_that_look_wrong_and_are_not() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let arn = "arn:aws:lambda:us-east-1:000000000000:function";
        let long = "a".repeat(65);
        for (method, path, missing) in [
            ("POST", format!("/{long}/invocations"), format!("{long}:$LATEST")),
            ("POST", format!("/{arn}/invocations"), "function:$LATEST".to_owned()),
            ("DELETE", format!("/{arn}:my-function?Qualifier=%24latest"), "my-function".to_owned()),
        ] {
            let (status, code, text) = client.send(method, &path, &[], Bytes::new()).await.error();
            assert_eq!((status, code.as_str()), (404, "ResourceNotFoundException"), "{path}");
            assert_eq!(text, format!("Function not found: {arn}:{missing}"));
        }
    });
}

#[test]
fn the_versions_of_an_alias_have_one_role() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        for role in ["r", "r", "other"] {
            let change = json!({ "Role": format!("arn:aws:iam::000000000000:role/{role}") });
            client.ask("PUT", "/Items/configuration", change).await;
            assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.status, 201);
        }
        let alias = |version: &str, other: &str| {
            json!({
                "Name": "live", "FunctionVersion": version, "RoutingConfig": { "AdditionalVersionWeights": { other: 0.5 } },
            })
        };
        let text = "Function versions 1 and 3 have different roles, which an alias cannot point to at once.";
        assert_eq!(client.ask("POST", "/Items/aliases", alias("1", "3")).await.error().2, text);
        assert_eq!(client.ask("POST", "/Items/aliases", alias("2", "1")).await.status, 201);
        let (status, _, _) = client.ask("PUT", "/Items/aliases/live", json!({ "FunctionVersion": "3" })).await.error();
        assert_eq!(status, 400);
        let both = json!({ "FunctionVersion": "3", "RoutingConfig": { "AdditionalVersionWeights": {} } });
        assert_eq!(client.ask("PUT", "/Items/aliases/live", both).await.status, 200);
    });
}

#[test]
fn another_account_does_what_the_policy_lets_it_do() {
    on_data_thread(|lab| async move {
        let owner = Client::of(&lab);
        owner.create("Items", ECHO).await;
        let other = Client::of(&lab).of_account("000000000002");
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:Items";
        let (status, code, text) = other.ask("GET", &format!("/{arn}"), Value::Null).await.error();
        assert_eq!((status, code.as_str()), (403, "AccessDeniedException"));
        assert!(
            text.starts_with("User: arn:aws:iam::000000000002:root is not authorized to perform: lambda:GetFunction")
        );

        let permission = json!({ "StatementId": "other", "Action": "lambda:*", "Principal": "000000000002" });
        assert_eq!(owner.ask("POST", "/Items/policy", permission).await.status, 201);
        let shown = other.ask("GET", &format!("/{arn}"), Value::Null).await.json();
        assert_eq!(shown["Configuration"]["FunctionArn"], arn);
        assert_eq!(other.ask("GET", "/000000000000:function:Items/configuration", Value::Null).await.status, 200);
        let invoked = other.send("POST", &format!("/{arn}/invocations"), &[], Bytes::new()).await;
        assert_eq!(invoked.json(), json!("one"));
        assert_eq!(other.ask("POST", &format!("/{arn}/versions"), json!({})).await.status, 201);
        // The policy is the function's, not the version's; and what has no account in its name is the caller's own.
        assert_eq!(other.ask("GET", &format!("/{arn}:1"), Value::Null).await.status, 403);
        assert_eq!(other.ask("GET", "/Items", Value::Null).await.status, 404);
        let third = Client::of(&lab).of_account("000000000003");
        assert_eq!(third.ask("DELETE", &format!("/{arn}"), Value::Null).await.status, 403);
        assert_eq!(other.ask("DELETE", &format!("/{arn}"), Value::Null).await.status, 204);
    });
}

#[test]
fn a_version_published_by_an_update_is_shown_as_it_is_made() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", ECHO).await;
        let update = json!({ "ZipFile": package("def handler(event, context): return 'two'\n"), "Publish": true });
        let shown = client.ask("PUT", "/Items/code", update).await.json();
        assert_eq!((&shown["Version"], &shown["State"]), (&json!("1"), &json!("Pending")));
        assert_eq!((&shown["StateReasonCode"], shown.get("LastUpdateStatus")), (&json!("Creating"), None));
        let settled = client.ask("GET", "/Items/configuration?Qualifier=1", Value::Null).await.json();
        assert_eq!((&settled["State"], &settled["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));
    });
}
