//! The conditions of filters, with Jayway's comparisons.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::evaluate::{Stopped, Walk};
use super::{Found, JsonPath};
use crate::document::Json;
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
    Literal(Json<'static>),
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
    pub(super) fn accepts<'a>(&self, item: &'a Json<'a>, walk: &Walk<'a>) -> Result<bool, Stopped> {
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
    pub(super) fn find<'a>(&self, item: &'a Json<'a>, walk: &Walk<'a>) -> Result<Found<'a>, Stopped> {
        match walk.find(&self.path, if self.from_item { item } else { walk.root }) {
            Err(Stopped) if !walk.is_exhausted() => Ok(Found::Missing),
            found => found,
        }
    }
}

impl Operand {
    /// The operand's value; `None` when a path leads nowhere.
    fn value<'a>(&'a self, item: &'a Json<'a>, walk: &Walk<'a>) -> Result<Option<Cow<'a, Json<'a>>>, Stopped> {
        Ok(match self {
            Operand::Literal(value) => Some(Cow::Borrowed(value)),
            Operand::Pattern(_) => None,
            Operand::Path(path) => match path.find(item, walk)? {
                Found::Missing => None,
                Found::Value(value) => Some(value),
                Found::List(list) => {
                    let owned: Result<Vec<_>, Stopped> = list.into_iter().map(|found| walk.own(found)).collect();
                    Some(Cow::Owned(Json::Array(owned?)))
                }
            },
        })
    }
}

fn matches_pattern<'a>(
    left: &'a Operand,
    right: &'a Operand,
    item: &'a Json<'a>,
    walk: &Walk<'a>,
) -> Result<bool, Stopped> {
    let (regex, subject) = match (left, right) {
        (subject, Operand::Pattern(regex)) => (regex, subject),
        (Operand::Pattern(regex), subject) => (regex, subject),
        _ => return Ok(false),
    };
    Ok(match subject.value(item, walk)?.as_deref() {
        Some(Json::Text(text)) => {
            walk.charge(regex.effort(text) / 8)?;
            regex.is_full_match(text)
        }
        Some(Json::Boolean(truth)) => regex.is_full_match(if *truth { "true" } else { "false" }),
        _ => false,
    })
}

fn compare(
    left: Option<&Json<'_>>,
    comparison: Comparison,
    right: Option<&Json<'_>>,
    walk: &Walk<'_>,
) -> Result<bool, Stopped> {
    // Only what goes through whole values costs more than the visit that was counted.
    for value in [left, right].into_iter().flatten() {
        match (comparison, value) {
            (Comparison::Size | Comparison::Empty, Json::Array(_) | Json::Object(_)) => {}
            (Comparison::In | Comparison::NotIn | Comparison::Contains, Json::Array(_)) => {}
            (Comparison::All | Comparison::SubsetOf | Comparison::AnyOf | Comparison::NoneOf, _) => {}
            _ => walk.weigh(value)?,
        }
    }
    let order = || left.zip(right).and_then(|(left, right)| order(left, right));
    Ok(match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::SameTypeEqual => same_type(left, right) && equal(left, right),
        Comparison::SameTypeNotEqual => !(same_type(left, right) && equal(left, right)),
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order() == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Matches => false,
        Comparison::In => is_in(left, items(right), walk)?,
        Comparison::NotIn => !is_in(left, items(right), walk)?,
        Comparison::Contains => match (left, right) {
            (Some(Json::Text(text)), Some(Json::Text(part))) => text.contains(part.as_ref()),
            (Some(Json::Array(list)), _) => is_in(right, list, walk)?,
            _ => false,
        },
        Comparison::All | Comparison::SubsetOf | Comparison::AnyOf | Comparison::NoneOf => {
            let (Some(Json::Array(left)), Some(Json::Array(right))) = (left, right) else { return Ok(false) };
            sets(left, comparison, right, walk)?
        }
        Comparison::Size => match (size(left), right) {
            (Some(size), Some(Json::Integer(wanted))) => usize::try_from(*wanted) == Ok(size),
            _ => false,
        },
        Comparison::Empty => match (size(left), right) {
            (Some(size), Some(Json::Boolean(wanted))) => *wanted == (size == 0),
            _ => false,
        },
    })
}

fn items<'j, 'a>(value: Option<&'j Json<'a>>) -> &'j [Json<'a>] {
    value.and_then(Json::as_array).unwrap_or_default()
}

fn is_in(value: Option<&Json<'_>>, list: &[Json<'_>], walk: &Walk<'_>) -> Result<bool, Stopped> {
    for item in list {
        walk.visit()?;
        if matches!(item, Json::Array(_) | Json::Object(_)) {
            walk.weigh(item)?;
        }
        if equal(Some(item), value) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn sets(left: &[Json<'_>], comparison: Comparison, right: &[Json<'_>], walk: &Walk<'_>) -> Result<bool, Stopped> {
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

fn size(value: Option<&Json<'_>>) -> Option<usize> {
    match value? {
        Json::Text(text) => Some(text.encode_utf16().count()),
        Json::Array(list) => Some(list.len()),
        Json::Object(members) => Some(members.len()),
        _ => None,
    }
}

fn same_type(left: Option<&Json<'_>>, right: Option<&Json<'_>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => {
            let numbers = left.as_f64().is_some() && right.as_f64().is_some();
            numbers || std::mem::discriminant(left) == std::mem::discriminant(right)
        }
        (None, None) => true,
        _ => false,
    }
}

/// Numbers compare by value, and text with a number as the left side's kind asks.
fn equal(left: Option<&Json<'_>>, right: Option<&Json<'_>>) -> bool {
    match (left, right) {
        (Some(Json::Integer(left)), Some(Json::Integer(right))) => left == right,
        (Some(Json::Text(left)), Some(right)) if right.as_f64().is_some() => *left == right.to_string(),
        (Some(left), Some(Json::Text(right))) if left.as_f64().is_some() => right.trim().parse().ok() == left.as_f64(),
        (Some(left), Some(right)) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
        (left, right) => left.is_none() && right.is_none(),
    }
}

fn order(left: &Json<'_>, right: &Json<'_>) -> Option<Ordering> {
    match (left, right) {
        (Json::Integer(left), Json::Integer(right)) => Some(left.cmp(right)),
        (Json::Text(left), Json::Text(right)) => Some(left.cmp(right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
