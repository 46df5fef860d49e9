//! Any text as a mapping template, and what follows a NUL as the payload, rendered within tight limits as a request template
//! and then as a response template: no panic, no hang, no output beyond the limit.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use templates::vtl::{Limits, Overrides, ParamLists, Scope, Template};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (source, body) = text.split_once('\0').unwrap_or((text, r#"{"a":[1,{"k":"v"}],"s":"text"}"#));
    let Ok(template) = Template::parse(source) else { return };
    let params = ParamLists {
        path: vec![("id".into(), "1".into())],
        querystring: vec![("q".into(), "a b".into()), ("q".into(), "c".into())],
        header: vec![("Accept".into(), "*/*".into())],
    };
    let stage_variables = BTreeMap::from([("env".to_string(), "dev".to_string())]);
    let context = serde_json::json!({ "requestId": "r", "identity": { "sourceIp": "192.0.2.1" }, "requestTimeEpoch": 5 });
    let limits = Limits { steps: 50_000, output_bytes: 200_000, value_bytes: 2_000_000, ..Limits::default() };
    let render = |overrides| {
        let scope = Scope { body, params: &params, context: &context, stage_variables: &stage_variables, overrides };
        template.render(&scope, &limits)
    };
    if let Some(text) = template.constant() {
        assert_eq!(render(Overrides::default()).expect("text alone cannot fail").text, text);
    }
    if let Ok(rendered) = render(Overrides::default()) {
        assert!(rendered.text.len() <= limits.output_bytes);
        let _ = rendered.overrides.response_status();
        let names: usize = rendered.overrides.request_headers().map(|(name, value)| name.len() + value.values().len()).sum();
        assert!(names <= limits.value_bytes);
        let _ = render(rendered.overrides);
    }
});
