//! What is meant to break an engine: everything ends within a bounded time, with an answer or a typed error, and Java's classes
//! are out of reach.

#[path = "../../examples/vectors/text_functions.rs"]
mod text_functions;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use templates::document::Json;
use templates::java_regex::{JavaRegex, MatchError};
use templates::jsonpath::{Found, JsonPath};
use templates::vtl::{Limits, MAX_SOURCE_BYTES, NoContext, Overrides, ParamLists, RenderError, Scope, Template};

/// Far more than anything here takes on an idle machine without optimisation, and far less than a hang.
const LONG: Duration = Duration::from_secs(60);

fn render(source: &str, body: &str) -> Result<String, RenderError> {
    let template = Template::parse(source).unwrap_or_else(|error| panic!("{source:.80}: {error}"));
    let params = ParamLists::default();
    let stage_variables = BTreeMap::new();
    let scope = Scope {
        body,
        params: &params,
        context: &NoContext,
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    let began = Instant::now();
    let rendered = template.render(&scope, &Limits::default()).map(|rendered| rendered.text);
    assert!(began.elapsed() < LONG, "{source:.80} took {:?}", began.elapsed());
    rendered
}

/// A template whose rendering is refused.
fn refused(source: &str) {
    let found = render(source, "{}");
    assert!(found.is_err(), "{source:.80} gave {} bytes", found.map_or(0, |text| text.len()));
}

/// A template that reaches for nothing and prints nothing.
fn empty(source: &str) {
    assert_eq!(render(source, "{}").as_deref(), Ok(""), "{source}");
}

#[test]
fn templates_that_loop() {
    let nested = |depth: usize| "#foreach($i in [1..1000])".repeat(depth) + "x" + &"#end".repeat(depth);
    assert_eq!(render(&nested(1), "").map(|text| text.len()), Ok(1000));
    assert_eq!(render(&nested(2), "").map(|text| text.len()), Ok(1_000_000));
    refused(&nested(3));
    refused(&nested(90));
    // A list that grows while it is gone through ends at the limit of turns.
    let growing = "#set($l = [1])#foreach($x in $l)$l.add(1)#end$l.size()";
    assert!(render(growing, "").is_ok_and(|text| text.ends_with("1001")));
    refused(
        "#set($l = [1])#foreach($i in [1..1000])#foreach($j in [1..1000])#set($k = $l.add($j))$l.contains(0)#end#end",
    );
    assert_eq!(render("#foreach($i in [1..99999999999999999999])#end", "").as_deref(), Ok(""));
    refused("#set($l = [1..99999999999999999999])");
    refused("#set($l = [0..-999999999])$l");
}

#[test]
fn templates_that_recurse() {
    // Velocity's own rule: a block that is inside itself too often prints nothing.
    assert!(render("#define($a)x$a#end$a", "").is_ok_and(|text| text.len() < 10));
    assert!(render("#define($a)x$b#end#define($b)y$a$a#end$a", "").is_ok_and(|text| text.len() < 100));
    // Many blocks that use each other twice: the steps end it.
    let mut blocks = String::new();
    for number in 0..40 {
        blocks.push_str(&format!("#define($b{number})$b{0}$b{0}#end", number + 1));
    }
    refused(&format!("{blocks}#define($b40)x#end$b0"));
    let many = (0..300).fold("#define($b300)x#end".to_string(), |all, number| {
        format!("#define($b{number})#if(true)$b{}#end#end{all}", number + 1)
    });
    refused(&format!("{many}$b0"));
}

#[test]
fn templates_that_explode() {
    refused("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..64])#set($s = \"$s$s\")#end");
    refused("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..64])#set($s = $s + $s)#end");
    refused("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..64])#set($s = $s.concat($s))#end");
    refused("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..64])#set($s = $s.replace('x', $s))#end");
    refused("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..64])#set($s = $s.replaceAll('x', '$0$0$0$0'))#end");
    refused("#set($s = 'x')#set($s = $s.repeat(2000000000))");
    refused("#set($s = 'x')$s.format('%999999999d', 1)");
    refused("#set($s = 'x')$s.join($s.repeat(9000000), [1..9])");
    refused("#set($l = [1, 2, 3, 4])#foreach($i in [1..64])#set($x = $l.addAll($l))#end");
    refused("#set($l = [1, 2, 3, 4])#foreach($i in [1..64])#set($x = $l.addAll(0, $l))#end");
    refused("#set($l = [])#foreach($i in [1..64])#set($l = [$l, $l, $l])#end$l");
    refused("#set($m = {})#foreach($i in [1..64])#set($m = {'a': $m, 'b': $m})#end$m");
    refused("#set($m = {})#set($x = $m.put('m', $m))$m");
    refused("#set($l = [])#set($m = {'l': $l})#set($x = $l.add($m))$l");
    refused("#set($l = [])#set($m = {'l': $l})#set($x = $l.add($m.entrySet()))$l");
    refused("#set($l = [])#set($x = $l.add($l.iterator()))$l");
    refused("#foreach($i in [1..1000])#foreach($j in [1..1000])$util.base64Encode('0123456789')#end#end");
    let wide = format!("#set($l = [{}0])#foreach($i in [1..1000])$l.toString()#end", "0, ".repeat(90_000));
    refused(&wide);
    // An override that is worth more than the whole rendering may be.
    refused("#set($o = [0])#foreach($i in [1..64])#set($o = [$o, $o])#end#set($context.requestOverride.header.x = $o)");
}

#[test]
fn arithmetic_that_breaks() {
    empty("#set($x = 1 / 0)$x#set($x = 1 % 0)$x#set($x = 1.5 / 0)$x#set($x = 1.5 % 0.0)$x");
    let largest = i128::MAX;
    let huge = format!(
        "#set($x = {largest})#set($y = $x * $x)#set($z = $x + $x - $x / -1)#set($n = -{largest} - 2)$n.intValue()"
    );
    assert!(render(&huge, "").is_ok());
    assert!(render("#set($x = -9223372036854775808)#set($y = $x / -1)#set($z = $x % -1)$y $z", "").is_ok());
    assert!(render("#set($x = 1e308)#set($x = $x * 10)$x $x.intValue() $x.longValue() $x.toString()", "").is_ok());
    assert!(
        render(&format!("#set($x = -{largest})#set($x = $x - 1)#set($y = $x / -1)#set($y = $x % -1)$y"), "").is_ok()
    );
}

#[test]
fn classes_are_out_of_reach() {
    for value in
        ["''", "1", "1.5", "true", "[1]", "{'a': 1}", "$input", "$util", "$context", "$stageVariables", "$foreach"]
    {
        for reach in [
            "$x.class",
            "$x.getClass()",
            "$x.class.name",
            "$x.class.forName('java.lang.Runtime').getRuntime().exec('id')",
            "$x.getClass().getClassLoader().loadClass('java.lang.System')",
            "$x['class']",
            "$x.getClass().forName(\"java.lang.ProcessBuilder\").getConstructors()[0]",
            "$x.wait()$x.notify()$x.clone()$x.finalize()$x.getDeclaringClass()",
            "#set($c = $x.class)$c.forName('java.io.File')",
            "#set($x.class = 'a')",
        ] {
            let template = format!("#set($x = {value})#[[]]#{reach}");
            let found = render(&template, "{}");
            assert!(matches!(found.as_deref(), Ok("")), "{template}: {found:?}");
        }
    }
}

#[test]
fn sources_that_are_too_large_or_too_deep() {
    assert!(Template::parse(&"x".repeat(MAX_SOURCE_BYTES)).is_ok());
    assert!(Template::parse(&"x".repeat(MAX_SOURCE_BYTES + 1)).is_err());
    let began = Instant::now();
    for (open, close) in [
        ("#if(true)", "#end"),
        ("#foreach($x in [1])", "#end"),
        ("#define($x)", "#end"),
        ("#set($x = (", "))"),
        ("#set($x = [", "])"),
        ("#set($x = {1:", "})"),
        ("#set($x = !", ")"),
        ("#set($x = \"\"", "\"\")"),
        ("$x[", "]"),
        ("$x.f(", ")"),
        ("${x.f(", ")}"),
        ("#unknown(", ")"),
        ("#macro(", ")#end"),
        ("#[[", "]]#"),
        ("#*", "*#"),
        ("##", "\n"),
        ("\\", "$x"),
        ("\\", "#end"),
        ("$", "$x"),
        ("$!{", "}"),
        ("#set($x = 1 + ", ")"),
        ("#{if}(", "#{end}"),
    ] {
        for count in [1, 99, 101, 5_000, 20_000] {
            let count = count.min(MAX_SOURCE_BYTES / (open.len() + close.len()).max(1));
            // Both nested as often as it is opened and opened without an end.
            let nested = format!("{}{}", open.repeat(count), close.repeat(count));
            let open_ended = open.repeat(count);
            let repeated = format!("{open}{close}").repeat(count);
            for source in [nested, open_ended, repeated] {
                if let Ok(template) = Template::parse(&source) {
                    drop(template);
                }
            }
        }
    }
    assert!(began.elapsed() < LONG / 3, "parsing took {:?}", began.elapsed());
}

fn found(path: &str, document: &Json<'_>) -> usize {
    // A number that is no index of Java's makes it no path.
    let Ok(path) = JsonPath::parse(path) else { return 0 };
    let began = Instant::now();
    let found = match path.evaluate_within(document, &mut 1_000_000) {
        Found::Missing => 0,
        Found::Value(_) => 1,
        Found::List(values) => values.len(),
    };
    assert!(began.elapsed() < LONG, "the path took {:?}", began.elapsed());
    found
}

#[test]
fn paths_that_explode() {
    let deep = format!("{}{}{}", "[".repeat(120), "1,".repeat(20_000) + "1", "]".repeat(120));
    let deep = Json::parse(&deep).expect("the document is JSON");
    let wide = format!("[{}{{\"a\":1}}]", "{\"a\":[1,2]},".repeat(20_000));
    let wide = Json::parse(&wide).expect("the document is JSON");
    for path in [
        "$..*",
        "$..*..*",
        "$..*..*..*",
        "$..*..*..*..*..*..*",
        "$..[*]..[*]..[*]",
        "$..*.length()",
        "$..*..*.sum()",
        "$..['a','a','a','a']",
        "$..[0:999999999]",
        "$[0:9223372036854775807]",
        "$[-9223372036854775808:9223372036854775807]",
        "$[-9223372036854775807:]",
        "$[9223372036854775807]",
        "$[-9223372036854775808]",
        "$..[-1:]..[-1:]",
        "$..[?(@..* == $..*)]",
        "$[?(@ in $)]",
        "$[?($ subsetof $)]",
        "$[?(@.sum($..*) > 1)]",
        "$[?($.length() == $.sum())]",
        "$[?($.append(1).length() > 1)]",
        "$..[?(@ == $)]",
        "$[?(@.a == $[?(@.a == $[?(@.a == $[0].a)].a)].a)]",
        "$.concat($..*, $..*, $..*)",
        "$.keys()",
        "$..[?(@ =~ /(a+)+$/)]",
    ] {
        let _ = (found(path, &deep), found(path, &wide));
    }
    let text = Json::parse(r#"["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"]"#).expect("JSON");
    assert_eq!(found("$[?(@ =~ /(a|aa)+$/)]", &text), 0);
    assert_eq!(found("$[?(@ =~ /(?=a)(a|a?)+\\1$/)]", &text), 0);
    for (open, close) in [
        ("[?(", ")]"),
        ("[?(@", ")]"),
        ("[?(!(", "))]"),
        ("[?(@.a[?(", ")])]"),
        ("..", ""),
        ("[0", "]"),
        (".concat($", ")"),
    ] {
        for count in [50, 500, 2_000] {
            let _ = JsonPath::parse(&format!("${}{}", open.repeat(count), close.repeat(count)));
        }
    }
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(100_000))).is_err());
}

#[test]
fn patterns_that_explode() {
    let letters = "a".repeat(60) + "!";
    let long = "a".repeat(200_000) + "!";
    for pattern in [
        "(a+)+$",
        "(a|aa)+$",
        "(a|a?)+$",
        "(.*a){30}$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(?=(a+))\\1+$",
        "(a+)+\\1$",
        "(?:(?:a*)*)*b\\1?",
        "(?<!b)(a+)+(?!a)c",
        "(a*+)*+b",
        "(?=.*!)(?=.*a)(?=.*b)a",
        "((a{1,50}){1,50}){1,20}",
        "[a-z&&[^b]]{1,800}!",
        "(x+x+)+y|(?=a)a(?=a)",
        "\\b(?:a|\\w)*\\B$",
    ] {
        let Ok(regex) = JavaRegex::parse(pattern) else { continue };
        for text in [&letters, &long] {
            let began = Instant::now();
            let _ = (regex.is_full_match(text), regex.replace_all(text, "$0"), regex.replace_first(text, ""));
            let _ = (regex.split(text), regex.split_at_most(text, Some(2)));
            assert!(began.elapsed() < LONG, "{pattern} took {:?}", began.elapsed());
        }
    }
    for pattern in [
        "(((((a{100}){100}){100}){100}){100})",
        "a{2000000000}",
        "(a|b|c|d|e){5000}{5000}",
        &"(".repeat(30_000),
        &"(?=a)".repeat(5_000),
    ] {
        assert!(JavaRegex::parse(pattern).is_err(), "{pattern:.40}");
    }
    let look_ahead = JavaRegex::parse("(?=x)x").expect("a pattern");
    assert_eq!(look_ahead.try_full_match(&long), Err(MatchError::TooSlow));
    assert!(!look_ahead.is_full_match(&long));
}

#[test]
fn patterns_that_explode_in_templates() {
    let body = format!(r#"{{"s": "{}!"}}"#, "a".repeat(3000));
    for call in
        ["matches('(?=a)(a|a?)+\\1$')", "replaceAll('(?=(a+)+b)|(?=a)', '$0')", "split('(?:(?=.*!)|(?=(a+)+b))')"]
    {
        let template = format!("#foreach($i in [1..1000])#set($x = $input.path('$.s').{call})#end");
        let began = Instant::now();
        let _ = render(&template, &body);
        assert!(began.elapsed() < LONG, "{call} took {:?}", began.elapsed());
    }
    // A pattern that is put together anew each time cannot be compiled for ever.
    refused(
        "#set($s = 'a')#foreach($i in [1..1000])#foreach($j in [1..1000])#set($x = $s.matches(\"(a{1,90}){1,90}$i$j\"))#end#end",
    );
    refused(
        "#foreach($i in [1..1000])#foreach($j in [1..1000])#set($x = $input.path(\"$[?(@ =~ /(a{1,90}){1,90}$i$j/)]\"))#end#end",
    );
}

/// Texts that something once stumbled over: quotes, markup, controls, directions, what looks like code, what is no character.
const NAUGHTY: [&str; 60] = [
    "",
    " ",
    "\0",
    "\t\r\n",
    "\u{1}\u{8}\u{b}\u{c}\u{1f}\u{7f}",
    "\u{85}\u{2028}\u{2029}",
    "\u{feff}",
    "\u{200b}\u{200e}\u{202e}x",
    "\u{fffe}\u{ffff}",
    "null",
    "undefined",
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "0x1F",
    "-0",
    "00",
    "1.",
    ".5",
    "1_000",
    "١٢٣",
    "'",
    "\"",
    "''",
    "\"\"",
    "'\"'",
    "\\",
    "\\\\",
    "\\\"",
    "\\'",
    "\\u0041",
    "\\u{1F600}",
    "$",
    "$$",
    "$0",
    "$x",
    "${x}",
    "$!{x}",
    "$input.body",
    "#",
    "##",
    "#*",
    "#if(true)",
    "#set($x = 1)",
    "#end",
    "#[[",
    "]]#",
    "{}",
    "[]",
    "{\"a\":",
    "a=b&c=%zz+%41",
    "<script>alert(1)</script>",
    "'; DROP TABLE x; --",
    "../../etc/passwd",
    "é",
    "𝄞𝄞",
    "e\u{301}",
    "ﬁ İ ß Ǆ",
    "👩‍👩‍👧‍👦",
];

#[test]
fn naughty_texts_through_everything() {
    for text in NAUGHTY {
        text_functions::check(text).unwrap_or_else(|wrong| panic!("{text:?}: {wrong}"));
    }
    let all = NAUGHTY.concat();
    text_functions::check(&all).unwrap_or_else(|wrong| panic!("all together: {wrong}"));
}

#[test]
fn broken_json_through_everything() {
    let deep = "[".repeat(5000);
    let objects = "{\"a\":".repeat(5000);
    for text in [
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "[\"a\"",
        "{\"a\"",
        "{\"a\" 1}",
        "\"\\x\"",
        "\"\\ud800\"",
        "[1e]",
        "[+1]",
        "[01]",
        "[-]",
        "[1.]",
        "[0x1]",
        "[nul]",
        "[TRUE]",
        "//x\n1",
        "/**/1",
        "1 2",
        "\u{feff}1",
        "[\"\t\"]",
        "[\"\0\"]",
        "{\"a\":1,\"a\":2}",
        "{\"\":0}",
        "[123456789012345678901234567890123456789012345678901234567890]",
        "[1e-400]",
        "[-1e400]",
        &deep,
        &objects,
    ] {
        text_functions::check(text).unwrap_or_else(|wrong| panic!("{text:.80}: {wrong}"));
    }
}
