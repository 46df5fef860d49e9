//! What all data threads share: how functions are started, where their code is, and the way from one thread to another.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base::clock::Clock;
use base::limits::AccountLimits;
use base::seams::{RoleCredentials, RoleSession, TemporaryCredentials, WriteLog};
use store::blobs::{BlobStore, Digest};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::concurrency::Provisioned;
use crate::hot_reload::{self, HotReload};
use crate::invoke::Work;
use crate::invoke::stream::StreamWork;
use crate::package::{self, CodeAt, PackageError, Tree, Trees, WorkingCopy};
use crate::pool::StartLine;
use crate::runtime_api::{Door, Introduction, Lobby, RuntimeApi};
use crate::runtimes::{self, Entrypoint, FunctionFacts, Interpreter, Places, Runtime, Runtimes, log_stream, variables};
use crate::sandbox::{self, Contents, Launch, Layer, SandboxMode, Spawner, SpawnerSettings, Started, Surroundings};
use crate::spares::{self, Kind, Spares};
use crate::version::{Version, VersionSettings};

/// How many invocations may run at once whatever the account's limits are: each is a process.
pub(crate) const RUNNING_AT_MOST: usize = 4096;

/// The variable with the Runtime API's address.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Timings and bounds of the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSettings {
    /// How long an environment waits for the next call before it is ended.
    pub(crate) idle_for: Duration,
    /// How long an environment waits before it is frozen until its next call.
    pub(crate) freeze_after: Duration,
    /// How many environments wait at most, over all threads; provisioned ones do not count.
    pub(crate) idle_at_most: usize,
    /// How long a handler may take to load.
    pub(crate) init_limit: Duration,
    /// Whether interpreters are started beforehand.
    pub(crate) spares: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        PoolSettings {
            idle_for: Duration::from_secs(600),
            freeze_after: Duration::from_secs(2),
            idle_at_most: 1024,
            // As AWS.
            init_limit: Duration::from_secs(10),
            spares: true,
        }
    }
}

/// What a data thread is told by others.
pub(crate) enum Message {
    /// Run this.
    Invoke(Box<Work>),
    /// Run this and pass on what it writes.
    Stream(Box<StreamWork>),
    /// Start a provisioned environment and keep it.
    Keep(Arc<Provisioned>),
    /// A version has been replaced: end its waiting environments.
    Retire(u64),
    /// End all environments; those at work when the sender's patience ends.
    ShutDown(tokio::time::Instant, oneshot::Sender<()>),
}

/// See the module.
pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) limits: AccountLimits,
    pub(crate) control: Handle,
    pub(crate) runtimes: Runtimes,
    pub(crate) pool: PoolSettings,
    /// CloudWatch Logs, if there is one.
    pub(crate) logs: Option<Arc<dyn WriteLog>>,
    pub(crate) hot_reload: HotReload,
    /// Who may start an interpreter now: more at once than there are cores would only make all of them late.
    pub(crate) starts: StartLine,
    credentials: Option<Arc<dyn RoleCredentials>>,
    blobs: BlobStore,
    spawner: Spawner,
    /// Interpreters that wait for a function.
    pub(crate) spares: Spares,
    /// Where those ask for the Runtime API that mostly do not.
    pub(crate) lobby: Option<Lobby>,
    directory: PathBuf,
    endpoint_url: String,
    /// What has been unpacked.
    pub(crate) trees: Trees,
    next_environment: AtomicU64,
    next_thread: AtomicUsize,
    threads: Box<[OnceLock<mpsc::UnboundedSender<Message>>]>,
    /// For threads that are not there yet.
    held_back: Mutex<Vec<(usize, Message)>>,
}

/// A process with its folders; what the owning thread makes an `Environment` of.
pub(crate) struct Prepared {
    pub(crate) process: Process,
    pub(crate) copy: WorkingCopy,
    pub(crate) log_stream: String,
}

/// The process of a runtime.
pub(crate) enum Process {
    /// It loads the function. While it does it may come to the Runtime API through its door.
    Started(Started, Option<Door>),
    /// It is started by the owning thread, when what it needs beside it is there.
    Slow(Box<Slow>),
}

/// An environment whose programs speak HTTP.
pub(crate) struct Slow {
    pub(crate) api: RuntimeApi,
    /// The environment in which the programs are started.
    pub(crate) place: sandbox::Process,
    /// The environment's end of the framed socket.
    pub(crate) socket: UnixStream,
    pub(crate) introduction: Introduction,
    /// The programs of extensions, by name.
    pub(crate) extensions: Vec<(String, Launch)>,
    pub(crate) runtime: Launch,
    pub(crate) entrypoint: Entrypoint,
}

/// What [`Engine::open`] is given.
pub(crate) struct EngineSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) limits: AccountLimits,
    pub(crate) runtime_substitution: bool,
    pub(crate) endpoint_url: String,
    pub(crate) data_threads: usize,
    pub(crate) clock: Clock,
    pub(crate) pool: PoolSettings,
    pub(crate) logs: Option<Arc<dyn WriteLog>>,
    pub(crate) credentials: Option<Arc<dyn RoleCredentials>>,
    pub(crate) sandbox: SandboxMode,
    pub(crate) hot_reload: HotReload,
}

impl Engine {
    /// Prepares `functions/` in the data directory; what an earlier run left there is removed. Blocks.
    pub(crate) fn open(settings: EngineSettings, blobs: BlobStore, control: Handle) -> io::Result<Engine> {
        let directory = std::path::absolute(settings.data_dir.join("functions"))?;
        // Unpacked code is only a cache of the blobs.
        for left in ["environments", "code"] {
            package::remove_tree(&directory.join(left))?;
            std::fs::create_dir_all(directory.join(left))?;
        }
        let runtimes = Runtimes::new(directory.join("runtimes"), settings.runtime_substitution)?;
        let spawner = Spawner::new(SpawnerSettings {
            mode: settings.sandbox,
            directory: directory.clone(),
            runtime: runtimes.directory().to_owned(),
        })?;
        Ok(Engine {
            trees: Trees::new(directory.join("code"), control.clone()),
            starts: StartLine::new(starts_at_once()),
            clock: settings.clock,
            limits: settings.limits,
            spares: Spares::new(spawner.clone(), control.clone(), settings.pool.idle_for, settings.pool.spares),
            lobby: lobby(&control),
            control,
            runtimes,
            pool: settings.pool,
            logs: settings.logs,
            credentials: settings.credentials,
            hot_reload: settings.hot_reload,
            blobs,
            spawner,
            directory,
            endpoint_url: settings.endpoint_url,
            next_environment: AtomicU64::new(0),
            next_thread: AtomicUsize::new(0),
            threads: (0..settings.data_threads.max(1)).map(|_| OnceLock::new()).collect(),
            held_back: Mutex::default(),
        })
    }

    /// Those of an environment's own session of the function's role.
    fn credentials(&self, settings: &VersionSettings) -> TemporaryCredentials {
        // A session's name has two characters at least.
        let name = match settings.name.len() {
            1 => format!("{}@lambda_function", settings.name),
            _ => settings.name.to_string(),
        };
        match &self.credentials {
            Some(credentials) => credentials.issue(&RoleSession { role_arn: settings.role.clone(), name }),
            // Nobody asks for credentials then; the account is told all the same.
            None => TemporaryCredentials {
                access_key_id: settings.account.to_string(),
                secret_access_key: "frontgate".to_owned(),
                session_token: "frontgate-session".to_owned(),
            },
        }
    }

    /// How many data threads there are.
    pub(crate) fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// Opens the way to a data thread; once for each.
    pub(crate) fn register(&self, thread: usize) -> mpsc::UnboundedReceiver<Message> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let slot = self.threads.get(thread).expect("a data thread's number is below the number of data threads");
        let mut held_back = self.held_back.lock().unwrap_or_else(PoisonError::into_inner);
        slot.set(sender).expect("each data thread is attached once");
        for (_, message) in held_back.extract_if(.., |(of, _)| *of == thread) {
            // The receiver is in our hands.
            let _ = self.send(thread, message);
        }
        receiver
    }

    /// Sends something to a data thread as soon as that is there.
    pub(crate) fn send_when_there(&self, thread: usize, message: Message) {
        let mut held_back = self.held_back.lock().unwrap_or_else(PoisonError::into_inner);
        match self.threads.get(thread).and_then(OnceLock::get) {
            // A thread that has ended has no use for it.
            Some(sender) => drop(sender.send(message)),
            None => held_back.push((thread, message)),
        }
    }

    /// Sends something to a data thread; gives it back when that thread is not there.
    pub(crate) fn send(&self, thread: usize, message: Message) -> Result<(), Message> {
        match self.threads.get(thread).and_then(OnceLock::get) {
            Some(sender) => sender.send(message).map_err(|error| error.0),
            None => Err(message),
        }
    }

    /// A thread to run a version on, for who is on none: one where an environment waits, else each in turn.
    pub(crate) fn choose_thread(&self, version: &Version) -> usize {
        version
            .thread_with_idle()
            .unwrap_or_else(|| self.next_thread.fetch_add(1, Ordering::Relaxed) % self.threads.len())
    }

    /// Ends the waiting environments of a version that is no more, and the others when their work is done.
    pub(crate) fn retire(&self, version: &Version) {
        self.retire_one(version);
        hot_reload::end(self, version);
    }

    /// As [`retire`](Engine::retire), but for what runs in the version's place.
    pub(crate) fn retire_one(&self, version: &Version) {
        version.retire();
        for thread in 0..self.threads.len() {
            // A thread that is not there has no environments.
            let _ = self.send(thread, Message::Retire(version.serial));
        }
    }

    /// The unpacked tree of a package, unpacked now (from `bytes`, or else from its blob) if it is not there. Blocks.
    pub(crate) fn unpacked(&self, code: Digest, bytes: Option<&[u8]>) -> Result<Arc<Tree>, PackageError> {
        self.trees.get(code, || match bytes {
            Some(bytes) => Ok(bytes.to_vec()),
            None => std::fs::read(self.blobs.path(code)),
        })
    }

    /// Starts a process for a version, with folders of its own. Blocks.
    ///
    /// # Errors
    /// For the operator's log.
    pub(crate) fn prepare(&self, version: &Version) -> Result<Prepared, String> {
        let settings = &version.settings;
        let interpreter = self.runtimes.find(&settings.runtime)?;
        let opt = match version.opt.get() {
            Some(opt) => opt,
            None => {
                let opt = self.opt(&settings.layers).map_err(|error| error.to_string())?;
                version.opt.get_or_init(|| opt)
            }
        };
        let number = self.next_environment.fetch_add(1, Ordering::Relaxed);
        let root = self.directory.join("environments").join(number.to_string());
        let opt = opt.as_ref();
        let (code, tree) = self.code(version)?;
        let (copy, contents) = if self.spawner.has_own_files() {
            let contents = Contents { code, opt: opt.map(|opt| opt.path().to_owned()) };
            (WorkingCopy::Mounted(tree.into_iter().chain(opt.map(Arc::clone)).collect()), Some(contents))
        } else {
            let at = if tree.is_some() { CodeAt::Package(&code) } else { CodeAt::Folder(&code) };
            let copied = WorkingCopy::make(root, at, opt.map(|opt| opt.path()));
            (copied.map_err(|error| format!("cannot copy the function's code: {error}"))?, None)
        };
        let log_stream = log_stream(&self.date(), &settings.number);
        let opt = opt.is_some().then(|| copy.opt());
        let credentials = self.credentials(settings);
        let facts = FunctionFacts {
            opt: opt.as_deref(),
            name: &settings.name,
            version: &settings.number,
            runtime: &settings.runtime,
            handler: &settings.handler,
            memory_mb: settings.memory_mb,
            credentials: &credentials,
            region: &settings.region,
            log_group: &settings.log_group,
            json_log_level: settings.json_log.as_ref().map(|levels| &*levels.application),
            log_stream: &log_stream,
            initialization: settings.initialization,
            endpoint_url: &self.endpoint_url,
            own: &settings.variables,
        };
        let directory = self.bootstraps(&copy);
        let mut variables = variables(&facts, interpreter.runtime, &copy.task(), &copy.temporary(), directory);
        if version.folder.is_some() {
            hot_reload::keep_clean(&mut variables);
        }
        // Nobody else has a use for it, should the start come to nothing.
        let remains = version.remnants.take().map(Arc::new);
        let places = Places { task: copy.task(), opt, runtime: directory.to_owned() };
        let surroundings = Surroundings {
            number,
            user: remains.as_ref().map_or(number, |remains| remains.user),
            contents,
            installation: sandbox::installation(&interpreter.program),
            temporary_mb: settings.temporary_mb,
            remains,
        };
        let process = match self.process(version, &interpreter, (&places, surroundings), variables) {
            Ok(process) => process,
            Err(reason) => {
                copy.remove();
                return Err(reason);
            }
        };
        Ok(Prepared { process, copy, log_stream })
    }

    /// Starts a runtime's process, or says how it is to be started. Blocks.
    fn process(
        &self,
        version: &Version,
        interpreter: &Interpreter,
        (places, mut surroundings): (&Places, Surroundings),
        mut variables: Vec<(String, String)>,
    ) -> Result<Process, String> {
        let settings = &version.settings;
        let is_provided = matches!(interpreter.runtime, Runtime::Provided(_));
        // Where we find the files that the programs find in `places`.
        let ours = match &surroundings.contents {
            Some(Contents { code, opt }) => Places { task: code.clone(), opt: opt.clone(), runtime: PathBuf::new() },
            None => places.clone(),
        };
        let wrapper = if is_provided { None } else { runtimes::wrapper(&settings.variables, places) };
        // The layers' folder as we find it, and as the programs do.
        let layers = ours.opt.as_deref().zip(places.opt.as_deref());
        let extensions = layers.map_or_else(Vec::new, |(ours, seen)| runtimes::extensions(ours, seen));
        if !is_provided && wrapper.is_none() && extensions.is_empty() {
            let door = self.lobby.as_ref().map(Lobby::door);
            let address = door.iter().map(|door| (RUNTIME_API.to_owned(), door.address().to_string()));
            variables.extend(address);
            if let Some(started) = self.spare(settings, interpreter, (places, &surroundings), &variables) {
                return Ok(Process::Started(started, door));
            }
            let launch = self.runtimes.launch(interpreter, variables, places, settings.memory_mb, None);
            let program = launch.program.clone();
            let started = self.spawner.start(launch, surroundings);
            return started
                .map(|started| Process::Started(started, door))
                .map_err(|error| format!("cannot start {}: {error}", program.display()));
        }
        let (api, address, socket) =
            RuntimeApi::open().map_err(|error| format!("cannot open a Runtime API: {error}"))?;
        variables.push((RUNTIME_API.to_owned(), address.to_string()));
        let extensions: Vec<_> = extensions
            .into_iter()
            .map(|(name, program)| {
                let environment = runtimes::variables_of_extensions(&variables);
                let (arguments, directory) = (Vec::new(), PathBuf::from("/"));
                (name, Launch { program, arguments, environment, directory, memory_mb: settings.memory_mb })
            })
            .collect();
        let external = extensions.iter().map(|(name, _)| name.clone()).collect();
        let introduction = Introduction { external, ..Introduction::of(settings) };
        let wrapper = wrapper.as_deref();
        let mut runtime = self.runtimes.launch(interpreter, variables, places, settings.memory_mb, wrapper);
        let entrypoint = match is_provided {
            true => {
                let mut bootstrap = ours.task.join("bootstrap");
                // A layer may bring the program, where the function has none of its own.
                let of_layer = layers.map(|(ours, seen)| (ours.join("bootstrap"), seen.join("bootstrap")));
                if let Some(of_layer) = of_layer.filter(|(ours, _)| !bootstrap.exists() && ours.exists()) {
                    (bootstrap, runtime.program) = of_layer;
                }
                surroundings.installation.extend(self.runtimes.installation_of_script(&bootstrap));
                Entrypoint::of_function(&bootstrap)
            }
            false => Entrypoint::bootstrap(),
        };
        let place = self.spawner.open(settings.memory_mb, surroundings);
        let place = place.map_err(|error| format!("cannot make an environment: {error}"))?;
        Ok(Process::Slow(Box::new(Slow { place, api, socket, introduction, extensions, runtime, entrypoint })))
    }

    /// An interpreter that has waited for a function such as this, told that it is this one.
    fn spare(
        &self,
        settings: &VersionSettings,
        interpreter: &Interpreter,
        (places, surroundings): (&Places, &Surroundings),
        variables: &[(String, String)],
    ) -> Option<Started> {
        let contents = surroundings.contents.as_ref()?;
        // The files of another's `/tmp` belong to another user than a spare is.
        if surroundings.remains.is_some() || !self.spares.are_wanted() || !spares::is_fit(&settings.variables, contents)
        {
            return None;
        }
        let [at_start, sent] = spares::part(variables);
        let launch = self.runtimes.launch(interpreter, at_start, places, settings.memory_mb, None);
        let kind = Kind { launch, temporary_mb: surroundings.temporary_mb };
        let number = self.next_environment.fetch_add(1, Ordering::Relaxed);
        let started =
            self.spares.take(&kind, Surroundings { number, user: number, contents: None, ..surroundings.clone() })?;
        match self.spares.settle(&started, contents.clone(), sent) {
            Ok(()) => Some(started),
            Err(error) => {
                tracing::warn!(%error, "an interpreter that was started beforehand is of no use");
                None
            }
        }
    }

    /// Where the programs of an environment find our bootstraps.
    fn bootstraps(&self, copy: &WorkingCopy) -> &Path {
        match copy {
            WorkingCopy::Mounted(_) => Path::new(sandbox::RUNTIME),
            WorkingCopy::Copied(..) => self.runtimes.directory(),
        }
    }

    /// Our own address, as functions and callers reach it.
    pub(crate) fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Where a version's code is, and the tree if it is a package's. Blocks.
    fn code(&self, version: &Version) -> Result<(PathBuf, Option<Arc<Tree>>), String> {
        if let Some(folder) = &version.folder {
            return Ok((folder.open(&self.hot_reload)?, None));
        }
        let tree = match version.tree.get() {
            Some(tree) => tree,
            None => {
                let tree = self.unpacked(version.settings.code, None).map_err(|error| error.to_string())?;
                version.tree.get_or_init(|| tree)
            }
        };
        Ok((tree.path().to_owned(), Some(Arc::clone(tree))))
    }

    /// How it stands with each layer of the sandbox.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        self.spawner.layers()
    }

    /// Ends what is left of environments; none can be started afterwards. Blocks for a moment.
    pub(crate) fn end_sandbox(&self) {
        self.spawner.end();
    }

    /// Where the files of functions are.
    #[cfg(test)]
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// `2026/01/01`, as log streams are named.
    fn date(&self) -> String {
        crate::time::timestamp(self.clock.now())[..10].replace('-', "/")
    }
}

/// The listener for functions that may need none.
fn lobby(control: &Handle) -> Option<Lobby> {
    let opened = Lobby::open(control);
    opened.inspect_err(|error| tracing::warn!(%error, "functions in Python and Node have no Runtime API")).ok()
}

/// Two for each core: one of them waits for the disk now and then.
fn starts_at_once() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
