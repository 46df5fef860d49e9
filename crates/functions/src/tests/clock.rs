//! Steps of the clock, by hours and both ways, while events wait and environments are idle.

use std::time::Duration;

use base::clock::{Clock, Moment};
use base::seams::InvokeFunction;
use serde_json::json;

use super::client::{Client, package};
use super::lab::{Lab, NAMED, eventually, is_alive, runtime, with_settings};
use super::queue::{lines, noting, settled};
use crate::records::QueuedInvocation;
use crate::{RetryDelays, SandboxMode, Settings};

const NOW: Moment = Moment(1_767_225_600_000);
const HOUR: u64 = 3_600_000;
const EARLIER: Moment = Moment(NOW.0 - 30 * HOUR);
const LATER: Moment = Moment(NOW.0 + 30 * HOUR);

/// Runs a test with a clock that the test sets. Waits last as long as ever.
fn with_clock<F: Future<Output = ()>>(test: impl FnOnce(Lab, Clock) -> F) {
    let clock = Clock::fake(NOW);
    let wait = Duration::from_millis(500);
    let retry_delays = RetryDelays { after_failure: [wait; 2], after_refusal: Duration::from_millis(5) };
    let settings = Settings { clock: clock.clone(), retry_delays, sandbox: SandboxMode::Off, ..Settings::default() };
    with_settings(settings, |lab| test(lab, clock));
}

/// Waits until an event has failed so often.
async fn failed(lab: &Lab, times: u32) {
    let end = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let waiting = lab.data.store().list_all::<QueuedInvocation>().await.unwrap();
        if waiting.iter().all(|(_, row)| row.record.failures >= times) {
            return;
        }
        assert!(std::time::Instant::now() < end, "it has not failed {times} times after 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn events_that_wait_are_tried_in_time_and_grow_no_older() {
    for steps in [[EARLIER, NOW], [LATER, EARLIER], [LATER, LATER]] {
        with_clock(|lab, clock| async move {
            let file = lab.folder.path().join("seen");
            lab.python("Fail", &noting(&file, "raise ValueError('no')")).await;
            let id = lab.functions.enqueue(lab.invocation("Fail", r#"{"n": "x"}"#)).await.unwrap();
            for (step, times) in steps.into_iter().zip(1..) {
                failed(&lab, times).await;
                clock.set(step);
            }
            settled(&lab).await;
            assert_eq!(lines(&file), vec![format!("{id} x"); 3], "{steps:?}");
        });
    }
}

#[test]
fn an_event_that_is_accepted_before_a_step_is_run_after_it() {
    with_clock(|lab, clock| async move {
        let file = lab.folder.path().join("seen");
        lab.python("Note", &noting(&file, "return e")).await;
        for moment in [NOW, EARLIER, LATER, NOW] {
            clock.set(moment);
            lab.functions.enqueue(lab.invocation("Note", r#"{"n": "x"}"#)).await.unwrap();
        }
        clock.set(EARLIER);
        settled(&lab).await;
        assert_eq!(lines(&file).len(), 4);
    });
}

#[test]
fn an_environment_that_is_idle_stays_and_a_call_under_way_has_its_time() {
    with_clock(|lab, clock| async move {
        let gate = lab.folder.path().join("gate");
        let wait = format!(
            "{NAMED}def handler(e, c):\n    while e and not os.path.exists('{}'): time.sleep(0.005)\n    return ME\n",
            gate.display()
        );
        lab.python("Stay", &wait).await;
        let first = lab.returned("Stay", "0").await;
        for moment in [EARLIER, LATER, NOW] {
            clock.set(moment);
            assert_eq!(lab.returned("Stay", "0").await, first);
        }
        let (after, ()) = tokio::join!(lab.returned("Stay", "1"), async {
            for moment in [LATER, EARLIER] {
                clock.set(moment);
                tokio::task::yield_now().await;
            }
            std::fs::write(&gate, "").unwrap();
        });
        assert_eq!(after, first);
        assert!(is_alive(first.as_u64().unwrap()));
        lab.put("Slow", &runtime("python"), &[("index.py", &wait.replace("gate", "none"))], |c| c.timeout = 1).await;
        let (error, ()) = tokio::join!(lab.failed("Slow", "1"), async { clock.set(EARLIER) });
        assert_eq!(error["errorType"], "Sandbox.Timedout");
    });
}

#[test]
fn what_is_changed_after_a_step_back_is_newer_all_the_same() {
    with_clock(|lab, clock| async move {
        let client = Client::of(&lab);
        assert_eq!(client.create("Items", "def handler(e, c): return 1\n").await.status, 201);
        clock.set(EARLIER);
        let of = |number: u8| json!({ "ZipFile": package(&format!("def handler(e, c): return {number}\n")) });
        let mut last = String::new();
        for number in [2, 3] {
            let updated = client.ask("PUT", "/Items/code", of(number)).await;
            assert_eq!(updated.status, 200, "{updated:?}");
            let modified = updated.json()["LastModified"].as_str().unwrap().to_owned();
            assert!(modified > last, "{modified} after {last}");
            last = modified;
            eventually("the new code is there", || lab.version("Items").thread_with_idle().is_none()).await;
            assert_eq!(lab.returned("Items", "{}").await, json!(number));
        }
        assert!(last.starts_with("2026-01-01"), "{last}");
    });
}
