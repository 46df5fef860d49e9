//! How a function's asynchronous invocations are handled: what EventInvokeConfigs say, and where results may be sent.

use std::time::Duration;

use base::arn::Arn;
use serde::{Deserialize, Serialize};
use store::Record;

/// `MaximumRetryAttempts` where none is set, and the most that may be set.
pub(crate) const RETRIES: u32 = 2;

/// `MaximumEventAgeInSeconds` where none is set: 6 hours, which is the most that may be set.
pub(crate) const EVENT_AGE_SECONDS: u32 = 6 * 60 * 60;

/// An EventInvokeConfig: that of a function, or of one version or alias of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventInvokeRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// The version or alias; `$LATEST` for the function itself.
    pub(crate) qualifier: String,
    /// `MaximumRetryAttempts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retries: Option<u32>,
    /// `MaximumEventAgeInSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event_age_seconds: Option<u32>,
    /// `DestinationConfig.OnSuccess`: an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_success: Option<String>,
    /// `DestinationConfig.OnFailure`: an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_failure: Option<String>,
    /// `LastModified`, milliseconds since 1970.
    pub(crate) last_modified: u64,
}

impl Record for EventInvokeRecord {
    const KIND: &'static str = "function_event_invoke_config";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.function, self.qualifier)
    }
}

/// All that decides what becomes of an event after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handling {
    /// How often a function that has failed is tried again.
    pub(crate) retries: u32,
    /// How old an event may grow.
    pub(crate) event_age: Duration,
    /// Where the record of an invocation that went well goes.
    pub(crate) on_success: Option<String>,
    /// Where the record of one that did not goes.
    pub(crate) on_failure: Option<String>,
    /// Where the event of one that did not goes: the function's dead letter queue.
    pub(crate) dead_letter: Option<String>,
    /// The function has reserved a concurrency of 0: what cannot be run is given up at once.
    pub(crate) is_barred: bool,
}

impl Handling {
    /// As a config and a function say.
    pub(crate) fn of(config: Option<&EventInvokeRecord>, dead_letter: Option<String>) -> Handling {
        let seconds = config.and_then(|config| config.event_age_seconds).unwrap_or(EVENT_AGE_SECONDS);
        Handling {
            retries: config.and_then(|config| config.retries).unwrap_or(RETRIES),
            event_age: Duration::from_secs(u64::from(seconds)),
            on_success: config.and_then(|config| config.on_success.clone()),
            on_failure: config.and_then(|config| config.on_failure.clone()),
            dead_letter,
            is_barred: false,
        }
    }
}

/// What an ARN names that results may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// An SQS queue, by name.
    Queue(&'a str),
    /// An SNS topic.
    Topic,
    /// An EventBridge bus, by name.
    Bus(&'a str),
    /// An S3 bucket, by name.
    Bucket(&'a str),
    /// A function, by its ARN.
    Function,
}

impl<'a> Target<'a> {
    /// Reads an ARN; `None` when it names nothing of the kind. Queues and topics that keep an order take no such messages,
    /// as on AWS.
    pub(crate) fn parse(text: &'a str) -> Option<(Arn<'a>, Target<'a>)> {
        let arn = Arn::parse(text)?;
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', ':', '?', '#', ' ']);
        let unordered = is_name(arn.resource) && !arn.resource.ends_with(".fifo");
        let target = match arn.service {
            "sqs" if unordered => Target::Queue(arn.resource),
            "sns" if unordered => Target::Topic,
            "events" => Target::Bus(arn.resource.strip_prefix("event-bus/").filter(|name| is_name(name))?),
            "s3" if is_name(arn.resource) => Target::Bucket(arn.resource),
            "lambda" if arn.resource.starts_with("function:") => Target::Function,
            _ => return None,
        };
        let is_whole = matches!(target, Target::Bucket(_)) || (!arn.region.is_empty() && !arn.account.is_empty());
        is_whole.then_some((arn, target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_targets() {
        let target = |text| Target::parse(text).map(|(_, target)| target);
        for (text, expected) in [
            ("arn:aws:sqs:us-east-1:000000000000:orders", Some(Target::Queue("orders"))),
            ("arn:aws:sqs:us-east-1:000000000000:orders.fifo", None),
            ("arn:aws:sqs:us-east-1::orders", None),
            ("arn:aws:sns:us-east-1:000000000000:news", Some(Target::Topic)),
            ("arn:aws:sns:us-east-1:000000000000:news:subscription", None),
            ("arn:aws:events:us-east-1:000000000000:event-bus/default", Some(Target::Bus("default"))),
            ("arn:aws:events:us-east-1:000000000000:rule/default", None),
            ("arn:aws:s3:::bucket", Some(Target::Bucket("bucket"))),
            ("arn:aws:s3:::bucket/key", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f:dev", Some(Target::Function)),
            ("arn:aws:lambda:us-east-1:000000000000:layer:f", None),
            ("arn:aws:iam:us-east-1:000000000000:function:f", None),
            ("kafka://topic", None),
        ] {
            assert_eq!(target(text), expected, "{text}");
        }
    }
}
