//! Codecs on a small service of our own, which has what the mounted ones lack: JSON 1.1, maps in XML and headers,
//! flattened lists, every format of an instant; and that no bytes make a decoder panic.

use base::shape::Kind;
use base::shape::{
    ErrorModel, List, Location, Map as MapShape, Member, OperationModel, PathStyle, Protocol, Range, RealRange,
    Service, Shape, Structure, Text, TimestampFormat,
};
use http::{HeaderMap, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dispatch::ErrorFormat;
use crate::service::Output;

static TEXT: Shape = Shape {
    name: "Text",
    sensitive: false,
    kind: Kind::String(Text { length: Range::ANY, pattern: None, enumeration: &[] }),
};
static NUMBER: Shape =
    Shape { name: "Number", sensitive: false, kind: Kind::Integer(Range { min: Some(0), max: None }) };
static REAL: Shape = Shape { name: "Real", sensitive: false, kind: Kind::Double(RealRange { min: None, max: None }) };
static FLAG: Shape = Shape { name: "Flag", sensitive: false, kind: Kind::Boolean };
static INSTANT: Shape = Shape { name: "Instant", sensitive: false, kind: Kind::Timestamp(None) };
static BYTES: Shape = Shape { name: "Bytes", sensitive: false, kind: Kind::Blob(Range { min: None, max: Some(6) }) };
static ANYTHING: Shape = Shape { name: "Anything", sensitive: false, kind: Kind::Document };
static TEXTS: Shape = Shape {
    name: "Texts",
    sensitive: false,
    kind: Kind::List(List { member: &TEXT, member_name: "member", flattened: false, length: Range::ANY }),
};
static FLAT: Shape = Shape {
    name: "Flat",
    sensitive: false,
    kind: Kind::List(List { member: &NUMBER, member_name: "member", flattened: true, length: Range::ANY }),
};
static LABELS: Shape = Shape {
    name: "Labels",
    sensitive: false,
    kind: Kind::Map(MapShape {
        key: &TEXT,
        value: &NUMBER,
        key_name: "key",
        value_name: "value",
        flattened: false,
        nullable_values: false,
        length: Range::ANY,
    }),
};
static FLAT_LABELS: Shape = Shape {
    name: "FlatLabels",
    sensitive: false,
    kind: Kind::Map(MapShape {
        key: &TEXT,
        value: &TEXT,
        key_name: "Name",
        value_name: "Value",
        flattened: true,
        nullable_values: false,
        length: Range::ANY,
    }),
};

const fn member(name: &'static str, wire_name: &'static str, location: Location, shape: &'static Shape) -> Member {
    Member { name, wire_name, location, shape, required: false, timestamp_format: None }
}

/// A note may hold notes: tables are recursive, decoding is bounded.
static NOTE: Shape = Shape {
    name: "Note",
    sensitive: false,
    kind: Kind::Structure(Structure {
        members: &[
            member("Title", "title", Location::Body, &TEXT),
            member("Count", "Count", Location::Body, &NUMBER),
            member("Weight", "Weight", Location::Body, &REAL),
            member("Done", "Done", Location::Body, &FLAG),
            member("At", "At", Location::Body, &INSTANT),
            member("Content", "Content", Location::Body, &BYTES),
            member("Words", "Words", Location::Body, &TEXTS),
            member("Marks", "Marks", Location::Body, &FLAT),
            member("Labels", "Labels", Location::Body, &LABELS),
            member("Attributes", "Attribute", Location::Body, &FLAT_LABELS),
            member("Inner", "Inner", Location::Body, &NOTE),
            member("Extra", "Extra", Location::Body, &ANYTHING),
        ],
        payload: None,
    }),
};

static REST_NOTE: Shape = Shape {
    name: "RestNote",
    sensitive: false,
    kind: Kind::Structure(Structure {
        members: &[
            member("Name", "name", Location::Uri, &TEXT),
            member("Since", "since", Location::Query, &INSTANT),
            member("All", "all", Location::Query, &FLAG),
            member("Rest", "rest", Location::Query, &FLAT_LABELS),
            member("Kinds", "X-Kinds", Location::Header, &TEXTS),
            member("Modified", "Last-Modified", Location::Header, &INSTANT),
            member("Meta", "X-Meta-", Location::Headers, &FLAT_LABELS),
            member("Note", "Note", Location::Body, &NOTE),
        ],
        payload: Some("Note"),
    }),
};

static TEXT_PAYLOAD: Shape = Shape {
    name: "TextPayload",
    sensitive: false,
    kind: Kind::Structure(Structure {
        members: &[member("Body", "Body", Location::Body, &TEXT)],
        payload: Some("Body"),
    }),
};

const fn operation(
    name: &'static str,
    method: &'static str,
    uri: &'static str,
    shape: &'static Shape,
) -> OperationModel {
    OperationModel {
        name,
        method,
        uri,
        status: 200,
        implemented: true,
        input: Some(shape),
        output: Some(shape),
        result_wrapper: Some("NoteResult"),
        errors: &[],
    }
}

static PUT_NOTE: OperationModel = operation("PutNote", "POST", "/", &NOTE);
static PUT_REST_NOTE: OperationModel = operation("PutRestNote", "PUT", "/notes/{name+}", &REST_NOTE);
static PUT_TEXT: OperationModel = operation("PutText", "PUT", "/text", &TEXT_PAYLOAD);

/// A service of the JSON 1.1 protocol.
pub(crate) static NOTES: Service = Service {
    name: "notes",
    signing_name: "notes",
    version: "2026-01-01",
    protocol: Protocol::Json11,
    target_prefix: Some("Notes_20260101"),
    xml_namespace: None,
    path_style: PathStyle::Bare,
    elements_not_null: false,
    operations: &[&PUT_NOTE, &PUT_REST_NOTE, &PUT_TEXT],
};

fn service(protocol: Protocol) -> Service {
    Service { protocol, ..NOTES }
}

fn full_note() -> Value {
    json!({
        "Title": "a<b", "Count": 3, "Weight": 0.5, "Done": true, "At": 1_700_000_000.25, "Content": "Zm9v",
        "Words": ["x", "", "ä"], "Marks": [1, 2], "Labels": {"b": 1, "a": 2}, "Attributes": {"k": "v"},
        "Inner": {"Title": "inner"},
    })
}

fn decoded(service: &Service, request: http::request::Builder, body: &str) -> Result<Value, ApiError> {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    decode(service, &PUT_NOTE, Vec::new(), &parts, Bytes::from(body.to_string())).map(|input| input.members)
}

fn encoded(service: &Service, operation: &OperationModel, members: Value) -> http::Response<Bytes> {
    let output = Output { members, payload: None, headers: HeaderMap::new(), events: None };
    encode::success(service, operation, output, "id").unwrap()
}

#[test]
fn json_round_trips() {
    for protocol in [Protocol::Json10, Protocol::Json11, Protocol::RestJson] {
        let service = service(protocol);
        let answer = encoded(&service, &PUT_NOTE, full_note());
        let body = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(body.contains("\"title\":\"a<b\"") && body.contains("\"At\":1700000000.25"), "{body}");
        let content_type = match protocol {
            Protocol::Json10 => "application/x-amz-json-1.0",
            Protocol::Json11 => "application/x-amz-json-1.1",
            _ => "application/json",
        };
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(decoded(&service, Request::post("/"), &body).unwrap(), full_note());
    }
}

#[test]
fn documents_stay_as_they_are_and_instants_have_many_spellings() {
    let members = |body: &str| decoded(&NOTES, Request::post("/"), body).unwrap();
    assert_eq!(members(r#"{"Extra":{"a":[1,null,{"b":1.5}]}}"#), json!({"Extra": {"a": [1, null, {"b": 1.5}]}}));
    for at in [
        "1700000000",
        "1700000000.0",
        "\"2023-11-14T22:13:20Z\"",
        "\"Tue, 14 Nov 2023 22:13:20 GMT\"",
        "\"1700000000\"",
    ] {
        let given = members(&format!("{{\"At\":{at}}}"));
        assert_eq!(given["At"].as_f64(), Some(1_700_000_000.0), "{at}");
    }
    let refused = decoded(&NOTES, Request::post("/"), r#"{"At":"soon"}"#).unwrap_err();
    assert_eq!(refused.message(), "class java.lang.String can not be converted to an Date");
}

#[test]
fn the_query_protocol_reads_lists_maps_and_structures() {
    let service = service(Protocol::Query);
    let form = "title=a%3Cb&Count=3&Weight=0.5&Done=TRUE&At=2023-11-14T22%3A13%3A20.250Z&Content=Zm9v\
                &Words.member.1=x&Words.member.2=&Words.member.3=%C3%A4&Marks.1=1&Marks.2=2\
                &Labels.entry.1.key=b&Labels.entry.1.value=1&Labels.entry.2.key=a&Labels.entry.2.value=2\
                &Attribute.1.Name=k&Attribute.1.Value=v&Inner.title=inner";
    let request = || Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(decoded(&service, request(), form).unwrap(), full_note());
    let uri = format!("/?{form}");
    assert_eq!(decoded(&service, Request::get(uri.as_str()), "").unwrap(), full_note());
    assert_eq!(decoded(&service, request(), "Words=&Labels=").unwrap(), json!({"Words": [], "Labels": {}}));
    assert_eq!(
        decoded(&service, request(), "Words.member=x&Words.member.x=1&Words.2=3").unwrap(),
        json!({"Words": []})
    );
}

#[test]
fn the_query_protocol_writes_xml() {
    let service = Service { xml_namespace: Some("urn:notes"), ..service(Protocol::Query) };
    let answer = encoded(&service, &PUT_NOTE, full_note());
    assert_eq!(
        std::str::from_utf8(answer.body()).unwrap(),
        "<PutNoteResponse xmlns=\"urn:notes\"><NoteResult><title>a&lt;b</title><Count>3</Count><Weight>0.5</Weight>\
         <Done>true</Done><At>2023-11-14T22:13:20.250Z</At><Content>Zm9v</Content>\
         <Words><member>x</member><member></member><member>ä</member></Words><Marks>1</Marks><Marks>2</Marks>\
         <Labels><entry><key>b</key><value>1</value></entry><entry><key>a</key><value>2</value></entry></Labels>\
         <Attribute><Name>k</Name><Value>v</Value></Attribute><Inner><title>inner</title></Inner></NoteResult>\
         <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></PutNoteResponse>"
    );
}

#[test]
fn rest_members_travel_where_the_model_says() {
    let service = service(Protocol::RestJson);
    let request = Request::put("/notes/a/b?since=2023-11-14T22:13:20Z&all=true&x=1&y=2")
        .header("x-kinds", "one, two")
        .header("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT")
        .header("x-meta-color", "red");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let labels = vec![("name", "a/b".to_string())];
    let body = Bytes::from_static(b"{\"title\":\"t\"}");
    let members = decode(&service, &PUT_REST_NOTE, labels, &parts, body).unwrap().members;
    let expected = json!({
        "Name": "a/b", "Since": 1_700_000_000.0, "All": true, "Rest": {"x": "1", "y": "2"}, "Kinds": ["one", "two"],
        "Modified": 1_700_000_000.0, "Meta": {"color": "red"}, "Note": {"Title": "t"},
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&members[name], value);
    }

    let output = json!({"Modified": 1_700_000_000, "Meta": {"color": "red"}, "Note": {"Title": "t"}});
    let answer = encoded(&service, &PUT_REST_NOTE, output);
    assert_eq!(answer.headers()["last-modified"], "Tue, 14 Nov 2023 22:13:20 GMT");
    assert_eq!(answer.headers()["x-meta-color"], "red");
    assert_eq!(answer.body(), &Bytes::from_static(b"{\"title\":\"t\"}"));
    let answer = encoded(&service, &PUT_TEXT, json!({"Body": "plain"}));
    assert_eq!(answer.body(), &Bytes::from_static(b"plain"));
}

#[test]
fn a_header_that_cannot_be_sent_is_our_failure() {
    let output =
        Output { members: json!({"Meta": {"a": "b\nc"}}), payload: None, headers: HeaderMap::new(), events: None };
    let refused = encode::success(&service(Protocol::RestJson), &PUT_REST_NOTE, output, "id").unwrap_err();
    assert_eq!((refused.code(), refused.status().as_u16()), ("InternalFailure", 500));
}

#[test]
fn errors_speak_every_protocol() {
    static MODEL: ErrorModel =
        ErrorModel { code: "NoNote", status: 404, message_member: "Message", has_type: true, fault: false };
    let error = ApiError::new(&MODEL, "no <note>").with_member("resource", "n");
    let body = |format| {
        let answer = encode::error(&error, format, Some("urn:notes"), "id");
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["x-amzn-requestid"], "id");
        answer.into_body()
    };
    let text = |format| String::from_utf8(body(format).to_vec()).unwrap();
    assert_eq!(text(ErrorFormat::RestJson), r#"{"Type":"User","resource":"n","Message":"no <note>"}"#);
    assert_eq!(text(ErrorFormat::Json11), r#"{"__type":"NoNote","Type":"User","resource":"n","Message":"no <note>"}"#);
    assert_eq!(
        text(ErrorFormat::Query),
        "<ErrorResponse xmlns=\"urn:notes\"><Error><Type>Sender</Type><Code>NoNote</Code>\
         <Message>no &lt;note&gt;</Message></Error><RequestId>id</RequestId></ErrorResponse>"
    );
    assert_eq!(
        text(ErrorFormat::RestXml),
        "<Error><Code>NoNote</Code><Message>no &lt;note&gt;</Message><RequestId>id</RequestId></Error>"
    );
    assert_eq!(&body(ErrorFormat::Cbor)[..], b"\xa2\x78\x06__type\x78\x06NoNote\x78\x07message\x78\x09no <note>");
}

#[test]
fn instants_are_written_in_every_format() {
    use TimestampFormat::{Iso8601, Rfc822, UnixTimestamp};
    for (seconds, format, expected) in [
        (0.0, Iso8601, "1970-01-01T00:00:00Z"),
        (1_700_000_000.5, Iso8601, "2023-11-14T22:13:20.500Z"),
        (1_700_000_000.0, Rfc822, "Tue, 14 Nov 2023 22:13:20 GMT"),
        (1_700_000_000.0, UnixTimestamp, "1700000000"),
        (1.5, UnixTimestamp, "1.5"),
        (1e300, Iso8601, "1e+300"),
    ] {
        assert_eq!(scalar::write_instant(seconds, format), expected);
    }
}

#[test]
fn a_body_of_too_many_values_is_refused_without_reading_on() {
    let body = format!("{{\"Words\":[{}\"\"]}}", "\"\",".repeat(600_000));
    let refused = decoded(&NOTES, Request::post("/"), &body).unwrap_err();
    assert_eq!(refused.code(), "SerializationException");
    let skipped = format!("{{\"nothing\":[{}0]}}", "0,".repeat(600_000));
    assert_eq!(decoded(&NOTES, Request::post("/"), &skipped).unwrap(), json!({}));
}

#[test]
fn recursion_is_bounded() {
    let body = "{\"Inner\":".repeat(100_000);
    assert_eq!(decoded(&NOTES, Request::post("/"), &body).unwrap_err().code(), "SerializationException");
    let form = format!("{}title=x", "Inner.".repeat(100));
    let request = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(decoded(&service(Protocol::Query), request, &form).unwrap_err().code(), "MalformedInput");
}

/// JSON that often has the right keys, with values of any type.
fn json_like() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::from("2023-11-14T22:13:20Z")),
        Just(Value::from("Zm9v")),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "title",
            "Count",
            "Weight",
            "Done",
            "At",
            "Content",
            "Words",
            "Marks",
            "Labels",
            "Attribute",
            "Inner",
            "Extra"
        ])
        .prop_map(String::from),
        ".{0,4}",
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_the_decoder_panic(value in json_like()) {
        let body = value.to_string();
        if let Ok(members) = decoded(&NOTES, Request::post("/"), &body) {
            // What was accepted can be validated and encoded in every protocol.
            let _ = crate::validate::validate(&NOTES, &PUT_NOTE, &members);
            encoded(&NOTES, &PUT_NOTE, members.clone());
            encoded(&service(Protocol::Query), &PUT_NOTE, members);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = json::decode(&body, &NOTE);
        let _ = query::decode_form(&body, &NOTE);
    }

    #[test]
    fn no_form_makes_the_decoder_panic(form in "((Words|Labels|Inner|Attribute|Marks|At|title)(\\.(member|entry|1|2|key|value|Name|99999999999))*=[a-z0-9%+]{0,5}&?){0,8}") {
        let _ = query::decode_form(form.as_bytes(), &NOTE);
    }

    #[test]
    fn instants_never_panic(seconds in any::<f64>(), text in ".{0,40}") {
        for format in [TimestampFormat::UnixTimestamp, TimestampFormat::Iso8601, TimestampFormat::Rfc822] {
            scalar::write_instant(seconds, format);
        }
        let _ = scalar::parse_instant(&text);
    }
}
