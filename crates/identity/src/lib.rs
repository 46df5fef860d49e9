//! IAM and STS: who calls, and what they may do.
//!
//! Roles and policies are checked and kept as AWS would; nothing is evaluated against them yet, so with `--auth off` (the
//! only mode so far) they grant and refuse nothing.

mod iam;
mod sessions;
mod sts;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base::clock::Clock;
use base::shape::Timestamp;
use store::{SharedStore, StoreError};
use wire::{ApiError, Service};

pub use sessions::Sessions;

/// The state behind both services.
pub struct Identity {
    store: SharedStore,
    clock: Clock,
}

impl Identity {
    /// Opens the services on the store.
    pub fn open(store: SharedStore, clock: Clock) -> Arc<Self> {
        Arc::new(Self { store, clock })
    }

    /// IAM, to be mounted.
    pub fn iam(self: &Arc<Self>) -> Service<Self> {
        iam::service(Arc::clone(self))
    }

    /// STS, to be mounted.
    pub fn sts(self: &Arc<Self>) -> Service<Self> {
        sts::service(Arc::clone(self))
    }

    /// The present time in whole seconds, as IAM keeps it.
    fn now(&self) -> u64 {
        self.clock.now().whole_seconds()
    }
}

/// Why an attempt at an operation failed.
#[derive(Debug)]
enum Failure {
    /// The caller is told this.
    Refused(ApiError),
    /// The store failed, or another caller was faster.
    Store(StoreError),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Store(error @ StoreError::Full) => {
                Self::new(&model_iam::errors::SERVICE_FAILURE_EXCEPTION, format!("The change was not kept: {error}."))
            }
            Failure::Store(error) => Self::internal(error),
        }
    }
}

/// A stored time, in seconds, as answers carry it.
fn timestamp(seconds: u64) -> Timestamp {
    // Exact: seconds stay far below 2^53.
    Timestamp(seconds as f64)
}
