//! Asynchronous invocations: kept, run, tried again, settled.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::limits::AccountLimits;
use base::seams::{InvokeFunction, InvokeRefusal};
use store::Transaction;

use super::lab::{Lab, eventually, unsandboxed, with_settings};
use crate::records::{QueuedEvent, QueuedInvocation};
use crate::{Functions, RetryDelays, SandboxMode, Settings};

pub(super) const SOON: RetryDelays =
    RetryDelays { after_failure: [Duration::from_millis(5); 2], after_refusal: Duration::from_millis(5) };

/// A handler that notes the id of each call and its event in a file, and then does `more`.
pub(super) fn noting(file: &Path, more: &str) -> String {
    let file = file.display();
    format!(
        "def handler(e, c):\n    with open('{file}', 'a') as f:\n        f.write(c.aws_request_id + ' ' + e['n'] + chr(10))\n    {more}\n"
    )
}

pub(super) fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// How many invocations are not settled. An invocation and its event go in one commit, but may go between two reads.
async fn left(lab: &Lab) -> usize {
    let events = lab.data.store().list_all::<QueuedEvent>().await.unwrap().len();
    let invocations = lab.data.store().list_all::<QueuedInvocation>().await.unwrap().len();
    events.max(invocations)
}

pub(super) async fn settled(lab: &Lab) {
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while left(lab).await > 0 {
        assert!(std::time::Instant::now() < end, "events are left after 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn an_event_is_run_once_and_then_forgotten() {
    unsandboxed(|lab| async move {
        let file = lab.folder.path().join("seen");
        lab.python("Note", &noting(&file, "return e")).await;
        let id = lab.functions.enqueue(lab.invocation("Note", r#"{"n": "1"}"#)).await.unwrap();
        settled(&lab).await;
        assert_eq!(lines(&file), [format!("{id} 1")]);
    });
}

#[test]
fn a_function_that_fails_is_tried_twice_more_under_the_same_id() {
    with_settings(
        Settings { retry_delays: SOON, sandbox: SandboxMode::Off, ..Settings::default() },
        |lab| async move {
            let file = lab.folder.path().join("seen");
            lab.python("Fail", &noting(&file, "raise ValueError('no')")).await;
            let id = lab.functions.enqueue(lab.invocation("Fail", r#"{"n": "x"}"#)).await.unwrap();
            settled(&lab).await;
            assert_eq!(lines(&file), vec![format!("{id} x"); 3]);
        },
    );
}

#[test]
fn a_throttled_event_waits_for_room() {
    let limits = AccountLimits { concurrent_functions: 1, ..AccountLimits::AWS };
    with_settings(
        Settings { retry_delays: SOON, limits, sandbox: SandboxMode::Off, ..Settings::default() },
        |lab| async move {
            let file = lab.folder.path().join("seen");
            let gate = lab.folder.path().join("gate");
            let wait = format!(
                "import os, time\n    while e['n'] == 'first' and not os.path.exists('{}'): time.sleep(0.005)",
                gate.display()
            );
            lab.python("Wait", &noting(&file, &wait)).await;
            lab.functions.enqueue(lab.invocation("Wait", r#"{"n": "first"}"#)).await.unwrap();
            eventually("the first runs", || lines(&file).len() == 1).await;
            lab.functions.enqueue(lab.invocation("Wait", r#"{"n": "second"}"#)).await.unwrap();
            let refused = || lab.functions.queue.counts.refused.load(Ordering::Relaxed);
            eventually("the second is refused", || refused() > 1).await;
            std::fs::write(&gate, "").unwrap();
            settled(&lab).await;
            assert_eq!(lines(&file).len(), 2);
        },
    );
}

#[test]
fn what_an_earlier_run_left_is_taken_up() {
    unsandboxed(|lab| async move {
        let file = lab.folder.path().join("seen");
        lab.python("Note", &noting(&file, "return e")).await;
        let function_arn = lab.invocation("Note", "").function_arn.to_string();
        let accepted = QueuedInvocation::accepted(function_arn, lab.functions.engine.clock.now().0);
        let invocation = QueuedInvocation { due: 0, failures: 1, ..accepted };
        let request_id = invocation.request_id.clone();
        let event = QueuedEvent { request_id: request_id.clone(), payload: r#"{"n": "left"}"#.to_owned() };
        let both = Transaction::new().insert(&lab.scope, &invocation).insert(&lab.scope, &event);
        lab.data.store().commit(both).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            data_dir: folder.path().to_owned(),
            retry_delays: SOON,
            sandbox: SandboxMode::Off,
            ..Settings::default()
        };
        let control = lab.functions.engine.control.clone();
        let again = Functions::open(lab.data.store(), lab.data.blobs(), settings, control).await.unwrap();
        again.attach(0);
        settled(&lab).await;
        assert_eq!(lines(&file), [format!("{request_id} left")]);
        again.shutdown(Duration::from_secs(1)).await;
    });
}

#[test]
fn what_cannot_be_run_is_refused_at_once() {
    unsandboxed(|lab| async move {
        lab.python("Note", "def handler(e, c): return 1\n").await;
        let enqueue = async |name: &str, event: String| lab.functions.enqueue(lab.invocation(name, event)).await;
        let missing = enqueue("None", "{}".to_owned()).await.unwrap_err();
        assert!(matches!(missing, InvokeRefusal::NotFound { .. }), "{missing:?}");
        let unread = enqueue("Note", "{".to_owned()).await.unwrap_err();
        assert!(matches!(unread, InvokeRefusal::BadPayload { too_large: false, .. }), "{unread:?}");
        let torn = lab.functions.enqueue(lab.invocation("Note", &b"[\"\xff\"]"[..])).await.unwrap_err();
        assert!(matches!(&torn, InvokeRefusal::BadPayload { message, .. } if message.contains("UTF-8")), "{torn:?}");
        let long = enqueue("Note", format!("\"{}\"", "x".repeat(1_048_575))).await.unwrap_err();
        let message =
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)".to_owned();
        assert_eq!(long, InvokeRefusal::BadPayload { message, too_large: true });
        assert_eq!(left(&lab).await, 0);
    });
}

#[test]
fn many_events_of_one_function_do_not_hold_up_another() {
    let limits = AccountLimits { concurrent_functions: 1, ..AccountLimits::AWS };
    with_settings(
        Settings { sandbox: SandboxMode::Off, retry_delays: SOON, limits, ..Settings::default() },
        |lab| async move {
            let (file, gate) = (lab.folder.path().join("seen"), lab.folder.path().join("gate"));
            let wait =
                format!("import os, time\n    while not os.path.exists('{}'): time.sleep(0.005)", gate.display());
            lab.python("Busy", &noting(&file, &wait)).await;
            lab.python("Note", &noting(&file, "return e")).await;
            for name in [["Busy"; 40].as_slice(), &["Note"; 3]].concat() {
                lab.functions.enqueue(lab.invocation(name, format!(r#"{{"n": "{name}"}}"#))).await.unwrap();
            }
            std::fs::write(&gate, "").unwrap();
            settled(&lab).await;
            let seen = lines(&file);
            assert_eq!(seen.len(), 43);
            let last = seen.iter().rposition(|line| line.ends_with("Note")).unwrap();
            assert!(last < 42, "the function that came late had to wait for all events of the other");
        },
    );
}
