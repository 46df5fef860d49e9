//! CloudWatch: logs, so far.
//!
//! What functions and gateways have to say comes through `base::seams::WriteLog` and never waits; what lies where, and how
//! long, is the store's affair (`store::telemetry`).

pub mod logs;

pub use logs::Logs;
