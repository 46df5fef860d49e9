//! Which stages are served: the one structure that both planes share. Read without waiting, swapped as a whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base::limits::AccountLimits;
use base::seams::SendFuture;

use crate::stage::StagePlan;
use crate::throttle::Throttle;

/// What a request finds under an API and a stage.
#[derive(Debug)]
pub enum Lookup {
    /// The plan to serve by.
    Ready(Arc<StagePlan>),
    /// The stage exists but has not been compiled since the process started: ask [`CompileStage`].
    Pending,
    /// No such API or stage.
    Unknown,
}

/// Compiles a stage on its first use after a start.
pub trait CompileStage: Send + Sync {
    /// Compiles the stage, puts it into the index and returns it; `None` if there is none after all.
    ///
    /// # Errors
    /// A text for the operator when the snapshot cannot be read or compiled.
    fn compile_stage(&self, api: &str, stage: &str) -> SendFuture<'static, Result<Option<Arc<StagePlan>>, String>>;
}

type Stages = HashMap<Box<str>, Option<Arc<StagePlan>>>;

/// An account and a region.
type Owner = (Arc<str>, Arc<str>);

/// All stages of this process, by API id and stage name. API ids are unique in the process.
#[derive(Debug, Default)]
pub struct PlanIndex {
    apis: ArcSwap<HashMap<Box<str>, Arc<Stages>>>,
    /// Held while a writer swaps the map; readers never take it.
    writing: Mutex<()>,
    throttles: Mutex<HashMap<Owner, Arc<Throttle>>>,
    limits: AccountLimits,
}

impl PlanIndex {
    /// Makes an empty index whose accounts have these limits.
    pub fn new(limits: AccountLimits) -> PlanIndex {
        PlanIndex { limits, ..PlanIndex::default() }
    }

    /// Looks a stage up. Wait-free.
    pub fn stage(&self, api: &str, stage: &str) -> Lookup {
        match self.apis.load().get(api).and_then(|stages| stages.get(stage)) {
            Some(Some(plan)) => Lookup::Ready(Arc::clone(plan)),
            Some(None) => Lookup::Pending,
            None => Lookup::Unknown,
        }
    }

    /// Whether an API of this id is known here.
    pub fn has_api(&self, api: &str) -> bool {
        self.apis.load().contains_key(api)
    }

    /// Makes an API known, without stages; does nothing if it is.
    pub fn add_api(&self, api: &str) {
        self.change(|apis| {
            apis.entry(api.into()).or_default();
        });
    }

    /// Makes APIs and stages known in one go, for a start: of each pair the API, and a stage to be compiled on first use.
    pub fn add_pending<'a>(&self, known: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) {
        self.change(|apis| {
            for (api, stage) in known {
                let stages = apis.entry(api.into()).or_default();
                if let Some(stage) = stage {
                    Arc::make_mut(stages).entry(stage.into()).or_insert(None);
                }
            }
        });
    }

    /// Forgets an API and its stages.
    pub fn remove_api(&self, api: &str) {
        self.change(|apis| {
            apis.remove(api);
        });
    }

    /// Serves a stage by `plan` from the next request on; `None` leaves it to be compiled on first use.
    pub fn set_stage(&self, api: &str, stage: &str, plan: Option<Arc<StagePlan>>) {
        self.change(|apis| {
            let stages = apis.entry(api.into()).or_default();
            Arc::make_mut(stages).insert(stage.into(), plan);
        });
    }

    /// Stops serving a stage.
    pub fn remove_stage(&self, api: &str, stage: &str) {
        self.change(|apis| {
            if let Some(stages) = apis.get_mut(api) {
                Arc::make_mut(stages).remove(stage);
            }
        });
    }

    /// The throttle that all APIs of an account and region share; `None` when limits are lifted.
    pub fn account_throttle(&self, account: &Arc<str>, region: &Arc<str>) -> Option<Arc<Throttle>> {
        let rate = self.limits.requests_per_second?;
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(account), Arc::clone(region));
        Some(Arc::clone(throttles.entry(key).or_insert_with(|| Arc::new(Throttle::new(rate, self.limits.burst)))))
    }

    fn change(&self, edit: impl FnOnce(&mut HashMap<Box<str>, Arc<Stages>>)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut apis = HashMap::clone(&self.apis.load());
        edit(&mut apis);
        self.apis.store(Arc::new(apis));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_pending_stages_from_unknown_ones() {
        let index = PlanIndex::new(AccountLimits::LIFTED);
        index.set_stage("abc", "dev", None);
        assert!(matches!(index.stage("abc", "dev"), Lookup::Pending));
        assert!(matches!(index.stage("abc", "prod"), Lookup::Unknown));
        assert!(matches!(index.stage("ABC", "dev"), Lookup::Unknown));
        index.remove_stage("abc", "dev");
        assert!(index.has_api("abc"));
        index.remove_api("abc");
        assert!(!index.has_api("abc"));
    }

    #[test]
    fn accounts_share_one_throttle_unless_limits_are_lifted() {
        let (account, region): (Arc<str>, Arc<str>) = ("000000000000".into(), "us-east-1".into());
        assert!(PlanIndex::new(AccountLimits::LIFTED).account_throttle(&account, &region).is_none());
        let index = PlanIndex::new(AccountLimits::AWS);
        let first = index.account_throttle(&account, &region).unwrap();
        assert!(Arc::ptr_eq(&first, &index.account_throttle(&account, &region).unwrap()));
    }
}
