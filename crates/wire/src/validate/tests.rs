//! That the models' patterns mean here what they mean in Java, and that messages stay bounded.

use base::shape::Shape;

use super::*;

fn patterns_of(shape: &'static Shape, seen: &mut Vec<&'static Shape>) {
    if seen.iter().any(|known| std::ptr::eq(*known, shape)) {
        return;
    }
    seen.push(shape);
    match &shape.kind {
        Kind::Structure(structure) => structure.members.iter().for_each(|member| patterns_of(member.shape, seen)),
        Kind::List(list) => patterns_of(list.member, seen),
        Kind::Map(map) => {
            patterns_of(map.key, seen);
            patterns_of(map.value, seen);
        }
        _ => {}
    }
}

#[test]
fn every_pattern_of_every_model_compiles() {
    let mut shapes = Vec::new();
    for service in [&model_apigateway::SERVICE, &model_lambda::SERVICE, &model_iam::SERVICE, &model_sts::SERVICE] {
        for shape in service.operations.iter().flat_map(|operation| operation.input.iter().chain(&operation.output)) {
            patterns_of(shape, &mut shapes);
        }
    }
    let patterns: Vec<&str> = shapes
        .iter()
        .filter_map(|shape| match &shape.kind {
            Kind::String(text) => text.pattern,
            _ => None,
        })
        .collect();
    assert!(patterns.len() > 30, "{}", patterns.len());
    for pattern in patterns {
        assert!(pattern::compile(pattern).is_some(), "{pattern}");
    }
}

#[test]
fn patterns_match_whole_texts_as_java_does() {
    let cases: [(&'static str, &str, bool); 12] = [
        (r"[1-5]\d\d", "200", true),
        (r"[1-5]\d\d", "2000", false),
        (r"[1-5]\d\d", "200\n", false),
        (r"[1-5]\d\d", "1٠٠", false),
        (r"[\w+=,.@-]+", "a-b@c", true),
        (r"[\w+=,.@-]+", "ä", false),
        (r"a|ab", "ab", true),
        (r"[^\s]+", "a\u{a0}b", true),
        (r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "2024", false),
        (r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "v2024", true),
        (r"[\u0009\u000A\u000D\u0020-\u00FF]+", "a\tä", true),
        (r"[\u0009\u000A\u000D\u0020-\u00FF]+", "a\u{0}", false),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(pattern::matches(pattern, text), expected, "{pattern} {text:?}");
    }
}

#[test]
fn messages_stay_bounded() {
    let operation = model_apigateway::SERVICE.operation("UpdateRestApi").unwrap();
    let wrong = serde_json::json!({"op": "w".repeat(100_000)});
    let members = serde_json::json!({"restApiId": "a", "patchOperations": vec![wrong; 1000]});
    let refusal = validate(&model_apigateway::SERVICE, operation, &members).unwrap_err();
    assert!(refusal.message().starts_with("1000 validation errors detected: Value 'www"));
    assert!(refusal.message().len() < 500_000, "{}", refusal.message().len());
}

#[test]
fn lengths_are_counted_as_java_does() {
    let text = Text { length: Range { min: None, max: Some(3) }, pattern: None, enumeration: &[] };
    assert!(text_violations("äöü", &text).is_empty());
    assert_eq!(text_violations("𝄞𝄞", &text), ["Member must have length less than or equal to 3"]);
    for (encoded, length) in [("", 0), ("Zg==", 1), ("Zg", 1), ("Zm8=", 2), ("Zm9v", 3), ("Zm9v\nYg==", 4)] {
        assert_eq!(decoded_length(encoded), length, "{encoded:?}");
    }
}
