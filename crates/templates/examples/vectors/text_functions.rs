//! One text through everything that takes text: what encodes must decode to the same, and nothing may panic or hang.
//!
//! The tests use this file too.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use templates::document::Json;
use templates::java_regex::JavaRegex;
use templates::jsonpath::JsonPath;
use templates::mapping::{Source, Target, body_value};
use templates::mock_status::mock_status;
use templates::plain::PlainTemplate;
use templates::vtl::{Limits, NoContext, Overrides, ParamLists, RenderError, Scope, Template};

/// Calls on `$s` whose results are only looked at for being there.
const CALLS: &str = "$s.toUpperCase()$s.toLowerCase()$s.trim()$s.strip()$s.hashCode()$s.split('')$s.split(',', 3)$s.replace('a', 'bc')\
                     $s.replaceAll('[^a-z]', '-')$s.replaceFirst('(.)', '$1$1')$s.matches('(?s).*')$s.concat($s)$s.contains($s)\
                     $s.startsWith($s)$s.lastIndexOf('x', 3)$s.compareTo('b')$s.equalsIgnoreCase($s)$s.toCharArray()\
                     $s.format('%s|%10s|%-5s|%.2s', $s, $s, $s, $s)#set($m = {$s: $s})$m.get($s)$m[$s]$m\
                     #foreach($x in $s)$x#end#if($s == 1)1#end#if($s)2#end$s.x.y $s[0] \"$s\" '$s' \\$s";

/// Runs a text through everything, and says what is wrong.
pub(super) fn check(text: &str) -> Result<(), String> {
    check_codecs(text)?;
    check_input(text)?;
    // What the text means in each language does not matter; that it ends does.
    let _ = render("$s.format($s, $s)", text);
    let _ = render("$util.parseJson($s)", text);
    let _ = render("$util.urlDecode($s)$util.base64Decode($s)", text);
    let _ = render("$input.path($s)$input.json($s)", text);
    let _ = render("$s.matches($s)$s.replaceAll($s, $s)$s.split($s)", text);
    let _ = render(text, text);
    if let Ok(path) = JsonPath::parse(text) {
        let _ = path.evaluate(&json!({ "a": [text], text: 1 }));
    }
    if let Ok(regex) = JavaRegex::parse(text) {
        let _ = (regex.is_full_match(text), regex.replace_all(text, text), regex.split(text));
    }
    for source in [Source::parse_request(text), Source::parse_response(text)].into_iter().flatten() {
        if let Source::RequestBody(path) | Source::ResponseBody(path) = source {
            let _ = body_value(text, path.as_ref());
        }
    }
    let _ = (Target::parse(text), body_value(text, None), mock_status(text));
    PlainTemplate::parse(text).render_into(&mut String::new(), &|name, out| out.push_str(name));
    Ok(())
}

fn check_codecs(text: &str) -> Result<(), String> {
    for (template, expected) in [
        ("$util.urlDecode($util.urlEncode($s))", text.to_string()),
        ("$util.base64Decode($util.base64Encode($s))", text.to_string()),
        ("$s.length()", text.encode_utf16().count().to_string()),
        ("$s.substring(0)$s.replace('', '')", text.repeat(2)),
        ("$input.params('s')$input.params().querystring.s", text.repeat(2)),
        ("$stageVariables.s", text.to_string()),
        ("#if($s.equals($input.path('$.s')))same#end", "same".to_string()),
    ] {
        let found = render(template, text).map_err(|error| format!("{template}: {error}"))?;
        if found != expected {
            return Err(format!("{template}: {found:?}"));
        }
    }
    for template in ["$input.json('$.s')", "\"$util.escapeJavaScript($s).replaceAll(\"\\\\'\", \"'\")\""] {
        let found = render(template, text).map_err(|error| format!("{template}: {error}"))?;
        if serde_json::from_str::<Value>(&found).ok() != Some(text.into()) {
            return Err(format!("{template} is not the text in JSON: {found}"));
        }
    }
    render(CALLS, text).map(|_| ()).map_err(|error| format!("a call failed: {error}"))
}

/// The text as the whole payload.
fn check_input(text: &str) -> Result<(), String> {
    let render = |template: &str| render_body(template, text, "");
    let body = render("$input.body").map_err(|error| error.to_string())?;
    if body != text && !(text.is_empty() && body == "{}") {
        return Err(format!("$input.body: {body:?}"));
    }
    let json = render("$input.json('$')").map_err(|error| format!("$input.json: {error}"))?;
    if Json::parse(&json).is_err() {
        return Err(format!("$input.json('$') is no JSON: {json}"));
    }
    render("$input.path('$')$input.path('$..*')$input.json('$..a')").map(|_| ()).map_err(|error| format!("{error}"))
}

fn render(template: &str, text: &str) -> Result<String, RenderError> {
    render_body(&format!("#set($s = $input.path('$.s'))#[[]]#{template}"), &json!({ "s": text }).to_string(), text)
}

fn render_body(template: &str, body: &str, text: &str) -> Result<String, RenderError> {
    let Ok(template) = Template::parse(template) else { return Ok(String::new()) };
    let named = vec![("s".to_string(), text.to_string()), (text.to_string(), "named".to_string())];
    let params = ParamLists { path: Vec::new(), querystring: named.clone(), header: named };
    let stage_variables = BTreeMap::from([("s".to_string(), text.to_string())]);
    let scope = Scope {
        body,
        params: &params,
        context: &NoContext,
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    template.render(&scope, &Limits::default()).map(|rendered| rendered.text)
}
