//! The control plane of API Gateway: what developers create, and how it becomes a plan.
//!
//! Operations edit rows of the store ([`rows`]); nothing that they do to resources and methods is served. CreateDeployment
//! freezes the rows into a snapshot, and a stage is served by the plan that [`compile`] makes of its snapshot and its own
//! row. The plan index is brought up to date before an operation is answered, so the next request sees the change.
//!
//! Every edit of an API happens under the API's lock, which keeps the order of commits and of plans the same; the
//! revisions that a commit expects guard against other nodes.

mod apis;
mod compile;
mod operations;
mod patch;
mod refusal;
mod rows;
mod v1;
mod words;

#[cfg(test)]
mod tests;

pub use apis::{Apis, OpenError, Settings};
