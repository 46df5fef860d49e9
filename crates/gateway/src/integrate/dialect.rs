//! What stands in for AWS's services answers the query protocol in XML alone, and that of services which AWS still lets
//! speak it not at all. AWS's own services answer in JSON where the request accepts it, and an API's templates count on
//! that. So such answers are said anew here, as AWS words them.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::service::{AnswerAs, ServiceReply};

/// Elements inside one another that are read; no answer of AWS is deeper.
const DEEPEST: usize = 64;

/// Lists of SQS by the element that holds them: the name in XML, where each item stands alone, and in JSON.
const SQS_LISTS: &[(&str, &str, &str)] = &[
    ("ReceiveMessageResult", "Message", "messages"),
    ("ListQueuesResult", "QueueUrl", "queueUrls"),
    ("GetQueueAttributesResult", "Attribute", "Attributes"),
    ("Message", "Attribute", "Attributes"),
    ("Message", "MessageAttribute", "MessageAttributes"),
    ("SendMessageBatchResult", "SendMessageBatchResultEntry", "Successful"),
    ("SendMessageBatchResult", "BatchResultErrorEntry", "Failed"),
];

/// Members that JSON has as null where the service has nothing to say.
const NULLS: &[(&str, &[&str])] = &[
    ("SendMessageResult", &["MD5OfMessageAttributes", "MD5OfMessageSystemAttributes", "SequenceNumber"]),
    ("ReceiveMessageResult", &["messages"]),
    ("PublishResult", &["SequenceNumber"]),
    ("Parameter", &["Selector", "SourceResult"]),
];

/// Says an answer anew, if it is what was expected.
pub(super) fn translate(answer_as: &AnswerAs, reply: &mut ServiceReply) {
    let translated = match answer_as {
        AnswerAs::Itself => None,
        AnswerAs::Json => from_xml(&reply.body).map(|json| (json.to_string(), "application/json")),
        AnswerAs::WrappedJson(action) => wrapped(action, reply).map(|json| (json.to_string(), "application/json")),
        AnswerAs::WrappedXml(action) => wrapped(action, reply).map(|json| (to_xml(&json), "text/xml")),
    };
    if let Some((text, content_type)) = translated {
        reply.body = Bytes::from(text);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply.headers.remove(CONTENT_LENGTH);
    }
}

/// An answer of a JSON service in the form of the query protocol.
fn wrapped(action: &str, reply: &ServiceReply) -> Option<Value> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&reply.body) else { return None };
    let request_id = reply.headers.get("x-amzn-requestid").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let request_id = request_id.unwrap_or_else(base::ids::uuid);
    let mut whole = Map::new();
    if reply.status.is_success() {
        let mut result = Value::Object(members);
        add_nulls(&mut result);
        let mut answer = Map::new();
        answer.insert(format!("{action}Result"), result);
        answer.insert("ResponseMetadata".into(), serde_json::json!({ "RequestId": request_id }));
        whole.insert(format!("{action}Response"), answer.into());
    } else {
        let code = members.get("__type").and_then(Value::as_str).unwrap_or("InternalFailure");
        let code = code.rsplit('#').next().unwrap_or(code).to_owned();
        let message = members.remove("message").or_else(|| members.remove("Message")).unwrap_or_default();
        let side = if reply.status.is_client_error() { "Sender" } else { "Receiver" };
        whole.insert("Error".into(), serde_json::json!({ "Code": code, "Message": message, "Type": side }));
        whole.insert("RequestId".into(), request_id.into());
    }
    let mut whole = Value::Object(whole);
    whole.sort_all_objects();
    Some(whole)
}

/// Adds the members that are null, wherever a structure has a name that has some.
fn add_nulls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(add_nulls),
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.strip_suffix('s').unwrap_or(name);
                if let Value::Array(items) = member {
                    items.iter_mut().for_each(|item| add_nulls_of(name, item));
                } else {
                    add_nulls_of(name, member);
                }
                add_nulls(member);
            }
        }
        _ => {}
    }
}

fn add_nulls_of(name: &str, value: &mut Value) {
    let nulls = NULLS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, nulls)| nulls);
    if let Value::Object(members) = value {
        for null in nulls {
            members.entry(*null).or_insert(Value::Null);
        }
    }
}

/// The JSON of an XML answer of the query protocol; `None` for what is not one.
fn from_xml(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.trim_start().starts_with('<') {
        return None;
    }
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                let value = element(&mut reader, &name, 0)?;
                // An error stands without its name around it.
                let mut whole =
                    if name == "ErrorResponse" { value } else { Value::Object(Map::from_iter([(name, value)])) };
                whole.sort_all_objects();
                return Some(whole);
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Reads an element whose start has been read, to its end: text, or a structure, or a list of `member`s, or a map of
/// `entry`s.
fn element(reader: &mut Reader<&[u8]>, name: &str, depth: usize) -> Option<Value> {
    let mut text = String::new();
    let mut children: Vec<(String, Value)> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if depth < DEEPEST => {
                let child = start.local_name().as_ref().to_owned();
                let value = element(reader, &child, depth + 1)?;
                children.push((child, value));
            }
            Event::Empty(start) => {
                let child = start.local_name().as_ref().to_owned();
                let value = empty(&child);
                children.push((child, value));
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::CData(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(reference) => text.push(character(&reference)?),
            Event::End(_) => break,
            Event::Start(_) | Event::Eof => return None,
            _ => {}
        }
    }
    Some(match children.first().map(|(name, _)| name.as_str()) {
        None if text.is_empty() => empty(name),
        None => Value::String(text),
        Some("member") => children.into_iter().map(|(_, value)| value).collect(),
        Some("entry") => map(children)?,
        Some(_) => structure(name, children),
    })
}

/// An element with nothing in it: null, unless it is known for a structure.
fn empty(name: &str) -> Value {
    if NULLS.iter().any(|(known, _)| *known == name) { structure(name, Vec::new()) } else { Value::Null }
}

/// What `&amp;`, `&#10;` and the like stand for; nothing else is defined in answers.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character);
    }
    Some(match &**reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// `<entry><key/><value/></entry>`, several times.
fn map(children: Vec<(String, Value)>) -> Option<Value> {
    let entry = |value: Value| {
        let Value::Object(mut entry) = value else { return None };
        let Some(Value::String(key)) = entry.remove("key") else { return None };
        Some((key, entry.remove("value").unwrap_or_default()))
    };
    children.into_iter().map(|(_, value)| entry(value)).collect::<Option<Map<String, Value>>>().map(Value::Object)
}

/// A structure; a name that comes several times is a list, and so are those that are lists on AWS.
fn structure(name: &str, children: Vec<(String, Value)>) -> Value {
    let mut members = Map::new();
    for (child, value) in children {
        let list = SQS_LISTS.iter().find(|(parent, item, _)| *parent == name && *item == child);
        if let Some((_, _, list)) = list {
            match members.entry(*list).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(items) => items.push(value),
                other => *other = value,
            }
            continue;
        }
        match members.remove(&child) {
            None => drop(members.insert(child, value)),
            Some(Value::Array(mut items)) => {
                items.push(value);
                members.insert(child, items.into());
            }
            Some(first) => drop(members.insert(child, vec![first, value].into())),
        }
    }
    let mut value = Value::Object(members);
    add_nulls_of(name, &mut value);
    value
}

/// XML of an answer in JSON: members that are null are left out, lists have `member`s.
fn to_xml(value: &Value) -> String {
    let mut text = String::new();
    let is_error = value.get("Error").is_some();
    if is_error {
        text.push_str("<ErrorResponse>");
    }
    push_xml(&mut text, value);
    if is_error {
        text.push_str("</ErrorResponse>");
    }
    text
}

fn push_xml(text: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                push_element(text, name, member);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| push_element(text, "member", item)),
        Value::String(string) => text.push_str(&quick_xml::escape::escape(string.as_str())),
        other => text.push_str(&other.to_string()),
    }
}

fn push_element(text: &mut String, name: &str, value: &Value) {
    text.push('<');
    text.push_str(name);
    text.push('>');
    push_xml(text, value);
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn translated(answer_as: &AnswerAs, status: u16, body: &str) -> String {
        let mut reply = ServiceReply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([("x-amzn-requestid".parse().unwrap(), "id".parse().unwrap())]),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        translate(answer_as, &mut reply);
        String::from_utf8(reply.body.to_vec()).unwrap()
    }

    fn check(xml: &str, expected: Value) {
        assert_eq!(translated(&AnswerAs::Json, 200, xml), expected.to_string());
    }

    #[test]
    fn xml_becomes_the_json_of_aws() {
        check(
            "<?xml version='1.0'?>\n<SendMessageResponse xmlns='http://queue.amazonaws.com/doc/2012-11-05/'>\n \
             <SendMessageResult><MessageId>m</MessageId><MD5OfMessageBody>b</MD5OfMessageBody></SendMessageResult>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></SendMessageResponse>",
            json!({"SendMessageResponse": {
                "ResponseMetadata": {"RequestId": "r"},
                "SendMessageResult": {
                    "MD5OfMessageAttributes": null, "MD5OfMessageBody": "b", "MD5OfMessageSystemAttributes": null,
                    "MessageId": "m", "SequenceNumber": null,
                },
            }}),
        );
        check(
            "<ReceiveMessageResponse><ReceiveMessageResult><Message><Body>a &lt;b&gt; &#65;</Body>\
             <Attribute><Name>n</Name><Value>1</Value></Attribute></Message></ReceiveMessageResult></ReceiveMessageResponse>",
            json!({"ReceiveMessageResponse": {"ReceiveMessageResult": {"messages": [
                {"Attributes": [{"Name": "n", "Value": "1"}], "Body": "a <b> A"},
            ]}}}),
        );
        check(
            "<ReceiveMessageResponse><ReceiveMessageResult/></ReceiveMessageResponse>",
            json!({"ReceiveMessageResponse": {"ReceiveMessageResult": {"messages": null}}}),
        );
        check(
            "<R><Topics><member><Arn>a</Arn></member><member><Arn>b</Arn></member></Topics><Attributes><entry>\
             <key>k</key><value>v</value></entry></Attributes><Twice>1</Twice><Twice>2</Twice></R>",
            json!({"R": {"Attributes": {"k": "v"}, "Topics": [{"Arn": "a"}, {"Arn": "b"}], "Twice": ["1", "2"]}}),
        );
        check(
            "<ErrorResponse><Error><Type>Sender</Type><Code>C</Code><Message>M</Message></Error><RequestId>r</RequestId></ErrorResponse>",
            json!({"Error": {"Code": "C", "Message": "M", "Type": "Sender"}, "RequestId": "r"}),
        );
    }

    #[test]
    fn what_is_not_xml_of_the_protocol_stays() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in ["", "{\"a\": 1}", "<a>", "<a><b></a>", "<a>&unknown;</a>", "text", deep.as_str()] {
            assert_eq!(translated(&AnswerAs::Json, 200, text), text);
        }
    }

    #[test]
    fn json_is_wrapped_as_the_query_protocol_has_it() {
        let body = r#"{"Parameter":{"Name":"n","Version":1}}"#;
        assert_eq!(
            translated(&AnswerAs::WrappedJson("GetParameter".into()), 200, body),
            json!({"GetParameterResponse": {
                "GetParameterResult": {"Parameter": {"Name": "n", "Selector": null, "SourceResult": null, "Version": 1}},
                "ResponseMetadata": {"RequestId": "id"},
            }})
            .to_string()
        );
        assert_eq!(
            translated(&AnswerAs::WrappedXml("GetParameter".into()), 200, body),
            "<GetParameterResponse><GetParameterResult><Parameter><Name>n</Name><Version>1</Version></Parameter>\
             </GetParameterResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetParameterResponse>"
        );
        let error = r#"{"__type":"x#ParameterNotFound","message":"no <such>"}"#;
        assert_eq!(
            translated(&AnswerAs::WrappedJson("GetParameter".into()), 400, error),
            json!({"Error": {"Code": "ParameterNotFound", "Message": "no <such>", "Type": "Sender"}, "RequestId": "id"})
                .to_string()
        );
        assert_eq!(
            translated(&AnswerAs::WrappedXml("GetParameter".into()), 400, error),
            "<ErrorResponse><Error><Code>ParameterNotFound</Code><Message>no &lt;such&gt;</Message><Type>Sender</Type>\
             </Error><RequestId>id</RequestId></ErrorResponse>"
        );
    }
}
