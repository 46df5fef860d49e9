//! `$util`: what API Gateway offers and nothing of what AppSync has.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::machine::{Halt, Machine};
use super::value::Value;
use crate::document::Json;

/// Padding may be missing and the last character may carry stray bits, as Java's decoders allow.
const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'r> Machine<'r> {
    pub(super) fn util_call(&mut self, name: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        let [argument] = arguments else { return Ok(Value::Null) };
        if argument.is_null() {
            return Ok(Value::Null);
        }
        let text = self.text_of(argument)?;
        let text = text.as_str().unwrap_or_default();
        self.charge(1 + text.len() / 32)?;
        match name {
            "escapeJavaScript" => self.new_text(escape_java_script(text)),
            "urlEncode" => self.new_text(url_encode(text)),
            "urlDecode" => match url_decode(text) {
                Some(decoded) => self.new_text(decoded),
                None => self.failed("$util.urlDecode", "a percent sign is not followed by two hexadecimal digits"),
            },
            "base64Encode" => self.new_text(base64::engine::general_purpose::STANDARD.encode(text)),
            "base64Decode" => {
                let decoded: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                match LENIENT_BASE64.decode(decoded) {
                    Ok(bytes) => self.new_text(String::from_utf8_lossy(&bytes).into_owned()),
                    Err(_) => self.failed("$util.base64Decode", "the text is not base64"),
                }
            }
            "parseJson" => self.parse_json(text),
            _ => Ok(Value::Null),
        }
    }

    fn parse_json(&mut self, text: &str) -> Result<Value<'r>, Halt> {
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        self.charge(text.len() / 4)?;
        match Json::parse(text) {
            Ok(json) => self.copied(&json),
            Err(error) => self.failed("$util.parseJson", error.to_string()),
        }
    }
}

fn escape_java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
    out
}

/// Form encoding: a blank becomes `+`.
fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn url_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
