//! Validation by the model, in AWS's words.
//!
//! The texts and their order are recorded from AWS: all violations are reported in one message; of one value first its
//! enumeration and pattern, then its length; inside the brackets of a list or a map the other way round.

mod pattern;

use std::borrow::Cow;

use base::shape::{
    Kind, Location, OperationModel, PathStyle, Protocol, Range, RealRange, Service, Shape, Structure, Text,
};
use serde_json::Value;

use crate::ApiError;

/// The most violations that are spelt out; the count names them all.
const MAXIMUM_REPORTED: usize = 64;

/// The longest value that a message repeats, in bytes; AWS repeats whatever was sent.
const MAXIMUM_VALUE: usize = 4096;

/// Checks decoded members against the model.
pub(crate) fn validate(service: &Service, operation: &OperationModel, members: &Value) -> Result<(), ApiError> {
    let Some(Shape { kind: Kind::Structure(structure), .. }) = operation.input else { return Ok(()) };
    let mut report = Report { violations: Vec::new(), count: 0, elements_not_null: service.elements_not_null };
    for member in structure.members {
        // The raw payload is not among the members; it is bytes, about which no model says anything else.
        if structure.payload == Some(member.name) && matches!(member.shape.kind, Kind::Blob(_)) {
            continue;
        }
        let path = match (service.path_style, member.location) {
            (PathStyle::OperationInput, Location::Body) => {
                format!("{}Input.{}", lower_first(operation.name), lower_first(member.name))
            }
            _ => lower_first(member.name),
        };
        report.member(&path, members.get(member.name), member.shape, member.required);
    }
    report.answer(service)
}

struct Report {
    violations: Vec<String>,
    count: usize,
    elements_not_null: bool,
}

impl Report {
    fn answer(self, service: &Service) -> Result<(), ApiError> {
        if self.count == 0 {
            return Ok(());
        }
        let plural = if self.count == 1 { "error" } else { "errors" };
        let message = format!("{} validation {plural} detected: {}", self.count, self.violations.join("; "));
        Err(match (service.protocol, service.name) {
            (Protocol::Query, _) => ApiError::custom("ValidationError", 400, message),
            // Recorded.
            (_, "logs") => ApiError::custom("InvalidParameterException", 400, message),
            _ => ApiError::validation(message),
        })
    }

    fn violation(&mut self, path: &str, shape: &Shape, value: Option<&Value>, constraint: &str) {
        self.count += 1;
        if self.violations.len() == MAXIMUM_REPORTED {
            return;
        }
        let shown = match value {
            None => " null".into(),
            Some(_) if is_secret(shape) => String::new(),
            Some(value) => format!(" '{}'", shortened(&display(value, shape))),
        };
        self.violations.push(format!("Value{shown} at '{path}' failed to satisfy constraint: {constraint}"));
    }

    fn member(&mut self, path: &str, value: Option<&Value>, shape: &'static Shape, required: bool) {
        match value.filter(|value| !value.is_null()) {
            None if required => self.violation(path, shape, None, NOT_NULL),
            None => {}
            Some(value) => self.value(path, value, shape),
        }
    }

    fn value(&mut self, path: &str, value: &Value, shape: &'static Shape) {
        match (&shape.kind, value) {
            (Kind::Structure(structure), _) => self.structure(path, value, structure),
            (Kind::List(list), Value::Array(items)) => {
                for constraint in length_violations(items.len(), list.length) {
                    self.violation(path, shape, Some(value), &constraint);
                }
                match &list.member.kind {
                    Kind::Structure(structure) => {
                        for (at, item) in items.iter().enumerate() {
                            self.structure(&format!("{path}.{}.member", at + 1), item, structure);
                        }
                    }
                    _ if items.iter().any(|item| self.is_bad(item, list.member)) => {
                        let constraint = format!("Member must satisfy constraint: [{}]", self.all_of(list.member));
                        self.violation(path, shape, Some(value), &constraint);
                    }
                    _ => {}
                }
            }
            (Kind::Map(map), Value::Object(entries)) => {
                for constraint in length_violations(entries.len(), map.length) {
                    self.violation(path, shape, Some(value), &constraint);
                }
                if entries.keys().any(|key| self.is_bad(&Value::String(key.clone()), map.key)) {
                    let constraint = format!("Map keys must satisfy constraint: [{}]", self.all_of(map.key));
                    self.violation(path, shape, Some(value), &constraint);
                }
                let given = |item: &&Value| !(map.nullable_values && item.is_null());
                match &map.value.kind {
                    Kind::Structure(structure) => {
                        for (key, item) in entries {
                            self.structure(&format!("{path}.{key}.member"), item, structure);
                        }
                    }
                    _ if entries.values().filter(given).any(|item| self.is_bad(item, map.value)) => {
                        let constraint = format!("Map value must satisfy constraint: [{}]", self.all_of(map.value));
                        self.violation(path, shape, Some(value), &constraint);
                    }
                    _ => {}
                }
            }
            _ => {
                for constraint in scalar_violations(value, shape) {
                    self.violation(path, shape, Some(value), &constraint);
                }
            }
        }
    }

    fn structure(&mut self, path: &str, value: &Value, structure: &'static Structure) {
        for member in structure.members {
            let path = format!("{path}.{}", lower_first(member.name));
            self.member(&path, value.get(member.name), member.shape, member.required);
        }
    }

    /// Whether an element of a list or a map breaks any rule, at any depth.
    fn is_bad(&self, value: &Value, shape: &'static Shape) -> bool {
        match (&shape.kind, value) {
            (_, Value::Null) => true,
            (Kind::List(_) | Kind::Map(_) | Kind::Structure(_), _) => {
                let mut inner = Report { violations: Vec::new(), count: 0, elements_not_null: self.elements_not_null };
                inner.value("", value, shape);
                inner.count > 0
            }
            _ => !scalar_violations(value, shape).is_empty(),
        }
    }

    /// All rules of an element, as the brackets of a list or a map repeat them.
    fn all_of(&self, shape: &Shape) -> String {
        let mut rules = match &shape.kind {
            Kind::String(text) => {
                let mut rules = length_rules(text.length);
                rules.extend(text.pattern.map(pattern_rule));
                rules.extend((!text.enumeration.is_empty()).then(|| enumeration_rule(text)));
                rules
            }
            Kind::Blob(length) => length_rules(*length),
            Kind::List(list) => length_rules(list.length),
            Kind::Map(map) => length_rules(map.length),
            Kind::Integer(range) | Kind::Long(range) => {
                value_rules(range.max.map(|max| max.to_string()), range.min.map(|min| min.to_string()))
            }
            Kind::Double(range) => value_rules(range.max.map(real), range.min.map(real)),
            _ => Vec::new(),
        };
        if self.elements_not_null || rules.is_empty() {
            rules.push(NOT_NULL.into());
        }
        rules.join(", ")
    }
}

const NOT_NULL: &str = "Member must not be null";

fn scalar_violations(value: &Value, shape: &Shape) -> Vec<String> {
    match (&shape.kind, value) {
        (Kind::String(text), Value::String(given)) => text_violations(given, text),
        (Kind::Blob(length), Value::String(encoded)) => length_violations(decoded_length(encoded), *length),
        (Kind::Integer(range) | Kind::Long(range), Value::Number(number)) => {
            number.as_i64().map(|number| range_violations(number, *range)).unwrap_or_default()
        }
        (Kind::Double(range), Value::Number(number)) => {
            number.as_f64().map(|number| real_violations(number, *range)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn text_violations(given: &str, text: &Text) -> Vec<String> {
    let mut violations = Vec::new();
    if !text.enumeration.is_empty() && !text.enumeration.contains(&given) {
        violations.push(enumeration_rule(text));
    }
    if let Some(pattern) = text.pattern
        && !pattern::matches(pattern, given)
    {
        violations.push(pattern_rule(pattern));
    }
    // AWS counts as Java does, in units of UTF-16.
    violations.extend(length_violations(given.encode_utf16().count(), text.length));
    violations
}

fn length_violations(length: usize, range: Range) -> Vec<String> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let mut violations = Vec::new();
    if let Some(min) = range.min.filter(|min| length < *min) {
        violations.push(format!("Member must have length greater than or equal to {min}"));
    }
    if let Some(max) = range.max.filter(|max| length > *max) {
        violations.push(format!("Member must have length less than or equal to {max}"));
    }
    violations
}

fn range_violations(number: i64, range: Range) -> Vec<String> {
    let min = range.min.filter(|min| number < *min).map(|min| min.to_string());
    let max = range.max.filter(|max| number > *max).map(|max| max.to_string());
    value_rules(max, min)
}

fn real_violations(number: f64, range: RealRange) -> Vec<String> {
    value_rules(range.max.filter(|max| number > *max).map(real), range.min.filter(|min| number < *min).map(real))
}

fn length_rules(range: Range) -> Vec<String> {
    let max = range.max.map(|max| format!("Member must have length less than or equal to {max}"));
    let min = range.min.map(|min| format!("Member must have length greater than or equal to {min}"));
    max.into_iter().chain(min).collect()
}

fn value_rules(max: Option<String>, min: Option<String>) -> Vec<String> {
    let max = max.map(|max| format!("Member must have value less than or equal to {max}"));
    let min = min.map(|min| format!("Member must have value greater than or equal to {min}"));
    max.into_iter().chain(min).collect()
}

fn pattern_rule(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn enumeration_rule(text: &Text) -> String {
    format!("Member must satisfy enum value set: [{}]", text.enumeration.join(", "))
}

/// A bound as Java prints it: `1.0`.
fn real(bound: f64) -> String {
    format!("{bound:?}")
}

/// Whether a value must not be shown: it, its elements or its entries are sensitive.
fn is_secret(shape: &Shape) -> bool {
    shape.sensitive
        || match &shape.kind {
            Kind::List(list) => is_secret(list.member),
            Kind::Map(map) => is_secret(map.key) || is_secret(map.value),
            _ => false,
        }
}

/// How many bytes base64 text stands for.
fn decoded_length(encoded: &str) -> usize {
    let digits = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count();
    digits / 4 * 3 + (digits % 4).saturating_sub(1)
}

/// A value as AWS's messages show it: lists in brackets, maps in braces.
fn display<'v>(value: &'v Value, shape: &Shape) -> Cow<'v, str> {
    match (value, &shape.kind) {
        (Value::String(text), _) => Cow::Borrowed(text),
        (Value::Array(items), Kind::List(list)) => {
            let shown: Vec<_> = items.iter().take(MAXIMUM_VALUE).map(|item| display(item, list.member)).collect();
            Cow::Owned(format!("[{}]", shown.join(", ")))
        }
        (Value::Object(entries), Kind::Map(map)) => {
            let entries = entries.iter().take(MAXIMUM_VALUE);
            let shown: Vec<_> = entries.map(|(key, value)| format!("{key}={}", display(value, map.value))).collect();
            Cow::Owned(format!("{{{}}}", shown.join(", ")))
        }
        (other, _) => Cow::Owned(other.to_string()),
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= MAXIMUM_VALUE {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}...", &text[..text.floor_char_boundary(MAXIMUM_VALUE)]))
}

/// `KMSKeyArn` to `kMSKeyArn`: only the first letter changes, as AWS does.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests;
