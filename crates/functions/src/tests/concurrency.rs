//! Reserved and provisioned concurrency, through the API and as calls meet them.

use std::rc::Rc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, Reply, create};
use super::lab::{Lab, eventually, is_alive, on_data_thread, process, unsandboxed};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:Items";

const HANDLER: &str = "
import os, time
ME = int.from_bytes(os.urandom(6), 'big') | 1 << 47
with open('/proc/self/comm', 'w') as file: file.write('%012x' % ME)
kind = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']
def handler(event, context):
    time.sleep(event.get('wait', 0))
    return [kind, ME]
";

async fn put(client: &Client, name: &str, executions: i32) -> Reply {
    let body = json!({ "ReservedConcurrentExecutions": executions });
    client.ask_at("PUT", &format!("/2017-10-31/functions/{name}/concurrency"), body).await
}

async fn reserved(client: &Client, name: &str) -> Value {
    client.ask_at("GET", &format!("/2019-09-30/functions/{name}/concurrency"), Value::Null).await.json()
}

async fn provisioned(client: &Client, method: &str, qualifier: &str, body: Value) -> Reply {
    let path = format!("/2019-09-30/functions/Items/provisioned-concurrency?Qualifier={qualifier}");
    client.ask_at(method, &path, body).await
}

async fn provision(client: &Client, qualifier: &str, executions: i32) -> Reply {
    provisioned(client, "PUT", qualifier, json!({ "ProvisionedConcurrentExecutions": executions })).await
}

async fn invoke(client: &Client, qualifier: &str, event: Value) -> Reply {
    let path = format!("/Items/invocations?Qualifier={qualifier}");
    client.send("POST", &path, &[], Bytes::from(event.to_string())).await
}

/// What provisioning has come to.
async fn settled(client: &Client, qualifier: &str) -> Value {
    loop {
        let shown = provisioned(client, "GET", qualifier, Value::Null).await.json();
        if shown["Status"] != "IN_PROGRESS" {
            return shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn start(lab: &Lab, code: &str) -> Client {
    let client = Client::of(lab);
    assert_eq!(client.create("Items", code).await.status, 201);
    assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.status, 201);
    client
}

fn error(status: u16, code: &str, text: &str) -> (u16, String, String) {
    (status, code.to_owned(), text.to_owned())
}

#[test]
fn reservations_are_put_shown_and_deleted() {
    on_data_thread(|lab| async move {
        let client = start(&lab, HANDLER).await;
        assert_eq!(reserved(&client, "Items").await, json!({}));
        assert_eq!(put(&client, "Items", 3).await.json(), json!({ "ReservedConcurrentExecutions": 3 }));
        assert_eq!(reserved(&client, "Items").await, json!({ "ReservedConcurrentExecutions": 3 }));
        let shown = client.ask("GET", "/Items", Value::Null).await.json();
        assert_eq!(shown["Concurrency"], json!({ "ReservedConcurrentExecutions": 3 }));
        let deleted = client.ask_at("DELETE", "/2017-10-31/functions/Items/concurrency", Value::Null).await;
        assert_eq!((deleted.status, deleted.body.len()), (204, 0));
        assert_eq!(reserved(&client, "Items").await, json!({}));
        // Nothing of it outlives the function.
        put(&client, "Items", 900).await;
        client.ask("DELETE", "/Items", Value::Null).await;
        client.ask("POST", "", create("Items", HANDLER)).await;
        assert_eq!(reserved(&client, "Items").await, json!({}));
        client.ask("POST", "", create("Other", HANDLER)).await;
        assert_eq!(put(&client, "Other", 900).await.status, 200);
    });
}

#[test]
fn reservations_that_cannot_be_are_refused_as_aws_does() {
    on_data_thread(|lab| async move {
        let client = start(&lab, HANDLER).await;
        let missing = "Function not found: arn:aws:lambda:us-east-1:000000000000:function:Nothing:$LATEST";
        assert_eq!(put(&client, "Nothing", 1).await.error(), error(404, "ResourceNotFoundException", missing));
        let whole = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.";
        let qualified = format!("{ARN}:$LATEST").replace(':', "%3A").replace('$', "%24");
        assert_eq!(put(&client, &qualified, 0).await.error(), error(400, "InvalidParameterValueException", whole));
        let least = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].";
        for executions in [901, 1000, 1001, i32::MAX] {
            let reply = put(&client, "Items", executions).await;
            assert_eq!(reply.error(), error(400, "InvalidParameterValueException", least));
            assert_eq!(reply.json(), json!({ "message": least }));
        }
        assert_eq!(put(&client, "Items", 900).await.status, 200);
        client.create("Other", HANDLER).await;
        assert_eq!(put(&client, "Other", 1).await.status, 400);
        assert_eq!(put(&client, "Other", 0).await.status, 200);
        assert_eq!(put(&client, "Items", 800).await.status, 200);
        assert_eq!(put(&client, "Other", 100).await.status, 200);
        assert_eq!(put(&client, "Items", 801).await.status, 400);
    });
}

#[test]
fn a_reservation_bounds_all_versions_together() {
    unsandboxed(|lab| async move {
        let client = Rc::new(start(&lab, HANDLER).await);
        put(&client, "Items", 0).await;
        let refused = invoke(&client, "1", json!({})).await;
        let body = json!({
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded.",
        });
        assert_eq!((refused.status, refused.json()), (429, body));
        assert_eq!(refused.headers["x-amzn-errortype"], "TooManyRequestsException");
        assert!(!refused.headers.contains_key("retry-after"));
        put(&client, "Items", 1).await;
        let (of_client, environments) = (Rc::clone(&client), lab.functions.engine.directory().join("environments"));
        let running = tokio::task::spawn_local(async move { invoke(&of_client, "1", json!({ "wait": 1 })).await });
        eventually("it runs", || std::fs::read_dir(&environments).unwrap().count() == 1).await;
        assert_eq!(invoke(&client, "$LATEST", json!({})).await.status, 429);
        assert_eq!(running.await.unwrap().status, 200);
        assert_eq!(invoke(&client, "$LATEST", json!({})).await.status, 200);
        client.create("Other", HANDLER).await;
        put(&client, "Items", 0).await;
        assert_eq!(lab.returned("Other", "{}").await[0], "on-demand");
    });
}

#[test]
fn provisioned_environments_are_started_kept_and_come_first() {
    on_data_thread(|lab| async move {
        let client = Rc::new(start(&lab, HANDLER).await);
        let begun = provision(&client, "1", 2).await;
        assert_eq!(begun.status, 202);
        let shown = begun.json();
        assert_eq!(shown["Status"], "IN_PROGRESS");
        assert_eq!(shown["RequestedProvisionedConcurrentExecutions"], 2);
        assert_eq!(shown["AllocatedProvisionedConcurrentExecutions"], 0);
        let ready = settled(&client, "1").await;
        assert_eq!(
            (&ready["Status"], &ready["AllocatedProvisionedConcurrentExecutions"]),
            (&json!("READY"), &json!(2))
        );
        // Two calls at once have an environment each, and the third spills over.
        let call = |wait: u32| {
            let client = Rc::clone(&client);
            async move { invoke(&client, "1", json!({ "wait": wait })).await.json() }
        };
        let (one, two, three) = tokio::join!(call(1), call(1), call(1));
        let mut kinds = [&one[0], &two[0], &three[0]].map(|kind| kind.as_str().unwrap());
        kinds.sort_unstable();
        assert_eq!(kinds, ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]);
        assert_eq!(invoke(&client, "$LATEST", json!({})).await.json()[0], "on-demand");
        // One that dies is replaced.
        let victim = invoke(&client, "1", json!({})).await.json()[1].as_u64().unwrap();
        let pid = rustix::process::Pid::from_raw(process(victim).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        eventually("it is gone", || !is_alive(victim)).await;
        let version = lab.functions.index.version(&lab.scope, "Items", "1").unwrap();
        eventually("it is replaced", || version.provisioning.allocation().allocated == 2).await;
        // What is no longer wanted ends, and calls go on.
        assert_eq!(provisioned(&client, "DELETE", "1", Value::Null).await.status, 204);
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "on-demand");
    });
}

#[test]
fn a_change_takes_the_place_of_what_is_there_when_it_is_ready() {
    on_data_thread(|lab| async move {
        let client = start(&lab, HANDLER).await;
        provision(&client, "1", 1).await;
        settled(&client, "1").await;
        let before = invoke(&client, "1", json!({})).await.json()[1].as_u64().unwrap();
        let changed = provision(&client, "1", 2).await.json();
        assert_eq!(changed["Status"], "IN_PROGRESS");
        assert_eq!(changed["AllocatedProvisionedConcurrentExecutions"], 1);
        assert_eq!(settled(&client, "1").await["AllocatedProvisionedConcurrentExecutions"], 2);
        eventually("the environment before is gone", || !is_alive(before)).await;
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "provisioned-concurrency");
    });
}

#[test]
fn what_is_provisioned_for_an_alias_moves_with_it() {
    on_data_thread(|lab| async move {
        let client = start(&lab, HANDLER).await;
        client.ask("POST", "/Items/aliases", json!({ "Name": "live", "FunctionVersion": "1" })).await;
        provision(&client, "live", 1).await;
        assert_eq!(settled(&client, "live").await["Status"], "READY");
        assert_eq!(invoke(&client, "live", json!({})).await.json()[0], "provisioned-concurrency");
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "provisioned-concurrency");
        let overlap = provision(&client, "1", 1).await;
        let text = "Version is pointed by a Provisioned Concurrency alias";
        assert_eq!(overlap.error(), error(409, "ResourceConflictException", text));
        client.ask("PUT", "/Items/configuration", json!({ "Timeout": 9 })).await;
        assert_eq!(client.ask("POST", "/Items/versions", json!({})).await.json()["Version"], "2");
        client.ask("PUT", "/Items/aliases/live", json!({ "FunctionVersion": "2" })).await;
        assert_eq!(settled(&client, "live").await["Status"], "READY");
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "on-demand");
        assert_eq!(invoke(&client, "2", json!({})).await.json()[0], "provisioned-concurrency");
        // The alias takes it along when it goes.
        client.ask("DELETE", "/Items/aliases/live", Value::Null).await;
        let path = "/2019-09-30/functions/Items/provisioned-concurrency?List=ALL";
        let listed = client.ask_at("GET", path, Value::Null).await.json();
        assert_eq!(listed, json!({ "ProvisionedConcurrencyConfigs": [] }));
        assert_eq!(invoke(&client, "2", json!({})).await.json()[0], "on-demand");
    });
}

#[test]
fn provisioning_a_function_that_does_not_start_fails() {
    on_data_thread(|lab| async move {
        let code = format!("{HANDLER}\nif kind != 'on-demand': raise Exception('no')\n");
        let client = start(&lab, &code).await;
        assert_eq!(provision(&client, "1", 1).await.json()["Status"], "IN_PROGRESS");
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "on-demand");
        let failed = settled(&client, "1").await;
        assert_eq!(
            (&failed["Status"], &failed["StatusReason"]),
            (&json!("FAILED"), &json!("FUNCTION_ERROR_INIT_FAILURE"))
        );
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "on-demand");
    });
}

#[test]
fn reserved_and_provisioned_concurrency_fit_each_other() {
    on_data_thread(|lab| async move {
        let client = start(&lab, HANDLER).await;
        provision(&client, "1", 2).await;
        settled(&client, "1").await;
        let low =
            " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].";
        assert_eq!(put(&client, "Items", 1).await.error(), error(400, "InvalidParameterValueException", low));
        assert_eq!(put(&client, "Items", 2).await.status, 200);
        assert_eq!(invoke(&client, "$LATEST", json!({})).await.status, 429);
        assert_eq!(invoke(&client, "1", json!({})).await.json()[0], "provisioned-concurrency");
        let greater =
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function";
        assert_eq!(provision(&client, "1", 3).await.error(), error(400, "InvalidParameterValueException", greater));
    });
}

#[test]
fn provisioning_what_cannot_be_is_refused_as_aws_does() {
    on_data_thread(|lab| async move {
        let client = start(&lab, HANDLER).await;
        let of_value = |text: &str| error(400, "InvalidParameterValueException", text);
        let missing = |text: &str| error(404, "ResourceNotFoundException", text);
        let latest = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
        assert_eq!(provision(&client, "$LATEST", 1).await.error(), of_value(latest));
        let not_published = "The function resource provided must be an alias or a published version.";
        assert_eq!(provisioned(&client, "GET", "$LATEST", Value::Null).await.error(), of_value(not_published));
        assert_eq!(provisioned(&client, "DELETE", "$LATEST", Value::Null).await.error(), of_value(not_published));
        let alias = format!("Cannot find alias arn: {ARN}:none");
        assert_eq!(provision(&client, "none", 1).await.error(), missing(&alias));
        let version = format!("Function not found: {ARN}:10");
        assert_eq!(provisioned(&client, "GET", "10", Value::Null).await.error(), missing(&version));
        let none = "No Provisioned Concurrency Config found for this function";
        let expected = error(404, "ProvisionedConcurrencyConfigNotFoundException", none);
        assert_eq!(provisioned(&client, "GET", "1", Value::Null).await.error(), expected);
        assert_eq!(provisioned(&client, "DELETE", "1", Value::Null).await.status, 204);
        let greater =
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].";
        assert_eq!(provision(&client, "1", 1001).await.error(), of_value(greater));
        let below = "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].";
        assert_eq!(provision(&client, "1", 1000).await.error(), of_value(below));
        assert_eq!(provision(&client, "1", 0).await.status, 400);
    });
}

#[test]
fn an_alias_gives_each_version_its_part_of_the_calls() {
    on_data_thread(|lab| async move {
        let client = start(&lab, "def handler(event, context): return context.function_version\n").await;
        client.ask("PUT", "/Items/configuration", json!({ "Timeout": 9 })).await;
        client.ask("POST", "/Items/versions", json!({})).await;
        for (weight, versions) in [(1.0, &["2"][..]), (0.0, &["1"]), (0.5, &["1", "2"])] {
            let routing = json!({ "AdditionalVersionWeights": { "2": weight } });
            let alias = json!({ "Name": "live", "FunctionVersion": "1", "RoutingConfig": routing });
            client.ask("POST", "/Items/aliases", alias).await;
            let mut seen = Vec::new();
            // Both of two equal parts are missed once in 2^63 runs.
            for _ in 0..64 {
                let reply = invoke(&client, "live", json!({})).await;
                let version = reply.json().as_str().unwrap().to_owned();
                assert_eq!(reply.headers["x-amz-executed-version"], *version);
                seen.push(version);
            }
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen, versions, "weight {weight}");
            client.ask("DELETE", "/Items/aliases/live", Value::Null).await;
        }
    });
}
