//! Functions that fail, misbehave or are hurt.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::lab::{NAMED, eventually, is_alive, on_data_thread, process, runtime, with_settings};
use crate::Settings;

#[test]
fn a_python_exception_is_told_as_aws_does() {
    on_data_thread(|lab| async move {
        lab.python("Raise", "def handler(e, c):\n    raise ValueError('no ' + e['what'])\n").await;
        let error = lab.failed("Raise", r#"{"what":"luck"}"#).await;
        assert_eq!((&error["errorMessage"], &error["errorType"]), (&json!("no luck"), &json!("ValueError")));
        let trace = error["stackTrace"].as_array().unwrap();
        assert_eq!(trace.len(), 1, "{error}");
        let line = trace[0].as_str().unwrap();
        assert!(
            line.starts_with("  File \"/") && line.contains("index.py\", line 2, in handler\n    raise ValueError"),
            "{line}"
        );
        assert_eq!(error["requestId"].as_str().unwrap().len(), 36);
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["errorMessage", "errorType", "requestId", "stackTrace"]);
    });
}

#[test]
fn a_node_error_is_told_as_aws_does() {
    on_data_thread(|lab| async move {
        for (code, kind, message) in [
            ("exports.handler = async () => { throw new TypeError('bad') }", "TypeError", "bad"),
            ("exports.handler = (e, c, done) => done(new Error('cb'))", "Error", "cb"),
            ("exports.handler = (e, c, done) => done('text')", "string", "text"),
            ("exports.handler = () => { throw new RangeError('sync') }", "RangeError", "sync"),
            ("exports.handler = (e, c) => c.fail(new Error('failed'))", "Error", "failed"),
        ] {
            lab.node("Raise", code).await;
            let error = lab.failed("Raise", "{}").await;
            assert_eq!((&error["errorMessage"], &error["errorType"]), (&json!(message), &json!(kind)), "{code}");
            let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["errorType", "errorMessage", "trace"]);
            if kind != "string" {
                assert!(error["trace"][1].as_str().unwrap().starts_with("    at "), "{error}");
            }
        }
    });
}

#[test]
fn handlers_that_cannot_be_loaded_are_told_so() {
    on_data_thread(|lab| async move {
        let (python, node) = (runtime("python"), runtime("nodejs"));
        for (runtime, file, code, handler, kind, message) in [
            (
                &python,
                "index.py",
                "",
                "other.handler",
                "Runtime.ImportModuleError",
                "Unable to import module 'other': No module named 'other'",
            ),
            (
                &python,
                "index.py",
                "import nothing_there",
                "index.handler",
                "Runtime.ImportModuleError",
                "Unable to import module 'index': No module named 'nothing_there'",
            ),
            (
                &python,
                "index.py",
                "x = 1",
                "index.handler",
                "Runtime.HandlerNotFound",
                "Handler 'handler' missing on module 'index'",
            ),
            (
                &python,
                "index.py",
                "def (",
                "index.handler",
                "Runtime.UserCodeSyntaxError",
                "Syntax error in module 'index': invalid syntax (index.py, line 1)",
            ),
            (
                &python,
                "index.py",
                "",
                "nodot",
                "Runtime.MalformedHandlerName",
                "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)",
            ),
            (&python, "index.py", "raise Exception('no start')", "index.handler", "Exception", "no start"),
            (&node, "index.js", "", "other.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'other'"),
            (
                &node,
                "index.js",
                "require('nothing-there')",
                "index.handler",
                "Runtime.ImportModuleError",
                "Error: Cannot find module 'nothing-there'",
            ),
            (
                &node,
                "index.js",
                "",
                "index.handler",
                "Runtime.HandlerNotFound",
                "index.handler is undefined or not exported",
            ),
            (
                &node,
                "index.js",
                "exports.handler = 1",
                "index.handler",
                "Runtime.HandlerNotFound",
                "index.handler is not a function",
            ),
            (
                &node,
                "index.js",
                "const = 1",
                "index.handler",
                "Runtime.UserCodeSyntaxError",
                "SyntaxError: Unexpected token '='",
            ),
            (&node, "index.js", "", "nodot", "Runtime.MalformedHandlerName", "Bad handler"),
            (&node, "index.js", "throw new Error('no start')", "index.handler", "Error", "no start"),
            (&node, "index.mjs", "await Promise.reject(new Error('top level'))", "index.handler", "Error", "top level"),
        ] {
            lab.put("Load", runtime, &[(file, code)], |configuration| configuration.handler = handler.to_owned()).await;
            for _ in 0..2 {
                let error = lab.failed("Load", "{}").await;
                assert_eq!(error["errorType"], kind, "{error}");
                assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{error}");
                if runtime == &python {
                    assert_eq!(error["requestId"], "");
                }
            }
        }
    });
}

#[test]
fn results_that_are_not_json_are_told_so() {
    on_data_thread(|lab| async move {
        lab.python("Odd", "import datetime\ndef handler(e, c): return {'d': {1, 2}} if e else b'x'\n").await;
        let error = lab.failed("Odd", "1").await;
        assert_eq!(error["errorType"], "Runtime.MarshalError");
        assert_eq!(error["errorMessage"], "Unable to marshal response: Object of type set is not JSON serializable");
        lab.python("Odd", "from decimal import Decimal\ndef handler(e, c): return [Decimal('1.5'), 'ü']\n").await;
        assert_eq!(lab.returned("Odd", "{}").await[0], json!(1.5));
        lab.node("Odd", "exports.handler = async () => { const x = {}; x.x = x; return x }").await;
        assert_eq!(lab.failed("Odd", "{}").await["errorType"], "Runtime.MarshalError");
        lab.node("Odd", "exports.handler = async () => { const f = () => 1; return f }").await;
        assert_eq!(lab.returned("Odd", "{}").await, Value::Null);
    });
}

#[test]
fn processes_that_end_are_told_and_replaced() {
    on_data_thread(|lab| async move {
        let exited = |error: &Value, how: &str| {
            assert_eq!(error["errorType"], "Runtime.ExitError");
            let message = error["errorMessage"].as_str().unwrap();
            assert!(message.starts_with("RequestId: ") && message.ends_with(how), "{message}");
        };
        let code = "import sys, signal\ndef handler(e, c):\n    if e: exec(e)\n    return ME\n";
        lab.python("End", &format!("{NAMED}{code}")).await;
        for (event, how) in [
            ("\"sys.exit(0)\"", "Error: Runtime exited without providing a reason"),
            ("\"sys.exit(3)\"", "Error: Runtime exited with error: exit status 3"),
            ("\"os._exit(127)\"", "Error: Runtime exited with error: exit status 127"),
            ("\"os.kill(os.getpid(), 9)\"", "Error: Runtime exited with error: signal: killed"),
            (
                "\"os.kill(os.getpid(), signal.SIGSEGV)\"",
                "Error: Runtime exited with error: signal: segmentation fault",
            ),
            ("\"os.close(3)\"", "Error: Runtime exited with error: exit status 1"),
        ] {
            let before = lab.returned("End", "\"\"").await;
            exited(&lab.failed("End", event).await, how);
            assert_ne!(lab.returned("End", "\"\"").await, before, "{event}");
        }
        lab.node("End", "exports.handler = async (e) => { process.exit(e) }").await;
        exited(&lab.failed("End", "0").await, "Error: Runtime exited without providing a reason");
        exited(&lab.failed("End", "5").await, "Error: Runtime exited with error: exit status 5");
        lab.python("End", "import sys\nsys.exit(4)\n").await;
        exited(&lab.failed("End", "{}").await, "Error: Runtime exited with error: exit status 4");
    });
}

#[test]
fn errors_nobody_catches_end_the_process_but_are_told() {
    on_data_thread(|lab| async move {
        lab.node(
            "Loose",
            "exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('loose') }, 1))",
        )
        .await;
        let error = lab.failed("Loose", "{}").await;
        assert_eq!((&error["errorType"], &error["errorMessage"]), (&json!("Error"), &json!("loose")));
        lab.node("Loose", "exports.handler = async (e) => { if (e) { Promise.reject(new Error('un')); await new Promise(r => setTimeout(r, 1000)) } return 1 }").await;
        let error = lab.failed("Loose", "1").await;
        assert_eq!(error["errorType"], "Runtime.UnhandledPromiseRejection");
        assert_eq!(error["errorMessage"], "Error: un");
        assert_eq!(lab.returned("Loose", "0").await, json!(1));
    });
}

#[test]
fn a_call_that_takes_too_long_is_cut_off() {
    on_data_thread(|lab| async move {
        let code = format!(
            "{NAMED}def handler(e, c):\n    if e == 'child':\n        os.fork() or time.sleep(100)\n    time.sleep(100 if e else 0)\n    return ME\n"
        );
        lab.put("Slow", &runtime("python"), &[("index.py", &code)], |configuration| configuration.timeout = 1).await;
        let before = lab.returned("Slow", "0").await;
        let began = Instant::now();
        let error = lab.failed("Slow", "1").await;
        assert!((1000..15_000).contains(&began.elapsed().as_millis()));
        assert_eq!(error["errorType"], "Sandbox.Timedout");
        assert!(error["errorMessage"].as_str().unwrap().ends_with("Error: Task timed out after 1.00 seconds"));
        eventually("the process is gone", || !is_alive(before.as_u64().unwrap())).await;
        assert_ne!(lab.returned("Slow", "0").await, before);
        lab.node("Slow", "exports.handler = async () => { for (;;); }").await;
        lab.put("Slow", &runtime("nodejs"), &[("index.js", "exports.handler = async () => { for (;;); }")], |c| {
            c.timeout = 1;
        })
        .await;
        assert_eq!(lab.failed("Slow", "1").await["errorType"], "Sandbox.Timedout");
    });
}

#[test]
fn loading_that_takes_too_long_is_tried_once_more() {
    with_settings(Settings { init_limit: Duration::from_millis(200), ..Settings::default() }, |lab| async move {
        let code = "import time\ntime.sleep(0.6)\ndef handler(e, c): return 'late'\n";
        lab.python("Load", code).await;
        assert_eq!(lab.returned("Load", "{}").await, json!("late"));
        let code = "import time\ntime.sleep(100)\n";
        lab.put("Load", &runtime("python"), &[("index.py", code)], |configuration| configuration.timeout = 1).await;
        assert_eq!(lab.failed("Load", "{}").await["errorType"], "Sandbox.Timedout");
    });
}

#[test]
fn children_do_not_outlive_their_environment() {
    on_data_thread(|lab| async move {
        let code = "
import subprocess, sys
def handler(e, c):
    if os.fork() == 0:
        name(ME + 1); time.sleep(1000)
    again = 'import time; open(\"/proc/self/comm\", \"w\").write(\"%012x\"); time.sleep(1000)' % (ME + 2)
    subprocess.Popen([sys.executable, '-c', again], close_fds=False)
    # One that leaves its session and its parent.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            name(ME + 3); time.sleep(1000)
        os._exit(0)
    if e: os._exit(0)
    return [ME, ME + 1, ME + 2, ME + 3]
";
        lab.python("Parent", &format!("{NAMED}{code}")).await;
        let processes: Vec<u64> = serde_json::from_value(lab.returned("Parent", "0").await).unwrap();
        eventually("they run", || processes.iter().all(|process| is_alive(*process))).await;
        // A child that holds the socket open does not hide that the process has ended.
        let began = Instant::now();
        assert_eq!(lab.failed("Parent", "1").await["errorType"], "Runtime.ExitError");
        assert!(began.elapsed() < Duration::from_secs(15));
        for process in processes {
            eventually("the family is gone", || !is_alive(process)).await;
        }
    });
}

#[test]
fn a_process_killed_in_a_call_or_at_rest_is_replaced() {
    on_data_thread(|lab| async move {
        let code = "def handler(e, c):\n    name(ME + 1 if e else ME)\n    time.sleep(e)\n    return ME\n";
        lab.python("Victim", &format!("{NAMED}{code}")).await;
        let victim = lab.returned("Victim", "0").await.as_u64().unwrap();
        let kill = |name| {
            let pid = rustix::process::Pid::from_raw(process(name).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        };
        let (error, ()) = tokio::join!(lab.failed("Victim", "1000"), async {
            eventually("it is at work", || is_alive(victim + 1)).await;
            kill(victim + 1);
        });
        assert!(error["errorMessage"].as_str().unwrap().ends_with("signal: killed"), "{error}");

        let victim = lab.returned("Victim", "0").await.as_u64().unwrap();
        kill(victim);
        assert_ne!(lab.returned("Victim", "0").await, json!(victim));
    });
}

#[test]
fn what_a_handler_writes_to_the_socket_hurts_only_itself() {
    on_data_thread(|lab| async move {
        let code = "def handler(e, c):\n    if e: os.write(3, bytes.fromhex(e))\n    return ME\n";
        let code = format!("{NAMED}{code}");
        // Half a frame is waited for until the time is up.
        lab.put("Babble", &runtime("python"), &[("index.py", &code)], |configuration| configuration.timeout = 2).await;
        for (what, junk) in [
            ("garbage", "ffffffffffff"),
            ("an empty frame", "00000000"),
            ("an unknown kind", "0100000009"),
            ("a second ready", "0100000001"),
            ("half a frame", "ff0000000361"),
        ] {
            let before = lab.returned("Babble", "\"\"").await;
            // Whatever this call is told, the next one is served, by another process.
            lab.try_invoke("Babble", &format!("\"{junk}\"")).await.unwrap();
            assert_ne!(lab.returned("Babble", "\"\"").await, before, "{what}");
        }
    });
}

#[test]
fn closed_output_costs_nothing() {
    on_data_thread(|lab| async move {
        lab.python("Mute", "import os, sys\ndef handler(e, c):\n    os.close(1); os.close(2)\n    return 1\n").await;
        assert_eq!(lab.returned("Mute", "{}").await, json!(1));
        lab.node("Mute", "exports.handler = async () => { require('fs').closeSync(1); console.log('x'); return 1 }")
            .await;
        assert_eq!(lab.returned("Mute", "{}").await, json!(1));
    });
}
