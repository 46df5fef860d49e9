//! The pool: reuse, limits, hand-over between threads, ends.

use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::limits::AccountLimits;
use base::seams::{InvokeFunction, InvokeRefusal, Outcome};
use serde_json::json;

use super::lab::{Lab, NAMED, NAMED_NODE, eventually, is_alive, on_data_thread, process, unsandboxed, with_settings};
use crate::Settings;

const WHO: &str = "def handler(e, c):\n    time.sleep(e)\n    return ME\n";

/// Puts functions that wait as long as they are told to, and answer which process they are.
async fn who(lab: &Lab) {
    lab.python("Who", &format!("{NAMED}{WHO}")).await;
    lab.node("WhoNode", &format!("{NAMED_NODE}exports.handler = async () => ME;")).await;
}

#[test]
fn a_thousand_calls_one_after_another_take_one_process() {
    on_data_thread(|lab| async move {
        who(&lab).await;
        for name in ["Who", "WhoNode"] {
            let first = lab.returned(name, "0").await;
            for _ in 0..1000 {
                assert_eq!(lab.returned(name, "0").await, first);
            }
        }
    });
}

#[test]
fn calls_at_once_take_a_process_each() {
    on_data_thread(|lab| async move {
        who(&lab).await;
        let lab = Rc::new(lab);
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let lab = Rc::clone(&lab);
                tokio::task::spawn_local(async move { lab.returned("Who", "0.3").await.as_u64().unwrap() })
            })
            .collect();
        let mut processes = Vec::new();
        for call in calls {
            processes.push(call.await.unwrap());
        }
        processes.sort_unstable();
        processes.dedup();
        assert!(processes.len() > 1);
        // Most recently used first: calls one after another keep to one of them.
        let one = lab.returned("Who", "0").await;
        assert_eq!(lab.returned("Who", "0").await, one);
    });
}

#[test]
fn the_account_limit_holds() {
    let limits = AccountLimits { concurrent_functions: 2, ..AccountLimits::AWS };
    with_settings(Settings { limits, ..Settings::default() }, |lab| async move {
        who(&lab).await;
        let (one, two, three) =
            tokio::join!(lab.try_invoke("Who", "1"), lab.try_invoke("Who", "1"), lab.try_invoke("Who", "1"));
        assert!(one.is_ok() && two.is_ok());
        let refused = InvokeRefusal::TooManyRequests { reason: "ConcurrentInvocationLimitExceeded" };
        assert_eq!(three.unwrap_err(), refused);
        assert!(lab.try_invoke("Who", "0").await.is_ok());
    });
}

#[test]
fn a_caller_who_goes_does_not_cost_the_environment() {
    let limits = AccountLimits { concurrent_functions: 1, ..AccountLimits::AWS };
    with_settings(Settings { limits, ..Settings::default() }, |lab| async move {
        who(&lab).await;
        let process = lab.returned("Who", "0").await;
        let gone = tokio::time::timeout(Duration::from_millis(50), lab.try_invoke("Who", "1")).await;
        assert!(gone.is_err());
        // As on AWS the function runs on, and counts.
        assert!(matches!(lab.try_invoke("Who", "0").await, Err(InvokeRefusal::TooManyRequests { .. })));
        let end = Instant::now() + Duration::from_secs(20);
        let again = loop {
            match lab.try_invoke("Who", "0").await {
                Ok(invoked) => break invoked,
                Err(_) => assert!(Instant::now() < end, "the place was not given back"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let Outcome::Returned(payload) = again.outcome else { panic!() };
        assert_eq!(payload, process.to_string());
    });
}

#[test]
fn idle_environments_are_ended() {
    with_settings(Settings { idle_for: Duration::from_millis(100), ..Settings::default() }, |lab| async move {
        who(&lab).await;
        let process = lab.returned("Who", "0").await.as_u64().unwrap();
        eventually("the process is ended", || !is_alive(process)).await;
        let environments = lab.functions.engine.directory().join("environments");
        eventually("its folder is gone", || std::fs::read_dir(&environments).unwrap().count() == 0).await;
        assert_ne!(lab.returned("Who", "0").await, json!(process));
    });
}

#[test]
fn an_update_lets_old_work_finish() {
    on_data_thread(|lab| async move {
        lab.python("Who", "import time\ndef handler(e, c):\n    time.sleep(e)\n    return 'old'\n").await;
        lab.returned("Who", "0").await;
        let (old, new) = tokio::join!(lab.returned("Who", "0.4"), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            lab.python("Who", "def handler(e, c): return 'new'\n").await;
            lab.returned("Who", "0").await
        });
        assert_eq!((old, new), (json!("old"), json!("new")));
    });
}

#[test]
fn a_start_that_never_ends_delays_nobody_else() {
    unsandboxed(|lab| async move {
        // The first environment to load makes the mark; those after it never finish loading.
        let code = "import os, time\nmark = os.environ['MARK']\nif os.path.exists(mark): time.sleep(1000)\nopen(mark, 'w')\ndef handler(e, c):\n    time.sleep(e)\n    return 1\n";
        let mark = lab.folder.path().join("mark").to_string_lossy().into_owned();
        let set = |configuration: &mut crate::records::Configuration| {
            configuration.variables = Some([("MARK".to_owned(), mark)].into());
        };
        lab.put("Stuck", &super::lab::runtime("python"), &[("index.py", code)], set).await;
        lab.returned("Stuck", "0").await;
        // The second call begins a start that never ends, and is served when the first one's environment is free.
        let (one, two) = tokio::join!(lab.returned("Stuck", "0.2"), lab.returned("Stuck", "0"));
        assert_eq!((one, two), (json!(1), json!(1)));
        assert_eq!(lab.returned("Stuck", "0").await, json!(1));
    });
}

#[test]
fn an_environment_of_another_thread_is_borrowed() {
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = Settings { data_threads: 2, ..Settings::default() };
    let lab = control.block_on(Lab::open(settings, control.handle().clone()));
    control.block_on(lab.python("Who", &format!("{NAMED}{WHO}")));
    let call = |thread: usize| {
        let functions = Arc::clone(&lab.functions);
        let invocation = lab.invocation("Who", "0");
        let (told, hear) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = std::thread::spawn(move || {
            let data = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&data, async {
                functions.attach(thread);
                told.send(functions.invoke(invocation).await).unwrap();
                stopped.await.unwrap();
            });
        });
        (hear.recv_timeout(Duration::from_secs(20)).unwrap().unwrap(), stop, running)
    };
    let (first, stop_first, thread_first) = call(0);
    let (second, stop_second, thread_second) = call(1);
    let process = |outcome: &Outcome| match outcome {
        Outcome::Returned(payload) => payload.clone(),
        Outcome::Failed(payload) => panic!("{payload:?}"),
    };
    assert_eq!(process(&first.outcome), process(&second.outcome));
    let third = control.block_on(lab.functions.invoke_from_anywhere(lab.invocation("Who", "0"))).unwrap();
    assert_eq!(process(&third.outcome), process(&first.outcome));
    control.block_on(lab.functions.shutdown(Duration::from_secs(1)));
    for (stop, thread) in [(stop_first, thread_first), (stop_second, thread_second)] {
        stop.send(()).unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn shutting_down_ends_all() {
    on_data_thread(|lab| async move {
        who(&lab).await;
        let process = lab.returned("Who", "0").await.as_u64().unwrap();
        lab.functions.shutdown(Duration::from_secs(1)).await;
        eventually("the process is ended", || !is_alive(process)).await;
    });
}

/// The variable that makes `nothing_is_left_behind` count what is its process's alone.
const ALONE: &str = "FRONTGATE_TEST_ALONE";

#[test]
fn nothing_is_left_behind() {
    if std::env::var_os(ALONE).is_none() {
        let alone = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::pool::nothing_is_left_behind"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
        return;
    }
    with_settings(Settings { spares: false, ..Settings::default() }, |lab| async move {
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let environments = lab.functions.engine.directory().join("environments");
        let code = "import os, time\ndef handler(e, c):\n    if e == 1: os._exit(1)\n    if e == 2: raise Exception('x')\n    return e\n";
        let mut before = None;
        for round in 0..12 {
            // An update each time; the first round opens what stays open.
            lab.put("Mixed", &super::lab::runtime("python"), &[("index.py", code)], |configuration| {
                configuration.memory_size = 256 + round;
                configuration.timeout = 2;
            })
            .await;
            for event in ["0", "1", "2", "0", "1"] {
                lab.try_invoke("Mixed", event).await.unwrap();
            }
            let gone = tokio::time::timeout(Duration::from_millis(5), lab.try_invoke("Mixed", "0")).await;
            drop(gone);
            lab.functions.engine.retire(&lab.version("Mixed"));
            eventually("all environments are gone", || std::fs::read_dir(&environments).unwrap().count() == 0).await;
            match before {
                // What the others hold is closed a moment after they are gone.
                Some(before) => eventually("no more descriptors are open", || descriptors() <= before).await,
                None => before = Some(descriptors()),
            }
        }
    });
}

/// The variable that makes `no_process_outlives_us` the one that is killed.
const VICTIM: &str = "FRONTGATE_TEST_VICTIM";

#[test]
fn no_process_outlives_us() {
    if std::env::var_os(VICTIM).is_some() {
        on_data_thread(|lab| async move {
            who(&lab).await;
            let processes = [lab.returned("Who", "0").await, lab.returned("WhoNode", "0").await];
            std::fs::write(std::env::var_os(VICTIM).unwrap(), json!(processes).to_string()).unwrap();
            lab.returned("Who", "19").await;
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::pool::no_process_outlives_us"])
        .env(VICTIM, &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let processes: Vec<u64> = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Ok(processes) = serde_json::from_str(&text) {
            break processes;
        }
        assert!(Instant::now() < end, "the functions did not start");
        std::thread::park_timeout(Duration::from_millis(5));
    };
    assert!(processes.iter().all(|process| is_alive(*process)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    while processes.iter().any(|process| is_alive(*process)) {
        assert!(Instant::now() < end, "{processes:?} are still there");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The state of a process that has given itself a name: `S` sleeping, `T` stopped, ...
fn state(name: u64) -> char {
    let stat = process(name).and_then(|number| std::fs::read_to_string(format!("/proc/{number}/stat")).ok());
    let stat = stat.unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next()).unwrap_or('?')
}

#[test]
fn what_waits_long_is_frozen_until_the_next_call() {
    with_settings(Settings { freeze_after: Duration::from_millis(50), ..Settings::default() }, |lab| async move {
        // A thread and a child go on after the handler has returned.
        let code = "
import threading
if os.fork() == 0:
    name(ME + 1)
    while True: pass
count = 0
def run():
    global count
    while True: count += 1
threading.Thread(target=run, daemon=True).start()
def handler(event, context): return [ME, ME + 1]
";
        lab.python("Busy", &format!("{NAMED}{code}")).await;
        for _ in 0..2 {
            let processes: Vec<u64> = serde_json::from_value(lab.returned("Busy", "{}").await).unwrap();
            for process in &processes {
                eventually("it is frozen", || state(*process) == 'T').await;
            }
            // A call is served by the same process, which is thawed for it.
            assert_eq!(lab.returned("Busy", "{}").await, json!(processes));
        }
        // A frozen environment can be ended.
        let processes: Vec<u64> = serde_json::from_value(lab.returned("Busy", "{}").await).unwrap();
        eventually("it is frozen", || processes.iter().all(|process| state(*process) == 'T')).await;
        lab.functions.engine.retire(&lab.version("Busy"));
        eventually("it is ended", || !processes.iter().any(|process| is_alive(*process))).await;
    });
}

#[test]
fn loads_that_never_end_leave_the_others_room() {
    unsandboxed(|lab| async move {
        lab.python("Stuck", "import time\ntime.sleep(1000)\n").await;
        lab.python("Warm", &format!("{NAMED}{WHO}")).await;
        lab.python("Cold", &format!("{NAMED}{WHO}")).await;
        let warm = lab.returned("Warm", "0").await;
        let lab = Rc::new(lab);
        let stuck: Vec<_> = (0..20)
            .map(|_| {
                let lab = Rc::clone(&lab);
                tokio::task::spawn_local(async move { drop(lab.try_invoke("Stuck", "0").await) })
            })
            .collect();
        let environments = lab.functions.engine.directory().join("environments");
        eventually("some of them load", || std::fs::read_dir(&environments).unwrap().count() > 1).await;
        assert_eq!(lab.returned("Warm", "0").await, warm);
        lab.returned("Cold", "0").await;
        // They would not end before their time is up, and with it the others' turns.
        assert!(stuck.iter().all(|call| !call.is_finished()));
        stuck.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

#[test]
fn a_function_that_dies_again_and_again_is_not_started_for_each_call() {
    unsandboxed(|lab| async move {
        let mark = lab.folder.path().join("starts").to_string_lossy().into_owned();
        let set = |configuration: &mut crate::records::Configuration| {
            configuration.variables = Some([("MARK".to_owned(), mark.clone())].into());
        };
        let code = "import os\nopen(os.environ['MARK'], 'a').write('x')\nraise Exception('dies')\n";
        lab.put("Dies", &super::lab::runtime("python"), &[("index.py", code)], set).await;
        for _ in 0..100 {
            // Whether it was started or not, each caller hears what is wrong.
            assert_eq!(lab.failed("Dies", "0").await["errorMessage"], "dies");
        }
        let starts = std::fs::metadata(&mark).unwrap().len();
        assert!(starts < 50, "{starts} starts for 100 calls");
        // New code is started at once.
        lab.python("Dies", &format!("{NAMED}{WHO}")).await;
        lab.returned("Dies", "0").await;
    });
}

#[test]
fn who_waits_for_a_version_that_is_replaced_is_served() {
    unsandboxed(|lab| async move {
        // The old code loads until the new is there.
        let mark = lab.folder.path().join("mark");
        let code = "import os, time\nopen(os.environ['MARK'] + '.begun', 'w')\nwhile not os.path.exists(os.environ['MARK']): time.sleep(0.01)\ndef handler(e, c): return 'old'\n";
        let set = |configuration: &mut crate::records::Configuration| {
            configuration.variables = Some([("MARK".to_owned(), mark.to_string_lossy().into_owned())].into());
        };
        lab.put("Moved", &super::lab::runtime("python"), &[("index.py", code)], set).await;
        let begun = mark.with_extension("begun");
        let (old, ()) = tokio::join!(lab.returned("Moved", "0"), async {
            eventually("it loads", || begun.exists()).await;
            lab.python("Moved", "def handler(e, c): return 'new'\n").await;
            std::fs::write(&mark, "").unwrap();
        });
        assert_eq!(old, json!("old"));
        assert_eq!(lab.returned("Moved", "0").await, json!("new"));
    });
}
