//! Any text as a mapping template, rendered within tight limits: no panic, no hang, no output beyond the limit.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use templates::vtl::{Limits, Overrides, ParamLists, Scope, Template};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // What follows a NUL is the payload.
    let (source, body) = text.split_once('\0').unwrap_or((text, r#"{"a":[1,{"k":"v"}],"s":"text"}"#));
    let Ok(template) = Template::parse(source) else { return };
    let params = ParamLists { path: vec![("id".into(), "1".into())], ..ParamLists::default() };
    let stage_variables = BTreeMap::new();
    let context = serde_json::json!({ "requestId": "r", "identity": { "sourceIp": "192.0.2.1" } });
    let scope =
        Scope { body, params: &params, context: &context, stage_variables: &stage_variables, overrides: Overrides::default() };
    let limits = Limits { steps: 50_000, output_bytes: 200_000, value_bytes: 2_000_000, ..Limits::default() };
    if let Ok(rendered) = template.render(&scope, &limits) {
        assert!(rendered.text.len() <= limits.output_bytes);
    }
});
