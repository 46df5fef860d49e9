//! Models as a whole: references, texts, bounds.

use super::{Invalid, Library, ModelError, Schema, check_model};
use crate::document::Json;

const BASE: &str = "https://apigateway.amazonaws.com/restapis/abc/models";

fn compile(models: &[(&str, &str)], wanted: &str) -> Schema {
    let library = Library::compile("abc", models.iter().copied(), [wanted]);
    library.schema(wanted).expect("it was asked for")
}

fn validate(schema: &Schema, instance: &str) -> String {
    let instance = Json::parse(instance).expect("JSON");
    schema.validate(&instance).map_or_else(|invalid| invalid.to_string(), |()| "valid".into())
}

#[track_caller]
fn check(schema: &str, instance: &str, expected: &str) {
    assert_eq!(validate(&compile(&[("M", schema)], "M"), instance), expected, "{schema} {instance}");
}

#[test]
fn the_validator_speaks_as_on_aws() {
    for (schema, instance, expected) in [
        (r#"{"required":["name"]}"#, "{}", r#"[object has missing required properties (["name"])]"#),
        (
            r#"{"enum":["cat","dog","fish"]}"#,
            r#""bird""#,
            r#"[instance value ("bird") not found in enum (possible values: ["cat","dog","fish"])]"#,
        ),
        (
            r#"{"type":"number"}"#,
            r#""x""#,
            r#"[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]"#,
        ),
        (
            r#"{"type":["string","null"]}"#,
            "true",
            r#"[instance type (boolean) does not match any allowed primitive type (allowed: ["null","string"])]"#,
        ),
        (r#"{"minimum":5}"#, "4.5", "[numeric instance is lower than the required minimum (minimum: 5, found: 4.5)]"),
        (
            r#"{"minimum":5,"exclusiveMinimum":true}"#,
            "5",
            "[numeric instance is not strictly greater than the required minimum 5]",
        ),
        (r#"{"maximum":5}"#, "6", "[numeric instance is greater than the required maximum (maximum: 5, found: 6)]"),
        (r#"{"multipleOf":2}"#, "5", "[remainder of division is not zero (5 / 2)]"),
        (r#"{"minLength":3}"#, r#""aé""#, r#"[string "aé" is too short (length: 2, required minimum: 3)]"#),
        (r#"{"maxLength":1}"#, r#""ab""#, r#"[string "ab" is too long (length: 2, maximum allowed: 1)]"#),
        (r#"{"pattern":"^a$"}"#, r#""b""#, r#"[ECMA 262 regex "^a$" does not match input string "b"]"#),
        (
            r#"{"properties":{"a":{}},"additionalProperties":false}"#,
            r#"{"z":1,"a":1,"b":1}"#,
            r#"[object instance has properties which are not allowed by the schema: ["b","z"]]"#,
        ),
        (
            r#"{"items":[{},{}],"additionalItems":false}"#,
            "[1,2,3]",
            "[schema only allows 2 elements in array but instance has 3 elements]",
        ),
        (
            r#"{"minItems":2,"uniqueItems":true}"#,
            "[1]",
            "[array is too short: must have at least 2 elements but instance has 1 elements]",
        ),
        (r#"{"uniqueItems":true}"#, "[1,1.0]", "[array must not contain duplicate elements]"),
        (r#"{"not":{}}"#, "1", "[instance matched a schema which it should not have]"),
        (
            r#"{"oneOf":[{"type":"integer"},{"minimum":2}]}"#,
            "3",
            "[instance failed to match exactly one schema (matched 2 out of 2)]",
        ),
        (
            r#"{"allOf":[{"type":"integer"},{"minimum":2}]}"#,
            "1",
            "[instance failed to match all required schemas (matched only 1 out of 2)]",
        ),
        (
            r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
            "1",
            "[instance failed to match at least one required schema among 2]",
        ),
        (
            r#"{"dependencies":{"card":["name","address"]}}"#,
            r#"{"card":1,"name":"x"}"#,
            r#"[property "card" of object has missing property dependencies (schema requires ["address","name"]; missing: ["address"])]"#,
        ),
        (
            r#"{"properties":{"b":{"type":"string"},"a":{"type":"string"}}}"#,
            r#"{"b":1,"a":null}"#,
            r#"[instance type (null) does not match any allowed primitive type (allowed: ["string"]), instance type (integer) does not match any allowed primitive type (allowed: ["string"])]"#,
        ),
        // What is wrong already is not looked into.
        (
            r#"{"required":["a"],"properties":{"b":{"type":"string"}}}"#,
            r#"{"b":1}"#,
            r#"[object has missing required properties (["a"])]"#,
        ),
    ] {
        check(schema, instance, expected);
    }
}

#[test]
fn models_refer_to_models() {
    let list = format!(r#"{{"type":"array","items":{{"$ref":"{BASE}/Pet"}}}}"#);
    let pet = format!(
        r#"{{"type":"object","required":["a"],"properties":{{"friends":{{"$ref":"{BASE}/Pets"}},
            "kind":{{"oneOf":[{{"type":"null"}},{{"$ref":"{BASE}/Pet#/definitions/kind"}}]}}}},
            "definitions":{{"kind":{{"enum":["cat"]}}}}}}"#
    );
    let models = [("Pets", list.as_str()), ("Pet", pet.as_str())];
    let pets = compile(&models, "Pets");
    assert_eq!(validate(&pets, r#"[{"a":1,"kind":"cat","friends":[{"a":1,"kind":null}]}]"#), "valid");
    assert_eq!(
        validate(&pets, r#"[{"a":1,"friends":[{"b":1}]}]"#),
        r#"[object has missing required properties (["a"])]"#
    );
    assert!(validate(&pets, r#"[{"a":1,"kind":"dog"}]"#).contains("matched 0 out of 2"));
}

#[test]
fn what_cannot_be_resolved_refuses() {
    for (schema, reason) in [
        (format!(r#"{{"$ref":"{BASE}/None"}}"#), "there is no model None"),
        (
            r#"{"$ref":"https://apigateway.amazonaws.com/restapis/other/models/M"}"#.into(),
            "the reference https://apigateway.amazonaws.com/restapis/other/models/M is to a model of another API",
        ),
        (r##"{"$ref":"#/definitions/none"}"##.into(), "the reference #/definitions/none leads nowhere"),
        (
            r#"{"$ref":"http://example.com/x"}"#.into(),
            "the reference http://example.com/x is not to a model of this API",
        ),
        (r#"{"type":"strin"}"#.into(), "keyword type: strin is not a type"),
        ("[]".into(), "a schema must be an object"),
        ("{".into(), "the schema of the model M cannot be read: not JSON: a name is expected at byte 1"),
        (r##"{"$ref":"#"}"##.into(), "the model leads into itself without an end"),
        (r##"{"allOf":[{"$ref":"#"}]}"##.into(), "the model leads into itself without an end"),
    ] {
        check(&schema, "{}", &format!("[{reason}]"));
    }
    let only_where_it_is_met = r#"{"properties":{"a":{"$ref":"x"}}}"#;
    check(only_where_it_is_met, "{}", "valid");
    check(only_where_it_is_met, r#"{"a":1}"#, "[the reference x is not to a model of this API]");
}

#[test]
fn hostile_schemas_and_values_end() {
    // Each definition refers to the next one twice: written out it would be 2^60 schemas.
    let doubled: Vec<String> = (0..60)
        .map(|at| {
            format!(
                r##""d{at}":{{"allOf":[{{"$ref":"#/definitions/d{0}"}},{{"$ref":"#/definitions/d{0}"}}]}}"##,
                at + 1
            )
        })
        .collect();
    let bomb = format!(r##"{{"$ref":"#/definitions/d0","definitions":{{{},"d60":{{}}}}}}"##, doubled.join(","));
    check(&bomb, "1", "[the model is too much work for this body]");

    let fan = r##"{"anyOf":[{"not":{}},{"properties":{"x":{"$ref":"#"}},"required":["y"]},{"properties":{"x":{"$ref":"#"}},"required":["y"]}]}"##;
    let deep = format!("{}1{}", r#"{"x":"#.repeat(100), "}".repeat(100));
    let schema = compile(&[("M", fan)], "M");
    let _ = validate(&schema, &deep);

    let pattern = r#"{"items":{"pattern":"^(?=(a+)+$)\\1b"}}"#;
    let many = format!("[{}]", vec![format!("\"{}\"", "a".repeat(2_000)); 200].join(","));
    let schema = compile(&[("M", pattern)], "M");
    assert_ne!(validate(&schema, &many), "valid");

    let regexes = format!("[{}]", vec![r#""(a{1,500}){1,9}""#; 300].join(","));
    check(r#"{"items":{"format":"regex"}}"#, &regexes, "[the model is too much work for this body]");

    let wrong = format!("[{}]", vec!["1"; 10_000].join(","));
    let schema = compile(&[("M", r#"{"items":{"type":"string"}}"#)], "M");
    let Err(Invalid::Mismatch(texts)) = schema.validate(&Json::parse(&wrong).expect("JSON")) else { panic!("valid") };
    assert_eq!(texts.len(), 100);
    let long = format!("\"{}\"", "é".repeat(1 << 20));
    assert!(validate(&compile(&[("M", r#"{"maxLength":1}"#)], "M"), &long).len() < 5_000);
}

#[test]
fn models_are_checked_when_they_are_stored() {
    let unsupported = |names: &[&str]| ModelError::Unsupported(names.iter().map(|name| (*name).to_owned()).collect());
    for (text, expected) in [
        ("{}", Ok(())),
        (r##"{"$schema":"http://json-schema.org/draft-04/schema#","title":"x","type":"object"}"##, Ok(())),
        (r##"{"definitions":{"a":{}},"items":{"$ref":"#/definitions/a"}}"##, Ok(())),
        (r#"{"items":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/NotYet"}}"#, Ok(())),
        (r#"{"$id":"x"}"#, Err(unsupported(&["$id"]))),
        (
            r#"{"properties":{"a":{"example":1,"readOnly":true},"b":{"discriminator":"x"}}}"#,
            Err(unsupported(&["discriminator", "example", "readOnly"])),
        ),
        (r#"{"$ref":"Pet"}"#, Err(ModelError::NotCanonical("Pet".into()))),
    ] {
        assert_eq!(check_model(text), expected, "{text}");
    }
    for malformed in [
        r#"{"exclusiveMinimum":5}"#,
        r#"{"exclusiveMinimum":true}"#,
        r#"{"required":[]}"#,
        r#"{"required":true}"#,
        r#"{"required":["a","a"]}"#,
        r#"{"enum":["A","A"]}"#,
        r#"{"enum":[1,1.0]}"#,
        r#"{"enum":[]}"#,
        r#"{"type":"strin"}"#,
        r#"{"type":[]}"#,
        r#"{"properties":[]}"#,
        r#"{"properties":{"a":true}}"#,
        r#"{"items":3}"#,
        r#"{"pattern":"("}"#,
        r#"{"patternProperties":{"(":{}}}"#,
        r#"{"minLength":-1}"#,
        r#"{"multipleOf":0}"#,
        r#"{"allOf":[]}"#,
        r#"{"dependencies":{"a":"b"}}"#,
        r#"{"definitions":{"a":{"type":"x"}}}"#,
    ] {
        assert!(matches!(check_model(malformed), Err(ModelError::Malformed(_))), "{malformed}");
    }
    for no_json in ["", "1", "[]", "{", r#"{"a":}"#] {
        assert!(matches!(check_model(no_json), Err(ModelError::NotJson(_))), "{no_json}");
    }
    let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(400 * 1024));
    assert_eq!(check_model(&large), Err(ModelError::TooLarge));
}
