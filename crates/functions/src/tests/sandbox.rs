//! What a function's process can see and use.

use serde_json::{Value, json};

use super::lab::{on_data_thread, runtime};

const LOOK: &str = "
import json, os, resource, sys
def handler(e, c):
    status = dict(map(str.strip, line.split(':', 1)) for line in open('/proc/self/status') if ':' in line)
    links = {}
    for name in os.listdir('/proc/self/fd'):
        try: links[name] = os.readlink('/proc/self/fd/' + name).split(':')[0]
        except OSError: pass
    task, tmp = os.environ['LAMBDA_TASK_ROOT'], os.environ.get('TMPDIR', '/tmp')
    # An interpreter that is installed in the host's /tmp is seen there.
    shown = [part.split('/')[2] for part in (sys.prefix, sys.base_prefix) if part.startswith('/tmp/')]
    own = os.open(tmp + '/own', os.O_CREAT | os.O_WRONLY)
    return {'links': links, 'status': status, 'leader': [os.getpid(), os.getpgid(0), os.getsid(0)],
            'limits': {n: resource.getrlimit(getattr(resource, 'RLIMIT_' + n))[0] for n in ('NOFILE', 'CORE', 'DATA', 'FSIZE')},
            'cwd': os.getcwd() == task, 'task': task, 'tmp': [name for name in os.listdir(tmp) if name not in shown], 'changes': os.access(task, os.W_OK),
            'user': [os.getuid(), os.getgid()], 'umask': oct(os.umask(0))}
";

#[test]
fn a_process_inherits_nothing_but_its_socket_and_its_output() {
    // A descriptor that a careless part of the program, or who started it, has left open for children.
    let careless = std::fs::File::open("/proc/self/status").unwrap();
    rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
    on_data_thread(|lab| async move {
        lab.python("Look", LOOK).await;
        let seen = lab.returned("Look", "{}").await;
        let links = seen["links"].as_object().unwrap();
        assert_eq!(links["0"], "/dev/null");
        assert_eq!((&links["1"], &links["2"], &links["3"]), (&json!("pipe"), &json!("pipe"), &json!("socket")));
        // The one of the listing itself may be there.
        assert!(links.len() <= 5, "{links:?}");
        assert!(links.values().all(|link| link != "/proc/self/status"), "{links:?}");
        let leader = &seen["leader"];
        assert!(leader[0] == leader[1] && leader[0] == leader[2], "{leader}");
        assert_eq!(seen["status"]["NoNewPrivs"], "1");
        assert_eq!(seen["status"]["SigBlk"], "0000000000000000");
        assert_eq!((&seen["limits"]["NOFILE"], &seen["limits"]["CORE"]), (&json!(1024), &json!(0)));
        assert_eq!(seen["limits"]["DATA"], json!((256_u64 + 128) << 20));
        assert_eq!((&seen["cwd"], &seen["changes"], &seen["tmp"]), (&json!(true), &json!(false), &json!(["own"])));
        assert_eq!(seen["umask"], "0o22");
        lab.python("Other", LOOK).await;
        assert_eq!(lab.returned("Other", "{}").await["tmp"], json!(["own"]));
    });
}

#[test]
fn memory_and_descriptors_are_bounded() {
    on_data_thread(|lab| async move {
        let python = "def handler(e, c):\n    if e == 'files': return len([open('/dev/null') for _ in range(2000)])\n    return len(bytearray(e << 20))\n";
        let small = |configuration: &mut crate::records::Configuration| configuration.memory_size = 128;
        lab.put("Eat", &runtime("python"), &[("index.py", python)], small).await;
        assert_eq!(lab.returned("Eat", "100").await, json!(100 << 20));
        assert_eq!(lab.failed("Eat", "400").await["errorType"], "MemoryError");
        let error = lab.failed("Eat", "\"files\"").await;
        assert!(error["errorMessage"].as_str().unwrap().contains("Too many open files"), "{error}");

        let node = "exports.handler = async (e) => { const all = []; for (let i = 0; i < e; i++) all.push(Buffer.alloc(1 << 20, 1)); return all.length }";
        lab.put("Eat", &runtime("nodejs"), &[("index.js", node)], small).await;
        assert_eq!(lab.returned("Eat", "80").await, json!(80));
        let error = lab.failed("Eat", "400").await;
        assert_ne!(error["errorType"], Value::Null);
        assert_eq!(lab.returned("Eat", "1").await, json!(1));
    });
}

#[test]
fn what_is_in_tmp_outlives_timeouts_and_crashes_but_no_update() {
    const KEEP: &str = "
import os, time
STARTED = os.urandom(8).hex()
def handler(event, context):
    if event == 'sleep': time.sleep(60)
    if event == 'exit': os._exit(3)
    with open('/tmp/notes', 'a+') as file:
        if event is not None: file.write(event)
        file.seek(0)
        return [file.read(), STARTED]
";
    on_data_thread(|lab| async move {
        let (lab, python) = (&lab, runtime("python"));
        let (python, files) = (&*python, &[("index.py", KEEP)][..]);
        let put = |seconds| lab.put("Keep", python, files, move |configuration| configuration.timeout = seconds);
        put(3).await;
        let first = lab.returned("Keep", "\"a\"").await;
        assert_eq!(first[0], "a");
        for (number, failure) in ["sleep", "exit", "sleep"].into_iter().enumerate() {
            lab.failed("Keep", &format!("\"{failure}\"")).await;
            // The one that comes after it may write there, too.
            let next = lab.returned("Keep", "\"b\"").await;
            assert_eq!(next[0], "a".to_owned() + &"b".repeat(number + 1), "{failure}");
            assert_ne!(next[1], first[1]);
        }
        // An environment that is not the successor of one that has failed has nothing.
        put(4).await;
        assert_eq!(lab.returned("Keep", "null").await[0], "");
    });
}
