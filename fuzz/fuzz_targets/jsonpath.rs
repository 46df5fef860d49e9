//! Any text as JSON, a path, a pattern, a mapping expression and a MOCK answer: no panic and no hang.
#![no_main]

use libfuzzer_sys::fuzz_target;
use templates::document::Json;
use templates::java_regex::JavaRegex;
use templates::jsonpath::JsonPath;
use templates::mapping::{Source, Target};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // What serde_json reads, we read; numbers may differ in the last place, because ours are exact.
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        let ours = Json::parse(text).expect("what serde_json reads is JSON");
        let _ = Json::parse(&ours.to_string()).expect("what we write is JSON");
    }
    let document = serde_json::json!({ "a": [1, 2.5, { "b": "x", "c": [] }], "b": { "a": null }, "c": "text" });
    if let Ok(path) = JsonPath::parse(text) {
        let _ = path.evaluate(&document).into_value();
    }
    if let Ok(regex) = JavaRegex::parse(text) {
        let _ = regex.is_full_match("aaaaaaaaaaaaaaaaaaaaaaaa1");
        let _ = regex.replace_all("a1b2", "$0-");
        let _ = regex.split("a,b,,c");
    }
    let _ = (Source::parse_request(text), Source::parse_response(text), Target::parse(text));
    let _ = templates::mock_status::mock_status(text);
});
