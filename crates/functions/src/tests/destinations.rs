//! What becomes of asynchronous invocations: who is told, what they are told, and that it is not lost on the way.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::seams::{CallService, InvokeFunction, SendFuture, ServiceAnswer, ServiceCall, ServiceSilence};
use bytes::Bytes;
use serde_json::Value;
use store::Transaction;

use super::lab::{Lab, eventually, runtime, with_settings};
use super::queue::{SOON, settled};
use crate::event_invoke::EventInvokeRecord;
use crate::{Functions, Settings};

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:told";
const FAILS: &str = "def handler(e, c): raise ValueError('no')\n";

type Answer = Result<ServiceAnswer, ServiceSilence>;

/// Stands in for all services: notes what it is called with, and gives the answers that it was told to, then yes.
#[derive(Debug, Default)]
struct Services {
    calls: Mutex<Vec<ServiceCall>>,
    answers: Mutex<VecDeque<Answer>>,
}

impl CallService for Services {
    fn call(&self, call: ServiceCall) -> SendFuture<'_, Answer> {
        self.calls.lock().unwrap().push(call);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.unwrap_or_else(|| answered(200, r#"{"FailedEntryCount":0}"#)) })
    }
}

impl Services {
    /// The value of a field of a form that was sent.
    fn sent(&self, call: usize, field: &str) -> String {
        let calls = self.calls.lock().unwrap();
        let form = std::str::from_utf8(&calls[call].body).unwrap().to_owned();
        let value = form.split('&').find_map(|pair| pair.strip_prefix(&format!("{field}=")).map(str::to_owned));
        let value = value.unwrap_or_else(|| panic!("{form}"));
        percent_encoding::percent_decode_str(&value).decode_utf8().unwrap().into_owned()
    }

    fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

fn answered(status: u16, body: &'static str) -> Answer {
    Ok(ServiceAnswer { status, body: Bytes::from_static(body.as_bytes()) })
}

fn with_services<F: Future<Output = ()>>(answers: Vec<Answer>, test: impl FnOnce(Lab, Arc<Services>) -> F) {
    let services = Arc::new(Services { answers: Mutex::new(answers.into()), ..Services::default() });
    let settings = Settings {
        retry_delays: SOON,
        services: Some(services.clone()),
        sandbox: crate::SandboxMode::Off,
        ..Settings::default()
    };
    with_settings(settings, |lab| test(lab, services));
}

/// Gives a function its config.
async fn configure(lab: &Lab, name: &str, change: impl FnOnce(&mut EventInvokeRecord)) {
    let mut config = EventInvokeRecord {
        function: name.to_owned(),
        qualifier: "$LATEST".to_owned(),
        retries: None,
        event_age_seconds: None,
        on_success: None,
        on_failure: None,
        last_modified: 0,
    };
    change(&mut config);
    lab.data.store().commit(Transaction::new().put(&lab.scope, &config)).await.unwrap();
    let Functions { index, engine, .. } = &*lab.functions;
    index.refresh(&lab.data.store(), engine, &lab.scope, name).await.unwrap();
}

#[test]
fn a_success_is_told_once() {
    with_services(Vec::new(), |lab, services| async move {
        lab.python("F", "def handler(e, c): return {'got': e}\n").await;
        configure(&lab, "F", |config| config.on_success = Some(QUEUE.to_owned())).await;
        let id = lab.functions.enqueue(lab.invocation("F", r#"{"n": 1.50}"#)).await.unwrap();
        settled(&lab).await;
        let record = services.sent(0, "MessageBody");
        assert!(record.contains(r#""requestPayload":{"n": 1.50}"#), "the event as it was: {record}");
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["requestContext"]["condition"], "Success");
        assert_eq!(record["requestContext"]["requestId"], id);
        assert_eq!(record["responsePayload"]["got"]["n"], 1.5);
        assert_eq!(services.count(), 1);
    });
}

#[test]
fn a_failure_goes_to_the_destination_and_to_the_dead_letter_queue() {
    with_services(Vec::new(), |lab, services| async move {
        lab.put("F", &runtime("python"), &[("index.py", FAILS)], |configuration| {
            configuration.dead_letter = Some("arn:aws:sns:us-east-1:000000000000:dead".to_owned());
        })
        .await;
        configure(&lab, "F", |config| {
            (config.retries, config.on_failure) = (Some(1), Some(QUEUE.to_owned()));
        })
        .await;
        let id = lab.functions.enqueue(lab.invocation("F", r#"{"n": 1}"#)).await.unwrap();
        settled(&lab).await;
        assert_eq!(services.count(), 2);
        let of = |service| services.calls.lock().unwrap().iter().position(|call| call.service == service).unwrap();
        let record: Value = serde_json::from_str(&services.sent(of("sqs"), "MessageBody")).unwrap();
        assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
        assert_eq!(record["responsePayload"]["errorMessage"], "no");
        assert_eq!(services.sent(of("sns"), "Message"), r#"{"n": 1}"#);
        assert_eq!(services.sent(of("sns"), "MessageAttributes.entry.1.Value.StringValue"), id);
        assert_eq!(services.sent(of("sns"), "MessageAttributes.entry.3.Value.StringValue"), "no");
    });
}

#[test]
fn a_function_is_told_by_an_event() {
    with_services(Vec::new(), |lab, services| async move {
        let file = lab.folder.path().join("told");
        let code = format!(
            "import json\ndef handler(e, c):\n    with open('{}', 'w') as f: f.write(json.dumps(e))\n",
            file.display()
        );
        lab.python("Told", &code).await;
        lab.python("F", FAILS).await;
        let target = lab.invocation("Told", "").function_arn.to_string();
        configure(&lab, "F", |config| (config.retries, config.on_failure) = (Some(0), Some(target))).await;
        lab.functions.enqueue(lab.invocation("F", "[1]")).await.unwrap();
        eventually("the other is told", || file.exists()).await;
        settled(&lab).await;
        let record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(record["requestPayload"][0], 1);
        assert_eq!(services.count(), 0);
    });
}

#[test]
fn a_target_that_does_not_answer_is_asked_again() {
    let unreachable = || Err(ServiceSilence::Unreachable("refused".to_owned()));
    let answers = vec![unreachable(), answered(503, ""), unreachable(), answered(400, "no such queue")];
    with_services(answers, |lab, services| async move {
        lab.python("F", "def handler(e, c): return 1\n").await;
        configure(&lab, "F", |config| config.on_success = Some(QUEUE.to_owned())).await;
        lab.functions.enqueue(lab.invocation("F", "{}")).await.unwrap();
        settled(&lab).await;
        assert_eq!(services.count(), 5);
        assert_eq!(lab.functions.queue.counts.undelivered.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn what_cannot_be_delivered_is_counted() {
    let no = || answered(403, "AccessDenied");
    let answers = vec![no(), no(), no(), no(), no(), Err(ServiceSilence::NoEndpoint)];
    with_services(answers, |lab, services| async move {
        lab.python("F", "def handler(e, c): return 1\n").await;
        configure(&lab, "F", |config| config.on_success = Some(QUEUE.to_owned())).await;
        for expected in [5, 6] {
            lab.functions.enqueue(lab.invocation("F", "{}")).await.unwrap();
            settled(&lab).await;
            assert_eq!(services.count(), expected);
        }
        assert_eq!(lab.functions.queue.counts.undelivered.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_delivery_survives_the_end_of_the_process() {
    let services = Arc::new(Services::default());
    // The first process has a service that is away for longer than the process lives.
    let away = std::iter::repeat_with(|| Err(ServiceSilence::Unreachable("away".to_owned()))).take(100_000);
    let first = Arc::new(Services { answers: Mutex::new(away.collect()), ..Services::default() });
    let settings = Settings {
        retry_delays: SOON,
        services: Some(first.clone()),
        sandbox: crate::SandboxMode::Off,
        ..Settings::default()
    };
    with_settings(settings, |lab| async move {
        lab.python("F", "def handler(e, c): return 1\n").await;
        configure(&lab, "F", |config| config.on_success = Some(QUEUE.to_owned())).await;
        lab.functions.enqueue(lab.invocation("F", "{}")).await.unwrap();
        eventually("it was tried", || first.count() > 0).await;
        lab.functions.shutdown(Duration::from_millis(1)).await;
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            data_dir: folder.path().to_owned(),
            retry_delays: SOON,
            services: Some(services.clone()),
            sandbox: crate::SandboxMode::Off,
            ..Settings::default()
        };
        let control = lab.functions.engine.control.clone();
        let again = Functions::open(lab.data.store(), lab.data.blobs(), settings, control).await.unwrap();
        settled(&lab).await;
        assert_eq!(services.count(), 1);
        again.shutdown(Duration::from_secs(1)).await;
    });
}
