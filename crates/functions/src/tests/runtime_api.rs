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

async fn provide(lab: &Lab, name: &str, start: &str, body: &str) {
    let python = lab.functions.engine.runtimes.find(&runtime("python")).unwrap().program;
    let program = format!("#!{}\n{}", python.display(), BOOTSTRAP.replace("START", start).replace("BODY", body));
    lab.put(name, "provided.al2023", &[("bootstrap", &program)], |_| {}).await;
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
