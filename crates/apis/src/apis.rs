//! The state of the control plane, and what its operations share: finding rows, editing under an API's lock, and
//! keeping the plan index in step.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use base::clock::Clock;
use base::limits::AccountLimits;
use base::seams::SendFuture;
use plan::{CompileStage, Lookup, PlanIndex, StagePlan, TestInvoke};
use store::{Record, Scope, SharedStore, Stored};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::compile;
use crate::refusal::{Answer, Refusal};
use crate::rows;

/// How the control plane behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Quotas of each account.
    pub limits: AccountLimits,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Why the control plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be read.
    #[error("cannot read the stored APIs: {0}")]
    Read(#[from] store::StoreError),
    /// An API of an early version could not be given its default models.
    #[error("cannot give the API {api} its default models: {reason}")]
    Models {
        /// The API's id.
        api: String,
        /// Why.
        reason: String,
    },
}

/// The control plane of API Gateway.
pub struct Apis {
    pub(crate) store: SharedStore,
    pub(crate) index: Arc<PlanIndex>,
    pub(crate) settings: Settings,
    /// Runs test invocations, once there is a data plane.
    pub(crate) tester: OnceLock<Arc<dyn TestInvoke>>,
    locks: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
    /// Ourselves, for edits that must go on when their caller hangs up.
    this: Weak<Apis>,
}

/// How often an edit is tried again when another node was faster.
const ATTEMPTS: usize = 8;

impl Apis {
    /// Opens the control plane and makes every stored API and stage known to the index; stages are compiled when they
    /// are first asked for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: SharedStore, index: Arc<PlanIndex>, settings: Settings) -> Result<Arc<Apis>, OpenError> {
        let apis = Arc::new_cyclic(|this| Apis {
            store,
            index,
            settings,
            tester: OnceLock::new(),
            locks: Mutex::default(),
            this: Weak::clone(this),
        });
        let heads = apis.store.list_all::<rows::ApiHead>().await?;
        for (scope, head) in heads.iter().filter(|(_, head)| !head.record.has_models) {
            apis.give_models(scope, &head.record.api).await?;
        }
        let stages = apis.store.list_all::<rows::Stage>().await?;
        let apis_alone = heads.iter().map(|(_, head)| (head.record.api.as_str(), None));
        let with_stages = stages.iter().map(|(_, stage)| (stage.record.api.as_str(), Some(stage.record.name.as_str())));
        apis.index.add_pending(apis_alone.chain(with_stages));
        Ok(apis)
    }

    /// Gives an API of an early version its default models. If another node changes the API all the while, it or the
    /// next start does it.
    async fn give_models(&self, scope: &Scope, api: &str) -> Result<(), OpenError> {
        let given = self.edit(scope, api, api.to_owned(), |apis, scope, api| async move {
            apis.give_default_models(&scope, &api).await
        });
        match given.await {
            Ok(()) | Err(Refusal::Raced) => Ok(()),
            Err(refusal) => Err(OpenError::Models { api: api.to_owned(), reason: format!("{refusal:?}") }),
        }
    }

    /// Names the data plane that test invocations run on; the first one stays.
    pub fn test_on(&self, tester: Arc<dyn TestInvoke>) {
        // The data plane starts after the control plane that it serves, and there is but one.
        let _ = self.tester.set(tester);
    }

    /// The present time in whole seconds, as rows keep it.
    pub(crate) fn now(&self) -> u64 {
        self.settings.clock.now().whole_seconds()
    }

    /// Runs an edit of `api` alone on this node, and again when another node came in between. It goes on when the
    /// caller hangs up, so that what is committed and what is served never differ.
    pub(crate) async fn edit<I, T, F, Fut>(&self, scope: &Scope, api: &str, input: I, attempt: F) -> Answer<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: Fn(Arc<Apis>, Scope, Arc<I>) -> Fut + Send + 'static,
        Fut: Future<Output = Answer<T>> + Send + 'static,
    {
        let this = self.this.upgrade().ok_or_else(|| Refusal::Unavailable("the control plane is closing".into()))?;
        let (lock, scope, input) = (self.lock_of(api), scope.clone(), Arc::new(input));
        let edit = tokio::spawn(async move {
            let _held = lock.lock_owned().await;
            let overtaken = |refusal: &Refusal| *refusal == Refusal::Raced;
            let again = move || attempt(Arc::clone(&this), scope.clone(), Arc::clone(&input));
            store::attempts(ATTEMPTS, overtaken, again).await
        });
        edit.await.unwrap_or_else(|error| Err(Refusal::Internal(format!("an edit did not end: {error}"))))
    }

    /// The lock of an API. Locks that nobody holds are forgotten now and then.
    fn lock_of(&self, api: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(api).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= 1_024 {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::default();
        locks.insert(api.to_owned(), Arc::downgrade(&lock));
        lock
    }

    async fn hold(&self, api: &str) -> OwnedMutexGuard<()> {
        self.lock_of(api).lock_owned().await
    }

    pub(crate) async fn rest_api(&self, scope: &Scope, api: &str) -> Answer<Stored<rows::RestApi>> {
        self.find(scope, api).await?.ok_or_else(|| Refusal::unknown_api(&scope.account, api))
    }

    /// The row that edits across an API's rows replace; its absence means that there is no such API.
    pub(crate) async fn head(&self, scope: &Scope, api: &str) -> Answer<Option<Stored<rows::ApiHead>>> {
        self.find(scope, api).await
    }

    pub(crate) async fn resource(&self, scope: &Scope, api: &str, id: &str) -> Answer<Stored<rows::Resource>> {
        self.find_below(scope, api, id).await?.ok_or_else(Refusal::unknown_resource)
    }

    pub(crate) async fn deployment(
        &self,
        scope: &Scope,
        api: &str,
        id: &str,
    ) -> Answer<Option<Stored<rows::Deployment>>> {
        self.find_below(scope, api, id).await
    }

    pub(crate) async fn stage(&self, scope: &Scope, api: &str, name: &str) -> Answer<Stored<rows::Stage>> {
        self.find_below(scope, api, name).await?.ok_or_else(Refusal::unknown_stage)
    }

    pub(crate) async fn find<R: Record>(&self, scope: &Scope, key: &str) -> Answer<Option<Stored<R>>> {
        Ok(self.store.get::<R>(scope, key).await?)
    }

    /// A row below an API. An id with a slash in it would reach into other keys, so there is none.
    pub(crate) async fn find_below<R: Record>(&self, scope: &Scope, api: &str, id: &str) -> Answer<Option<Stored<R>>> {
        if api.contains('/') || id.contains('/') {
            return Ok(None);
        }
        self.find(scope, &format!("{api}/{id}")).await
    }

    /// Compiles the plan of a stage from the snapshot of its deployment.
    pub(crate) async fn plan_of(&self, scope: &Scope, stage: &rows::Stage) -> Answer<Arc<StagePlan>> {
        let key = format!("{}/{}", stage.api, stage.deployment_id);
        let snapshot = self.find::<rows::Snapshot>(scope, &key).await?;
        let snapshot = snapshot.ok_or_else(|| Refusal::Internal(format!("no snapshot {key}")))?;
        self.compile(scope, &snapshot.record, stage)
    }

    /// Compiles the plan of a stage from a snapshot at hand.
    pub(crate) fn compile(
        &self,
        scope: &Scope,
        snapshot: &rows::Snapshot,
        stage: &rows::Stage,
    ) -> Answer<Arc<StagePlan>> {
        let throttle = self.index.account_throttle(&scope.account, &scope.region);
        let mut plan = compile::stage_plan(scope, snapshot, stage, throttle).map_err(Refusal::Internal)?;
        let before = match self.index.stage(&stage.api, &stage.name) {
            Lookup::Ready(before) => Some(before),
            Lookup::Pending | Lookup::Unknown => None,
        };
        let before = before.as_ref().map(|before| &before.method_throttles);
        plan.method_throttles = compile::throttles::method_throttles(snapshot, stage, before);
        Ok(Arc::new(plan))
    }

    async fn compile_on_first_use(&self, api: &str, stage: &str) -> Answer<Option<Arc<StagePlan>>> {
        let _held = self.hold(api).await;
        match self.index.stage(api, stage) {
            Lookup::Ready(plan) => return Ok(Some(plan)),
            Lookup::Unknown => return Ok(None),
            Lookup::Pending => {}
        }
        let Some((scope, row)) = self.store.find::<rows::Stage>(&format!("{api}/{stage}")).await? else {
            self.index.remove_stage(api, stage);
            return Ok(None);
        };
        let plan = self.plan_of(&scope, &row.record).await?;
        self.index.set_stage(api, stage, Some(Arc::clone(&plan)));
        Ok(Some(plan))
    }
}

impl CompileStage for Apis {
    fn compile_stage(&self, api: &str, stage: &str) -> SendFuture<'static, Result<Option<Arc<StagePlan>>, String>> {
        let (this, api, stage) = (self.this.upgrade(), api.to_owned(), stage.to_owned());
        Box::pin(async move {
            let Some(this) = this else { return Ok(None) };
            this.compile_on_first_use(&api, &stage)
                .await
                .map_err(|refusal| format!("stage {stage} of API {api} cannot be compiled: {refusal:?}"))
        })
    }
}
