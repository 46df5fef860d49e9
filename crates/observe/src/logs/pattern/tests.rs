//! What patterns find, after AWS's documentation; and that no text can hurt.

use proptest::prelude::*;

use super::*;

fn finds(pattern: &str, message: &str) -> bool {
    Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {}", error.0)).matches(message)
}

#[test]
fn terms_are_parts_of_the_text() {
    for (pattern, message, expected) in [
        ("", "anything", true),
        (" ", "", true),
        ("ERROR", "[ERROR] 401", true),
        ("ERROR", "[error] 401", false),
        ("ERROR 401", "401 then ERRORS", true),
        ("ERROR 401", "ERROR", false),
        ("\"INTERNAL SERVER\"", "an INTERNAL SERVER error", true),
        ("\"INTERNAL SERVER\"", "SERVER INTERNAL", false),
        ("\"say \\\"no\\\"\"", "they say \"no\"", true),
        ("?ERROR ?WARN", "a WARNING", true),
        ("?ERROR ?WARN", "INFO", false),
        ("?ERROR INFO", "INFO", true),
        ("?ERROR INFO", "ERROR", false),
        ("ERROR -ARGUMENTS", "ERROR missing", true),
        ("ERROR -ARGUMENTS", "ERROR ARGUMENTS", false),
        ("-\"a b\" -c", "ab", true),
        ("-\"a b\" -c", "a b", false),
        ("%\\d{3}%", "status 404", true),
        ("%^\\d{3}$%", "status 404", false),
        ("%a|b% -c", "xbx", true),
        ("Überfluß", "großer Überfluß", true),
    ] {
        assert_eq!(finds(pattern, message), expected, "{pattern} in {message}");
    }
}

#[test]
fn json_is_looked_into() {
    let event = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another"],
        "status": 502, "latency": 1.5e2, "small": 1e-3, "ok": true, "no": false, "nothing": null, "cluster.name": "c",
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "text": "404", "x-y": {"_z": 1}}"#;
    for (pattern, expected) in [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        (r#"{$.eventType="Update"}"#, false),
        (r#"{ $.eventType = "Update*" }"#, true),
        (r#"{ $.eventType = UpdateTrail }"#, true),
        (r#"{ $.eventType != "UpdateTrail" }"#, false),
        (r#"{ $.eventType != "x" }"#, true),
        (r#"{ $.missing != "x" }"#, false),
        ("{ $.sourceIPAddress != 123.123.* }", true),
        ("{ $.sourceIPAddress = 111.*.111 }", true),
        (r#"{ $.arrayKey[0] = "value" }"#, true),
        (r#"{ $.arrayKey[1] = "value" }"#, false),
        (r#"{ $.arrayKey[9] = "value" }"#, false),
        (r#"{ $.arrayKey[*] = "another" }"#, true),
        ("{ $.objectList[1].id = 2 }", true),
        ("{ $.objectList[*].id > 1 }", true),
        (r#"{ $.objectList[*].name = "c" }"#, false),
        ("{ $.status = 5* }", true),
        ("{ $.status = 502 }", true),
        ("{ $.status = 502.0 }", true),
        ("{ $.status >= 500 && $.status < 600 }", true),
        ("{ $.status > 502 }", false),
        ("{ $.status <= 502 }", true),
        ("{ $.latency = 150 }", true),
        ("{ $.small < 1e-2 }", true),
        ("{ $.small > -1 }", true),
        ("{ $.text = 404 }", true),
        ("{ $.text > 400 }", false),
        ("{ $.ok IS TRUE }", true),
        ("{ $.ok IS FALSE }", false),
        ("{ $.no IS FALSE }", true),
        ("{ $.nothing IS NULL }", true),
        ("{ $.missing IS NULL }", false),
        ("{ $.missing NOT EXISTS }", true),
        ("{ $.nothing NOT EXISTS }", false),
        ("{ $.eventType EXISTS }", true),
        ("{ $.eventType = * }", true),
        ("{ $.missing = * }", false),
        (r#"{ $.["cluster.name"] = "c" }"#, false),
        (r#"{ $["cluster.name"] = "c" }"#, true),
        (r#"{ $['cluster.name'] = "c" }"#, true),
        ("{ $.x-y._z = 1 }", true),
        ("{ $.eventType = %^Update% }", true),
        ("{ $.eventType != %^Update% }", false),
        ("{ ($.status = 404) || ($.status = 502) && ($.ok IS TRUE) }", true),
        ("{ (($.status = 404) || ($.status = 502)) && ($.ok IS FALSE) }", false),
        ("{ $.status = 404 || $.ok IS TRUE }", true),
        ("{ $.objectList = * }", false),
    ] {
        match Pattern::parse(pattern) {
            Ok(found) => assert_eq!(found.matches(event), expected, "{pattern}"),
            Err(error) => assert!(pattern.contains(".["), "{pattern}: {}", error.0),
        }
    }
    assert!(!finds("{ $.a = 1 }", "not JSON"));
    assert!(!finds("{ $.a NOT EXISTS }", "not JSON"));
    assert!(finds("{ $[0].a = 1 }", "[{\"a\": 1}]\n"));
    assert!(!finds("{ $.a = 1 }", &format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000))));
}

#[test]
fn columns_are_told_apart() {
    let event = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    for (pattern, expected) in [
        ("[ip, user, username, timestamp, request, status_code, bytes]", true),
        ("[ip, user, username, timestamp, request, status_code]", false),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes > 1000]", true),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes > 2000]", false),
        ("[..., status_code = 404 || status_code = 410, bytes]", true),
        ("[..., status_code >= 400 && status_code < 404, bytes]", false),
        ("[..., (status_code = 404 || status_code = 410) && status_code != 4x, bytes]", true),
        ("[ip=%127\\.0\\.0\\.[1-9]%, ...]", true),
        ("[ip!=%127\\.0\\.0\\.[1-9]%, ...]", false),
        ("[ip = 127.*, ..., bytes]", true),
        ("[ip, ..., request=\"*html*\", status_code, bytes]", true),
        ("[ip, ..., request != \"*html*\", status_code, bytes]", false),
        ("[]", true),
        ("[...]", true),
        ("[w1=ERROR, ...]", false),
    ] {
        assert_eq!(finds(pattern, event), expected, "{pattern}");
    }
    assert!(finds("[a, b]", "x [y"));
    assert!(finds("[a, b]", "x \"y"));
    assert!(!finds("[a]", ""));
}

#[test]
fn what_is_found_is_shown() {
    let shown = |pattern: &str, message: &str| {
        let values = Pattern::parse(pattern).unwrap().extract(message)?;
        Some(values.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(shown("[ip, ..., bytes > 9]", "1.2.3.4 x y 10").as_deref(), Some("$bytes=10 $ip=1.2.3.4"));
    assert_eq!(shown("[ip, ..., bytes > 9]", "1.2.3.4 x y 9"), None);
    let json = r#"{"a": {"b": [1, "x"]}, "c": null}"#;
    let pattern = r#"{ $.a.b[1] = "x" && ($.c IS NULL || $.d = 1) }"#;
    assert_eq!(shown(pattern, json).as_deref(), Some("$.a.b[1]=x $.c=null"));
    assert_eq!(shown("a", "a").as_deref(), Some(""));
    assert_eq!(shown("a", "b"), None);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for (pattern, reason) in [
        ("a.b", "Invalid character(s) in term 'a.b'"),
        ("-", "Invalid character(s) in term ''"),
        ("? a", "Invalid character(s) in term ''"),
        ("\"open", "a quote is not closed"),
        ("%open", "a regular expression is not closed"),
        ("%something!%", "invalid character(s) in the regular expression"),
        ("%(?i)a%", "invalid character(s) in the regular expression"),
        ("%[%", "is not a regular expression"),
        ("%(a{1000}){1000}%", "is not a regular expression"),
        ("%a% %b% %c%", "more than two regular expressions"),
        ("{", "a selector is expected"),
        ("{}", "a selector is expected"),
        ("{ a = 1 }", "a selector is expected"),
        ("{ $. = 1 }", "a member's name is expected"),
        ("{ $.a }", "a comparison is expected"),
        ("{ $.a = }", "invalid character(s) in term ''"),
        ("{ $.a = 1", "a brace is not closed"),
        ("{ $.a = 1 } x", "something behind its end"),
        ("{ $.a[x] = 1 }", "a number is expected"),
        ("{ $.a[0 = 1 }", "a bracket is not closed"),
        ("{ $.a IS 1 }", "TRUE, FALSE or NULL"),
        ("{ $.a NOT 1 }", "EXISTS is expected"),
        ("{ $.a < \"x\" }", "only numbers"),
        ("{ ($.a = 1 }", "a parenthesis is not closed"),
        ("[a", "a comma or a closing bracket"),
        ("[a,,b]", "a column's name is expected"),
        ("[..., a, ...]", "more than one ..."),
        ("[a = 1 && b = 2]", "conditions about another"),
        ("[a && a = 2]", "a comparison is expected"),
    ] {
        let error = Pattern::parse(pattern).expect_err(pattern).0;
        assert!(error.contains(reason), "{pattern}: {error}");
    }
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(400), ")".repeat(400));
    assert!(Pattern::parse(&deep).expect_err("it is deep").0.contains("too deep"));
}

proptest! {
    #[test]
    fn no_text_hurts(pattern in "\\PC{0,80}", message in "\\PC{0,80}") {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            let _ = pattern.matches(&message);
            let _ = pattern.extract(&message);
        }
    }

    #[test]
    fn no_text_of_the_grammars_own_hurts(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", "[", "]", "(", ")", "$.a", "$", ".", "*", "=", "!=", "<", ">=", "\"", "%", "&&", "||", "1", "-1e9",
                "IS", "NOT", "EXISTS", "NULL", "...", ",", "a", "?", "-", " ", "\\", "é",
            ]),
            0..24,
        ),
        message in "[a-c\\[\\]{}\":,. 0-9é]{0,40}",
    ) {
        if let Ok(pattern) = Pattern::parse(&parts.concat()) {
            prop_assert_eq!(pattern.matches(&message), pattern.extract(&message).is_some());
        }
    }

    /// A term is found exactly where the text contains it.
    #[test]
    fn terms_agree_with_contains(term in "[a-b]{1,3}", other in "[a-b]{1,3}", message in "[a-b ]{0,12}") {
        let (has, has_other) = (message.contains(&term), message.contains(&other));
        prop_assert_eq!(finds(&format!("{term} {other}"), &message), has && has_other);
        prop_assert_eq!(finds(&format!("?{term} ?\"{other}\""), &message), has || has_other);
        prop_assert_eq!(finds(&format!("{term} -{other}"), &message), has && !has_other);
        prop_assert_eq!(finds(&format!("%{term}|{other}%"), &message), has || has_other);
    }

    /// A wildcard is the regular expression in which its stars are `.*`.
    #[test]
    fn wildcards_agree_with_regular_expressions(wildcard in "[ab*]{1,6}", value in "[ab]{0,8}") {
        let expression = regex::Regex::new(&format!("^{}$", wildcard.replace('*', ".*"))).unwrap();
        let event = serde_json::json!({"v": value}).to_string();
        prop_assert_eq!(finds(&format!("{{ $.v = \"{wildcard}\" }}"), &event), expression.is_match(&value));
    }
}
