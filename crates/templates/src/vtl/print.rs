//! How values become text: as Java prints them, and as JSON.

use super::RenderError;
use super::value::Value;
use crate::document::{Json, push_double, push_quoted};

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
pub(super) fn print_document(json: &Json<'_>, out: &mut String, limit: usize) -> Result<(), RenderError> {
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
    fn java_document(&mut self, json: &Json<'_>, depth: usize) -> Result<(), RenderError> {
        self.check(depth)?;
        match json {
            Json::Text(text) => self.out.push_str(text),
            Json::Object(members) => {
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

    fn document(&mut self, json: &Json<'_>, depth: usize) -> Result<(), RenderError> {
        self.check(depth)?;
        match json {
            Json::Null => self.out.push_str("null"),
            Json::Boolean(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Json::Integer(number) => self.out.push_str(itoa::Buffer::new().format(*number)),
            Json::BigInteger(number) => self.out.push_str(itoa::Buffer::new().format(**number)),
            Json::Decimal(number) => push_double(self.out, *number),
            Json::Text(text) => push_quoted(self.out, text),
            Json::Array(items) => {
                self.out.push('[');
                for (place, item) in items.iter().enumerate() {
                    self.separate(place, ",");
                    self.document(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Json::Object(members) => {
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
