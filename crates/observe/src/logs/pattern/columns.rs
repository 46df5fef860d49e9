//! Patterns about events that are columns between blanks: `[ip, user, ..., status = 4*, bytes > 1000]`.

use std::collections::BTreeMap;

use super::PatternError;
use super::cursor::{Condition, Cursor};
use super::operand::Comparison;

/// The columns that an event has.
#[derive(Debug)]
pub(super) struct Columns {
    /// Before `...`, or all.
    first: Vec<Column>,
    /// Behind `...`, if it is there.
    last: Option<Vec<Column>>,
}

#[derive(Debug)]
struct Column {
    name: String,
    condition: Option<Condition<Comparison>>,
}

impl Columns {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Columns, PatternError> {
        cursor.take("[");
        let mut columns = Columns { first: Vec::new(), last: None };
        if cursor.take("]") {
            // Without any column, any event is looked for.
            return Ok(Columns { last: Some(Vec::new()), ..columns });
        }
        loop {
            if cursor.take("...") {
                if columns.last.replace(Vec::new()).is_some() {
                    return Err(cursor.error("it has more than one ..."));
                }
            } else {
                let column = Column::parse(cursor)?;
                columns.last.as_mut().unwrap_or(&mut columns.first).push(column);
            }
            if cursor.take("]") {
                return Ok(columns);
            }
            if !cursor.take(",") {
                return Err(cursor.error("a comma or a closing bracket is expected"));
            }
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.assigned(message).is_some()
    }

    pub(super) fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let named = self.assigned(message)?.into_iter();
        Some(named.map(|(column, text)| (format!("${}", column.name), text.to_owned())).collect())
    }

    /// The columns with their texts, if the event is one that is looked for.
    fn assigned<'m>(&self, message: &'m str) -> Option<Vec<(&Column, &'m str)>> {
        let texts = split(message);
        let last = self.last.as_deref().unwrap_or_default();
        let wanted = self.first.len() + last.len();
        if texts.len() < wanted || (self.last.is_none() && texts.len() > wanted) {
            return None;
        }
        let behind = texts.len() - last.len();
        let texts = texts[..self.first.len()].iter().chain(&texts[behind..]).copied();
        let assigned: Vec<_> = self.first.iter().chain(last).zip(texts).collect();
        assigned.iter().all(|(column, text)| column.accepts(text)).then_some(assigned)
    }
}

impl Column {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Column, PatternError> {
        // The name may stand behind parentheses, and is the same in all of a column's conditions.
        let name = std::cell::RefCell::new(None::<String>);
        let leaf = |cursor: &mut Cursor<'_>| {
            cursor.peek();
            let found = cursor.take_while(is_name);
            let known = name.borrow_mut().get_or_insert_with(|| found.to_owned()).clone();
            if found != known {
                return Err(cursor.error("a column has conditions about another"));
            }
            match cursor.peek() {
                Some('=' | '!' | '<' | '>') => {
                    Comparison::parse(cursor, |next| matches!(next, ',' | ']' | ')' | '&' | '|')).map(Some)
                }
                _ if found.is_empty() => Err(cursor.error("a column's name is expected")),
                _ => Ok(None),
            }
        };
        let condition = cursor.condition(&leaf)?;
        let condition = match condition {
            Condition::Is(None) => None,
            condition => Some(all_present(condition).ok_or_else(|| cursor.error("a comparison is expected"))?),
        };
        Ok(Column { name: name.into_inner().unwrap_or_default(), condition })
    }

    fn accepts(&self, text: &str) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(&|test| test.holds_of_text(text)))
    }
}

/// The condition, if each of its leaves is one.
fn all_present<T>(condition: Condition<Option<T>>) -> Option<Condition<T>> {
    let all = |parts: Vec<_>| parts.into_iter().map(all_present).collect::<Option<Vec<_>>>();
    match condition {
        Condition::All(parts) => all(parts).map(Condition::All),
        Condition::Any(parts) => all(parts).map(Condition::Any),
        Condition::Is(leaf) => leaf.map(Condition::Is),
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '$' | '.')
}

/// The columns of an event: what stands between blanks, between quotes or between brackets.
fn split(message: &str) -> Vec<&str> {
    let mut columns = Vec::new();
    let mut rest = message.trim();
    while !rest.is_empty() {
        let closing = match rest.as_bytes()[0] {
            b'"' => Some('"'),
            b'[' => Some(']'),
            _ => None,
        };
        let (column, behind) = match closing.and_then(|closing| rest[1..].split_once(closing)) {
            Some(inner) => inner,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        columns.push(column);
        rest = behind.trim_start();
    }
    columns
}
