//! What the tests run in: a store, a control runtime and data threads of their own.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::seams::{Caller, Invocation, InvokeFunction, InvokeRefusal, Invoked, Outcome};
use bytes::Bytes;
use serde_json::Value;
use store::{DataDir, Scope, Transaction};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::records::{Configuration, FunctionRecord};
use crate::{Functions, Settings};

/// A test's own program is started again as the launcher of functions, as Frontgate is.
#[used]
#[expect(unsafe_code, reason = "the harness's main cannot be told to begin with a call of ours")]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn before_main() {
        crate::sandbox::run_if_asked();
    }
    before_main
};

/// Functions with one data thread: the one that the test runs on.
pub(super) struct Lab {
    pub(super) functions: Arc<Functions>,
    pub(super) scope: Scope,
    pub(super) data: DataDir,
    pub(super) folder: TempDir,
}

/// The newest Python and Node of this host.
pub(super) fn runtime(family: &str) -> String {
    let found = crate::runtimes::found_for_tests();
    found.into_iter().rfind(|identifier| identifier.starts_with(family)).expect("the host has Python and Node")
}

/// Runs a test as on a data thread.
pub(super) fn on_data_thread<F: Future<Output = ()>>(test: impl FnOnce(Lab) -> F) {
    with_settings(Settings::default(), test);
}

/// As [`on_data_thread`], without what keeps functions from this host's files.
pub(super) fn unsandboxed<F: Future<Output = ()>>(test: impl FnOnce(Lab) -> F) {
    with_settings(Settings { sandbox: crate::SandboxMode::Off, ..Settings::default() }, test);
}

/// As [`on_data_thread`], with settings of its own.
pub(super) fn with_settings<F: Future<Output = ()>>(settings: Settings, test: impl FnOnce(Lab) -> F) {
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let data = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let handle = control.handle().clone();
    local.block_on(&data, async {
        let lab = Lab::open(settings, handle).await;
        let functions = Arc::clone(&lab.functions);
        functions.attach(0);
        test(lab).await;
        functions.shutdown(Duration::from_secs(1)).await;
    });
    drop(local);
}

impl Lab {
    pub(super) async fn open(settings: Settings, control: tokio::runtime::Handle) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let settings = Settings { data_dir: folder.path().to_owned(), ..settings };
        let functions = Functions::open(data.store(), data.blobs(), settings, control).await.unwrap();
        Lab { functions, scope: Scope::new("000000000000", "us-east-1"), data, folder }
    }

    /// Puts a function where CreateFunction would, and replaces one that is there.
    pub(super) async fn put(
        &self,
        name: &str,
        runtime: &str,
        files: &[(&str, &str)],
        change: impl FnOnce(&mut Configuration),
    ) {
        let package = zip(files);
        let code = self.data.blobs().put(package.clone().into()).await.unwrap();
        let mut configuration = Configuration {
            runtime: runtime.to_owned(),
            handler: "index.handler".to_owned(),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            description: String::new(),
            timeout: 20,
            memory_size: 256,
            variables: Some(BTreeMap::new()),
            architecture: "x86_64".to_owned(),
            log_group: None,
            json_log: None,
            traced: false,
            ephemeral_storage: 512,
            dead_letter: None,
            code,
            folder: None,
            code_size: package.len() as u64,
            layers: Vec::new(),
            runtime_management: None,
            last_modified: u64::from_le_bytes(base::ids::random_bytes()) >> 1,
            revision_id: base::ids::uuid(),
        };
        change(&mut configuration);
        let record = FunctionRecord {
            name: name.to_owned(),
            latest: configuration,
            next_version: 1,
            tags: BTreeMap::new(),
            allows_recursion: false,
        };
        self.data.store().commit(Transaction::new().put(&self.scope, &record)).await.unwrap();
        let Functions { index, engine, .. } = &*self.functions;
        index.refresh(&self.data.store(), engine, &self.scope, name).await.unwrap();
    }

    pub(super) async fn python(&self, name: &str, code: &str) {
        self.put(name, &runtime("python"), &[("index.py", code)], |_| {}).await;
    }

    pub(super) async fn node(&self, name: &str, code: &str) {
        self.put(name, &runtime("nodejs"), &[("index.js", code)], |_| {}).await;
    }

    pub(super) fn invocation(&self, name: &str, event: impl Into<Bytes>) -> Invocation {
        Invocation {
            function_arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}").into(),
            payload: event.into(),
            caller: Caller::Trusted,
            trace_id: None,
            client_context: None,
            tail_log: false,
            request_id: None,
        }
    }

    pub(super) async fn try_invoke(&self, name: &str, event: &str) -> Result<Invoked, InvokeRefusal> {
        self.functions.invoke(self.invocation(name, event.to_owned())).await
    }

    /// The result of a call that the handler returns from.
    pub(super) async fn returned(&self, name: &str, event: &str) -> Value {
        match self.try_invoke(name, event).await.unwrap().outcome {
            Outcome::Returned(payload) => serde_json::from_slice(&payload).unwrap(),
            Outcome::Failed(payload) => panic!("{}", String::from_utf8_lossy(&payload)),
        }
    }

    /// The error payload of a call that fails.
    pub(super) async fn failed(&self, name: &str, event: &str) -> Value {
        match self.try_invoke(name, event).await.unwrap().outcome {
            Outcome::Failed(payload) => serde_json::from_slice(&payload).unwrap(),
            Outcome::Returned(payload) => panic!("{}", String::from_utf8_lossy(&payload)),
        }
    }

    /// The version that an unqualified call runs.
    pub(super) fn version(&self, name: &str) -> Arc<crate::version::Version> {
        let arn = self.invocation(name, "").function_arn;
        self.functions.index.resolve(&arn, &Caller::Trusted).unwrap()
    }

    /// The log's tail of a call.
    pub(super) async fn tail(&self, name: &str, event: &str) -> String {
        let invocation = Invocation { tail_log: true, ..self.invocation(name, event.to_owned()) };
        let tail = self.functions.invoke(invocation).await.unwrap().log_tail.unwrap();
        String::from_utf8(tail.to_vec()).unwrap()
    }
}

/// A zip of text files.
pub(super) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let mode = if content.starts_with(['#', '\x7f']) { 0o755 } else { 0o644 };
        writer.start_file(*name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Waits until something holds; panics when it does not come to hold.
pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "{what}: still not so after 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The beginning of a Python handler whose process can be told from others: `ME` is a number of its own, and its name, by
/// which [`process`] finds it. Its process number would not do: environments number theirs by themselves.
pub(super) const NAMED: &str = "
import os, time
def name(number):
    with open('/proc/self/comm', 'w') as file: file.write('%012x' % number)
    return number
ME = name(int.from_bytes(os.urandom(6), 'big') | 1 << 47)
";

/// The same for Node.
pub(super) const NAMED_NODE: &str = "
const ME = parseInt(require('crypto').randomBytes(6).toString('hex'), 16);
require('fs').writeFileSync('/proc/self/comm', ME.toString(16).padStart(12, '0'));
";

/// The number, for us, of the process that has given itself a name, if it is there and not merely waiting to be collected.
pub(super) fn process(name: u64) -> Option<i32> {
    let name = format!("({name:012x})");
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.find(|number| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        stat.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(&name) && !rest.starts_with(&format!("{name} Z")))
    })
}

/// Whether a process that has given itself a name is there.
pub(super) fn is_alive(name: u64) -> bool {
    process(name).is_some()
}
