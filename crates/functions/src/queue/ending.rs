//! What is told about an asynchronous invocation that is over: the record that destinations get, and what a dead letter
//! queue gets beside the event (sheet of Lambda, section 11).

use base::clock::Moment;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::records::{DeadLetter, LATEST, QueuedInvocation};
use crate::time::timestamp;

/// The longest `ErrorMessage` that a dead letter queue gets.
const ERROR_MESSAGE_BYTES: usize = 1024;

/// Why an invocation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    /// The function may not run at all.
    ZeroReservedConcurrency,
}

/// How the last try ended.
#[derive(Clone, Debug)]
pub(super) struct LastAnswer {
    pub(super) executed_version: String,
    pub(super) failed: bool,
    pub(super) payload: Bytes,
}

/// An invocation that is over.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) condition: Condition,
    /// How often the function was run.
    pub(super) invoke_count: u32,
    /// None when the function was not run the last time.
    pub(super) answer: Option<LastAnswer>,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Condition::Success => "Success",
            Condition::RetriesExhausted => "RetriesExhausted",
            Condition::EventAgeExceeded => "EventAgeExceeded",
            Condition::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// An ARN with a qualifier: `$LATEST` where it has none.
pub(super) fn qualified(function_arn: &str) -> String {
    match function_arn.matches(':').count() {
        ..=6 => format!("{function_arn}:{LATEST}"),
        _ => function_arn.to_owned(),
    }
}

impl Ending {
    /// Whether the function has run and not failed.
    pub(super) fn has_succeeded(&self) -> bool {
        self.condition == Condition::Success
    }

    /// The record of the invocation, JSON. Event and answer stand in it as they were written.
    pub(super) fn record(&self, invocation: &QueuedInvocation, event: &str, now: Moment) -> String {
        let timestamp = timestamp(now);
        let context = json!({
            "requestId": invocation.request_id,
            "functionArn": qualified(&invocation.function_arn),
            "condition": self.condition.name(),
            "approximateInvokeCount": self.invoke_count,
        });
        let event = or_empty(event);
        let mut record = format!(
            r#"{{"version":"1.0","timestamp":"{timestamp}","requestContext":{context},"requestPayload":{event}"#
        );
        if let Some(answer) = &self.answer {
            let mut context = json!({ "statusCode": 200, "executedVersion": answer.executed_version });
            if answer.failed {
                context["functionError"] = "Unhandled".into();
            }
            let payload = as_json(&answer.payload);
            record.push_str(&format!(r#","responseContext":{context},"responsePayload":{payload}"#));
        }
        record.push('}');
        record
    }

    /// What goes with the event to a dead letter queue.
    pub(super) fn dead_letter(&self) -> DeadLetter {
        let Some(answer) = &self.answer else {
            return DeadLetter { error_code: 429, error_message: "Rate Exceeded.".to_owned() };
        };
        let payload: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        let mut error_message = payload["errorMessage"].as_str().unwrap_or_default().to_owned();
        error_message.truncate(error_message.floor_char_boundary(ERROR_MESSAGE_BYTES));
        DeadLetter { error_code: 200, error_message }
    }
}

/// An event that is none at all is an empty object.
pub(super) fn or_empty(event: &str) -> &str {
    if event.trim_ascii().is_empty() { "{}" } else { event }
}

/// An answer as it can stand in a record: what is not JSON (programs of their own may write what they like) is a text.
fn as_json(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => text.to_owned(),
        Ok("") => "null".to_owned(),
        _ => Value::from(String::from_utf8_lossy(payload)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(arn: &str) -> QueuedInvocation {
        let request_id = "8a7b6c5d-0000-4000-8000-000000000001".to_owned();
        QueuedInvocation { request_id, ..QueuedInvocation::accepted(arn.to_owned(), 0) }
    }

    fn answer(payload: &'static str, failed: bool) -> Option<LastAnswer> {
        Some(LastAnswer {
            executed_version: "$LATEST".to_owned(),
            failed,
            payload: Bytes::from_static(payload.as_bytes()),
        })
    }

    /// The records as AWS sent them (recorded November 2025), member by member and in their order.
    #[test]
    fn records_are_those_of_aws() {
        let now = Moment(1_767_225_600_000);
        let of = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let ending = Ending { condition: Condition::Success, invoke_count: 1, answer: answer(r#"{"a": 1.0}"#, false) };
        assert_eq!(
            ending.record(&invocation(of), "", now),
            concat!(
                r#"{"version":"1.0","timestamp":"2026-01-01T00:00:00.000Z","#,
                r#""requestContext":{"requestId":"8a7b6c5d-0000-4000-8000-000000000001","#,
                r#""functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST","#,
                r#""condition":"Success","approximateInvokeCount":1},"requestPayload":{},"#,
                r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":{"a": 1.0}}"#
            )
        );
        let ending = Ending {
            condition: Condition::RetriesExhausted,
            invoke_count: 3,
            answer: answer(r#"{"errorMessage":"no"}"#, true),
        };
        let record = ending.record(&invocation(&format!("{of}:prod")), r#"{"b":2}"#, now);
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["requestContext"]["functionArn"], format!("{of}:prod"));
        assert_eq!(
            record["responseContext"],
            json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"})
        );
        assert_eq!(record["responsePayload"], json!({"errorMessage": "no"}));
        assert_eq!(ending.dead_letter(), DeadLetter { error_code: 200, error_message: "no".to_owned() });
    }

    #[test]
    fn an_event_that_was_never_run_has_no_answer() {
        let ending = Ending { condition: Condition::EventAgeExceeded, invoke_count: 0, answer: None };
        let record = ending.record(&invocation("arn:aws:lambda:us-east-1:000000000000:function:f"), "1", Moment(0));
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["requestPayload"], 1);
        assert!(record.get("responseContext").is_none() && record.get("responsePayload").is_none());
        assert_eq!(ending.dead_letter().error_code, 429);
    }

    #[test]
    fn answers_that_are_no_json_are_texts_and_long_errors_are_cut() {
        for (payload, expected) in
            [(&b"x\"y"[..], r#""x\"y""#), (b"", "null"), (b"[1]", "[1]"), (b"\"\xff\"", "\"\\\"\u{fffd}\\\"\"")]
        {
            assert_eq!(as_json(payload), expected);
        }
        let long = json!({ "errorMessage": format!("{}ä", "x".repeat(1023)) }).to_string();
        let answer = LastAnswer { executed_version: "1".to_owned(), failed: true, payload: long.into() };
        let ending = Ending { condition: Condition::RetriesExhausted, invoke_count: 1, answer: Some(answer) };
        assert_eq!(ending.dead_letter().error_message.len(), 1023);
    }
}
