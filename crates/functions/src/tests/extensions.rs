//! Extensions: programs beside the runtime that hear of its invocations and of its end.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::lab::{Lab, eventually, on_data_thread, runtime, unsandboxed, zip};
use crate::layers::LayerUse;
use crate::records::Configuration;

/// An extension in Python; `BODY` is what it does. What it notes goes to the file that NOTES names.
const EXTENSION: &str = r#"#!PYTHON
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
name = os.path.basename(sys.argv[0])
def call(method, path, body=None, headers={}):
    api.request(method, "/2020-01-01/extension/" + path, body, headers)
    answer = api.getresponse()
    told = answer.read()
    return answer.status, answer.headers, json.loads(told) if told else None
def register(*events, **more):
    status, headers, told = call("POST", "register", json.dumps({"events": events}), {"Lambda-Extension-Name": name, **more})
    return status, {"Lambda-Extension-Identifier": headers.get("Lambda-Extension-Identifier", "")}, told
def note(what):
    with open(os.environ["NOTES"], "a") as file: file.write(json.dumps(what) + "\n")
def there(what):
    return os.path.exists(os.environ["NOTES"] + what)
BODY
"#;

/// Hears everything and notes it.
const LISTENER: &str = r#"
status, identity, told = register("INVOKE", "SHUTDOWN", **{"Lambda-Extension-Accept-Feature": "accountId"})
note(told)
while True:
    status, headers, event = call("GET", "event/next", headers=identity)
    note(event)
    while event["eventType"] == "INVOKE" and there(".hold"): time.sleep(0.01)
    if event["eventType"] == "SHUTDOWN": break
"#;

impl Lab {
    /// A layer with one extension.
    async fn extension(&self, name: &str, body: &str) -> LayerUse {
        let python = self.functions.engine.runtimes.find(&runtime("python")).unwrap().program;
        self.layer(name, &EXTENSION.replace("PYTHON", &python.to_string_lossy()).replace("BODY", body)).await
    }

    async fn layer(&self, name: &str, program: &str) -> LayerUse {
        let package = zip(&[(&format!("extensions/{name}"), program)]);
        let code_size = package.len() as u64;
        let code = self.data.blobs().put(package.into()).await.unwrap();
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:1");
        LayerUse { arn, code, code_size }
    }

    fn notes_file(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    fn notes(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.notes_file()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    async fn python_beside(
        &self,
        name: &str,
        extension: &LayerUse,
        code: &str,
        change: impl FnOnce(&mut Configuration),
    ) {
        let notes = self.notes_file().to_string_lossy().into_owned();
        self.put(name, &runtime("python"), &[("index.py", code)], |configuration| {
            configuration.variables.get_or_insert_default().insert("NOTES".to_owned(), notes);
            configuration.layers.push(extension.clone());
            change(configuration);
        })
        .await;
    }
}

const ECHO: &str = "def handler(event, context): return event";

#[test]
fn an_extension_hears_of_invocations_and_of_the_end() {
    unsandboxed(|lab| async move {
        let listener = lab.extension("listener", LISTENER).await;
        lab.python_beside("Heard", &listener, ECHO, |_| {}).await;
        for number in 0..2 {
            assert_eq!(lab.returned("Heard", &number.to_string()).await, json!(number));
            eventually("the environment is free", || lab.version("Heard").thread_with_idle().is_some()).await;
        }
        // An update ends the environment.
        lab.python_beside("Heard", &listener, ECHO, |_| {}).await;
        eventually("the end is heard", || lab.notes().len() == 4).await;
        let notes = lab.notes();
        let told = json!({"functionName": "Heard", "functionVersion": "$LATEST", "handler": "index.handler", "accountId": "000000000000"});
        assert_eq!(notes[0], told);
        for heard in &notes[1..3] {
            assert_eq!(heard["eventType"], "INVOKE");
            assert_eq!(heard["invokedFunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:Heard");
            assert_eq!(heard["requestId"].as_str().unwrap().len(), 36);
            assert!(heard["deadlineMs"].is_u64(), "{heard}");
        }
        assert_eq!(notes[3]["eventType"], "SHUTDOWN");
        assert_eq!(notes[3]["shutdownReason"], "spindown");
    });
}

#[test]
fn an_answer_does_not_wait_for_extensions_but_the_next_invocation_does() {
    unsandboxed(|lab| async move {
        let listener = lab.extension("listener", LISTENER).await;
        let hold = lab.folder.path().join("notes.hold");
        fs::write(&hold, "").unwrap();
        lab.python_beside("Held", &listener, "import os\ndef handler(event, context): return os.getpid()", |_| {})
            .await;
        let first = lab.returned("Held", "{}").await;
        assert_eq!(lab.version("Held").thread_with_idle(), None);
        let second = lab.returned("Held", "{}").await;
        assert_ne!(first, second);
        fs::remove_file(&hold).unwrap();
        eventually("an environment is free", || lab.version("Held").thread_with_idle().is_some()).await;
        let third = lab.returned("Held", "{}").await;
        assert!(third == first || third == second);
    });
}

#[test]
fn extensions_are_told_of_a_timeout() {
    unsandboxed(|lab| async move {
        let listener = lab.extension("listener", LISTENER).await;
        let code = "import time\ndef handler(event, context): time.sleep(60)";
        lab.python_beside("Slow", &listener, code, |configuration| configuration.timeout = 1).await;
        assert_eq!(lab.failed("Slow", "{}").await["errorType"], "Sandbox.Timedout");
        eventually("the end is heard", || lab.notes().iter().any(|note| note["shutdownReason"] == "timeout")).await;
    });
}

#[test]
fn the_runtime_is_asked_to_end_before_the_extensions() {
    unsandboxed(|lab| async move {
        let listener = lab.extension("listener", LISTENER).await;
        let code = r#"
import json, os, signal, sys
def note(*_):
    with open(os.environ["NOTES"], "a") as file: file.write(json.dumps("terminated") + "\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, note)
def handler(event, context): return event"#;
        lab.python_beside("Ends", &listener, code, |_| {}).await;
        lab.returned("Ends", "1").await;
        eventually("the environment is free", || lab.version("Ends").thread_with_idle().is_some()).await;
        lab.python_beside("Ends", &listener, ECHO, |_| {}).await;
        eventually("the end is heard", || lab.notes().len() == 4).await;
        assert_eq!(lab.notes()[2], "terminated");
        assert_eq!(lab.notes()[3]["eventType"], "SHUTDOWN");
    });
}

#[test]
fn an_extension_that_fails_fails_the_function() {
    unsandboxed(|lab| async move {
        let failing = [
            ("sys.exit(3)", "Extension.Crash", "exit code 3"),
            ("os.kill(os.getpid(), 9)", "Extension.Crash", "signal: killed"),
            ("register('INVOKE'); sys.exit(0)", "Extension.Crash", "exit code 0"),
            (
                "identity = register('INVOKE')[1]\ncall('GET', 'event/next', headers=identity); sys.exit(1)",
                "Extension.Crash",
                "exit code 1",
            ),
            (
                "identity = register()[1]\ncall('POST', 'init/error', '{}', {**identity, 'Lambda-Extension-Function-Error-Type': 'Extension.Mine'})",
                "Extension.InitError",
                "exit code 0",
            ),
            (
                "identity = register('INVOKE')[1]\ncall('GET', 'event/next', headers=identity)\ncall('POST', 'exit/error', '{}', {**identity, 'Lambda-Extension-Function-Error-Type': 'Extension.Mine'}); sys.exit(2)",
                "Extension.ExitError",
                "exit code 2",
            ),
        ];
        for (number, (body, kind, how)) in failing.into_iter().enumerate() {
            let failing = lab.extension("failing", body).await;
            // The runtime must not be quicker than the extension.
            let name = format!("Fails{number}");
            lab.python_beside(&name, &failing, "import time\ndef handler(event, context): time.sleep(15)", |_| {})
                .await;
            let error = lab.failed(&name, "{}").await;
            assert_eq!(error["errorType"], kind, "{body}: {error}");
            assert!(error["errorMessage"].as_str().unwrap().ends_with(&format!(" Error: {how}")), "{body}: {error}");
        }
        // It is no script, and so the package does not say that it can be run.
        let failing = lab.layer("failing", "no program").await;
        lab.python_beside("NoLaunch", &failing, ECHO, |_| {}).await;
        let error = lab.failed("NoLaunch", "{}").await;
        assert_eq!(error["errorType"], "Extension.LaunchError");
        let told = "Error: fork/exec /opt/extensions/failing: permission denied";
        assert!(error["errorMessage"].as_str().unwrap().ends_with(told), "{error}");
    });
}

#[test]
fn what_is_out_of_turn_or_unknown_is_refused() {
    unsandboxed(|lab| async move {
        let asking = r#"
def kind(answer): return [answer[0], (answer[2] or {}).get("errorType")]
uuid = "8a7b6c5d-0000-4000-8000-000000000001"
named = {"Lambda-Extension-Name": name}
note([
    kind(call("GET", "event/next")),
    kind(call("GET", "event/next", headers={"Lambda-Extension-Identifier": "x"})),
    kind(call("GET", "event/next", headers={"Lambda-Extension-Identifier": uuid})),
    kind(call("POST", "register", "{}")),
    kind(call("POST", "register", "not JSON", named)),
    kind(call("POST", "register", '{"events": ["SLEEP"]}', named)),
    kind(call("POST", "register", '{"events": ["SHUTDOWN"]}', {"Lambda-Extension-Name": "internal"})),
])
status, identity, told = register()
note([status, kind(register()), kind(call("POST", "init/error", "{}", identity))])
internal = [call("POST", "register", '{}', {"Lambda-Extension-Name": f"internal{number}"}) for number in range(10)]
note([kind(answer) for answer in internal[8:]])
for answer in internal[:9]:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2020-01-01/extension/event/next", headers={"Lambda-Extension-Identifier": answer[1]["Lambda-Extension-Identifier"]})
    note(None)
    keep = globals().setdefault("kept", []); keep.append(api)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
call("GET", "event/next", headers=identity)
"#;
        let asking = lab.extension("asking", asking).await;
        lab.python_beside("Asked", &asking, ECHO, |_| {}).await;
        assert_eq!(lab.returned("Asked", "1").await, json!(1));
        let notes = lab.notes();
        let refused = |status: u16, kind: &str| json!([status, format!("Extension.{kind}")]);
        let expected = json!([
            refused(403, "MissingExtensionIdentifier"),
            refused(403, "InvalidExtensionIdentifier"),
            refused(403, "UnknownExtensionIdentifier"),
            refused(403, "InvalidExtensionName"),
            [400, "InvalidRequestFormat"],
            refused(403, "InvalidEventType"),
            refused(403, "InvalidEventType"),
        ]);
        assert_eq!(notes[0], expected);
        assert_eq!(notes[1], json!([200, refused(403, "InvalidExtensionState"), refused(403, "MissingHeader")]));
        assert_eq!(notes[2], json!([[200, null], refused(403, "TooManyExtensions")]));
    });
}

#[test]
fn a_program_may_register_extensions_of_its_own() {
    unsandboxed(|lab| async move {
        let python = lab.functions.engine.runtimes.find(&runtime("python")).unwrap().program;
        let program = r#"#!PYTHON
import http.client, json, os, threading
def connect(): return http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(api, method, path, body=None, headers={}):
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.headers, answer.read()
inside = connect()
headers, _ = call(inside, "POST", "/2020-01-01/extension/register", '{"events": ["INVOKE"]}', {"Lambda-Extension-Name": "inside"})
identity = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
heard = []
def listen():
    while True: heard.append(json.loads(call(inside, "GET", "/2020-01-01/extension/event/next", None, identity)[1])["requestId"])
threading.Thread(target=listen, daemon=True).start()
api = connect()
while True:
    headers, event = call(api, "GET", "/2018-06-01/runtime/invocation/next")
    id = headers["Lambda-Runtime-Aws-Request-Id"]
    while id not in heard: pass
    call(api, "POST", f"/2018-06-01/runtime/invocation/{id}/response", json.dumps(len(heard)))
"#;
        let program = program.replace("PYTHON", &python.to_string_lossy());
        lab.put("Inside", "provided.al2023", &[("bootstrap", &program)], |_| {}).await;
        for number in 1..4 {
            assert_eq!(lab.returned("Inside", "{}").await, json!(number));
            eventually("the environment is free", || lab.version("Inside").thread_with_idle().is_some()).await;
        }
    });
}

/// Registers an extension from within a function in Python, and counts what it hears.
const INSIDE: &str = r#"
import http.client, json, os, threading, time
def call(api, method, path, body=None, headers={}):
    api.request(method, "/2020-01-01/extension/" + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, json.loads(answer.read() or "null")
def connect(): return http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def register(api): return call(api, "POST", "register", '{"events": ["INVOKE"]}', {"Lambda-Extension-Name": "inside"})
api, heard = connect(), []
_, headers, told = register(api)
identity = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
def listen():
    while True: heard.append(call(api, "GET", "event/next", None, identity)[2]["requestId"])
threading.Thread(target=listen, daemon=True).start()
def handler(event, context):
    while context.aws_request_id not in heard: time.sleep(0.001)
    return [event, len(heard), told["functionName"]]
"#;

/// The same in Node.
const INSIDE_NODE: &str = r#"
const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2020-01-01/extension/`;
const heard = [];
let told;
const arrived = [];
const begun = (async () => {
  const body = '{"events": ["INVOKE"]}';
  const answer = await fetch(base + "register", { method: "POST", body, headers: { "Lambda-Extension-Name": "inside" } });
  told = await answer.json();
  const headers = { "Lambda-Extension-Identifier": answer.headers.get("Lambda-Extension-Identifier") };
  (async () => {
    for (;;) {
      const event = await (await fetch(base + "event/next", { headers })).json();
      heard.push(event.requestId);
      arrived.splice(0).forEach((resolve) => resolve());
    }
  })();
})();
await begun;
export const handler = async (event, context) => {
  while (!heard.includes(context.awsRequestId)) await new Promise((resolve) => arrived.push(resolve));
  return [event, heard.length, told.functionName];
};
"#;

#[test]
fn functions_register_extensions_of_their_own() {
    on_data_thread(|lab| async move {
        lab.python("Inside", INSIDE).await;
        lab.put("InsideNode", &runtime("nodejs"), &[("index.mjs", INSIDE_NODE)], |_| {}).await;
        for name in ["Inside", "InsideNode"] {
            for number in 1..4 {
                // More than a frame that comes in one piece.
                let event = "x".repeat(number * 100_000);
                assert_eq!(lab.returned(name, &json!(event).to_string()).await, json!([event, number, name]));
                eventually("the environment is free", || lab.version(name).thread_with_idle().is_some()).await;
            }
        }
        // As often when an interpreter takes it that has waited.
        eventually("an interpreter waits", || lab.functions.engine.spares.count() > 0).await;
        lab.python("Another", INSIDE).await;
        assert_eq!(lab.returned("Another", "1").await, json!([1, 1, "Another"]));
    });
}

#[test]
fn who_comes_to_the_runtime_api_when_all_have_started_is_refused() {
    on_data_thread(|lab| async move {
        let late = "
import http.client, json, os
def handler(event, context):
    api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    api.request(event[0], event[1], '{}', {'Lambda-Extension-Name': 'late'})
    answer = api.getresponse()
    return [answer.status, json.loads(answer.read())['errorType']]
";
        lab.python("Late", late).await;
        let register = r#"["POST", "/2020-01-01/extension/register"]"#;
        let closed = json!([403, "Extension.RegistrationClosed"]);
        assert_eq!(lab.returned("Late", register).await, closed);
        let next = r#"["GET", "/2018-06-01/runtime/invocation/next"]"#;
        assert_eq!(lab.returned("Late", next).await, json!([403, "InvalidStateTransition"]));
        assert_eq!(lab.functions.engine.lobby.as_ref().unwrap().doors(), 0);
        // One that has come in time, and for nothing, is as ever.
        let asks = format!(
            "{late}\nEARLY = handler(['GET', '/nothing'], None)\ndef later(event, context): return [EARLY, handler(event, context)]\n"
        );
        let change = |configuration: &mut Configuration| configuration.handler = "index.later".to_owned();
        lab.put("Asks", &runtime("python"), &[("index.py", &asks)], change).await;
        for _ in 0..2 {
            assert_eq!(lab.returned("Asks", register).await, json!([[404, "NotFound"], closed]));
        }
        // Those who know an address are led to nobody else's.
        let of_others = "import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_RUNTIME_API']";
        lab.python("First", of_others).await;
        lab.python("Second", of_others).await;
        assert_ne!(lab.returned("First", "1").await, lab.returned("Second", "1").await);
    });
}
