//! Numbers of schemas: compared and divided exactly where their digits allow it.

use std::cmp::Ordering;

use crate::document::Json;

/// Compares two numbers; `None` where one is none.
pub(super) fn compare(one: &Json<'_>, other: &Json<'_>) -> Option<Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn whole(number: &Json<'_>) -> Option<i128> {
    match number {
        Json::Integer(number) => Some((*number).into()),
        Json::BigInteger(number) => Some(**number),
        _ => None,
    }
}

/// Whether a number is a whole multiple of another one, which is not zero.
pub(super) fn is_multiple(number: &Json<'_>, of: &Json<'_>) -> bool {
    let exact = digits(number).zip(digits(of)).and_then(|((number, scale), (of, of_scale))| {
        let common = scale.max(of_scale);
        let number = number.checked_mul(10_i128.checked_pow(common - scale)?)?;
        let of = of.checked_mul(10_i128.checked_pow(common - of_scale)?)?;
        number.checked_rem(of)
    });
    match exact {
        Some(remainder) => remainder == 0,
        // Beyond 38 digits.
        None => number.as_f64().zip(of.as_f64()).is_some_and(|(number, of)| number % of == 0.0),
    }
}

/// A number as an integer and how many of its digits stand after the point.
fn digits(number: &Json<'_>) -> Option<(i128, u32)> {
    if let Some(whole) = whole(number) {
        return Some((whole, 0));
    }
    let text = number.as_f64()?.to_string();
    let (before, after) = text.split_once('.').unwrap_or((&text, ""));
    Some((format!("{before}{after}").parse().ok()?, u32::try_from(after.len()).ok()?))
}

/// Whether two values are the same; numbers are if their values are.
pub(super) fn is_same(one: &Json<'_>, other: &Json<'_>) -> bool {
    match (one, other) {
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        (Json::Integer(_) | Json::BigInteger(_) | Json::Decimal(_), _) => compare(one, other) == Some(Ordering::Equal),
        _ => one == other,
    }
}

/// A text that is the same for the same values and for no others.
pub(super) fn push_canonical(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Decimal(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            out.push_str(&(*number as i64).to_string());
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                push_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut sorted: Vec<(&str, &Json<'_>)> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in sorted {
                crate::document::push_quoted(out, name);
                out.push(':');
                push_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_multiple, is_same, push_canonical};
    use crate::document::Json;

    fn json(text: &str) -> Json<'_> {
        Json::parse(text).expect("JSON")
    }

    #[test]
    fn multiples_are_exact() {
        for (number, of, expected) in [
            ("10", "2", true),
            ("7", "2", false),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("4.5", "1.5", true),
            ("1e300", "0.5", true),
            ("0", "0.3", true),
            ("-9", "3", true),
            ("1e-300", "1e-290", false),
        ] {
            assert_eq!(is_multiple(&json(number), &json(of)), expected, "{number} of {of}");
        }
    }

    #[test]
    fn values_are_the_same_whatever_their_spelling() {
        for (one, other, expected) in [
            ("1", "1.0", true),
            ("[1,{\"a\":2.0,\"b\":1}]", "[1.0,{\"b\":1,\"a\":2}]", true),
            ("1", "true", false),
            ("0", "false", false),
            ("\"1\"", "1", false),
            ("[1,2]", "[2,1]", false),
            ("{\"a\":1}", "{\"a\":1,\"b\":1}", false),
            ("null", "null", true),
        ] {
            let (one, other) = (json(one), json(other));
            assert_eq!(is_same(&one, &other), expected, "{one} {other}");
            let canonical = |value| {
                let mut text = String::new();
                push_canonical(value, &mut text);
                text
            };
            assert_eq!(canonical(&one) == canonical(&other), expected, "{one} {other}");
        }
    }
}
