//! Lambda: the API, the pool of environments, their sandbox and their runtimes.
//!
//! The way of a call: `invoke` (which version, may the caller, is there room), `pool` (an environment of this thread that
//! waits, one of another thread, or a new one), one frame to the process and one back (`runtimes/PROTOCOL.md`). A warm
//! call costs its thread two system calls and no hand-over. Everything slow (unpacking, copying, fork and exec) happens
//! on blocking threads.
//!
//! What this crate must not know: HTTP, gateways, and who its callers are beyond `base::seams`.

mod api;
mod concurrency;
mod engine;
mod event_invoke;
mod hot_reload;
mod index;
mod invoke;
mod layers;
mod notify;
mod package;
mod pool;
mod queue;
mod records;
mod recursion;
mod runtime_api;
mod runtimes;
mod sandbox;
mod spares;
mod time;
mod urls;
mod version;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::clock::Clock;
use base::limits::AccountLimits;
use base::seams::{
    CallService, Invocation, InvokeFunction, InvokeRefusal, Invoked, LocalFuture, ReadObject, RoleCredentials,
    Streaming, WriteLog,
};
use bytes::Bytes;
use store::blobs::BlobStore;
use store::{SharedStore, StoreError};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use api::Locations;
use concurrency::Admitted;
use engine::{Engine, EngineSettings, Message, PoolSettings};
use index::Index;
use invoke::stream::StreamWork;
use invoke::{Call, Work};
use pool::Shard;
use queue::Queue;

pub use hot_reload::HotReload;
pub use queue::RetryDelays;
pub use runtimes::{HostRuntime, host_runtimes};
pub use sandbox::{Layer, LayerState, SandboxMode, examine_sandbox, run_if_asked};

/// How long the queue may take to write down what has been done when everything ends.
const WRITING_DOWN: Duration = Duration::from_secs(2);

/// What the functions of this process are run with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory; functions keep their files in `functions/` below it, and nothing there need be kept.
    pub data_dir: PathBuf,
    /// The account's quotas.
    pub limits: AccountLimits,
    /// Whether a runtime that this host lacks may be run on another version of the same language.
    pub runtime_substitution: bool,
    /// Our own address as functions reach it, for `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// How function URLs end that answers print: what follows `{url-id}.lambda-url.{region}.`, that is the domain and,
    /// where it is not 80, the port.
    pub url_suffix: String,
    /// How many data threads will be attached, at least 1.
    pub data_threads: usize,
    /// The time.
    pub clock: Clock,
    /// How long an environment waits for its next call before it is ended.
    pub idle_for: Duration,
    /// How long an environment waits for its next call before it is frozen until then.
    pub freeze_after: Duration,
    /// How long a handler may take to load before it is started once more. AWS: 10 seconds.
    pub init_limit: Duration,
    /// Whether interpreters are started beforehand, to wait for functions.
    pub spares: bool,
    /// When asynchronous invocations are tried again.
    pub retry_delays: RetryDelays,
    /// CloudWatch Logs, if there is one: what functions print and the platform's lines about them go there too.
    pub logs: Option<Arc<dyn WriteLog>>,
    /// Where objects are read that are named as code; without it, code comes with the requests.
    pub objects: Option<Arc<dyn ReadObject>>,
    /// Who issues the credentials that functions work with.
    pub credentials: Option<Arc<dyn RoleCredentials>>,
    /// Delivers what became of asynchronous invocations to services that are not ours; none: nowhere.
    pub services: Option<Arc<dyn CallService>>,
    /// How much of a sandbox functions run in.
    pub sandbox: SandboxMode,
    /// Which folders functions may be run from.
    pub hot_reload: HotReload,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            data_dir: PathBuf::from("frontgate-data"),
            limits: AccountLimits::AWS,
            runtime_substitution: false,
            endpoint_url: "http://127.0.0.1:4566".to_owned(),
            url_suffix: "localhost:4566".to_owned(),
            data_threads: 1,
            clock: Clock::System,
            idle_for: PoolSettings::default().idle_for,
            freeze_after: PoolSettings::default().freeze_after,
            init_limit: PoolSettings::default().init_limit,
            spares: PoolSettings::default().spares,
            retry_delays: RetryDelays::default(),
            logs: None,
            objects: None,
            credentials: None,
            services: None,
            sandbox: SandboxMode::default(),
            hot_reload: HotReload::Refused,
        }
    }
}

/// Why the functions cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder in the data directory cannot be prepared.
    #[error("cannot prepare the folder of functions")]
    Folder(#[from] io::Error),
    /// The functions cannot be read.
    #[error("cannot read the functions")]
    Store(#[from] StoreError),
    /// The sandbox is to be complete, and this host lacks layers of it.
    #[error("`--sandbox strict`: this host lacks {0}")]
    Sandbox(String),
    /// A blocking thread died.
    #[error("cannot prepare the folder of functions: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Lambda in this process: its functions, their environments and its API.
pub struct Functions {
    engine: Arc<Engine>,
    index: Index,
    store: SharedStore,
    blobs: BlobStore,
    queue: Arc<Queue>,
    objects: Option<Arc<dyn ReadObject>>,
    locations: Locations,
    url_suffix: String,
    /// Held by who changes what functions claim of the account's concurrency.
    claiming: tokio::sync::Mutex<()>,
}

thread_local! {
    /// This thread's environments, if it is a data thread.
    static SHARD: RefCell<Option<Rc<Shard>>> = const { RefCell::new(None) };
}

impl Functions {
    /// Reads the functions and prepares to run them. `control` is the runtime that carries what blocks.
    ///
    /// # Errors
    /// [`OpenError`], for the operator.
    pub async fn open(
        store: SharedStore,
        blobs: BlobStore,
        settings: Settings,
        control: Handle,
    ) -> Result<Arc<Functions>, OpenError> {
        let pool = PoolSettings {
            idle_for: settings.idle_for,
            freeze_after: settings.freeze_after,
            init_limit: settings.init_limit,
            spares: settings.spares,
            ..PoolSettings::default()
        };
        let engine_settings = EngineSettings {
            data_dir: settings.data_dir,
            limits: settings.limits,
            runtime_substitution: settings.runtime_substitution,
            endpoint_url: settings.endpoint_url,
            data_threads: settings.data_threads,
            clock: settings.clock,
            pool,
            logs: settings.logs,
            credentials: settings.credentials,
            sandbox: settings.sandbox,
            hot_reload: settings.hot_reload,
        };
        let url_suffix = settings.url_suffix;
        let (of_engine, handle) = (blobs.clone(), control.clone());
        let engine = control.spawn_blocking(move || Engine::open(engine_settings, of_engine, handle)).await??;
        sandbox::report(settings.sandbox, &engine.layers()).map_err(OpenError::Sandbox)?;
        let index = Index::load(&store, &engine).await?;
        let functions = Arc::new_cyclic(|this| {
            let queue = Queue::new(Weak::clone(this), settings.retry_delays, settings.services);
            Functions {
                engine: Arc::new(engine),
                index,
                store,
                blobs,
                queue,
                objects: settings.objects,
                locations: Locations::new(),
                url_suffix,
                claiming: tokio::sync::Mutex::default(),
            }
        });
        functions.queue.start(&functions).await?;
        Ok(functions)
    }

    /// Makes the calling thread data thread number `thread` (from 0). To be called once on each, inside its local runtime
    /// (`tokio::task::spawn_local` must work), before it serves.
    ///
    /// # Panics
    /// When a number is attached twice or is not below `Settings::data_threads`.
    pub fn attach(self: &Arc<Self>, thread: usize) {
        let shard = Shard::start(Arc::clone(&self.engine), thread);
        SHARD.with(|own| *own.borrow_mut() = Some(shard));
    }

    /// The Lambda API, to be mounted.
    pub fn service(self: &Arc<Self>) -> wire::Service<Functions> {
        api::service(Arc::clone(self))
    }

    /// The package that a `Location` leads to: `page` and `query` are what follows `/_frontgate/code/` in it. `None` when
    /// it is not one that was given out in the last ten minutes.
    pub async fn code_at(&self, page: &str, query: &str) -> Option<Bytes> {
        let code = self.locations.read(page, query, self.engine.clock.now())?;
        self.blobs.get(code).await.ok().flatten()
    }

    /// Invokes a function from any thread, by way of a data thread. The future may move between threads.
    ///
    /// # Errors
    /// As [`InvokeFunction::invoke`].
    pub async fn invoke_from_anywhere(&self, invocation: Invocation) -> Result<Invoked, InvokeRefusal> {
        let (call, admitted) = self.admit(invocation)?;
        self.run_admitted(call, admitted).await
    }

    /// Runs a call that has been let through, by way of a data thread.
    pub(crate) async fn run_admitted(&self, call: Call, admitted: Admitted) -> Result<Invoked, InvokeRefusal> {
        let (answer, answered) = oneshot::channel();
        let thread = self.engine.choose_thread(&call.version);
        let gone = || InvokeRefusal::Unavailable { reason: "no data thread is running".to_owned() };
        let work = Box::new(Work { call, admitted, answer });
        self.engine.send(thread, Message::Invoke(work)).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// As [`InvokeFunction::invoke_streaming`], from any thread. The future may move between threads.
    ///
    /// # Errors
    /// As [`InvokeFunction::invoke`].
    pub async fn stream_from_anywhere(&self, invocation: Invocation) -> Result<Streaming, InvokeRefusal> {
        let (call, admitted) = self.admit(invocation)?;
        let (begun, began) = oneshot::channel();
        let work = StreamWork { call, admitted, begun };
        let gone = || InvokeRefusal::Unavailable { reason: "no data thread is running".to_owned() };
        match self.shard() {
            Some(shard) => drop(tokio::task::spawn_local(invoke::stream::run(shard, work))),
            None => {
                let thread = self.engine.choose_thread(&work.call.version);
                self.engine.send(thread, Message::Stream(Box::new(work))).map_err(|_| gone())?;
            }
        }
        began.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Ends all environments: the waiting ones now, those at work when they are done or `patience` has passed.
    pub async fn shutdown(&self, patience: Duration) {
        let until = tokio::time::Instant::now() + patience;
        self.queue.close_to_new();
        self.engine.spares.close();
        let mut ending = Vec::new();
        for thread in 0..self.engine.thread_count() {
            let (done, ended) = oneshot::channel();
            if self.engine.send(thread, Message::ShutDown(until, done)).is_ok() {
                ending.push(ended);
            }
        }
        for ended in ending {
            // A thread that has ended has ended its environments.
            let _ = tokio::time::timeout_at(until + Duration::from_secs(1), ended).await;
        }
        let engine = Arc::clone(&self.engine);
        // All that is left of environments has had its time.
        let _ = self.engine.control.spawn_blocking(move || engine.end_sandbox()).await;
        self.queue.close(WRITING_DOWN).await;
    }

    /// Finds the version, asks the policy and takes a place under the limits.
    fn admit(&self, invocation: Invocation) -> Result<(Call, Admitted), InvokeRefusal> {
        let Invocation { function_arn, payload, caller, trace_id, client_context, tail_log, request_id } = invocation;
        invoke::check_size(&payload)?;
        let version = self.index.resolve(&function_arn, &caller)?;
        let trace_id = if version.settings.traced { invoke::sampled(trace_id) } else { trace_id };
        let (version, admitted) = concurrency::admit(version)?;
        let version = hot_reload::follow(&self.engine, version);
        Ok((
            Call { version, invoked_arn: function_arn, payload, trace_id, client_context, tail_log, request_id },
            admitted,
        ))
    }

    /// This thread's shard, if the thread was attached to these functions.
    fn shard(&self) -> Option<Rc<Shard>> {
        SHARD.with(|own| {
            let own = own.borrow();
            own.as_ref().filter(|shard| Arc::ptr_eq(&shard.engine, &self.engine)).cloned()
        })
    }
}

impl InvokeFunction for Functions {
    fn invoke(&self, invocation: Invocation) -> LocalFuture<'_, Result<Invoked, InvokeRefusal>> {
        Box::pin(async move {
            match self.shard() {
                Some(shard) => {
                    let (call, admitted) = self.admit(invocation)?;
                    invoke::run(&shard, call, admitted).await
                }
                None => self.invoke_from_anywhere(invocation).await,
            }
        })
    }

    fn enqueue(&self, invocation: Invocation) -> LocalFuture<'_, Result<String, InvokeRefusal>> {
        Box::pin(self.queue.accept(self, invocation))
    }

    fn invoke_streaming(&self, invocation: Invocation) -> LocalFuture<'_, Result<Streaming, InvokeRefusal>> {
        Box::pin(self.stream_from_anywhere(invocation))
    }
}
