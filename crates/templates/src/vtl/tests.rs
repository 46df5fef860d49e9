//! Small templates and what they print.

use std::collections::BTreeMap;

use super::{Limits, Overrides, ParamLists, RenderError, Rendered, Scope, Template};

fn try_render(template: &str, body: &str) -> Result<Rendered, RenderError> {
    let template = Template::parse(template).expect("the template parses");
    let stage_variables: BTreeMap<String, String> = BTreeMap::from([("env".to_string(), "dev".to_string())]);
    let params = ParamLists {
        path: vec![("id".into(), "42".into())],
        querystring: vec![("q".into(), "first".into()), ("q".into(), "last".into())],
        header: vec![("Accept".into(), "*/*".into())],
    };
    let context = serde_json::json!({
        "requestId": "r-1", "requestTimeEpoch": 1000, "identity": {"sourceIp": "192.0.2.1"},
        "isCanaryRequest": false,
    });
    let scope = Scope {
        body,
        params: &params,
        context: &context,
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    template.render(&scope, &Limits::default())
}

fn check(template: &str, body: &str, expected: &str) {
    let rendered = try_render(template, body).unwrap_or_else(|error| panic!("{template}: {error}"));
    assert_eq!(rendered.text, expected, "{template}");
}

#[test]
fn input_and_context() {
    check("$input.params('id') $input.params('q') $input.params('none').", "", "42 last .");
    check("$input.body", "", "{}");
    check("$input.json('$.a')|$input.json('$.none')", r#"{"a": [1, "x"]}"#, r#"[1,"x"]|"""#);
    check("$input.path('$.a')|$input.path('$')", r#"{"a": [1, "x"]}"#, r#"[1,"x"]|{a=[1,"x"]}"#);
    check("$context.requestId $context.identity.sourceIp $context.nope", "", "r-1 192.0.2.1 ");
    check("#set($t = $context.requestTimeEpoch + 1)$t", "", "1001");
    check("$stageVariables.env ${stageVariables['env']}$stageVariables.none", "", "dev dev");
    check("#foreach($k in $context.identity.keySet())$k#end", "", "sourceIp");
    check("$input.params().querystring.q", "", "last");
}

#[test]
fn templates_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Template>();
    shared::<Overrides>();
    shared::<crate::jsonpath::JsonPath>();
    shared::<crate::java_regex::JavaRegex>();
}

#[test]
fn large_integers_stay_exact() {
    let body = r#"{"id": 123456789012345678901234567890}"#;
    check(
        "$input.path('$.id') $input.json('$')",
        body,
        "123456789012345678901234567890 {\"id\":123456789012345678901234567890}",
    );
}

#[test]
fn limits_hold() {
    let template = Template::parse("#foreach($i in [1..100])0123456789#end").expect("the template parses");
    let stage_variables = BTreeMap::new();
    let params = ParamLists::default();
    let scope = Scope {
        body: "",
        params: &params,
        context: &super::NoContext,
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    let render = |limits: Limits| template.render(&scope, &limits).map(|rendered| rendered.text.len());
    assert_eq!(render(Limits::default()), Ok(1000));
    assert_eq!(render(Limits { loop_turns: 7, ..Limits::default() }), Ok(70));
    assert_eq!(
        render(Limits { output_bytes: 999, ..Limits::default() }),
        Err(RenderError::OutputTooLarge { limit: 999 })
    );
    assert_eq!(render(Limits { steps: 50, ..Limits::default() }), Err(RenderError::TooManySteps { limit: 50 }));
    assert_eq!(render(Limits { depth: 1, ..Limits::default() }), Err(RenderError::TooDeep));
}

#[test]
fn errors_say_where() {
    let error = Template::parse("line\n  #set($x = \"é$y.z[\")").expect_err("a broken string");
    assert_eq!((error.line, error.column), (2, 13));
    let error = Template::parse(&"x".repeat(super::MAX_SOURCE_BYTES + 1)).expect_err("too large");
    assert!(error.message.contains("larger than"), "{error}");
}
