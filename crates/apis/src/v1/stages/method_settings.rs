//! The settings of a stage's methods: what a patch sets, and how they are shown.

use std::collections::BTreeMap;

use model_apigateway as model;

use crate::compile::throttles::method_of;
use crate::refusal::{Answer, Refusal};
use crate::rows::{ACCOUNT_BURST, ACCOUNT_RATE, LoggingLevel, MethodSetting};

/// The most methods that a stage may set apart. The bound is ours: AWS names none, and an API has at most 300
/// resources of 8 verbs.
const MAXIMUM_SETTINGS: usize = 2_401;

/// One setting of a method.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    LoggingOff,
    Logging(LoggingLevel),
    DataTrace(bool),
    /// Off, as it is: creates the whole object all the same.
    Off,
    BurstLimit(Option<i32>),
    RateLimit(Option<f64>),
    Caching(bool),
    CacheTtl(u16),
    CacheEncrypted(bool),
    AuthorizedCacheControl(bool),
    UnauthorizedCacheControl(String),
}

/// What a value of a method setting means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// To be set.
    Set(Setting),
    /// Logging is asked for, which the account's role for CloudWatch must allow first.
    Logging(Setting),
}

/// Reads the setting at the end of a patch path, `throttling/burstLimit`; `None` if there is none of that name.
pub(super) fn read(path: &str, value: &str) -> Option<Answer<(String, Meaning)>> {
    let (method, group, name) = split(path)?;
    let flag = value.eq_ignore_ascii_case("true");
    let set = |setting| Ok(Meaning::Set(setting));
    let meaning = match (group, name) {
        ("metrics", "enabled") if flag => Err(Refusal::not_built("the method setting metricsEnabled")),
        ("metrics", "enabled") => set(Setting::Off),
        ("logging", "dataTrace") if flag => Ok(Meaning::Logging(Setting::DataTrace(true))),
        ("logging", "dataTrace") => set(Setting::DataTrace(false)),
        ("logging", "loglevel") => match value {
            "OFF" => set(Setting::LoggingOff),
            "ERROR" => Ok(Meaning::Logging(Setting::Logging(LoggingLevel::Error))),
            "INFO" => Ok(Meaning::Logging(Setting::Logging(LoggingLevel::Info))),
            _ => Err(Refusal::bad_request("Invalid logging level specified. Valid options are OFF,ERROR,INFO")),
        },
        ("throttling", "burstLimit") => limit(path, value.parse().ok())
            .map(|burst: Option<i32>| Meaning::Set(Setting::BurstLimit(burst.filter(|burst| *burst >= 0)))),
        ("throttling", "rateLimit") => limit(path, value.parse().ok().filter(|rate: &f64| rate.is_finite()))
            .map(|rate| Meaning::Set(Setting::RateLimit(rate.filter(|rate| *rate >= 0.0)))),
        ("caching", "enabled") => set(Setting::Caching(flag)),
        ("caching", "ttlInSeconds") => match value.parse().ok().filter(|ttl| *ttl <= 3_600) {
            Some(ttl) => set(Setting::CacheTtl(ttl)),
            None => Err(Refusal::bad_request("Invalid cache TTL, must be between 0 and 3600")),
        },
        ("caching", "dataEncrypted") => set(Setting::CacheEncrypted(flag)),
        ("caching", "requireAuthorizationForCacheControl") => set(Setting::AuthorizedCacheControl(flag)),
        ("caching", "unauthorizedCacheControlHeaderStrategy") => match value {
            "FAIL_WITH_403" | "SUCCEED_WITH_RESPONSE_HEADER" | "SUCCEED_WITHOUT_RESPONSE_HEADER" => {
                set(Setting::UnauthorizedCacheControl(value.to_owned()))
            }
            _ => Err(Refusal::bad_request(
                "Invalid unauthorizedCacheControlHeaderStrategy specified. Valid options are \
                 FAIL_WITH_403,SUCCEED_WITH_RESPONSE_HEADER,SUCCEED_WITHOUT_RESPONSE_HEADER",
            )),
        },
        _ => return None,
    };
    Some(meaning.map(|meaning| (method.to_owned(), meaning)))
}

/// `pets/GET`, `throttling` and `rateLimit` of `/pets/GET/throttling/rateLimit`.
fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (rest, name) = path.strip_prefix('/')?.rsplit_once('/')?;
    let (method, group) = rest.rsplit_once('/')?;
    let (resource, verb) = method.rsplit_once('/')?;
    (!resource.is_empty() && !verb.is_empty()).then_some((method, group, name))
}

/// A limit: nothing below -1, which is the account's.
fn limit<N: PartialOrd + From<i8>>(path: &str, limit: Option<N>) -> Answer<Option<N>> {
    match limit {
        Some(limit) if limit >= N::from(-1) => Ok(Some(limit)),
        _ => Err(Refusal::BadRequest(format!("Invalid throttling limit specified for {path}"))),
    }
}

/// Sets one setting of a method. A method that had none begins with those of all methods, or with AWS's defaults.
pub(super) fn set(settings: &mut BTreeMap<String, MethodSetting>, method: &str, setting: Setting) -> Answer<()> {
    let key = known_key(settings, method).unwrap_or_else(|| method.to_owned());
    if !settings.contains_key(&key) {
        if settings.len() >= MAXIMUM_SETTINGS {
            return Err(Refusal::BadRequest(format!("A stage can have at most {MAXIMUM_SETTINGS} method settings.")));
        }
        let first = settings.get("*/*").cloned().unwrap_or_default();
        settings.insert(key.clone(), first);
    }
    let Some(target) = settings.get_mut(&key) else { return Ok(()) };
    match setting {
        Setting::Off => {}
        Setting::LoggingOff => (target.logging_off, target.logging_level) = (true, None),
        Setting::Logging(level) => (target.logging_off, target.logging_level) = (false, Some(level)),
        Setting::DataTrace(on) => target.data_trace = on,
        Setting::BurstLimit(burst) => target.throttling_burst_limit = burst,
        Setting::RateLimit(rate) => target.throttling_rate_limit = rate,
        Setting::Caching(on) => target.caching_enabled = on,
        Setting::CacheTtl(ttl) => target.cache_ttl_in_seconds = ttl,
        Setting::CacheEncrypted(on) => target.cache_data_encrypted = on,
        Setting::AuthorizedCacheControl(on) => target.require_authorization_for_cache_control = on,
        Setting::UnauthorizedCacheControl(strategy) => target.unauthorized_cache_control_header_strategy = strategy,
    }
    Ok(())
}

/// Removes all settings of a method.
pub(super) fn remove(settings: &mut BTreeMap<String, MethodSetting>, method: &str) -> Answer<()> {
    match known_key(settings, method) {
        Some(key) => {
            settings.remove(&key);
            Ok(())
        }
        // The blank at the end is AWS's.
        None => Err(Refusal::BadRequest(format!(
            "Cannot remove method setting {method} because there is no method setting for this method "
        ))),
    }
}

/// The key under which a method's settings are kept, whichever way its path is escaped.
fn known_key(settings: &BTreeMap<String, MethodSetting>, method: &str) -> Option<String> {
    if settings.contains_key(method) {
        return Some(method.to_owned());
    }
    let wanted = method_of(method)?;
    settings.keys().find(|key| method_of(key).as_ref() == Some(&wanted)).cloned()
}

/// A method's settings as AWS shows them.
pub(super) fn shown(setting: &MethodSetting) -> model::MethodSetting {
    model::MethodSetting {
        metrics_enabled: Some(false),
        logging_level: match setting.logging_level {
            Some(LoggingLevel::Error) => Some("ERROR".to_owned()),
            Some(LoggingLevel::Info) => Some("INFO".to_owned()),
            None => setting.logging_off.then(|| "OFF".to_owned()),
        },
        data_trace_enabled: Some(setting.data_trace),
        throttling_burst_limit: Some(setting.throttling_burst_limit.unwrap_or(ACCOUNT_BURST)),
        throttling_rate_limit: Some(setting.throttling_rate_limit.unwrap_or(ACCOUNT_RATE)),
        caching_enabled: Some(setting.caching_enabled),
        cache_ttl_in_seconds: Some(setting.cache_ttl_in_seconds.into()),
        cache_data_encrypted: Some(setting.cache_data_encrypted),
        require_authorization_for_cache_control: Some(setting.require_authorization_for_cache_control),
        unauthorized_cache_control_header_strategy: Some(setting.unauthorized_cache_control_header_strategy.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a path and a value come to.
    fn meaning(path: &str, value: &str) -> Option<Result<Meaning, String>> {
        let read = read(path, value)?;
        Some(read.map(|(_, meaning)| meaning).map_err(|refusal| format!("{refusal:?}")))
    }

    #[test]
    fn paths_end_in_a_setting() {
        for (path, value, expected) in [
            ("/*/*/throttling/burstLimit", "5", Setting::BurstLimit(Some(5))),
            ("/a/b/GET/throttling/rateLimit", "0.5", Setting::RateLimit(Some(0.5))),
            ("/~1a/GET/throttling/rateLimit", "-1", Setting::RateLimit(None)),
            ("/*/*/logging/loglevel", "OFF", Setting::LoggingOff),
            ("/*/*/metrics/enabled", "false", Setting::Off),
            ("/*/*/caching/ttlInSeconds", "3600", Setting::CacheTtl(3_600)),
        ] {
            assert_eq!(meaning(path, value), Some(Ok(Meaning::Set(expected))), "{path}");
        }
        for (path, value, expected) in [
            ("/*/*/logging/loglevel", "INFO", Setting::Logging(LoggingLevel::Info)),
            ("/*/*/logging/loglevel", "ERROR", Setting::Logging(LoggingLevel::Error)),
            ("/*/*/logging/dataTrace", "true", Setting::DataTrace(true)),
        ] {
            assert_eq!(meaning(path, value), Some(Ok(Meaning::Logging(expected))), "{path}");
        }
        for (path, value) in [
            ("/*/*/throttling/burstLimit", "many"),
            ("/*/*/throttling/rateLimit", "-2"),
            ("/*/*/throttling/rateLimit", "NaN"),
            ("/*/*/throttling/rateLimit", "1e999"),
            ("/*/*/caching/ttlInSeconds", "3601"),
            ("/*/*/logging/loglevel", "LOUD"),
            ("/*/*/metrics/enabled", "true"),
        ] {
            assert!(matches!(meaning(path, value), Some(Err(_))), "{path} {value}");
        }
        for path in ["/throttling/burstLimit", "/GET/throttling/burstLimit", "/*/*/caching/size", "*/*/caching/enabled"]
        {
            assert_eq!(meaning(path, "1"), None, "{path}");
        }
    }

    #[test]
    fn a_method_begins_with_the_settings_of_all_and_then_stands_alone() {
        let mut settings = BTreeMap::new();
        set(&mut settings, "*/*", Setting::Caching(true)).unwrap();
        set(&mut settings, "a/GET", Setting::BurstLimit(Some(7))).unwrap();
        set(&mut settings, "*/*", Setting::Caching(false)).unwrap();
        set(&mut settings, "~1a/GET", Setting::CacheTtl(9)).unwrap();
        let one = &settings["a/GET"];
        assert_eq!((one.caching_enabled, one.throttling_burst_limit, one.cache_ttl_in_seconds), (true, Some(7), 9));
        assert_eq!(settings.len(), 2);
        remove(&mut settings, "~1a/GET").unwrap();
        assert!(remove(&mut settings, "a/GET").is_err());
    }
}
