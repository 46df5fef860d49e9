//! Deliveries: what has become of an invocation goes to a queue, a topic, a bus or a bucket.

use std::sync::Arc;

use base::arn::Arn;
use base::clock::Moment;
use base::ids;
use base::seams::{ServiceAnswer, ServiceCall};
use bytes::Bytes;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::ending::qualified;
use crate::event_invoke::Target;
use crate::records::{Delivery, QueuedInvocation};
use crate::time::timestamp;

const FORM: &str = "application/x-www-form-urlencoded";

/// The call that delivers `body`; `None` for targets that are not services.
pub(super) fn call_of(
    arn: Arn<'_>,
    target: Target<'_>,
    delivery: &Delivery,
    invocation: &QueuedInvocation,
    body: &str,
    now: Moment,
) -> Option<ServiceCall> {
    let trace = invocation.trace_id.as_deref();
    let (service, method, path, headers, body) = match target {
        Target::Queue(name) => {
            let path = format!("/{}/{name}", arn.account);
            ("sqs", Method::POST, path, vec![("content-type", FORM.to_owned())], send_message(delivery, body, trace))
        }
        Target::Topic => {
            let headers = vec![("content-type", FORM.to_owned())];
            ("sns", Method::POST, "/".to_owned(), headers, publish(delivery, body))
        }
        Target::Bus(name) => {
            let headers = vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", "AWSEvents.PutEvents".to_owned()),
            ];
            ("events", Method::POST, "/".to_owned(), headers, put_events(arn, name, delivery, invocation, body, now))
        }
        Target::Bucket(name) => {
            let path = format!("/{name}/{}", object_key(&invocation.function_arn, now));
            ("s3", Method::PUT, path, vec![("content-type", "application/json".to_owned())], body.to_owned())
        }
        Target::Function => return None,
    };
    let owner = Arn::parse(&invocation.function_arn)?;
    let region = if arn.region.is_empty() { owner.region } else { arn.region };
    let (account, region) = (Arc::from(owner.account), Arc::from(region));
    Some(ServiceCall { service, account, region, method, path, headers, body: Bytes::from(body) })
}

/// Whether a service has taken what it was sent.
///
/// # Errors
/// Why not, and whether it may take it another time.
pub(super) fn acknowledged(target: Target<'_>, answer: &ServiceAnswer) -> Result<(), (String, bool)> {
    let ServiceAnswer { status, body } = answer;
    if !(200..300).contains(status) {
        let text: String = String::from_utf8_lossy(body).chars().take(300).collect();
        return Err((format!("it answered {status}: {text}"), *status == 429 || *status >= 500));
    }
    if let Target::Bus(_) = target {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if body["FailedEntryCount"].as_u64() != Some(0) {
            return Err((format!("it did not take the event: {}", body["Entries"]), true));
        }
    }
    Ok(())
}

/// Adds `name=value` to a form.
fn add(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    form.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
}

/// What a dead letter queue gets beside the event, as attributes of the message under `prefix`.
fn add_attributes(form: &mut String, delivery: &Delivery, prefix: &str) {
    let Some(dead_letter) = &delivery.dead_letter else { return };
    let code = dead_letter.error_code.to_string();
    let attributes = [
        ("RequestID", "String", delivery.request_id.as_str()),
        ("ErrorCode", "Number", code.as_str()),
        ("ErrorMessage", "String", dead_letter.error_message.as_str()),
    ];
    // An attribute without a value is refused.
    for (index, (name, kind, value)) in attributes.into_iter().filter(|(_, _, value)| !value.is_empty()).enumerate() {
        let number = index + 1;
        add(form, &format!("{prefix}.{number}.Name"), name);
        add(form, &format!("{prefix}.{number}.Value.DataType"), kind);
        add(form, &format!("{prefix}.{number}.Value.StringValue"), value);
    }
}

fn send_message(delivery: &Delivery, body: &str, trace: Option<&str>) -> String {
    let mut form = String::from("Action=SendMessage&Version=2012-11-05");
    add(&mut form, "MessageBody", body);
    add_attributes(&mut form, delivery, "MessageAttribute");
    if let Some(trace) = trace {
        add(&mut form, "MessageSystemAttribute.1.Name", "AWSTraceHeader");
        add(&mut form, "MessageSystemAttribute.1.Value.DataType", "String");
        add(&mut form, "MessageSystemAttribute.1.Value.StringValue", trace);
    }
    form
}

fn publish(delivery: &Delivery, body: &str) -> String {
    let mut form = String::from("Action=Publish&Version=2010-03-31");
    add(&mut form, "TopicArn", &delivery.target);
    add(&mut form, "Message", body);
    add_attributes(&mut form, delivery, "MessageAttributes.entry");
    form
}

fn put_events(
    arn: Arn<'_>,
    name: &str,
    delivery: &Delivery,
    invocation: &QueuedInvocation,
    body: &str,
    now: Moment,
) -> String {
    let how = if delivery.succeeded { "Success" } else { "Failure" };
    let function = qualified(&invocation.function_arn);
    let is_own =
        Arn::parse(&invocation.function_arn).is_some_and(|own| (own.account, own.region) == (arn.account, arn.region));
    let entry = json!({
        "Time": now.whole_seconds(),
        "Source": "lambda",
        "DetailType": format!("Lambda Function Invocation Result - {how}"),
        "Resources": [delivery.target, function],
        "Detail": body,
        // A bus of one's own goes by its name, which all that stand in for EventBridge know.
        "EventBusName": if is_own { name } else { &delivery.target },
    });
    json!({ "Entries": [entry] }).to_string()
}

/// `aws/lambda/async/{function}/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-{UUID}`, as AWS names the objects.
fn object_key(function_arn: &str, now: Moment) -> String {
    let function = function_arn.split(':').nth(6).unwrap_or_default();
    let moment = timestamp(now);
    let (day, second) = (moment[..10].replace('-', "/"), moment[..19].replace(':', "."));
    format!("aws/lambda/async/{function}/{day}/{second}-{}", ids::uuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::DeadLetter;

    fn call(target: &str, dead_letter: Option<DeadLetter>) -> ServiceCall {
        let function_arn = "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned();
        let invocation =
            QueuedInvocation { trace_id: Some("Root=1".to_owned()), ..QueuedInvocation::accepted(function_arn, 0) };
        let delivery =
            Delivery { target: target.to_owned(), request_id: "id".to_owned(), succeeded: true, dead_letter };
        let (arn, parsed) = Target::parse(target).unwrap();
        call_of(arn, parsed, &delivery, &invocation, r#"{"a":"1&ä"}"#, Moment(1_767_225_600_000)).unwrap()
    }

    #[test]
    fn queues_get_the_event_and_why() {
        let dead_letter = DeadLetter { error_code: 200, error_message: "no way".to_owned() };
        let call = call("arn:aws:sqs:eu-west-1:111111111111:orders", Some(dead_letter));
        assert_eq!((call.service, &*call.region, &*call.path), ("sqs", "eu-west-1", "/111111111111/orders"));
        assert_eq!(
            call.body,
            concat!(
                "Action=SendMessage&Version=2012-11-05&MessageBody=%7B%22a%22%3A%221%26%C3%A4%22%7D",
                "&MessageAttribute.1.Name=RequestID&MessageAttribute.1.Value.DataType=String",
                "&MessageAttribute.1.Value.StringValue=id",
                "&MessageAttribute.2.Name=ErrorCode&MessageAttribute.2.Value.DataType=Number",
                "&MessageAttribute.2.Value.StringValue=200",
                "&MessageAttribute.3.Name=ErrorMessage&MessageAttribute.3.Value.DataType=String",
                "&MessageAttribute.3.Value.StringValue=no%20way",
                "&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String",
                "&MessageSystemAttribute.1.Value.StringValue=Root%3D1",
            )
        );
    }

    #[test]
    fn buses_get_events_and_buckets_objects() {
        let bus = call("arn:aws:events:us-east-1:000000000000:event-bus/mine", None);
        let body: Value = serde_json::from_slice(&bus.body).unwrap();
        let entry = &body["Entries"][0];
        assert_eq!(entry["DetailType"], "Lambda Function Invocation Result - Success");
        assert_eq!(entry["EventBusName"], "mine");
        assert_eq!(
            entry["Resources"],
            json!([
                "arn:aws:events:us-east-1:000000000000:event-bus/mine",
                "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
            ])
        );
        let bucket = call("arn:aws:s3:::bucket", None);
        let prefix = "/bucket/aws/lambda/async/f/2026/01/01/2026-01-01T00.00.00-";
        assert!(bucket.path.starts_with(prefix) && bucket.path.len() == prefix.len() + 36, "{}", bucket.path);
        assert_eq!((&*bucket.region, &bucket.body[..]), ("us-east-1", r#"{"a":"1&ä"}"#.as_bytes()));
    }

    #[test]
    fn answers_tell_whether_it_was_taken() {
        let answer = |status, body: &'static str| ServiceAnswer { status, body: Bytes::from_static(body.as_bytes()) };
        assert_eq!(acknowledged(Target::Topic, &answer(200, "<x/>")), Ok(()));
        assert!(matches!(acknowledged(Target::Topic, &answer(404, "none")), Err((_, false))));
        assert!(matches!(acknowledged(Target::Topic, &answer(503, "")), Err((_, true))));
        let bus = Target::Bus("b");
        assert_eq!(acknowledged(bus, &answer(200, r#"{"FailedEntryCount":0}"#)), Ok(()));
        assert!(acknowledged(bus, &answer(200, r#"{"FailedEntryCount":1}"#)).is_err());
        assert!(acknowledged(bus, &answer(200, "")).is_err());
    }
}
