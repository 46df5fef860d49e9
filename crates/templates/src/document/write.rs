//! Writes JSON, with numbers as Java prints them.

use std::fmt::Write as _;

use super::Json;

/// Appends a value in compact form. A document is at most as deep as the parser lets it be.
pub(super) fn write(json: &Json<'_>, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Boolean(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Json::Integer(number) => out.push_str(itoa::Buffer::new().format(*number)),
        Json::BigInteger(number) => out.push_str(itoa::Buffer::new().format(**number)),
        Json::Decimal(number) => push_double(out, *number),
        Json::Text(text) => push_quoted(out, text),
        Json::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                push_quoted(out, name);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Appends text as a JSON string, quotes included.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (place, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..place]);
        plain = place + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Appends a double as Java's `Double.toString`: `1.0`, `0.05`, `1.0E10`, `1.0E-4`.
pub(crate) fn push_double(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("NaN");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number < 0.0 { "-Infinity" } else { "Infinity" });
        return;
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let _ = write!(out, "{number:?}");
        return;
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    out.push_str(digits);
    if !digits.contains('.') {
        out.push_str(".0");
    }
    out.push('E');
    out.push_str(exponent);
}

#[cfg(test)]
mod tests {
    use super::push_double;

    fn double(number: f64) -> String {
        let mut out = String::new();
        push_double(&mut out, number);
        out
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        let cases = [
            (2.0, "2.0"),
            (0.05, "0.05"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1e10, "1.0E10"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.5e-9, "-1.5E-9"),
            (-0.0, "-0.0"),
            (1000.1234, "1000.1234"),
        ];
        for (number, expected) in cases {
            assert_eq!(double(number), expected);
        }
    }
}
