//! The methods of Java's numbers and booleans, their static helpers included: templates reach those through any value of the
//! class (`#set($Integer = 0)$Integer.parseInt("5")`).

use super::arithmetic;
use super::ast::Operator;
use super::machine::{Halt, Machine};
use super::value::{Number, Value};

impl<'r> Machine<'r> {
    pub(super) fn number_call(
        &mut self,
        receiver: &Value<'r>,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Value<'r>, Halt> {
        let Some(number) = receiver.as_number() else { return Ok(Value::Null) };
        if let [argument, rest @ ..] = arguments
            && rest.len() <= 1
        {
            return self.number_helper(receiver, name, argument, rest.first());
        }
        if !arguments.is_empty() {
            return Ok(Value::Null);
        }
        Ok(match name {
            // Java cuts a fraction off and stays within the range; of an integer it keeps the low bits.
            "intValue" => Value::Integer(match receiver.as_integer() {
                Some(integer) => i64::from(integer as i32),
                None => i64::from(number.as_f64() as i32),
            }),
            "longValue" => {
                Value::Integer(receiver.as_integer().map_or(number.as_f64() as i64, |integer| integer as i64))
            }
            "shortValue" => Value::Integer(i64::from(truncated(receiver, number) as i16)),
            "byteValue" => Value::Integer(i64::from(truncated(receiver, number) as i8)),
            "doubleValue" => Value::Decimal(number.as_f64()),
            "floatValue" => Value::Decimal(single(number.as_f64())),
            "hashCode" => Value::Integer(i64::from(hash_code(receiver, number))),
            "isNaN" if receiver.as_integer().is_none() => Value::Boolean(number.as_f64().is_nan()),
            "isInfinite" if receiver.as_integer().is_none() => Value::Boolean(number.as_f64().is_infinite()),
            _ => Value::Null,
        })
    }

    /// Methods with one or two arguments, most of them static.
    fn number_helper(
        &mut self,
        receiver: &Value<'r>,
        name: &str,
        argument: &Value<'r>,
        second: Option<&Value<'r>>,
    ) -> Result<Value<'r>, Halt> {
        let whole = receiver.as_integer().is_some();
        Ok(match (name, second) {
            ("compareTo", None) => return self.compared_numbers(name, receiver, argument),
            ("compare", Some(second)) => return self.compared_numbers(name, argument, second),
            ("parseInt" | "parseLong" | "decode", radix) if whole => return self.parsed(name, argument, radix),
            ("valueOf", radix) if whole && argument.as_str().is_some() => return self.parsed(name, argument, radix),
            ("valueOf", None) if whole => argument.clone(),
            ("parseDouble" | "parseFloat" | "valueOf", None) => match argument.as_str().map(|text| text.trim().parse())
            {
                Some(Ok(number)) => Value::Decimal(number),
                Some(Err(_)) => return self.failed(name, "the text is not a number"),
                None => argument.as_number().map_or(Value::Null, |number| Value::Decimal(number.as_f64())),
            },
            ("toString", None) => return self.text_of(argument),
            ("toString", Some(radix)) => match (argument.as_integer(), radix.as_integer()) {
                (Some(number), Some(radix)) => return self.new_text(in_radix(number, radix)),
                _ => Value::Null,
            },
            ("toHexString", None) => match argument.as_integer() {
                Some(number) => return self.new_text(unsigned(number, |bits| format!("{bits:x}"))),
                None => Value::Null,
            },
            ("toBinaryString", None) => match argument.as_integer() {
                Some(number) => return self.new_text(unsigned(number, |bits| format!("{bits:b}"))),
                None => Value::Null,
            },
            ("toOctalString", None) => match argument.as_integer() {
                Some(number) => return self.new_text(unsigned(number, |bits| format!("{bits:o}"))),
                None => Value::Null,
            },
            ("signum", None) => argument.as_integer().map_or(Value::Null, |number| Value::integer(number.signum())),
            ("max" | "min", Some(second)) if argument.as_number().is_some() && second.as_number().is_some() => {
                let less = arithmetic::ordered(Operator::Less, argument, second);
                if less == (name == "min") { argument.clone() } else { second.clone() }
            }
            ("sum", Some(second)) => arithmetic::calculate(Operator::Add, argument, second),
            _ => Value::Null,
        })
    }

    fn compared_numbers(&mut self, name: &str, left: &Value<'r>, right: &Value<'r>) -> Result<Value<'r>, Halt> {
        match (left.as_number(), right.as_number()) {
            (Some(first), Some(second)) if arithmetic::same_number(first, second) => Ok(Value::Integer(0)),
            (Some(_), Some(_)) if arithmetic::ordered(Operator::Less, left, right) => Ok(Value::Integer(-1)),
            (Some(_), Some(_)) => Ok(Value::Integer(1)),
            _ => self.failed(name, "the argument is not a number"),
        }
    }

    /// `Integer.parseInt` and its kind: digits alone, with a sign.
    fn parsed(&mut self, name: &str, argument: &Value<'r>, radix: Option<&Value<'r>>) -> Result<Value<'r>, Halt> {
        let Some(text) = argument.as_str() else { return Ok(Value::Null) };
        let negative = text.starts_with('-');
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (digits, radix) = match (name, radix) {
            ("decode", _) => match digits.get(..2) {
                Some("0x" | "0X") => (&digits[2..], 16),
                _ => digits.strip_prefix('#').map_or((digits, 10), |digits| (digits, 16)),
            },
            (_, None) => (digits, 10),
            (_, Some(radix)) => match radix.as_integer().and_then(|radix| u32::try_from(radix).ok()) {
                Some(radix @ 2..=36) => (digits, radix),
                _ => return self.failed(name, "the radix is out of range"),
            },
        };
        let number = if digits.starts_with(['-', '+']) { None } else { i64::from_str_radix(digits, radix).ok() };
        match number {
            Some(number) => Ok(Value::Integer(if negative { -number } else { number })),
            None => self.failed(name, "the text is not a number"),
        }
    }

    pub(super) fn boolean_call(&mut self, truth: bool, name: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        Ok(match (name, arguments) {
            ("booleanValue", []) => Value::Boolean(truth),
            ("hashCode", []) => Value::Integer(if truth { 1231 } else { 1237 }),
            ("parseBoolean" | "valueOf", [Value::Boolean(other)]) => Value::Boolean(*other),
            ("parseBoolean" | "valueOf", [text]) => {
                Value::Boolean(text.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
            }
            ("toString", [value @ Value::Boolean(_)]) => return self.text_of(value),
            ("compareTo", [Value::Boolean(other)]) => Value::Integer(i64::from(truth) - i64::from(*other)),
            ("logicalAnd", [Value::Boolean(left), Value::Boolean(right)]) => Value::Boolean(*left && *right),
            ("logicalOr", [Value::Boolean(left), Value::Boolean(right)]) => Value::Boolean(*left || *right),
            ("logicalXor", [Value::Boolean(left), Value::Boolean(right)]) => Value::Boolean(left != right),
            _ => Value::Null,
        })
    }
}

fn truncated(receiver: &Value<'_>, number: Number) -> i64 {
    receiver.as_integer().map_or(number.as_f64() as i64, |integer| integer as i64)
}

/// The number with the precision of Java's `float`, and as few digits as tell it apart there.
fn single(number: f64) -> f64 {
    (number as f32).to_string().parse().unwrap_or(number)
}

/// As Java's classes have it: an `Integer` is its own hash, a `Long` and a `Double` fold their halves.
fn hash_code(receiver: &Value<'_>, number: Number) -> i32 {
    match receiver.as_integer() {
        Some(integer) => match i32::try_from(integer) {
            Ok(small) => small,
            Err(_) => fold(integer as u64),
        },
        None => fold(number.as_f64().to_bits()),
    }
}

fn fold(bits: u64) -> i32 {
    (bits ^ (bits >> 32)) as i32
}

/// The digits of a number's bits: 32 of an `Integer`, 64 of what is larger.
fn unsigned(number: i128, digits: fn(u64) -> String) -> String {
    match i32::try_from(number) {
        Ok(small) => digits(u64::from(small as u32)),
        Err(_) => digits(number as u64),
    }
}

/// `Integer.toString(number, radix)`; a radix that Java does not have counts as ten.
fn in_radix(number: i128, radix: i128) -> String {
    let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)).unwrap_or(10);
    let mut digits = Vec::new();
    let mut rest = number.unsigned_abs();
    loop {
        let digit = u32::try_from(rest % u128::from(radix)).unwrap_or_default();
        digits.push(char::from_digit(digit, radix).unwrap_or('0'));
        rest /= u128::from(radix);
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}
