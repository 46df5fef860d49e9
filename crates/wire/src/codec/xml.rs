//! XML answers of the query protocol.

use base::shape::{Kind, Shape, TimestampFormat};
use serde_json::Value;

use super::scalar;

/// Writes elements one after the other.
#[derive(Debug, Default)]
pub(crate) struct XmlWriter {
    text: String,
}

impl XmlWriter {
    /// The document.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// An element with what `content` writes inside.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut XmlWriter)) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        content(self);
        self.close(name);
    }

    /// The outermost element, with its namespace.
    pub(crate) fn root(&mut self, name: &str, namespace: Option<&str>, content: impl FnOnce(&mut XmlWriter)) {
        self.text.push('<');
        self.text.push_str(name);
        if let Some(namespace) = namespace {
            self.text.push_str(" xmlns=\"");
            self.escaped(namespace);
            self.text.push('"');
        }
        self.text.push('>');
        content(self);
        self.close(name);
    }

    /// An element that holds text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.element(name, |writer| writer.escaped(text));
    }

    /// A value of a shape as an element, or as several for flattened lists and maps.
    pub(crate) fn value(&mut self, name: &str, value: &Value, shape: &Shape, format: Option<TimestampFormat>) {
        match (value, &shape.kind) {
            (Value::Null, _) => {}
            (Value::Object(_), Kind::Structure(_)) => self.element(name, |writer| writer.members(value, shape)),
            (Value::Array(items), Kind::List(list)) if list.flattened => {
                for item in items {
                    self.value(name, item, list.member, None);
                }
            }
            (Value::Array(items), Kind::List(list)) => self.element(name, |writer| {
                for item in items {
                    writer.value(list.member_name, item, list.member, None);
                }
            }),
            (Value::Object(entries), Kind::Map(map)) => {
                let entry = |writer: &mut XmlWriter, element: &str, key: &str, value: &Value| {
                    writer.element(element, |writer| {
                        writer.leaf(map.key_name, key);
                        writer.value(map.value_name, value, map.value, None);
                    });
                };
                if map.flattened {
                    entries.iter().for_each(|(key, value)| entry(self, name, key, value));
                } else {
                    self.element(name, |writer| {
                        entries.iter().for_each(|(key, value)| entry(writer, "entry", key, value));
                    });
                }
            }
            _ => self.leaf(name, &scalar::to_text(value, shape, format, TimestampFormat::Iso8601)),
        }
    }

    /// The members of a structure, in the model's order.
    pub(crate) fn members(&mut self, value: &Value, shape: &Shape) {
        let Kind::Structure(structure) = &shape.kind else { return };
        for member in structure.members {
            if let Some(value) = value.get(member.name) {
                self.value(member.wire_name, value, member.shape, member.timestamp_format);
            }
        }
    }

    /// Text with the five special characters and carriage returns escaped; what XML cannot hold is replaced.
    fn escaped(&mut self, text: &str) {
        for letter in quick_xml::escape::escape(text).chars() {
            match letter {
                '\r' => self.text.push_str("&#13;"),
                '\t' | '\n' => self.text.push(letter),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.text.push('\u{fffd}'),
                _ => self.text.push(letter),
            }
        }
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }
}
