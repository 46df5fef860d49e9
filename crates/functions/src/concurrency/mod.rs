//! How many calls run at once: the account's quota, what functions have reserved of it, and the provisioned environments.
//!
//! A call takes its place before it looks for an environment, and gives it back when it is over: an atomic number each,
//! shared by all data threads, so the counts are exact. A call takes one of its version's provisioned environments if
//! one is free, else a place of its function's reservation, or of what no function has reserved.

mod provisioned;
mod records;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::seams::InvokeRefusal;

pub(crate) use provisioned::{Provisioned, Provisioning, Status, provision};
pub(crate) use records::{ProvisionedRecord, ReservedRecord, provisioned_key};

use crate::version::Version;

/// What must stay for the functions that reserve nothing.
pub(crate) const UNRESERVED_AT_LEAST: usize = 100;

/// Places that are taken and given back.
#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicUsize,
    limit: AtomicUsize,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Places {
        Places { taken: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    /// Takes a place, if one is free.
    pub(crate) fn take(&self) -> bool {
        let limit = self.limit();
        let one_more = |taken: usize| (taken < limit).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
    }

    /// Gives a place back.
    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many may be taken; more may be just after it was lowered.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Acquire)
    }

    /// Adds a place; returns how many there are now.
    fn add(&self) -> usize {
        self.limit.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Removes a place, which may be taken.
    fn remove(&self) {
        self.limit.fetch_sub(1, Ordering::AcqRel);
    }

    fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Release);
    }
}

/// An account in a region.
#[derive(Debug)]
pub(crate) struct Account {
    quota: usize,
    /// For the functions that reserve nothing.
    unreserved: Places,
    claims: Mutex<HashMap<String, Claim>>,
}

/// What a function takes out of its account's quota for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// `ReservedConcurrentExecutions`.
    pub(crate) reserved: Option<usize>,
    /// What is provisioned for its versions and aliases together; a part of what is reserved, if anything is.
    pub(crate) provisioned: usize,
}

impl Claim {
    /// How much it takes.
    pub(crate) fn size(self) -> usize {
        self.reserved.unwrap_or(self.provisioned)
    }
}

impl Account {
    pub(crate) fn new(quota: usize) -> Account {
        Account { quota, unreserved: Places::new(quota), claims: Mutex::default() }
    }

    /// `ConcurrentExecutions`.
    pub(crate) fn quota(&self) -> usize {
        self.quota
    }

    /// `UnreservedConcurrentExecutions`: what functions have not claimed.
    pub(crate) fn unreserved(&self) -> usize {
        self.unreserved.limit()
    }

    /// What a function claims.
    pub(crate) fn claim(&self, function: &str) -> Claim {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).get(function).copied().unwrap_or_default()
    }

    /// Notes what a function claims from now on.
    pub(crate) fn set_claim(&self, function: &str, claim: Claim) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if claim == Claim::default() {
            claims.remove(function);
        } else {
            claims.insert(function.to_owned(), claim);
        }
        let claimed: usize = claims.values().map(|claim| claim.size()).sum();
        self.unreserved.set_limit(self.quota.saturating_sub(claimed));
    }
}

/// What all versions of a function share.
#[derive(Debug)]
pub(crate) struct FunctionPlaces {
    account: Arc<Account>,
    /// Calls outside of provisioned environments. Their limit is that of the reservation, or none.
    own: Places,
    /// Nothing at all is reserved, so that the function does not run.
    is_barred: AtomicBool,
}

impl FunctionPlaces {
    pub(crate) fn new(account: Arc<Account>) -> FunctionPlaces {
        FunctionPlaces { account, own: Places::new(usize::MAX), is_barred: AtomicBool::new(false) }
    }

    /// Notes what the function claims from now on.
    pub(crate) fn set_claim(&self, claim: Claim) {
        let outside = |reserved: usize| reserved.saturating_sub(claim.provisioned);
        self.own.set_limit(claim.reserved.map_or(usize::MAX, outside));
        self.is_barred.store(claim.reserved == Some(0), Ordering::Release);
    }

    /// Whether its reservation is none at all: events for it are not kept until it may run again.
    pub(crate) fn is_barred(&self) -> bool {
        self.is_barred.load(Ordering::Acquire)
    }
}

/// A call's place; given back when dropped.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// Of the function's reservation.
    Reserved(Arc<FunctionPlaces>),
    /// Of what no function has reserved.
    Unreserved(Arc<FunctionPlaces>),
    /// One of the provisioned environments.
    Provisioned(Arc<Provisioned>),
}

impl Drop for Admitted {
    fn drop(&mut self) {
        match self {
            Admitted::Reserved(places) => places.own.give_back(),
            Admitted::Unreserved(places) => {
                places.account.unreserved.give_back();
                places.own.give_back();
            }
            Admitted::Provisioned(provisioned) => provisioned.places.give_back(),
        }
    }
}

/// Takes a place for a call of a version; returns with it the version whose environments serve it.
///
/// # Errors
/// [`InvokeRefusal::TooManyRequests`] with AWS's reason.
pub(crate) fn admit(version: Arc<Version>) -> Result<(Arc<Version>, Admitted), InvokeRefusal> {
    if let Some(provisioned) = version.provisioning.in_service()
        && provisioned.places.take()
    {
        return Ok((Arc::clone(&provisioned.version), Admitted::Provisioned(provisioned)));
    }
    let admitted = admit_on_demand(&version.places)?;
    Ok((version, admitted))
}

fn admit_on_demand(places: &Arc<FunctionPlaces>) -> Result<Admitted, InvokeRefusal> {
    if !places.own.take() {
        return Err(InvokeRefusal::TooManyRequests { reason: "ReservedFunctionConcurrentInvocationLimitExceeded" });
    }
    if places.own.limit() != usize::MAX {
        return Ok(Admitted::Reserved(Arc::clone(places)));
    }
    if places.account.unreserved.take() {
        return Ok(Admitted::Unreserved(Arc::clone(places)));
    }
    places.own.give_back();
    Err(InvokeRefusal::TooManyRequests { reason: "ConcurrentInvocationLimitExceeded" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(result: Result<Admitted, InvokeRefusal>) -> &'static str {
        match result {
            Err(InvokeRefusal::TooManyRequests { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_one_reserves_the_others_lack() {
        let account = Arc::new(Account::new(3));
        let [one, other] = [(); 2].map(|()| Arc::new(FunctionPlaces::new(Arc::clone(&account))));
        let claim = Claim { reserved: Some(2), provisioned: 0 };
        account.set_claim("one", claim);
        one.set_claim(claim);
        assert_eq!(account.unreserved(), 1);
        let first = admit_on_demand(&other).unwrap();
        assert_eq!(reason(admit_on_demand(&other)), "ConcurrentInvocationLimitExceeded");
        let held = [admit_on_demand(&one).unwrap(), admit_on_demand(&one).unwrap()];
        assert_eq!(reason(admit_on_demand(&one)), "ReservedFunctionConcurrentInvocationLimitExceeded");
        drop((first, held));
        assert!(admit_on_demand(&other).is_ok() && admit_on_demand(&one).is_ok());
        account.set_claim("one", Claim::default());
        assert_eq!(account.unreserved(), 3);
    }

    #[test]
    fn calls_that_run_already_count_when_a_function_reserves() {
        let account = Arc::new(Account::new(10));
        let function = Arc::new(FunctionPlaces::new(Arc::clone(&account)));
        let running = admit_on_demand(&function).unwrap();
        function.set_claim(Claim { reserved: Some(1), provisioned: 0 });
        assert_eq!(reason(admit_on_demand(&function)), "ReservedFunctionConcurrentInvocationLimitExceeded");
        drop(running);
        let reserved = admit_on_demand(&function).unwrap();
        function.set_claim(Claim::default());
        drop(reserved);
        assert_eq!(account.unreserved.taken.load(Ordering::Relaxed), 0);
        assert_eq!(function.own.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn counts_are_exact_whoever_counts() {
        let account = Arc::new(Account::new(5));
        let function = Arc::new(FunctionPlaces::new(account));
        let (most, now) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let held: Vec<_> = (0..2).filter_map(|_| admit_on_demand(&function).ok()).collect();
                        let running = now.fetch_add(held.len(), Ordering::SeqCst) + held.len();
                        most.fetch_max(running, Ordering::SeqCst);
                        now.fetch_sub(held.len(), Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 5);
        let all: Vec<_> = (0..5).map(|_| admit_on_demand(&function).unwrap()).collect();
        assert!(admit_on_demand(&function).is_err());
        drop(all);
    }
}
