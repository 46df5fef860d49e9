//! Any text as the schema of a model, what follows a NUL as the body: no panic and no hang; a body that a model refuses has
//! a reason, and a schema that is checked when it is stored can be used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use templates::document::Json;
use templates::model_template::model_template;
use templates::schema::{Invalid, Library, check_model};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (schema, body) = text.split_once('\0').unwrap_or((text, r#"{"a":[1,"x",{"b":null}]}"#));
    let checked = check_model(schema);
    let library = Library::compile("abc", [("M", schema)], ["M"]);
    let compiled = library.schema("M").expect("it was asked for");
    let _ = model_template("abc", &[("M", schema)].into(), "M");
    let Ok(json) = Json::parse(body) else { return };
    match compiled.validate(&json) {
        Ok(()) => {}
        Err(Invalid::Mismatch(texts)) => assert!(!texts.is_empty(), "a refusal has a reason"),
        Err(Invalid::Unusable(reason)) => {
            assert!(!(checked.is_ok() && reason.starts_with("keyword ")), "what was checked is refused: {reason}");
        }
    }
});
