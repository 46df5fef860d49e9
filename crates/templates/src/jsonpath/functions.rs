//! The functions that may end a path.

use std::borrow::Cow;

use super::Found;
use super::evaluate::{Stopped, Walk};
use super::filter::ItemPath;
use crate::document::Json;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Debug)]
pub(super) enum Argument {
    Path(ItemPath),
    Literal(Json<'static>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Minimum,
    Maximum,
    Average,
    Sum,
    StandardDeviation,
    Length,
    Keys,
    Concat,
    Append,
    First,
    Last,
    Index,
}

impl Function {
    pub(super) fn from_name(name: &str) -> Option<Function> {
        Some(match name {
            "min" => Function::Minimum,
            "max" => Function::Maximum,
            "avg" => Function::Average,
            "sum" => Function::Sum,
            "stddev" => Function::StandardDeviation,
            "length" | "size" => Function::Length,
            "keys" => Function::Keys,
            "concat" => Function::Concat,
            "append" => Function::Append,
            "first" => Function::First,
            "last" => Function::Last,
            "index" => Function::Index,
            _ => return None,
        })
    }
}

/// Applies a function; `None` when it has no result for such a value.
pub(super) fn call<'a>(
    call: &Call,
    model: &Json<'a>,
    item: &'a Json<'a>,
    walk: &Walk<'a>,
) -> Result<Option<Json<'a>>, Stopped> {
    let arguments = arguments(&call.arguments, item, walk)?;
    match call.function {
        Function::Length => {}
        Function::Keys => walk.charge(length_of(model))?,
        Function::Append | Function::First | Function::Last | Function::Index => walk.weigh(model)?,
        _ => walk.charge(items(model).len() + arguments.len())?,
    }
    Ok(match call.function {
        Function::Length => length(arguments.first().unwrap_or(model)),
        Function::Keys => match model {
            Json::Object(members) => {
                let names = members.iter().map(|(name, _)| Json::Text(Cow::Owned(name.to_string())));
                Some(Json::Array(names.collect()))
            }
            _ => None,
        },
        Function::Concat => Some(Json::Text(Cow::Owned(concat(model, &arguments)))),
        Function::Append => {
            let mut list = items(model).to_vec();
            list.extend(arguments);
            Some(Json::Array(list))
        }
        Function::First => items(model).first().cloned(),
        Function::Last => items(model).last().cloned(),
        Function::Index => indexed(items(model), &arguments),
        statistic => aggregate(statistic, &numbers(model, &arguments)).map(Json::Decimal),
    })
}

/// The arguments' values; a path that finds many gives each of them.
fn arguments<'a>(arguments: &[Argument], item: &'a Json<'a>, walk: &Walk<'a>) -> Result<Vec<Json<'a>>, Stopped> {
    let mut values = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Literal(value) => values.push(value.clone()),
            Argument::Path(path) => match path.find(item, walk)? {
                Found::Value(value) => values.push(walk.own(value)?),
                Found::List(list) => {
                    for value in list {
                        values.push(walk.own(value)?);
                    }
                }
                Found::Missing => {}
            },
        }
    }
    Ok(values)
}

/// The elements of an array; nothing of anything else.
fn items<'j, 'a>(value: &'j Json<'a>) -> &'j [Json<'a>] {
    value.as_array().unwrap_or_default()
}

fn length_of(value: &Json<'_>) -> usize {
    match value {
        Json::Array(list) => list.len(),
        Json::Object(members) => members.len(),
        _ => 0,
    }
}

fn length<'a>(value: &Json<'a>) -> Option<Json<'a>> {
    match value {
        Json::Array(list) => Some(Json::size(list.len())),
        Json::Object(members) => Some(Json::size(members.len())),
        _ => None,
    }
}

/// The texts of the list and of the arguments, one after the other.
fn concat(model: &Json<'_>, arguments: &[Json<'_>]) -> String {
    items(model).iter().filter_map(Json::as_str).chain(arguments.iter().filter_map(Json::as_str)).collect()
}

fn indexed<'a>(list: &[Json<'a>], arguments: &[Json<'a>]) -> Option<Json<'a>> {
    let Some(Json::Integer(index)) = arguments.first() else { return None };
    let place = if *index < 0 { index.checked_add(i64::try_from(list.len()).ok()?)? } else { *index };
    list.get(usize::try_from(place).ok()?).cloned()
}

fn numbers(model: &Json<'_>, arguments: &[Json<'_>]) -> Vec<f64> {
    items(model).iter().filter_map(Json::as_f64).chain(arguments.iter().filter_map(Json::as_f64)).collect()
}

fn aggregate(function: Function, numbers: &[f64]) -> Option<f64> {
    if numbers.is_empty() {
        return None;
    }
    let count = numbers.len() as f64;
    let sum: f64 = numbers.iter().sum();
    Some(match function {
        Function::Minimum => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Maximum => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::Average => sum / count,
        Function::StandardDeviation => {
            let squares: f64 = numbers.iter().map(|number| number * number).sum();
            (squares / count - sum * sum / count / count).sqrt()
        }
        _ => sum,
    })
}
