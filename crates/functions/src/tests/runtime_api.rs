//! Programs that speak the Runtime API over HTTP, as `provided.*` functions do.

use base::seams::{InvokeFunction, Outcome};
use serde_json::json;

use super::lab::{Lab, on_data_thread, runtime};

/// A bootstrap in Python: `BODY` handles `event` and `headers` and gives path and body of the answer.
const BOOTSTRAP: &str = r#"
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
START
while True:
    status, headers, event = call("GET", "invocation/next")
    if status != 200: sys.exit(1)
    id = headers["lambda-runtime-aws-request-id"]
    BODY
"#;

pub(super) async fn provide(lab: &Lab, name: &str, start: &str, body: &str) {
    lab.put(name, "provided.al2023", &[("bootstrap", &program(lab, start, body))], |_| {}).await;
}

pub(super) fn program(lab: &Lab, start: &str, body: &str) -> String {
    let python = lab.functions.engine.runtimes.find(&runtime("python")).unwrap().program;
    format!("#!{}\n{}", python.display(), BOOTSTRAP.replace("START", start).replace("BODY", body))
}

#[test]
fn a_program_gets_events_and_answers() {
    on_data_thread(|lab| async move {
        let body = r#"call("POST", f"invocation/{id}/response", json.dumps({"event": json.loads(event), "headers": headers, "handler": os.environ["_HANDLER"]}))"#;
        provide(&lab, "Own", "", body).await;
        for number in 0..3 {
            let mut invocation = lab.invocation("Own", format!("{{\"n\": {number}}}"));
            invocation.trace_id = Some("Root=1-5f5e1000-000000000000000000000001".to_owned());
            let invoked = lab.functions.invoke(invocation).await.unwrap();
            let Outcome::Returned(payload) = invoked.outcome else { panic!("{:?}", invoked.outcome) };
            let seen: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            assert_eq!(seen["event"], json!({"n": number}));
            let headers = &seen["headers"];
            assert_eq!(headers["lambda-runtime-aws-request-id"], json!(invoked.request_id));
            assert_eq!(headers["lambda-runtime-trace-id"], "Root=1-5f5e1000-000000000000000000000001");
            let arn = "arn:aws:lambda:us-east-1:000000000000:function:Own";
            assert_eq!(headers["lambda-runtime-invoked-function-arn"], arn);
            assert_eq!(headers["lambda-runtime-deadline-ms"].as_str().unwrap().len(), 13);
            assert_eq!(seen["handler"], "index.handler");
        }
    });
}

#[test]
fn errors_are_passed_on() {
    on_data_thread(|lab| async move {
        let error = r#"{"errorMessage": "no", "errorType": "Mine", "stackTrace": []}"#;
        let body = format!("call('POST', f'invocation/{{id}}/error', '{error}')");
        provide(&lab, "Fail", "", &body).await;
        assert_eq!(lab.failed("Fail", "{}").await, serde_json::from_str::<serde_json::Value>(error).unwrap());
        // The process lives on.
        assert_eq!(lab.failed("Fail", "{}").await["errorType"], "Mine");
        let start = format!("call('POST', 'init/error', '{error}'); sys.exit(1)");
        provide(&lab, "FailAtStart", &start, "pass").await;
        assert_eq!(lab.failed("FailAtStart", "{}").await["errorType"], "Mine");
    });
}

#[test]
fn a_program_that_ends_or_talks_nonsense_costs_its_own_call_only() {
    on_data_thread(|lab| async move {
        provide(&lab, "Exit", "", "sys.exit(3)").await;
        let ended = lab.failed("Exit", "{}").await;
        assert_eq!(ended["errorType"], "Runtime.ExitError", "{ended}");
        let nonsense = r#"
    seen = [call("POST", "invocation/8a7b6c5d-0000-4000-8000-000000000001/response", "{}")[0], call("GET", "nothing")[0], call("PUT", "invocation/next")[0]]
    call("POST", f"invocation/{id}/response", json.dumps(seen))"#;
        provide(&lab, "Nonsense", "", nonsense).await;
        assert_eq!(lab.returned("Nonsense", "{}").await, json!([400, 404, 404]));
    });
}

#[test]
fn an_answer_is_taken_once_and_the_next_event_after_it() {
    on_data_thread(|lab| async move {
        let body = r#"
    early = [call("GET", "invocation/next")[0], call("POST", "init/error", "{}")[0]]
    answered = call("POST", f"invocation/{id}/response", json.dumps(seen))[0]
    late = [call("POST", f"invocation/{id}/{kind}", "{}")[0] for kind in ["response", "error"]]
    seen += early + [answered] + late"#;
        provide(&lab, "Twice", "seen = []", body).await;
        assert_eq!(lab.returned("Twice", "{}").await, json!([]));
        assert_eq!(lab.returned("Twice", "{}").await, json!([403, 403, 202, 403, 403]));
    });
}

#[test]
fn a_program_that_cannot_be_run_is_told_as_aws_tells_it() {
    on_data_thread(|lab| async move {
        let of_another_cpu = format!("\x7fELF\x02\x01\x01{}\x02\0\x15\0{}", "\0".repeat(9), "\0".repeat(44));
        for (name, file, content, told) in [
            ("Missing", "other", "", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
            ("Plain", "bootstrap", "echo", "fork/exec /var/task/bootstrap: permission denied"),
            ("Foreign", "bootstrap", &of_another_cpu, "fork/exec /var/task/bootstrap: exec format error"),
            ("NoShell", "bootstrap", "#!/no/such/program", "fork/exec /var/task/bootstrap: no such file or directory"),
        ] {
            lab.put(name, "provided.al2023", &[(file, content)], |_| {}).await;
            let error = lab.failed(name, "{}").await;
            assert_eq!(error["errorType"], "Runtime.InvalidEntrypoint", "{error}");
            assert!(error["errorMessage"].as_str().unwrap().ends_with(&format!(" Error: {told}")), "{error}");
        }
    });
}

#[test]
fn an_answer_that_is_too_large_is_an_error() {
    on_data_thread(|lab| async move {
        let body = r#"status = call("POST", f"invocation/{id}/response", '"' + 'x' * 6400000 + '"')[0]; print("told", status)"#;
        provide(&lab, "Large", "", body).await;
        let error = lab.failed("Large", "{}").await;
        assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge", "{error}");
    });
}

#[test]
fn a_stream_is_put_together_for_who_wants_it_whole() {
    on_data_thread(|lab| async move {
        let body = r#"
    headers = {"Lambda-Runtime-Function-Response-Mode": "streaming", "Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", iter([b'"one ', b'two"']), headers, encode_chunked=True)
    api.getresponse().read()"#;
        provide(&lab, "Stream", "", body).await;
        assert_eq!(lab.returned("Stream", "{}").await, json!("one two"));
    });
}
