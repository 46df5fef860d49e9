//! The execution log of a deployed stage: what a request's log keeps, and its way to CloudWatch Logs.

use base::seams::LogLine;

use super::execution::ExecutionLog;
use crate::exchange::Exchange;
use crate::route::Routed;
use crate::settings::Settings;

/// The log of a request to a stage that keeps any, if someone takes it. It keeps nothing before [`begin`].
pub fn open(settings: &Settings, plan: &plan::StagePlan) -> Option<Box<ExecutionLog>> {
    let keeps = plan.execution_logs.is_some() && settings.logs.is_some();
    keeps.then(|| Box::new(ExecutionLog::new(settings.clock.clone(), None)))
}

/// Begins with what is known before a method's phases. An answer that streams has no log.
#[cold]
pub fn begin(log: &ExecutionLog, exchange: &Exchange, routed: &Routed<'_>) {
    let Some(logs) = &exchange.plan.execution_logs else { return };
    let detail = logs.get(&routed.resource.id, routed.verb.as_str());
    log.keep(detail.filter(|_| !routed.method.integration.streams));
    let (id, plan) = (exchange.ids.request_id(), &exchange.plan);
    let stage = format!("{}/{}", plan.api.id, plan.stage);
    log.value("Extended Request Id", exchange.ids.extended_request_id());
    log.write(format!("Verifying Usage Plan for request: {id}. API Key:  API Stage: {stage}"));
    log.write(format!(
        "API Key  authorized because method '{} {}' does not require API Key. Request will not contribute to throttle or \
         quota limits",
        routed.verb, routed.resource.path
    ));
    log.write(format!("Usage Plan check succeeded for API Key  and API Stage {stage}"));
}

/// Ends with how the request ended, and hands the lines over. Why it failed has been told before.
#[cold]
pub fn finish(settings: &Settings, exchange: &Exchange, status: u16) {
    let (Some(log), Some(logs)) = (&exchange.execution_log, &exchange.plan.execution_logs) else { return };
    if !log.is_kept() {
        return;
    }
    log.completed(status);
    if let Some(id) = exchange.noted.as_ref().and_then(|noted| noted.request_id()) {
        log.value("AWS Integration Endpoint RequestId ", id);
    }
    let Some(sink) = &settings.logs else { return };
    for line in log.take_lines() {
        let text = format!("({}) {}", exchange.ids.request_id(), line.text);
        sink.write(&logs.group_arn, Some(&logs.stream), LogLine { at: line.at, text });
    }
}
