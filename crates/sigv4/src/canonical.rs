//! The canonical form of a request: the text that a signature is about.

use std::borrow::Cow;
use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the characters that RFC 3986 leaves unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for a path, whose slashes stay.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// In what the services differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The path is taken as it is sent: neither `..` nor doubled slashes are removed, for they may be in a key's name.
    pub raw_path: bool,
    /// The path's escapes are escaped once more.
    pub escape_twice: bool,
    /// The request says its body's hash in `x-amz-content-sha256`.
    pub content_hash_header: bool,
}

impl Rules {
    /// The rules of nearly every service.
    pub const COMMON: Rules = Rules { raw_path: false, escape_twice: true, content_hash_header: false };

    /// Those of S3.
    pub const S3: Rules = Rules { raw_path: true, escape_twice: false, content_hash_header: true };

    /// The rules of a service, by its signing name.
    pub fn of(signing_name: &str) -> Rules {
        match signing_name {
            "s3" | "s3-outposts" | "s3-object-lambda" | "s3express" => Rules::S3,
            _ => Rules::COMMON,
        }
    }
}

/// The lower-case hexadecimal SHA-256 of a body, which stands for it in the canonical request.
pub fn payload_hash(body: &[u8]) -> String {
    hexadecimal(digest(&SHA256, body).as_ref())
}

/// A request in its canonical form.
///
/// `path` and `query` are as on the wire. `headers` are those to be signed, in any order and spelling; a name may come
/// several times. `payload_hash` is the body's hash or what stands for it (`UNSIGNED-PAYLOAD`).
/// Returned are the text and the list of signed headers (`host;x-amz-date`).
pub fn canonical_request(
    rules: Rules,
    method: &str,
    path: &str,
    query: &str,
    headers: &[(&str, &str)],
    payload_hash: &str,
) -> (String, String) {
    let mut text = String::with_capacity(256);
    text.push_str(method);
    text.push('\n');
    text.push_str(&canonical_path(rules, path));
    text.push('\n');
    text.push_str(&canonical_query(query));
    text.push('\n');
    let signed = push_headers(&mut text, headers);
    text.push('\n');
    text.push_str(&signed);
    text.push('\n');
    text.push_str(payload_hash);
    (text, signed)
}

fn canonical_path(rules: Rules, path: &str) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let path = if rules.raw_path { Cow::Borrowed(path) } else { normalized(path) };
    if rules.escape_twice {
        return utf8_percent_encode(&path, RESERVED_IN_PATH).to_string();
    }
    escaped_path(&path)
}

/// A path, escaped once and strictly, whatever the sender escaped: a slash that was escaped stays so. Under the rules of
/// S3, whoever sends it so has the same canonical path as whoever takes it as it is.
pub fn escaped_path(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(escaped_once).collect();
    segments.join("/")
}

/// The path without `.`, `..` and empty segments (RFC 3986, 6.2.2.3); a slash at its end stays.
fn normalized(path: &str) -> Cow<'_, str> {
    let is_normal = path.split('/').skip(1).all(|segment| !matches!(segment, "." | ".."));
    if is_normal && path.starts_with('/') && !path.contains("//") {
        return path.into();
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let ends = path.ends_with(['/']) || path.ends_with("/.") || path.ends_with("/..");
    let end = if ends && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/")).into()
}

/// Decoded and escaped anew, so that senders who escape more or less than others sign the same.
fn escaped_once(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, RESERVED).to_string()
}

/// The parameters, escaped strictly and sorted by name, then value. A `+` is a blank, as everywhere in queries.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (escaped_once(&name.replace('+', " ")), escaped_once(&value.replace('+', " ")))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Adds one line for each header name; returns the names.
fn push_headers(text: &mut String, headers: &[(&str, &str)]) -> String {
    let mut headers: Vec<(String, &str)> =
        headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect();
    // Stable: the values of one name stay in their order.
    headers.sort_by(|one, other| one.0.cmp(&other.0));
    let mut signed = String::new();
    let mut last: Option<&str> = None;
    for (name, value) in &headers {
        if last == Some(name) {
            text.pop();
            text.push(',');
        } else {
            text.push_str(name);
            text.push(':');
            signed.push_str(if signed.is_empty() { "" } else { ";" });
            signed.push_str(name);
        }
        push_value(text, value);
        text.push('\n');
        last = Some(name);
    }
    signed
}

/// Adds a header's value without blanks at its ends, and one blank where there are several.
fn push_value(text: &mut String, value: &str) {
    for (number, word) in value.split_ascii_whitespace().enumerate() {
        if number > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
