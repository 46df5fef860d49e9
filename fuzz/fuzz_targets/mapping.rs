//! Any text as a parameter mapping's source and target, and what follows a NUL as the body that it reads; the same text as a
//! plain template and as a MOCK integration's answer: no panic and no hang.
#![no_main]

use libfuzzer_sys::fuzz_target;
use templates::mapping::{Source, Target, body_value};
use templates::mock_status::mock_status;
use templates::plain::PlainTemplate;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (expression, body) = text.split_once('\0').unwrap_or((text, r#"{"a":[1,{"k":"v"}],"statusCode":200}"#));
    for source in [Source::parse_request(expression), Source::parse_response(expression)].into_iter().flatten() {
        if let Source::RequestBody(path) | Source::ResponseBody(path) = &source {
            let _ = body_value(body, path.as_ref());
        }
    }
    if Source::parse_gateway_response(expression).is_ok() {
        assert!(Source::parse_request(expression).is_ok(), "gateway responses have fewer sources, not more");
    }
    let _ = Target::parse(expression);
    let plain = PlainTemplate::parse(expression);
    let mut out = String::new();
    plain.render_into(&mut out, &|_, _| {});
    assert!(out.len() <= expression.len(), "names that stand for nothing only shorten the text");
    let _ = mock_status(body);
});
