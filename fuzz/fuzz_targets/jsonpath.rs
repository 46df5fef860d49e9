//! Any text as a path, and what follows a NUL as the document: no panic, no hang, and JSON that is read and written soundly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use templates::document::Json;
use templates::jsonpath::{Found, JsonPath};

/// Far below what a request may use, so that an input that hits the bound is still quick.
const VISITS: usize = 50_000;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, document) =
        text.split_once('\0').unwrap_or((text, r#"{"a":[1,2.5,{"b":"x","c":[]}],"b":{"a":null},"c":"text"}"#));
    // What serde_json reads, we read; numbers may differ in the last place, because ours are exact.
    let theirs = serde_json::from_str::<serde_json::Value>(document);
    let ours = Json::parse(document);
    if theirs.is_ok() {
        let ours = ours.as_ref().expect("what serde_json reads is JSON");
        Json::parse(&ours.to_string()).expect("what we write is JSON");
    }
    let Ok(path) = JsonPath::parse(path) else { return };
    let fallback = Json::parse(r#"{"a":[1,[2,{"b":"x"}]]}"#).expect("the document is JSON");
    let document = ours.as_ref().unwrap_or(&fallback);
    let mut visits_left = VISITS;
    let found = path.evaluate_within(document, &mut visits_left);
    assert!(visits_left <= VISITS);
    match found {
        Found::Missing => {}
        Found::Value(value) => drop(value.to_string()),
        Found::List(values) => {
            assert!(!path.is_definite(), "a definite path finds one value");
            assert!(values.len() <= VISITS);
        }
    }
});
