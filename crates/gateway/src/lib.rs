//! The data plane: a request's way from the listener to the log.
//!
//! Start at [`pipeline::rest`]: it names the phases in their order. Each phase is a folder; each takes the products of
//! the phases before it, so it cannot be called out of order. What this crate must not know: the store, AWS's control
//! plane and its models. What it serves are plans ([`plan::StagePlan`]); everything that is not a deployed API goes to
//! [`listener::AnswerElse`].

pub mod address;
pub mod authorize;
pub mod body;
mod coarse_time;
pub mod exchange;
pub mod fault;
pub mod function_url;
pub mod integrate;
pub mod listener;
pub mod log;
pub mod pipeline;
pub mod random;
pub mod respond;
pub mod route;
pub mod settings;
mod test_invoke;
pub mod throttle;
pub mod transform;
pub mod validate;

pub use listener::{AnswerElse, Gateway};
pub use settings::Settings;
