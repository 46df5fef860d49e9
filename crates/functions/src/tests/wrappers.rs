//! `AWS_LAMBDA_EXEC_WRAPPER`: scripts that run the runtime.

use serde_json::json;

use super::lab::{Lab, on_data_thread, runtime};

async fn wrapped(lab: &Lab, name: &str, family: &str, code: (&str, &str), wrapper: &str) {
    lab.put(name, &runtime(family), &[code, ("wrapper", wrapper)], |configuration| {
        let variables = configuration.variables.get_or_insert_default();
        variables.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/var/task/wrapper".to_owned());
    })
    .await;
}

#[test]
fn a_wrapper_changes_what_the_runtime_starts_with() {
    on_data_thread(|lab| async move {
        let python = "import os\ndef handler(event, context): return [event, os.environ['ADDED'], __debug__]";
        // An option put before the last argument, as AWS's own example does.
        let wrapper =
            "#!/bin/bash\nexport ADDED=yes\nargs=(\"$@\")\nexec \"${args[@]:0:$#-1}\" -O \"${args[@]: -1}\"\n";
        wrapped(&lab, "Python", "python", ("index.py", python), wrapper).await;
        for number in 0..3 {
            assert_eq!(lab.returned("Python", &number.to_string()).await, json!([number, "yes", false]));
        }
        let node =
            "exports.handler = async (event) => [event, process.env.ADDED, process.execArgv.includes('--no-warnings')]";
        let wrapper = wrapper.replace("-O", "--no-warnings");
        wrapped(&lab, "Node", "nodejs", ("index.js", node), &wrapper).await;
        assert_eq!(lab.returned("Node", "7").await, json!([7, "yes", true]));
    });
}

#[test]
fn errors_and_ends_are_told_as_without_a_wrapper() {
    on_data_thread(|lab| async move {
        let code =
            "import os\ndef handler(event, context):\n  if event == 'exit': os._exit(3)\n  raise KeyError(event)";
        wrapped(&lab, "Errors", "python", ("index.py", code), "#!/bin/sh\nexec \"$@\"").await;
        assert_eq!(lab.failed("Errors", "1").await["errorType"], "KeyError");
        let ended = lab.failed("Errors", "\"exit\"").await;
        assert!(
            ended["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: exit status 3"),
            "{ended}"
        );
        wrapped(&lab, "NoImport", "python", ("index.py", "import nothing_such"), "#!/bin/sh\nexec \"$@\"").await;
        assert_eq!(lab.failed("NoImport", "1").await["errorType"], "Runtime.ImportModuleError");
        let node = "exports.handler = async () => { process.exit(4) }";
        wrapped(&lab, "NodeExit", "nodejs", ("index.js", node), "#!/bin/sh\nexec \"$@\"").await;
        let ended = lab.failed("NodeExit", "1").await;
        assert!(
            ended["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: exit status 4"),
            "{ended}"
        );
    });
}

#[test]
fn a_wrapper_that_is_not_there_is_exit_status_127() {
    on_data_thread(|lab| async move {
        lab.put("None", &runtime("python"), &[("index.py", "")], |configuration| {
            let variables = configuration.variables.get_or_insert_default();
            variables.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/not-there".to_owned());
        })
        .await;
        let error = lab.failed("None", "{}").await;
        assert_eq!(error["errorType"], "Runtime.ExitError");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.ends_with(" Error: Runtime exited with error: exit status 127"), "{message}");
    });
}

#[test]
fn a_wrapper_may_run_a_program_that_speaks_http_instead() {
    on_data_thread(|lab| async move {
        let program = r#"#!/bin/sh
exec "$1" -c '
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    id, event = answer.getheader("Lambda-Runtime-Aws-Request-Id"), answer.read()
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", b"[" + event + b"]")
    api.getresponse().read()
'
"#;
        wrapped(&lab, "Http", "python", ("index.py", ""), program).await;
        for number in 0..3 {
            assert_eq!(lab.returned("Http", &number.to_string()).await, json!([number]));
        }
    });
}
