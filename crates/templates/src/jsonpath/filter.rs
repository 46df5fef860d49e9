//! The conditions of filters, with Jayway's comparisons.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::evaluate::{Stopped, Walk};
use super::{Found, JsonPath};
use crate::java_regex::JavaRegex;

#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Exists(ItemPath),
    Compare(Operand, Comparison, Operand),
}

/// A path inside a filter, from the item (`@`) or from the document (`$`).
#[derive(Debug)]
pub(super) struct ItemPath {
    pub(super) path: JsonPath,
    pub(super) from_item: bool,
}

#[derive(Debug)]
pub(super) enum Operand {
    Path(ItemPath),
    Literal(Value),
    Pattern(Box<JavaRegex>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    SameTypeEqual,
    SameTypeNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    All,
    Size,
    Empty,
    SubsetOf,
    AnyOf,
    NoneOf,
}

impl Comparison {
    pub(super) fn from_word(word: &str) -> Option<Comparison> {
        Some(match word {
            "in" => Comparison::In,
            "nin" => Comparison::NotIn,
            "contains" => Comparison::Contains,
            "all" => Comparison::All,
            "size" => Comparison::Size,
            "empty" => Comparison::Empty,
            "subsetof" => Comparison::SubsetOf,
            "anyof" => Comparison::AnyOf,
            "noneof" => Comparison::NoneOf,
            _ => return None,
        })
    }
}

impl Condition {
    pub(super) fn accepts<'a>(&self, item: &'a Value, walk: &Walk<'a>) -> Result<bool, Stopped> {
        walk.visit()?;
        Ok(match self {
            Condition::All(parts) => {
                for part in parts {
                    if !part.accepts(item, walk)? {
                        return Ok(false);
                    }
                }
                true
            }
            Condition::Any(alternatives) => {
                for alternative in alternatives {
                    if alternative.accepts(item, walk)? {
                        return Ok(true);
                    }
                }
                false
            }
            Condition::Not(inner) => !inner.accepts(item, walk)?,
            Condition::Exists(path) => path.find(item, walk)? != Found::Missing,
            Condition::Compare(left, comparison, right) => {
                if let (Comparison::Matches, left, right) = (comparison, left, right) {
                    return matches_pattern(left, right, item, walk);
                }
                let left = left.value(item, walk)?;
                let right = right.value(item, walk)?;
                compare(left.as_deref(), *comparison, right.as_deref(), walk)?
            }
        })
    }
}

impl ItemPath {
    /// What the path finds; one that leads nowhere is missing, whatever its kind.
    pub(super) fn find<'a>(&self, item: &'a Value, walk: &Walk<'a>) -> Result<Found<'a>, Stopped> {
        match walk.find(&self.path, if self.from_item { item } else { walk.root }) {
            Err(Stopped) if !walk.is_exhausted() => Ok(Found::Missing),
            found => found,
        }
    }
}

impl Operand {
    /// The operand's value; `None` when a path leads nowhere.
    fn value<'a>(&'a self, item: &'a Value, walk: &Walk<'a>) -> Result<Option<Cow<'a, Value>>, Stopped> {
        Ok(match self {
            Operand::Literal(value) => Some(Cow::Borrowed(value)),
            Operand::Pattern(_) => None,
            Operand::Path(path) => match path.find(item, walk)? {
                Found::Missing => None,
                Found::Value(value) => Some(value),
                list @ Found::List(_) => list.into_value().map(Cow::Owned),
            },
        })
    }
}

fn matches_pattern<'a>(
    left: &'a Operand,
    right: &'a Operand,
    item: &'a Value,
    walk: &Walk<'a>,
) -> Result<bool, Stopped> {
    let (regex, subject) = match (left, right) {
        (subject, Operand::Pattern(regex)) => (regex, subject),
        (Operand::Pattern(regex), subject) => (regex, subject),
        _ => return Ok(false),
    };
    Ok(match subject.value(item, walk)?.as_deref() {
        Some(Value::String(text)) => regex.is_full_match(text),
        Some(Value::Bool(truth)) => regex.is_full_match(if *truth { "true" } else { "false" }),
        _ => false,
    })
}

fn compare(
    left: Option<&Value>,
    comparison: Comparison,
    right: Option<&Value>,
    walk: &Walk<'_>,
) -> Result<bool, Stopped> {
    let same_type = || match (left, right) {
        (Some(left), Some(right)) => std::mem::discriminant(left) == std::mem::discriminant(right),
        (None, None) => true,
        _ => false,
    };
    let order = || left.zip(right).and_then(|(left, right)| order(left, right));
    Ok(match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::SameTypeEqual => same_type() && equal(left, right),
        Comparison::SameTypeNotEqual => !(same_type() && equal(left, right)),
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order() == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Matches => false,
        Comparison::In => is_in(left, items(right), walk)?,
        Comparison::NotIn => !is_in(left, items(right), walk)?,
        Comparison::Contains => match (left, right) {
            (Some(Value::String(text)), Some(Value::String(part))) => text.contains(part.as_str()),
            (Some(Value::Array(list)), _) => is_in(right, list, walk)?,
            _ => false,
        },
        Comparison::All | Comparison::SubsetOf | Comparison::AnyOf | Comparison::NoneOf => {
            let (Some(Value::Array(left)), Some(Value::Array(right))) = (left, right) else { return Ok(false) };
            sets(left, comparison, right, walk)?
        }
        Comparison::Size => size(left).is_some_and(|size| right.and_then(Value::as_u64) == Some(size as u64)),
        Comparison::Empty => size(left).is_some_and(|size| right.and_then(Value::as_bool) == Some(size == 0)),
    })
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_in(value: Option<&Value>, list: &[Value], walk: &Walk<'_>) -> Result<bool, Stopped> {
    for item in list {
        walk.visit()?;
        if equal(Some(item), value) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn sets(left: &[Value], comparison: Comparison, right: &[Value], walk: &Walk<'_>) -> Result<bool, Stopped> {
    let (these, those) = if comparison == Comparison::SubsetOf { (left, right) } else { (right, left) };
    let mut found = 0;
    for item in these {
        found += usize::from(is_in(Some(item), those, walk)?);
    }
    Ok(match comparison {
        Comparison::AnyOf => found > 0,
        Comparison::NoneOf => found == 0,
        _ => found == these.len(),
    })
}

fn size(value: Option<&Value>) -> Option<usize> {
    match value? {
        Value::String(text) => Some(text.encode_utf16().count()),
        Value::Array(list) => Some(list.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    }
}

/// Numbers compare by value, and text with a number as the left side's kind asks.
fn equal(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left.as_f64() == right.as_f64(),
        (Some(Value::Number(left)), Some(Value::String(right))) => right.trim().parse().ok() == left.as_f64(),
        (Some(Value::String(left)), Some(Value::Number(right))) => *left == right.to_string(),
        (left, right) => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
