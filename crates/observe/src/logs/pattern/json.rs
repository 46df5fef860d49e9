//! Patterns about the members of JSON events: `{ ($.status = 5*) && ($.latency > 100) }`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::PatternError;
use super::cursor::{Condition, Cursor};
use super::operand::Comparison;

/// A condition on a document.
#[derive(Debug)]
pub(super) struct JsonCondition(Condition<Leaf>);

/// A condition on a member.
#[derive(Debug)]
struct Leaf {
    /// As it was written.
    selector: String,
    path: Vec<Step>,
    test: Test,
}

/// A step on the way to a member.
#[derive(Debug)]
enum Step {
    Member(String),
    Item(usize),
    /// Each member or item.
    Each,
}

#[derive(Debug)]
enum Test {
    Compare(Comparison),
    Exists,
    NotExists,
    Is(Value),
}

impl JsonCondition {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<JsonCondition, PatternError> {
        cursor.take("{");
        let condition = cursor.condition(&Leaf::parse)?;
        if cursor.take("}") { Ok(JsonCondition(condition)) } else { Err(cursor.error("a brace is not closed")) }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        document(message).is_some_and(|document| self.0.holds(&|leaf| leaf.holds(&document)))
    }

    pub(super) fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let document = document(message)?;
        if !self.0.holds(&|leaf| leaf.holds(&document)) {
            return None;
        }
        let mut values = BTreeMap::new();
        self.0.each(&mut |leaf| {
            if let Some(value) = leaf.found(&document).first() {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                values.insert(leaf.selector.clone(), text);
            }
        });
        Some(values)
    }
}

/// An event that is a JSON document with members or items; the depth of documents is bounded by the library.
fn document(message: &str) -> Option<Value> {
    let message = message.trim();
    if !message.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(message).ok()
}

impl Leaf {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Leaf, PatternError> {
        let (selector, path) = selector(cursor)?;
        let test = if cursor.take_word("IS") {
            let words = [("TRUE", Value::Bool(true)), ("FALSE", Value::Bool(false)), ("NULL", Value::Null)];
            let known = words.into_iter().find(|(word, _)| cursor.take_word(word));
            Test::Is(known.ok_or_else(|| cursor.error("TRUE, FALSE or NULL is expected after IS"))?.1)
        } else if cursor.take_word("NOT") {
            if !cursor.take_word("EXISTS") {
                return Err(cursor.error("EXISTS is expected after NOT"));
            }
            Test::NotExists
        } else if cursor.take_word("EXISTS") {
            Test::Exists
        } else {
            Test::Compare(Comparison::parse(cursor, |next| matches!(next, '}' | ')' | '&' | '|'))?)
        };
        Ok(Leaf { selector, path, test })
    }

    fn holds(&self, document: &Value) -> bool {
        let found = self.found(document);
        match &self.test {
            Test::Exists => !found.is_empty(),
            Test::NotExists => found.is_empty(),
            Test::Is(expected) => found.into_iter().any(|value| value == expected),
            Test::Compare(comparison) => found.into_iter().any(|value| comparison.holds_of(value)),
        }
    }

    /// What the path leads to.
    fn found<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![document];
        for step in &self.path {
            found = found.into_iter().flat_map(|value| step.from(value)).collect();
        }
        found
    }
}

impl Step {
    fn from<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Step::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Step::Item(at), Value::Array(items)) => items.get(*at).into_iter().collect(),
            (Step::Each, Value::Array(items)) => items.iter().collect(),
            (Step::Each, Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }
}

/// A selector, as it was written and as a path: `$.a.b[0]`, `$["key with blank"]`.
fn selector(cursor: &mut Cursor<'_>) -> Result<(String, Vec<Step>), PatternError> {
    if !cursor.take("$") {
        return Err(cursor.error("a selector is expected, which begins with $"));
    }
    let (mut written, mut path) = ("$".to_owned(), Vec::new());
    loop {
        if cursor.take_here(".") {
            let name = cursor.take_while(is_name);
            written.extend([".", name]);
            path.push(match name {
                "" if cursor.take_here("*") => {
                    written.push('*');
                    Step::Each
                }
                "" => return Err(cursor.error("a member's name is expected")),
                name => Step::Member(name.to_owned()),
            });
        } else if cursor.take_here("[") {
            let step = bracketed(cursor, &mut written)?;
            path.push(step);
            if !cursor.take("]") {
                return Err(cursor.error("a bracket is not closed"));
            }
        } else {
            return Ok((written, path));
        }
    }
}

fn bracketed(cursor: &mut Cursor<'_>, written: &mut String) -> Result<Step, PatternError> {
    if cursor.take("\"") {
        let name = cursor.quoted()?;
        written.extend(["[\"", &name, "\"]"]);
        return Ok(Step::Member(name));
    }
    if cursor.take("'") {
        let name = cursor.take_while(|next| next != '\'').to_owned();
        written.extend(["['", &name, "']"]);
        cursor.take_here("'");
        return Ok(Step::Member(name));
    }
    if cursor.take("*") {
        written.push_str("[*]");
        return Ok(Step::Each);
    }
    let number = cursor.take_while(|next| next.is_ascii_digit());
    written.extend(["[", number, "]"]);
    number.parse().map(Step::Item).map_err(|_| cursor.error("a number is expected between brackets"))
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '@' | '$' | '#' | ':' | '/')
}
