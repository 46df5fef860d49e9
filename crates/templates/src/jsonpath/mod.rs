//! JSONPath in the dialect of Jayway's json-path, which API Gateway uses in `$input.json`, `$input.path` and parameter mapping.
//!
//! It differs from RFC 9535: filters stand in parentheses, a definite path gives the value itself and any other path a list, a
//! slice has no step, `length()`, `min()`, `max()`, `avg()`, `sum()`, `stddev()`, `keys()`, `concat()`, `append()`, `first()`,
//! `last()` and `index()` may end a path, and the leading `$.` may be left out.
//!
//! ```
//! use templates::jsonpath::{Found, JsonPath};
//!
//! let document = serde_json::json!({"pets": [{"name": "Tom", "age": 3}, {"name": "Rex", "age": 7}]});
//! let path = JsonPath::parse("$.pets[?(@.age > 5)].name")?;
//! assert_eq!(path.evaluate(&document).into_value(), Some(serde_json::json!(["Rex"])));
//! assert!(matches!(JsonPath::parse("pets[9]")?.evaluate(&document), Found::Missing));
//! # Ok::<(), templates::jsonpath::PathError>(())
//! ```
//!
//! A path has at most [`MAX_PATH_BYTES`]; an evaluation that visits more than [`MAX_VISITS`] values finds nothing.

mod evaluate;
mod filter;
mod filter_parse;
mod functions;
mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use crate::document::Json;

/// The longest path that is read.
pub const MAX_PATH_BYTES: usize = 8 * 1024;

/// How many values one evaluation may visit.
pub const MAX_VISITS: usize = 1_000_000;

/// Why a path cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSONPath at character {position}: {message}")]
pub struct PathError {
    /// How many characters stand before the error.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

/// A compiled path. Immutable; cheap to evaluate often.
#[derive(Debug)]
pub struct JsonPath {
    tokens: Vec<Token>,
    definite: bool,
}

/// What a path found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    /// A definite path led nowhere.
    Missing,
    /// The value at a definite path, or a function's result.
    Value(Cow<'a, Json<'a>>),
    /// Everything an indefinite path matched, possibly nothing.
    List(Vec<Cow<'a, Json<'a>>>),
}

impl Found<'_> {
    /// The find as one JSON value; `None` when nothing was found.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Found::Missing => None,
            Found::Value(value) => Some(value.to_value()),
            Found::List(values) => Some(values.iter().map(|value| value.to_value()).collect()),
        }
    }
}

impl JsonPath {
    /// Compiles a path. `$.` in front may be missing.
    ///
    /// # Errors
    /// The text is no path of this dialect.
    pub fn parse(path: &str) -> Result<JsonPath, PathError> {
        parse::parse(path)
    }

    /// Whether the path names at most one value.
    pub fn is_definite(&self) -> bool {
        self.definite
    }

    /// Finds what the path names in a document.
    pub fn evaluate<'a>(&self, document: &'a Value) -> Found<'a> {
        match self.evaluate_within(&Json::from_value(document), &mut { MAX_VISITS }) {
            Found::Missing => Found::Missing,
            Found::Value(value) => Found::Value(Cow::Owned(value.into_owned().into_owned())),
            Found::List(values) => {
                Found::List(values.into_iter().map(|value| Cow::Owned(value.into_owned().into_owned())).collect())
            }
        }
    }

    /// Finds what the path names in a parsed document while visiting at most `visits_left` values, and counts those visited
    /// down. Nothing is copied.
    pub fn evaluate_within<'a>(&self, document: &'a Json<'a>, visits_left: &mut usize) -> Found<'a> {
        evaluate::evaluate(self, document, visits_left)
    }
}

/// One step of a path.
#[derive(Debug)]
enum Token {
    /// `.name`, `['name']`, `['a','b']`.
    Properties(Vec<String>),
    /// `[0]`, `[0,2]`, `[-1]`.
    Indexes(Vec<i64>),
    /// `[1:3]`: at least one bound is there.
    Slice(Option<i64>, Option<i64>),
    Wildcard,
    /// `..`: the token after it is tried at every level.
    Scan,
    Filter(filter::Condition),
    Function(functions::Call),
}
