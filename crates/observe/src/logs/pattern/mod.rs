//! Filter patterns: what FilterLogEvents, subscription filters, metric filters and live tail look for in events.
//!
//! There are three kinds, told apart by their first character: terms (`ERROR -debug "two words" ?a ?b %regex%`), JSON
//! (`{ $.status = 5* && $.latency > 100 }`) and columns (`[ip, ..., status = 4*, bytes]`). A pattern is text of a stranger
//! (at most 1,024 characters) that meets text of another: reading is bounded in depth, and matching takes time proportional
//! to the event, but for the pieces between the stars of a wildcard.

mod columns;
mod cursor;
mod json;
mod operand;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::columns::Columns;
use self::cursor::Cursor;
use self::json::JsonCondition;
use self::terms::Terms;

/// A pattern, ready to be matched.
#[derive(Debug)]
pub struct Pattern(Kind);

#[derive(Debug)]
enum Kind {
    Everything,
    Terms(Terms),
    Json(JsonCondition),
    Columns(Columns),
}

/// Why a text is not a pattern; for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(pub String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, in the words of InvalidParameterException.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let mut cursor = Cursor::new(text);
        let kind = match cursor.peek() {
            None => return Ok(Pattern(Kind::Everything)),
            Some('{') => Kind::Json(JsonCondition::parse(&mut cursor)?),
            Some('[') => Kind::Columns(Columns::parse(&mut cursor)?),
            Some(_) => Kind::Terms(Terms::parse(&mut cursor)?),
        };
        match cursor.peek() {
            None => Ok(Pattern(kind)),
            Some(_) => Err(cursor.error("there is something behind its end")),
        }
    }

    /// Whether an event is one of those that are looked for.
    pub fn matches(&self, message: &str) -> bool {
        match &self.0 {
            Kind::Everything => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(condition) => condition.matches(message),
            Kind::Columns(columns) => columns.matches(message),
        }
    }

    /// What TestMetricFilter shows of an event that is looked for: the columns, or what the selectors lead to. `None` where
    /// the event is not looked for.
    pub fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        match &self.0 {
            Kind::Json(condition) => condition.extract(message),
            Kind::Columns(columns) => columns.extract(message),
            Kind::Everything | Kind::Terms(_) => self.matches(message).then(BTreeMap::new),
        }
    }
}
