//! The functions that may end a path.

use serde_json::{Number, Value};

use super::Found;
use super::evaluate::{Stopped, Walk};
use super::filter::ItemPath;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Debug)]
pub(super) enum Argument {
    Path(ItemPath),
    Literal(Value),
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
pub(super) fn call<'a>(call: &Call, model: &Value, item: &'a Value, walk: &Walk<'a>) -> Result<Option<Value>, Stopped> {
    let arguments = arguments(&call.arguments, item, walk)?;
    Ok(match call.function {
        Function::Length => length(arguments.first().unwrap_or(model)),
        Function::Keys => model
            .as_object()
            .map(|members| Value::Array(members.keys().map(|key| Value::String(key.clone())).collect())),
        Function::Concat => Some(Value::String(concat(model, &arguments))),
        Function::Append => {
            let mut list = model.as_array().cloned().unwrap_or_default();
            list.extend(arguments);
            Some(Value::Array(list))
        }
        Function::First => model.as_array().and_then(|list| list.first().cloned()),
        Function::Last => model.as_array().and_then(|list| list.last().cloned()),
        Function::Index => indexed(model, &arguments),
        statistic => number(aggregate(statistic, &numbers(model, &arguments))),
    })
}

/// The arguments' values; a path that finds many gives each of them.
fn arguments<'a>(arguments: &[Argument], item: &'a Value, walk: &Walk<'a>) -> Result<Vec<Value>, Stopped> {
    let mut values = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Literal(value) => values.push(value.clone()),
            Argument::Path(path) => match path.find(item, walk) {
                Ok(Found::Value(value)) => values.push(value.into_owned()),
                Ok(Found::List(list)) => values.extend(list.into_iter().map(std::borrow::Cow::into_owned)),
                Ok(Found::Missing) => {}
                Err(Stopped) => return Err(Stopped),
            },
        }
    }
    Ok(values)
}

fn length(value: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => Some(list.len().into()),
        Value::Object(members) => Some(members.len().into()),
        _ => None,
    }
}

fn concat(model: &Value, arguments: &[Value]) -> String {
    let mut text = String::new();
    for value in model.as_array().into_iter().flatten().chain(arguments) {
        match value {
            Value::String(part) => text.push_str(part),
            Value::Number(part) if !model.is_array() => text.push_str(&part.to_string()),
            _ => {}
        }
    }
    text
}

fn indexed(model: &Value, arguments: &[Value]) -> Option<Value> {
    let list = model.as_array()?;
    let index = arguments.first()?.as_i64()?;
    let place = if index < 0 { index + list.len() as i64 } else { index };
    list.get(usize::try_from(place).ok()?).cloned()
}

fn numbers(model: &Value, arguments: &[Value]) -> Vec<f64> {
    model.as_array().into_iter().flatten().chain(arguments).filter_map(Value::as_f64).collect()
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

fn number(number: Option<f64>) -> Option<Value> {
    number.and_then(Number::from_f64).map(Value::Number)
}
