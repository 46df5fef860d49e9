//! Functions that close, cut off or flood what they speak with us through.

use std::time::Duration;

use serde_json::json;

use super::lab::{NAMED_NODE, on_data_thread, runtime, with_settings};
use super::runtime_api::{program, provide};
use crate::Settings;

#[test]
fn a_node_process_that_closes_its_descriptors_fails_alone() {
    on_data_thread(|lab| async move {
        let code = "exports.handler = async (e) => {
            if (e) for (let number = 3; number < 64; number++) try { require('fs').closeSync(number) } catch {}
            return ME
        }";
        let code = format!("{NAMED_NODE}{code}");
        lab.put("Closes", &runtime("nodejs"), &[("index.js", &code)], |c| c.timeout = 2).await;
        let before = lab.returned("Closes", "0").await;
        let error = lab.failed("Closes", "1").await;
        let kind = error["errorType"].as_str().unwrap();
        assert!(["Runtime.ExitError", "Sandbox.Timedout"].contains(&kind), "{error}");
        assert_ne!(lab.returned("Closes", "0").await, before);
    });
}

#[test]
fn an_answer_that_breaks_off_is_told_so_and_other_noise_costs_nothing() {
    on_data_thread(|lab| async move {
        let start = r#"
import socket
def cut_off(*pieces):
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        try:
            for piece in pieces: connection.sendall(piece)
            # The other side has seen the end when it ends too.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536): pass
        except OSError:
            pass
"#;
        let body = r#"
    head = f"POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\n".encode()
    {
        "length": lambda: cut_off(head + b"Content-Length: 100\r\n\r\n", b'"half'),
        "chunk": lambda: cut_off(head + b"Transfer-Encoding: chunked\r\n\r\n", b'5\r\n"half'),
        "head": lambda: cut_off(head),
        "garbage": lambda: cut_off(b"\xff\x00" * 1000),
        "nothing": lambda: cut_off(),
        "many": lambda: [cut_off(b"GET ") for _ in range(200)],
    }[json.loads(event)]()
    call("POST", f"invocation/{id}/response", json.dumps("whole"))"#;
        provide(&lab, "Cut", start, body).await;
        for what in ["length", "chunk"] {
            let error = lab.failed("Cut", &json!(what).to_string()).await;
            assert_eq!(error["errorType"], "Runtime.TruncatedResponse", "{what}: {error}");
        }
        for what in ["head", "garbage", "nothing", "many"] {
            assert_eq!(lab.returned("Cut", &json!(what).to_string()).await, json!("whole"), "{what}");
        }
    });
}

#[test]
fn a_program_that_never_asks_or_never_answers_is_cut_off() {
    let settings = Settings { init_limit: Duration::from_millis(200), ..Settings::default() };
    with_settings(settings, |lab| async move {
        for (name, start, body) in [
            ("NeverAsks", "import time; time.sleep(1000)", "pass"),
            ("NeverAnswers", "import time", "time.sleep(1000)"),
        ] {
            let program = program(&lab, start, body);
            lab.put(name, "provided.al2023", &[("bootstrap", &program)], |c| c.timeout = 1).await;
            assert_eq!(lab.failed(name, "{}").await["errorType"], "Sandbox.Timedout", "{name}");
        }
    });
}
