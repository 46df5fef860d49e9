//! What well-behaved functions see and what their callers get.

use base::seams::{Invocation, InvokeFunction, InvokeRefusal, Outcome};
use serde_json::{Value, json};

use super::lab::{eventually, on_data_thread, runtime, with_settings};
use crate::Settings;

const CONTEXT_PYTHON: &str = "
import os
def handler(event, context):
    names = [n for n in vars(context) if not n.startswith('_')]
    fields = {n: getattr(context, n) for n in names if n not in ('identity', 'client_context')}
    c = context.client_context
    return {'event': event, 'fields': fields, 'remaining': context.get_remaining_time_in_millis(),
            'custom': c and c.custom, 'title': c and c.client.app_title, 'env': dict(os.environ), 'cwd': os.getcwd()}
";

#[test]
fn python_sees_its_event_context_and_environment() {
    on_data_thread(|lab| async move {
        let name = "Seen";
        let set = |configuration: &mut crate::records::Configuration| {
            configuration.variables = Some([("TABLE".to_owned(), "items".to_owned())].into());
        };
        lab.put(name, &runtime("python"), &[("index.py", CONTEXT_PYTHON)], set).await;
        let invocation = Invocation {
            trace_id: Some("Root=1-2-3".to_owned()),
            client_context: Some(r#"{"custom":{"a":1},"client":{"app_title":"T"},"env":{}}"#.to_owned()),
            ..lab.invocation(name, r#" {"n": [1, 2.5, "ü", null]} "#)
        };
        let invoked = lab.functions.invoke(invocation).await.unwrap();
        let Outcome::Returned(payload) = invoked.outcome else { panic!() };
        let seen: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(seen["event"], json!({"n": [1, 2.5, "ü", null]}));
        assert_eq!(seen["fields"]["aws_request_id"], invoked.request_id);
        assert_eq!(seen["fields"]["function_name"], name);
        assert_eq!(seen["fields"]["function_version"], "$LATEST");
        assert_eq!(seen["fields"]["memory_limit_in_mb"], "256");
        assert_eq!(seen["fields"]["log_group_name"], "/aws/lambda/Seen");
        assert_eq!(seen["fields"]["invoked_function_arn"], "arn:aws:lambda:us-east-1:000000000000:function:Seen");
        assert!((15_000..=20_000).contains(&seen["remaining"].as_i64().unwrap()));
        assert_eq!((&seen["custom"], &seen["title"]), (&json!({"a": 1}), &json!("T")));
        let env = &seen["env"];
        assert_eq!(env["TABLE"], "items");
        assert_eq!(env["_X_AMZN_TRACE_ID"], "Root=1-2-3");
        assert_eq!(env["AWS_EXECUTION_ENV"], format!("AWS_Lambda_{}", runtime("python")));
        assert_eq!(env["AWS_REGION"], "us-east-1");
        assert_eq!(env["LAMBDA_TASK_ROOT"], seen["cwd"]);
        assert_eq!(env.get("HOME"), None);
        assert_eq!(&*invoked.executed_version, "$LATEST");
    });
}

const CONTEXT_NODE: &str = "
exports.handler = async (event, context) => ({ event, context, keys: Object.keys(context),
  remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, root: process.env.LAMBDA_TASK_ROOT });
";

#[test]
fn node_sees_its_event_and_context() {
    on_data_thread(|lab| async move {
        lab.node("Seen", CONTEXT_NODE).await;
        let seen = lab.returned("Seen", r#"{"n":[1,2.5,"ü",null]}"#).await;
        assert_eq!(seen["event"], json!({"n": [1, 2.5, "ü", null]}));
        assert_eq!(seen["context"]["functionName"], "Seen");
        assert_eq!(seen["context"]["memoryLimitInMB"], "256");
        assert_eq!(seen["context"]["callbackWaitsForEmptyEventLoop"], true);
        assert!(seen["keys"].as_array().unwrap().contains(&json!("getRemainingTimeInMillis")));
        assert!((15_000..=20_000).contains(&seen["remaining"].as_i64().unwrap()));
        assert_eq!(seen.get("trace"), None);
    });
}

const TRACES_PYTHON: &str = "
import os, subprocess
def handler(event, context):
    child = subprocess.run(['/bin/sh', '-c', 'echo $_X_AMZN_TRACE_ID'], capture_output=True, text=True).stdout
    return [os.environ.get('_X_AMZN_TRACE_ID'), '_X_AMZN_TRACE_ID' in os.environ, child.strip()]
";

const TRACES_NODE: &str = "
const { execSync } = require('child_process');
exports.handler = async () => [process.env._X_AMZN_TRACE_ID ?? null, Object.keys(process.env).includes('_X_AMZN_TRACE_ID'),
  `${execSync('echo $_X_AMZN_TRACE_ID')}`.trim()];
";

const TRACES_OTHER_NODE: &str = "
const { execSync } = require('child_process');
process.env = { ...process.env, MINE: 'mine' };
exports.handler = async () => [process.env._X_AMZN_TRACE_ID ?? null, '_X_AMZN_TRACE_ID' in process.env,
  `${execSync('echo $_X_AMZN_TRACE_ID')}`.trim()];
";

#[test]
fn each_event_has_its_own_trace_which_children_inherit() {
    on_data_thread(|lab| async move {
        lab.python("Python", TRACES_PYTHON).await;
        lab.node("Node", TRACES_NODE).await;
        lab.node("OtherNode", TRACES_OTHER_NODE).await;
        for name in ["Python", "Node", "OtherNode"] {
            for trace in [Some("Root=1-2-3"), Some("Root=1-2-4"), None, Some("Root=1-2-5")] {
                let invocation = Invocation { trace_id: trace.map(str::to_owned), ..lab.invocation(name, "{}") };
                let invoked = lab.functions.invoke(invocation).await.unwrap();
                let Outcome::Returned(payload) = invoked.outcome else { panic!() };
                let seen: Value = serde_json::from_slice(&payload).unwrap();
                assert_eq!(seen, json!([trace, trace.is_some(), trace.unwrap_or("")]), "{name}");
            }
        }
    });
}

#[test]
fn node_takes_every_kind_of_handler() {
    on_data_thread(|lab| async move {
        let node = runtime("nodejs");
        for (what, file, code, handler, expected) in [
            (
                "callback",
                "index.js",
                "exports.handler = (e, c, done) => setTimeout(() => done(null, 'cb'), 5)",
                "index.handler",
                json!("cb"),
            ),
            (
                "succeed",
                "index.js",
                "exports.handler = (e, c) => c.succeed({ok: 1})",
                "index.handler",
                json!({"ok": 1}),
            ),
            (
                "not waiting",
                "index.js",
                "exports.handler = (e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); done(null, 1) }",
                "index.handler",
                json!(1),
            ),
            (
                "never resolved",
                "index.js",
                "exports.handler = () => new Promise(() => {})",
                "index.handler",
                Value::Null,
            ),
            ("undefined", "index.js", "exports.handler = async () => undefined", "index.handler", Value::Null),
            (
                "awaits",
                "index.js",
                "exports.handler = async () => { await new Promise(r => setTimeout(r, 5)); return 'later' }",
                "index.handler",
                json!("later"),
            ),
            (
                "mjs",
                "app.mjs",
                "const x = await Promise.resolve(7); export const handler = async () => x",
                "app.handler",
                json!(7),
            ),
            ("folder", "src/app.js", "exports.main = async () => 'deep'", "src/app.main", json!("deep")),
            ("nested", "index.js", "exports.a = { b: async () => 'ab' }", "index.a.b", json!("ab")),
            (
                "thenable",
                "index.js",
                "exports.handler = () => ({ then: (ok) => ok('then') })",
                "index.handler",
                json!("then"),
            ),
        ] {
            lab.put("Kind", &node, &[(file, code)], |configuration| configuration.handler = handler.to_owned()).await;
            assert_eq!(lab.returned("Kind", "{}").await, expected, "{what}");
            assert_eq!(lab.returned("Kind", "{}").await, expected, "{what}, warm");
        }
        let package = [
            ("package.json", r#"{"type":"module"}"#),
            ("index.js", "export const handler = async () => import.meta.url.length > 0"),
        ];
        lab.put("Kind", &node, &package, |_| {}).await;
        assert_eq!(lab.returned("Kind", "{}").await, json!(true));
    });
}

#[test]
fn python_takes_packages_and_paths() {
    on_data_thread(|lab| async move {
        let python = runtime("python");
        for handler in ["pkg.mod.main", "pkg/mod.main"] {
            let files = [
                ("pkg/__init__.py", ""),
                ("pkg/mod.py", "import helper\ndef main(e, c): return helper.x"),
                ("helper.py", "x = 'h'"),
            ];
            lab.put("Path", &python, &files, |configuration| configuration.handler = handler.to_owned()).await;
            assert_eq!(lab.returned("Path", "{}").await, json!("h"), "{handler}");
        }
    });
}

#[test]
fn state_lasts_between_calls_and_updates_begin_anew() {
    on_data_thread(|lab| async move {
        let counter = "n = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return n\n";
        lab.python("Count", counter).await;
        for expected in 1..=3 {
            assert_eq!(lab.returned("Count", "{}").await, json!(expected));
        }
        lab.python("Count", &counter.replace("n = 0", "n = 100")).await;
        assert_eq!(lab.returned("Count", "{}").await, json!(101));
    });
}

#[test]
fn the_tail_holds_what_was_printed() {
    on_data_thread(|lab| async move {
        lab.python("Talk", "import logging\nprint('loading')\ndef handler(e, c):\n    print('hello', end='')\n    logging.getLogger().warning('careful')\n").await;
        let tail = lab.tail("Talk", "{}").await;
        let lines: Vec<&str> = tail.lines().collect();
        assert!(lines[0].starts_with("START RequestId: ") && lines[0].ends_with("Version: $LATEST"), "{tail}");
        assert!(lines[1].starts_with("hello[WARNING]\t20") && lines[1].ends_with("\tcareful"), "{tail}");
        assert!(lines[2].starts_with("END RequestId: "), "{tail}");
        assert!(lines[3].starts_with("REPORT RequestId: ") && lines[3].contains("\tInit Duration: "), "{tail}");
        assert!(!lab.tail("Talk", "{}").await.contains("Init Duration"));

        lab.node("Talk", "exports.handler = async () => { console.log('a %s\\nb', {x: 1}); console.error('bad') }")
            .await;
        let tail = lab.tail("Talk", "{}").await;
        assert!(tail.contains("\tINFO\ta { x: 1 }\rb\n") || tail.contains("\tINFO\ta [object Object]\rb\n"), "{tail}");
        assert!(tail.contains("\tERROR\tbad\n"), "{tail}");
    });
}

#[test]
fn a_long_log_keeps_its_last_four_kilobytes() {
    on_data_thread(|lab| async move {
        lab.python("Loud", "def handler(e, c):\n    for i in range(200000): print('x' * 48, i)\n    return 'done'\n")
            .await;
        assert_eq!(lab.returned("Loud", "{}").await, json!("done"));
        let tail = lab.tail("Loud", "{}").await;
        assert!(tail.len() <= 4096 && tail.len() > 3000, "{}", tail.len());
        assert!(tail.contains("xx 199999\nEND RequestId: "), "{tail}");
    });
}

#[test]
fn payloads_up_to_the_limits_go_through() {
    on_data_thread(|lab| async move {
        lab.python("Big", "def handler(e, c): return len(e) if isinstance(e, str) else 'y' * e\n").await;
        lab.node("BigNode", "exports.handler = async (e) => typeof e === 'string' ? e.length : 'y'.repeat(e)").await;
        for name in ["Big", "BigNode"] {
            let event = format!("\"{}\"", "x".repeat(6_291_454));
            assert_eq!(lab.returned(name, &event).await, json!(6_291_454), "{name}");
            let answer = lab.returned(name, "6291554").await;
            assert_eq!(answer.as_str().unwrap().len(), 6_291_554, "{name}");
            let large = lab.failed(name, "6291555").await;
            assert_eq!(large["errorType"], "Function.ResponseSizeTooLarge", "{name}");
            assert_eq!(
                large["errorMessage"], "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                "{name}"
            );
            assert_eq!(lab.returned(name, "3").await, json!("yyy"), "{name}");
            let refused = lab.try_invoke(name, &format!("\"{}\"", "x".repeat(6_291_455))).await.unwrap_err();
            assert!(matches!(refused, InvokeRefusal::BadPayload { too_large: true, .. }), "{name}");
        }
    });
}

#[test]
fn events_that_are_not_json_are_refused() {
    on_data_thread(|lab| async move {
        lab.python("Echo", "def handler(e, c): return e\n").await;
        lab.node("EchoNode", "exports.handler = async (e) => e").await;
        for name in ["Echo", "EchoNode"] {
            for event in [&b"\x99"[..], b"{", b"{} x", b"NaN", b"[1,]", b"\"\xff\"", b" "] {
                let invocation = lab.invocation(name, event.to_vec());
                let refused = lab.functions.invoke(invocation).await.unwrap_err();
                let InvokeRefusal::BadPayload { message, too_large: false } = &refused else { panic!("{refused:?}") };
                assert!(message.starts_with("Could not parse request body into json: "), "{message}");
            }
            // None of them cost the environment anything, and no event at all is an empty object.
            assert_eq!(lab.returned(name, "").await, json!({}));
            assert_eq!(lab.returned(name, "\"\u{fffd}\"").await, json!("\u{fffd}"));
        }
    });
}

#[test]
fn what_is_not_there_is_told_with_its_arn() {
    on_data_thread(|lab| async move {
        let arn = |rest: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:{rest}");
        lab.python("Here", "def handler(e, c): return 1\n").await;
        for (asked, told) in
            [("Gone", "Gone:$LATEST"), ("Gone:dev", "Gone:dev"), ("Here:dev", "Here:dev"), ("Here:7", "Here:7")]
        {
            let refused = lab.try_invoke(asked, "{}").await.unwrap_err();
            assert_eq!(refused, InvokeRefusal::NotFound { function_arn: arn(told) });
        }
        assert_eq!(lab.returned("Here:$LATEST", "{}").await, json!(1));
    });
}

#[test]
fn a_bootstrap_that_was_compiled_beforehand_tells_no_more_of_itself() {
    with_settings(Settings { spares: false, ..Settings::default() }, |lab| async move {
        let code = "import sys\ndef handler(event, context):\n    if event: raise ValueError(event)\n    return sys.modules['frontgate_bootstrap'].__file__";
        lab.python("Compiled", code).await;
        let file = lab.returned("Compiled", "null").await;
        let folder = lab.functions.engine.runtimes.directory().join("__pycache__");
        let compiled = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".pyc");
        eventually("it is compiled", || {
            let mut entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            entries.any(|entry| compiled(&entry.file_name()))
        })
        .await;
        lab.python("Compiled", code).await;
        assert_eq!(lab.returned("Compiled", "null").await, file);
        let trace = &lab.failed("Compiled", "\"why\"").await["stackTrace"];
        assert_eq!(trace.as_array().map(Vec::len), Some(1), "{trace}");
    });
}
