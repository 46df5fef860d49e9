//! The operations of API Gateway v1 (REST APIs), one file per resource, and what their files share.

mod account;
mod api_keys;
mod authorizers;
mod deployments;
mod documentation;
pub(crate) mod gateway_responses;
mod integration_responses;
mod integrations;
mod method_responses;
mod methods;
mod models;
mod page;
mod references;
mod request_validators;
mod resources;
mod rest_apis;
mod stages;
mod tags;
mod test_invoke;
mod usage_plans;
mod validate;
mod vpc_links;

pub(crate) use models::accepts_everything;

/// For lists that are read whole because their order is not that of their keys.
const EVERY: usize = usize::MAX;
