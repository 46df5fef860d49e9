//! A function version as the data plane sees it: immutable code and configuration, and the counters of its environments.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use store::blobs::Digest;

use crate::concurrency::{FunctionPlaces, Provisioning};
use crate::hot_reload::Folder;
use crate::package::Tree;
use crate::pool::{CrashLoop, Remnants};
use crate::records::LogLevels;

/// One version of one function in one revision. An update of `$LATEST` makes a new one, so that environments of the old
/// one are known by their version alone.
#[derive(Debug)]
pub(crate) struct Version {
    /// Unique in the process; what pools are keyed by.
    pub(crate) serial: u64,
    /// Code and configuration.
    pub(crate) settings: VersionSettings,
    /// How many calls may run, shared by all versions of the function.
    pub(crate) places: Arc<FunctionPlaces>,
    /// Environments that are started beforehand.
    pub(crate) provisioning: Provisioning,
    /// Whether it ends while it loads, again and again.
    pub(crate) crash_loop: CrashLoop,
    /// What environments have left that its failures ended.
    pub(crate) remnants: Remnants,
    /// The unpacked code, from the first start on.
    pub(crate) tree: OnceLock<Arc<Tree>>,
    /// What it finds at `/opt`, from the first start on; nothing where it has no layers.
    pub(crate) opt: OnceLock<Option<Arc<Tree>>>,
    /// Where the code is, if it is a folder of this machine and no package.
    pub(crate) folder: Option<Folder>,
    /// It has been replaced or deleted: environments end when their work is done.
    retired: AtomicBool,
    /// How many environments wait on each data thread.
    idle: Box<[AtomicU32]>,
}

/// What a version was configured with.
#[derive(Clone, Debug)]
pub(crate) struct VersionSettings {
    /// `FunctionName`.
    pub(crate) name: Arc<str>,
    /// Owner.
    pub(crate) account: Arc<str>,
    /// Region.
    pub(crate) region: Arc<str>,
    /// `$LATEST` or a number.
    pub(crate) number: Arc<str>,
    /// `python3.11`.
    pub(crate) runtime: String,
    /// `file.function`.
    pub(crate) handler: String,
    /// How long an invocation may take.
    pub(crate) timeout: Duration,
    /// `MemorySize`.
    pub(crate) memory_mb: u32,
    /// `EphemeralStorage`, MB.
    pub(crate) temporary_mb: u32,
    /// The function's own environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// `Role`: under which it runs.
    pub(crate) role: String,
    /// The package.
    pub(crate) code: Digest,
    /// The packages of its layers, in their order.
    pub(crate) layers: Box<[Digest]>,
    /// Where the code is, if it is a folder of this machine and no package.
    pub(crate) folder: Option<String>,
    /// Where its log belongs.
    pub(crate) log_group: String,
    /// The levels of a log in JSON; absent where it is text.
    pub(crate) json_log: Option<LogLevels>,
    /// Calls are traced that nobody has decided about.
    pub(crate) traced: bool,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub(crate) initialization: &'static str,
    /// `Active`, or why it cannot run: `Pending`, `Failed`.
    pub(crate) state: &'static str,
}

impl Version {
    /// Makes a version that `threads` data threads can run.
    pub(crate) fn new(settings: VersionSettings, places: Arc<FunctionPlaces>, threads: usize) -> Version {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let folder = settings.folder.as_deref().map(Folder::new);
        Version {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            folder,
            settings,
            places,
            provisioning: Provisioning::default(),
            crash_loop: CrashLoop::default(),
            remnants: Remnants::default(),
            tree: OnceLock::new(),
            opt: OnceLock::new(),
            retired: AtomicBool::new(false),
            idle: (0..threads).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// The same version with what its folder holds now.
    pub(crate) fn renewed(&self) -> Version {
        Version::new(self.settings.clone(), Arc::clone(&self.places), self.idle.len())
    }

    /// Says that no environment is to be kept any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether environments are to end when their work is done.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Notes how many environments wait on a thread.
    pub(crate) fn set_idle(&self, thread: usize, count: usize) {
        if let Some(idle) = self.idle.get(thread) {
            idle.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// A thread with a waiting environment. It may be taken by the time that one gets there.
    pub(crate) fn thread_with_idle(&self) -> Option<usize> {
        self.idle.iter().position(|idle| idle.load(Ordering::Relaxed) > 0)
    }
}
