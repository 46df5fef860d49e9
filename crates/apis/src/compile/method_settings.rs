//! Which setting of a stage holds for which method.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::ids::random_bytes;
use plan::{ExecutionLogs, LogDetail};
use store::Scope;

use super::throttles::method_of;
use crate::rows::{LoggingLevel, MethodSetting, Resource, Snapshot, Stage};

/// The verbs that an `ANY` method serves.
const ANY_VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Each verb of each resource that a method serves, with the setting that holds for it, if there is one.
pub(super) fn settings<'s>(
    snapshot: &'s Snapshot,
    stage: &'s Stage,
) -> Vec<(&'s Resource, &'s str, &'s MethodSetting)> {
    let settings: BTreeMap<(String, &str), &MethodSetting> =
        stage.method_settings.iter().filter_map(|(key, setting)| Some((method_of(key)?, setting))).collect();
    let mut found = Vec::new();
    for resource in &snapshot.resources {
        let path = resource.path.trim_start_matches('/');
        let served = resource.methods.keys().flat_map(|method| match method.as_str() {
            "ANY" => ANY_VERBS.iter().filter(|verb| !resource.methods.contains_key(**verb)).copied().collect(),
            verb => vec![verb],
        });
        for verb in served {
            let places = [(path, verb), (path, "ANY"), (path, "*"), ("*", verb), ("*", "*")];
            let setting = places.iter().find_map(|(path, verb)| settings.get(&((*path).to_owned(), *verb)));
            found.extend(setting.map(|setting| (resource, verb, *setting)));
        }
    }
    found
}

/// What the stage logs of the way of its requests, if it does of any.
pub(super) fn execution_logs(scope: &Scope, snapshot: &Snapshot, stage: &Stage) -> Option<Box<ExecutionLogs>> {
    if stage.method_settings.values().all(|setting| setting.logging_level.is_none()) {
        return None;
    }
    let group_arn = format!(
        "arn:aws:logs:{}:{}:log-group:API-Gateway-Execution-Logs_{}/{}",
        scope.region, scope.account, stage.api, stage.name
    );
    let stream: String = random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut logs = ExecutionLogs::new(group_arn.into(), Arc::from(stream));
    for (resource, verb, setting) in settings(snapshot, stage) {
        let detail = match (setting.logging_level, setting.data_trace) {
            (None, _) => continue,
            (Some(LoggingLevel::Error), _) => LogDetail::Failures,
            (Some(LoggingLevel::Info), false) => LogDetail::Outline,
            (Some(LoggingLevel::Info), true) => LogDetail::Everything,
        };
        logs.insert(&resource.id, verb, detail);
    }
    (!logs.is_empty()).then(|| Box::new(logs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn methods_log_as_the_setting_says_that_holds_for_them() {
        let method = json!({"authorization_type": "NONE"});
        let snapshot: Snapshot = serde_json::from_value(json!({
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
        .unwrap();
        let stage = |settings: &[(&str, Option<LoggingLevel>, bool)]| {
            let setting = |(key, logging_level, data_trace): &(&str, _, _)| {
                let whole = MethodSetting {
                    logging_level: *logging_level,
                    data_trace: *data_trace,
                    ..MethodSetting::default()
                };
                ((*key).to_owned(), serde_json::to_value(whole).unwrap())
            };
            let settings: serde_json::Map<_, _> = settings.iter().map(setting).collect();
            let stage = json!({
                "api": "a", "name": "dev", "deployment_id": "d", "created": 0, "last_updated": 0,
                "method_settings": settings,
            });
            serde_json::from_value::<Stage>(stage).unwrap()
        };
        let scope = Scope::new("000000000000", "us-east-1");
        let info = Some(LoggingLevel::Info);
        let mixed = stage(&[
            ("*/*", Some(LoggingLevel::Error), true),
            ("pets/{id}/GET", info, true),
            ("~1pets~1{id}/POST", info, false),
            ("pets/{id}/PUT", None, true),
        ]);
        let logs = execution_logs(&scope, &snapshot, &mixed).unwrap();
        assert_eq!(&*logs.group_arn, "arn:aws:logs:us-east-1:000000000000:log-group:API-Gateway-Execution-Logs_a/dev");
        assert_eq!(logs.stream.len(), 32);
        let details = [("r0", "GET"), ("r1", "GET"), ("r1", "POST"), ("r1", "PUT"), ("r1", "HEAD"), ("r0", "POST")];
        assert_eq!(
            details.map(|(resource, verb)| logs.get(resource, verb)),
            [
                Some(LogDetail::Failures),
                Some(LogDetail::Everything),
                Some(LogDetail::Outline),
                None,
                Some(LogDetail::Failures),
                None
            ]
        );
        assert!(execution_logs(&scope, &snapshot, &stage(&[("*/*", None, true)])).is_none());
        assert!(execution_logs(&scope, &snapshot, &stage(&[("other/GET", info, true)])).is_none());
    }
}
