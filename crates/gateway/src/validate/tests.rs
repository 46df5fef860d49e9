//! Bodies against models; the golden cases in `cases/validation` have the rest.

use std::sync::Arc;

use templates::schema::Library;

use super::check_body;

fn outcome(schema: &str, body: &[u8]) -> String {
    let library: Arc<Library> = Library::compile("api", [("M", schema)], ["M"]);
    check_body(&library.schema("M").expect("it was asked for"), body).err().unwrap_or_else(|| "valid".into())
}

#[test]
fn bodies_are_read_as_json() {
    let schema = r#"{"type":"object","required":["a"]}"#;
    for (body, expected) in [
        (&b"{\"a\":1}"[..], "valid"),
        (b"", r#"[object has missing required properties (["a"])]"#),
        (b"{\"a\":1,\"a\":2}", "valid"),
        (b"{\"a\":", "[not JSON: a value is expected at byte 5]"),
        (b"<a/>", "[not JSON: a value is expected at byte 0]"),
        (b"{\"a\":\"\xff\"}", "[the body is not UTF-8]"),
        (b"\xef\xbb\xbf{\"a\":1}", "[not JSON: a value is expected at byte 0]"),
        (b"{\0\"\0a\0\"\0", "[not JSON: a name is expected at byte 1]"),
        (b"null", r#"[instance type (null) does not match any allowed primitive type (allowed: ["object"])]"#),
    ] {
        assert_eq!(outcome(schema, body), expected, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(outcome("{}", b""), "valid");
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    assert!(outcome("{}", &deep).contains("too deeply nested"));
}
