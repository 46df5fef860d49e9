//! The throttles of a stage's methods, from the stage's settings.

use std::sync::Arc;

use plan::Throttle;
use plan::throttle::MethodThrottles;

use super::method_settings::settings;
use crate::patch::unescape;
use crate::rows::{Snapshot, Stage};

/// Throttles each method by the setting that holds for it. A throttle that was there before and admits as much goes
/// on counting, so that a new deployment gives nobody a second burst.
pub(crate) fn method_throttles(
    snapshot: &Snapshot,
    stage: &Stage,
    before: Option<&MethodThrottles>,
) -> MethodThrottles {
    let mut throttles = MethodThrottles::default();
    if stage.method_settings.values().all(|setting| setting.throttling().is_none()) {
        return throttles;
    }
    for (resource, verb, setting) in settings(snapshot, stage) {
        let Some((rate, burst)) = setting.throttling() else { continue };
        // A burst of nothing blocks everything.
        let made = Throttle::new(if burst > 0 { rate } else { 0.0 }, f64::from(burst));
        let known = before.and_then(|before| before.get(&resource.id, verb)).filter(|known| known.is_like(&made));
        throttles.insert(&resource.id, verb, known.map_or_else(|| Arc::new(made), Arc::clone));
    }
    throttles
}

/// The path without its first slash and the verb that a key of the method settings names; its path may be escaped or
/// not (`~1pets~1{id}/GET`, `pets/{id}/GET`).
pub(crate) fn method_of(key: &str) -> Option<(String, &str)> {
    let (path, verb) = key.rsplit_once('/')?;
    Some((unescape(path).trim_start_matches('/').to_owned(), verb))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rows::MethodSetting;

    const SECOND: u64 = 1_000_000_000;

    fn snapshot() -> Snapshot {
        let method = json!({"authorization_type": "NONE"});
        serde_json::from_value(json!({
            "deployment_id": "d",
            "api": {
                "id": "a", "name": "n", "created": 0, "root_resource_id": "r0", "api_key_source": "HEADER",
                "endpoint_type": "EDGE", "ip_address_type": "ipv4",
            },
            "resources": [
                {"api": "a", "id": "r0", "path": "/", "methods": {"GET": method}},
                {"api": "a", "id": "r1", "path": "/pets/{id}", "methods": {"GET": method, "ANY": method}},
            ],
        }))
        .unwrap()
    }

    fn stage(settings: Value) -> Stage {
        serde_json::from_value(json!({
            "api": "a", "name": "dev", "deployment_id": "d", "created": 0, "last_updated": 0,
            "method_settings": settings,
        }))
        .unwrap()
    }

    fn setting(rate: Option<f64>, burst: Option<i32>) -> Value {
        let whole =
            MethodSetting { throttling_rate_limit: rate, throttling_burst_limit: burst, ..MethodSetting::default() };
        serde_json::to_value(whole).unwrap()
    }

    /// How many requests a verb of a resource admits at once; `None` where nothing is set.
    fn burst(throttles: &MethodThrottles, resource: &str, verb: &str) -> Option<usize> {
        let throttle = throttles.get(resource, verb)?;
        Some((0..100).filter(|_| throttle.admit(SECOND)).count())
    }

    #[test]
    fn a_methods_own_setting_stands_before_that_of_all() {
        let settings = json!({
            "*/*": setting(Some(1.0), Some(3)),
            "~1pets~1{id}/POST": setting(Some(1.0), Some(5)),
            "pets/{id}/GET": setting(Some(1.0), Some(0)),
        });
        let throttles = method_throttles(&snapshot(), &stage(settings), None);
        assert_eq!(burst(&throttles, "r0", "GET"), Some(3));
        assert_eq!(burst(&throttles, "r0", "POST"), None);
        assert_eq!(burst(&throttles, "r1", "POST"), Some(5));
        assert_eq!(burst(&throttles, "r1", "GET"), Some(0));
        assert_eq!(burst(&throttles, "r1", "DELETE"), Some(3));
    }

    #[test]
    fn nothing_set_is_nothing_to_ask() {
        let settings = json!({"*/*": setting(None, None)});
        assert!(method_throttles(&snapshot(), &stage(settings), None).is_empty());
    }

    #[test]
    fn what_was_counted_stays_counted_unless_the_limit_changes() {
        let settings = json!({"~1/GET": setting(Some(0.5), Some(2))});
        let first = method_throttles(&snapshot(), &stage(settings.clone()), None);
        assert_eq!(burst(&first, "r0", "GET"), Some(2));
        let again = method_throttles(&snapshot(), &stage(settings), Some(&first));
        assert_eq!(burst(&again, "r0", "GET"), Some(0));
        let wider = json!({"~1/GET": setting(Some(0.5), Some(4))});
        assert_eq!(burst(&method_throttles(&snapshot(), &stage(wider), Some(&first)), "r0", "GET"), Some(4));
    }
}
