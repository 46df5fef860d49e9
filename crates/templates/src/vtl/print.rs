//! How values become text: as Java prints them, and as JSON.

use std::fmt::Write as _;

use super::RenderError;
use super::value::Value;

/// How deep a value may be nested to be printed.
const MAX_DEPTH: usize = 128;

/// Appends a value as Java's `toString` gives it. Null is `null` inside lists and maps; a reference to null prints nothing,
/// which is the caller's business.
///
/// # Errors
/// The output would pass `limit` bytes, or the value is nested too deeply.
pub(super) fn print(value: &Value<'_>, out: &mut String, limit: usize) -> Result<(), RenderError> {
    Printer { out, limit }.java(value, 0)
}

/// Appends a JSON document in compact form.
pub(super) fn print_document(json: &serde_json::Value, out: &mut String, limit: usize) -> Result<(), RenderError> {
    Printer { out, limit }.document(json, 0)
}

struct Printer<'o> {
    out: &'o mut String,
    limit: usize,
}

impl Printer<'_> {
    fn check(&self, depth: usize) -> Result<(), RenderError> {
        if self.out.len() > self.limit {
            Err(RenderError::OutputTooLarge { limit: self.limit })
        } else if depth > MAX_DEPTH {
            Err(RenderError::TooDeep)
        } else {
            Ok(())
        }
    }

    fn java(&mut self, value: &Value<'_>, depth: usize) -> Result<(), RenderError> {
        self.check(depth)?;
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Boolean(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Integer(number) => self.out.push_str(itoa::Buffer::new().format(*number)),
            Value::BigInteger(number) => self.out.push_str(itoa::Buffer::new().format(**number)),
            Value::Decimal(number) => push_double(self.out, *number),
            Value::Borrowed(text) => self.out.push_str(text),
            Value::Owned(text) => self.out.push_str(text),
            Value::Json(json) => self.java_document(json, depth)?,
            Value::List(list) if list.from_json => self.json(value, depth)?,
            Value::List(list) => {
                self.out.push('[');
                for (place, item) in list.items.borrow().iter().enumerate() {
                    self.separate(place, ", ");
                    self.java(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Value::Map(map) => {
                self.out.push('{');
                for (place, (key, value)) in map.entries.borrow().iter().enumerate() {
                    self.separate(place, ", ");
                    self.java(key, depth + 1)?;
                    self.out.push('=');
                    self.java(value, depth + 1)?;
                }
                self.out.push('}');
            }
            Value::Entry(entry) => {
                self.java(&entry.0, depth + 1)?;
                self.out.push('=');
                self.java(&entry.1, depth + 1)?;
            }
            // The gateway's own objects and loops have no text of their own.
            Value::Iterator(_)
            | Value::Block(_)
            | Value::Loop(_)
            | Value::Input
            | Value::Util
            | Value::Context
            | Value::StageVariables => {}
        }
        Ok(())
    }

    /// Objects of the payload print as Java maps, arrays as JSON.
    fn java_document(&mut self, json: &serde_json::Value, depth: usize) -> Result<(), RenderError> {
        self.check(depth)?;
        match json {
            serde_json::Value::String(text) => self.out.push_str(text),
            serde_json::Value::Object(members) => {
                self.out.push('{');
                for (place, (key, member)) in members.iter().enumerate() {
                    self.separate(place, ", ");
                    self.out.push_str(key);
                    self.out.push('=');
                    self.java_document(member, depth + 1)?;
                }
                self.out.push('}');
            }
            other => self.document(other, depth)?,
        }
        Ok(())
    }

    fn json(&mut self, value: &Value<'_>, depth: usize) -> Result<(), RenderError> {
        self.check(depth)?;
        match value {
            Value::Borrowed(text) => push_quoted(self.out, text),
            Value::Owned(text) => push_quoted(self.out, text),
            Value::Json(json) => self.document(json, depth)?,
            Value::List(list) => {
                self.out.push('[');
                for (place, item) in list.items.borrow().iter().enumerate() {
                    self.separate(place, ",");
                    self.json(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Value::Map(map) => {
                self.out.push('{');
                for (place, (key, value)) in map.entries.borrow().iter().enumerate() {
                    self.separate(place, ",");
                    let mut name = String::new();
                    print(key, &mut name, self.limit)?;
                    push_quoted(self.out, &name);
                    self.out.push(':');
                    self.json(value, depth + 1)?;
                }
                self.out.push('}');
            }
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::BigInteger(_) | Value::Decimal(_) => {
                self.java(value, depth)?;
            }
            other => {
                let mut text = String::new();
                print(other, &mut text, self.limit)?;
                push_quoted(self.out, &text);
            }
        }
        Ok(())
    }

    fn document(&mut self, json: &serde_json::Value, depth: usize) -> Result<(), RenderError> {
        self.check(depth)?;
        match json {
            serde_json::Value::Null => self.out.push_str("null"),
            serde_json::Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            serde_json::Value::Number(number) => push_json_number(self.out, number),
            serde_json::Value::String(text) => push_quoted(self.out, text),
            serde_json::Value::Array(items) => {
                self.out.push('[');
                for (place, item) in items.iter().enumerate() {
                    self.separate(place, ",");
                    self.document(item, depth + 1)?;
                }
                self.out.push(']');
            }
            serde_json::Value::Object(members) => {
                self.out.push('{');
                for (place, (key, member)) in members.iter().enumerate() {
                    self.separate(place, ",");
                    push_quoted(self.out, key);
                    self.out.push(':');
                    self.document(member, depth + 1)?;
                }
                self.out.push('}');
            }
        }
        Ok(())
    }

    fn separate(&mut self, place: usize, separator: &str) {
        if place > 0 {
            self.out.push_str(separator);
        }
    }
}

fn push_json_number(out: &mut String, number: &serde_json::Number) {
    if let Some(small) = number.as_i64() {
        out.push_str(itoa::Buffer::new().format(small));
    } else if let Some(large) = number.as_u64() {
        out.push_str(itoa::Buffer::new().format(large));
    } else {
        push_double(out, number.as_f64().unwrap_or(f64::NAN));
    }
}

/// Appends text as a JSON string.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (place, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..place]);
        plain = place + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Appends a double as Java's `Double.toString`: `1.0`, `0.05`, `1.0E10`, `1.0E-4`.
pub(super) fn push_double(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("NaN");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number < 0.0 { "-Infinity" } else { "Infinity" });
        return;
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let _ = write!(out, "{number:?}");
        return;
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    out.push_str(digits);
    if !digits.contains('.') {
        out.push_str(".0");
    }
    out.push('E');
    out.push_str(exponent);
}

#[cfg(test)]
mod tests {
    use super::push_double;

    fn double(number: f64) -> String {
        let mut out = String::new();
        push_double(&mut out, number);
        out
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        let cases = [
            (2.0, "2.0"),
            (0.05, "0.05"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1e10, "1.0E10"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.5e-9, "-1.5E-9"),
            (-0.0, "-0.0"),
            (1000.1234, "1000.1234"),
        ];
        for (number, expected) in cases {
            assert_eq!(double(number), expected);
        }
    }
}
