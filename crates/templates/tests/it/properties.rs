//! Nothing panics, whatever the template, the path or the pattern.

use std::collections::BTreeMap;

use proptest::prelude::*;
use templates::document::Json;
use templates::java_regex::JavaRegex;
use templates::jsonpath::JsonPath;
use templates::mapping::{Source, Target};
use templates::plain::PlainTemplate;
use templates::vtl::{Limits, Overrides, ParamLists, Scope, Template};

/// Pieces of templates, so that random sequences of them are often almost valid.
const PIECES: [&str; 78] = [
    "#set(",
    "#if(",
    "#elseif(",
    "#else",
    "#end",
    "#foreach(",
    "#break",
    "#stop",
    "#define(",
    "#macro(",
    "#[[",
    "]]#",
    "##",
    "#*",
    "*#",
    "#{if}",
    "#{end}",
    "$",
    "$!",
    "${",
    "}",
    "{",
    "$a",
    "$b",
    "$c",
    "$foreach.count",
    "$input",
    "$util",
    "$context",
    "$stageVariables",
    ".json('$')",
    ".path('$.a')",
    ".params()",
    ".body",
    ".keySet()",
    ".put('k', $a)",
    ".add($a)",
    ".size()",
    ".get(0)",
    ".substring(1, 2)",
    ".replaceAll('a', 'b')",
    ".split(',')",
    ".x",
    "[0]",
    "[$a]",
    "['k']",
    "[1..5]",
    "[",
    "]",
    "(",
    ")",
    " in ",
    " = ",
    " == ",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " && ",
    " || ",
    "!",
    "<",
    ",",
    "..",
    "'",
    "\"",
    "'text'",
    "\"$a\"",
    "1",
    "-2",
    ".5",
    "99999999999999999999",
    "true",
    "null",
    "\n",
    "\\",
    "é𝄞",
];

fn template_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        20 => proptest::sample::select(&PIECES[..]).prop_map(str::to_string),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Whole statements, so that rendering gets far.
fn statement() -> impl Strategy<Value = String> {
    let value = proptest::sample::select(vec![
        "$a",
        "$b",
        "$c",
        "1",
        "2.5",
        "'x,y'",
        "\"$a-$b\"",
        "[$a, $b]",
        "{'k': $a, $b: 1}",
        "[1..4]",
        "$input.path('$')",
        "$input.path('$..k')",
        "$a.keySet()",
        "$a.get('k')",
        "$a[0]",
        "$a.size()",
        "$b.entrySet()",
        "$c.iterator()",
        "$a.toString()",
        "$util.escapeJavaScript($a)",
        "$util.parseJson('[1, {\"k\": [2]}]')",
        "$a + $b",
        "$a * 3",
        "!$a",
        "$context.requestOverride.header",
        "$input.params()",
        "$a.values()",
        "$b.subList(0, 1)",
        "$a.hashCode()",
    ]);
    (0..8_u8, value.clone(), value, proptest::sample::select(vec!["a", "b", "c"])).prop_map(
        |(kind, left, right, name)| match kind {
            0 | 1 => format!("#set(${name} = {left})"),
            2 => format!("#if({left} == {right})${name}#else {left} #end"),
            3 => format!("#foreach($x in {left})$x $foreach.count ${name}.add($x) ${name}.put($x, {right})#end"),
            4 => format!("${name}.add({left})${name}.put({left}, {right})${name}.addAll({right})"),
            5 => format!("#define(${name})$a $b $c#end${name}"),
            6 => format!("#set(${name}[0] = {left})#set(${name}.k = {right})"),
            _ => format!("#foreach($x in {left})#foreach($y in {right})$x$y#if($foreach.last)#break#end#end#end"),
        },
    )
}

fn pattern_text() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "a", "b", "[", "]", "(", ")", "^", "$", ".", "*", "+", "?", "{", "}", "|", "\\", "\\Q", "\\E", "\\d", "\\S",
        "\\h", "\\Z", "&&", "-", "0", "1,", "(?i)", "(?=", "(?<n>", "\\1", "é", "[^", "~~",
    ]);
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn render(source: &str) {
    let Ok(template) = Template::parse(source) else { return };
    let params = ParamLists { path: vec![("id".into(), "1".into())], ..ParamLists::default() };
    let stage_variables = BTreeMap::new();
    let context = serde_json::json!({ "requestId": "r", "identity": { "sourceIp": "192.0.2.1" } });
    let scope = Scope {
        body: r#"{"a": [1, {"k": "v"}], "k": {"k": null}}"#,
        params: &params,
        context: &context,
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    let limits = Limits { steps: 20_000, output_bytes: 100_000, value_bytes: 1_000_000, ..Limits::default() };
    if let Ok(rendered) = template.render(&scope, &limits) {
        assert!(rendered.text.len() <= limits.output_bytes);
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        proptest::num::f64::NORMAL.prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..24)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_template_text(source in template_text()) {
        render(&source);
    }

    #[test]
    fn any_statements(statements in proptest::collection::vec(statement(), 1..12)) {
        render(&statements.concat());
    }

    #[test]
    fn any_json_is_read_as_serde_reads_it(value in json()) {
        let text = value.to_string();
        let document = Json::parse(&text).expect("valid JSON");
        prop_assert_eq!(&document.to_value(), &value);
        prop_assert_eq!(&document, &Json::from_value(&value));
        let written = document.to_string();
        prop_assert_eq!(Json::parse(&written).expect("valid JSON"), document);
    }

    #[test]
    fn any_text_is_json_to_both_or_to_none(text in r#"[\[\]{}:,"a\\ueE0-9.+\- \ntrfalsn]{0,24}"#) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let ours = Json::parse(&text);
        // Half a surrogate pair is taken for U+FFFD.
        prop_assert!(theirs.is_ok() == ours.is_ok() || text.contains("\\u"), "{text}: {theirs:?} {ours:?}");
    }

    #[test]
    fn any_path(path in r#"[$@.\[\]a-c0-9:,*?()'"=<>!&|~/ -]{0,30}"#) {
        let document = serde_json::json!({ "a": [1, 2, { "b": "x", "c": [] }], "b": { "a": null }, "c": "y" });
        if let Ok(path) = JsonPath::parse(&path) {
            let definite = path.is_definite();
            let found = path.evaluate(&document);
            prop_assert!(!definite || !matches!(found, templates::jsonpath::Found::List(_)));
        }
    }

    #[test]
    fn any_pattern(pattern in pattern_text(), text in "[a-c0-9 \n]{0,20}") {
        if let Ok(regex) = JavaRegex::parse(&pattern) {
            regex.is_full_match(&text);
            prop_assert!(regex.replace_all(&text, "<$0>").is_ok());
            let parts = regex.split(&text).expect("a short text");
            prop_assert!(parts.len() <= text.len() + 2);
        }
    }

    #[test]
    fn any_mapping_or_plain_text(text in r#"[${}.'a-z]{0,12}(context\.|method\.request\.|integration\.response\.|stageVariables\.)?[${}.'a-z\[\]é]{0,12}"#) {
        let _ = Source::parse_request(&text);
        let _ = Source::parse_response(&text);
        let _ = Target::parse(&text);
        let mut out = String::new();
        PlainTemplate::parse(&text).render_into(&mut out, &|name, out| out.push_str(name));
        templates::mock_status::mock_status(&text);
    }
}
