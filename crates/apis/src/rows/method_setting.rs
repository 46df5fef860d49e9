//! The settings of a stage's methods, as they are stored.

use serde::{Deserialize, Serialize};

/// The rate that AWS shows where none is set: the account's, requests a second.
pub(crate) const ACCOUNT_RATE: f64 = 10_000.0;
/// The burst that AWS shows where none is set: the account's.
pub(crate) const ACCOUNT_BURST: i32 = 5_000;

/// What a stage sets for one method, or for all of them.
///
/// Metrics are always off in this version, so nothing is kept of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MethodSetting {
    /// Absent: the account's burst holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) throttling_burst_limit: Option<i32>,
    /// Requests a second; absent: the account's rate holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) throttling_rate_limit: Option<f64>,
    /// Whether `OFF` was set; AWS shows no level before one is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) logging_off: bool,
    /// The level that was set since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logging_level: Option<LoggingLevel>,
    /// Whether headers and bodies are logged, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) data_trace: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) caching_enabled: bool,
    /// 0 to 3,600.
    pub(crate) cache_ttl_in_seconds: u16,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cache_data_encrypted: bool,
    pub(crate) require_authorization_for_cache_control: bool,
    /// One of AWS's three words.
    pub(crate) unauthorized_cache_control_header_strategy: String,
}

/// What execution logs tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LoggingLevel {
    Error,
    Info,
}

impl Default for MethodSetting {
    /// What AWS gives a method when its first setting is made (recorded).
    fn default() -> MethodSetting {
        MethodSetting {
            throttling_burst_limit: None,
            throttling_rate_limit: None,
            logging_off: false,
            logging_level: None,
            data_trace: false,
            caching_enabled: false,
            cache_ttl_in_seconds: 300,
            cache_data_encrypted: false,
            require_authorization_for_cache_control: true,
            unauthorized_cache_control_header_strategy: "SUCCEED_WITH_RESPONSE_HEADER".into(),
        }
    }
}

impl MethodSetting {
    /// Rate and burst, if the stage sets any of them; the other is then the account's.
    pub(crate) fn throttling(&self) -> Option<(f64, i32)> {
        match (self.throttling_rate_limit, self.throttling_burst_limit) {
            (None, None) => None,
            (rate, burst) => Some((rate.unwrap_or(ACCOUNT_RATE), burst.unwrap_or(ACCOUNT_BURST))),
        }
    }
}
