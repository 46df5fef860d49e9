//! Arithmetic and order as Velocity has them: whole numbers stay whole, `/` truncates, division by zero is null.

use super::ast::Operator;
use super::value::{Number, Value};

/// The result of `+ - * / %` on two numbers, null for everything else.
pub(super) fn calculate<'r>(operator: Operator, left: &Value<'r>, right: &Value<'r>) -> Value<'r> {
    let (Some(left), Some(right)) = (left.as_number(), right.as_number()) else { return Value::Null };
    match (left, right) {
        (Number::Integer(left), Number::Integer(right)) => {
            let exact = match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide => return left.checked_div(right).map_or(Value::Null, Value::integer),
                _ => return left.checked_rem(right).map_or(Value::Null, Value::integer),
            };
            // Beyond 128 bits the value is kept as a decimal.
            exact.map_or_else(|| decimal(operator, left as f64, right as f64), Value::integer)
        }
        (left, right) => decimal(operator, left.as_f64(), right.as_f64()),
    }
}

fn decimal<'r>(operator: Operator, left: f64, right: f64) -> Value<'r> {
    Value::Decimal(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        _ if right == 0.0 => return Value::Null,
        Operator::Divide => left / right,
        _ => left % right,
    })
}

/// `< <= > >=`: false unless both sides are numbers.
pub(super) fn ordered(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    let (Some(left), Some(right)) = (left.as_number(), right.as_number()) else { return false };
    let order = match (left, right) {
        (Number::Integer(left), Number::Integer(right)) => Some(left.cmp(&right)),
        (left, right) => left.as_f64().partial_cmp(&right.as_f64()),
    };
    order.is_some_and(|order| match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    })
}

pub(super) fn same_number(left: Number, right: Number) -> bool {
    match (left, right) {
        (Number::Integer(left), Number::Integer(right)) => left == right,
        (left, right) => left.as_f64() == right.as_f64(),
    }
}
