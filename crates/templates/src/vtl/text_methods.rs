//! The methods of Java's strings and numbers. Offsets count UTF-16 units, as in Java.

use super::ast::Operator;
use super::machine::{Halt, Machine};
use super::print::print;
use super::value::Value;
use super::{RenderError, arithmetic};
use crate::java_regex::{JavaRegex, RegexError};

impl<'r> Machine<'r> {
    pub(super) fn text_call(
        &mut self,
        receiver: &Value<'r>,
        name: &str,
        arguments: &[Value<'r>],
        compiled: Option<&'r Result<JavaRegex, RegexError>>,
    ) -> Result<Value<'r>, Halt> {
        if !arguments_fit(name, arguments) {
            return Ok(Value::Null);
        }
        let text = receiver.as_str().unwrap_or_default();
        self.charge(1 + text.len() / 64)?;
        let value = match (name, arguments) {
            ("length", []) => Value::size(utf16_length(text)),
            ("isEmpty", []) => Value::Boolean(text.is_empty()),
            ("isBlank", []) => Value::Boolean(text.trim().is_empty()),
            ("toLowerCase", []) => return self.new_text(text.to_lowercase()),
            ("toUpperCase", []) => return self.new_text(text.to_uppercase()),
            ("trim", []) => return self.new_text(text.trim_matches(|character| character <= ' ').to_string()),
            ("strip", []) => return self.new_text(text.trim().to_string()),
            ("hashCode", []) => Value::Integer(i64::from(hash_code(text))),
            ("substring", [from]) => return self.substring(text, from, None),
            ("substring" | "subSequence", [from, to]) => return self.substring(text, from, Some(to)),
            ("charAt", [index]) => {
                let next = index.as_integer().map(|index| Value::integer(index.saturating_add(1)));
                return self.substring(text, index, next.as_ref());
            }
            ("contains", [part]) => Value::Boolean(text.contains(self.needed(name, part)?)),
            ("startsWith", [part]) => Value::Boolean(text.starts_with(self.needed(name, part)?)),
            ("endsWith", [part]) => Value::Boolean(text.ends_with(self.needed(name, part)?)),
            ("equalsIgnoreCase", [other]) => {
                Value::Boolean(other.as_str().is_some_and(|other| text.to_lowercase() == other.to_lowercase()))
            }
            ("indexOf", [part]) => found_at(text, text.find(self.needed(name, part)?)),
            ("indexOf", [part, from]) => {
                let start = from.as_integer().and_then(|from| byte_offset(text, from.max(0))).unwrap_or(text.len());
                found_at(text, text[start..].find(self.needed(name, part)?).map(|place| place + start))
            }
            ("lastIndexOf", [part]) => found_at(text, text.rfind(self.needed(name, part)?)),
            ("compareTo", [other]) => compared(text, self.needed(name, other)?),
            ("compareToIgnoreCase", [other]) => {
                compared(&text.to_lowercase(), &self.needed(name, other)?.to_lowercase())
            }
            ("concat", [other]) => {
                let joined = format!("{text}{}", self.needed(name, other)?);
                return self.new_text(joined);
            }
            ("replace", [from, to]) => return self.replace_text(text, from, to),
            ("repeat", [count]) => return self.repeat(text, count),
            ("matches", [pattern]) => {
                let regex = self.regex(pattern, compiled)?;
                Value::Boolean(regex.is_full_match(text))
            }
            ("replaceAll", [pattern, replacement]) => {
                let regex = self.regex(pattern, compiled)?;
                return self.replace_matches(text, &regex, replacement, true);
            }
            ("replaceFirst", [pattern, replacement]) => {
                let regex = self.regex(pattern, compiled)?;
                return self.replace_matches(text, &regex, replacement, false);
            }
            ("split", [pattern]) => {
                let regex = self.regex(pattern, compiled)?;
                return self.split(text, &regex, None);
            }
            ("split", [pattern, limit]) => {
                let regex = self.regex(pattern, compiled)?;
                return self.split(text, &regex, limit.as_integer());
            }
            ("format", arguments) => return self.format(text, arguments),
            ("valueOf", [value]) => return self.text_of(value),
            _ => Value::Null,
        };
        Ok(value)
    }

    /// Counts a new text before it becomes a value.
    pub(super) fn new_text(&mut self, text: String) -> Result<Value<'r>, Halt> {
        if text.len() > self.limits.output_bytes {
            return Err(RenderError::OutputTooLarge { limit: self.limits.output_bytes }.into());
        }
        self.charge_bytes(text.len())?;
        Ok(Value::Owned(text.into()))
    }

    /// A text argument. Null counts as empty, as everywhere.
    fn needed<'v>(&self, call: &str, value: &'v Value<'r>) -> Result<&'v str, Halt> {
        match value {
            Value::Null => Ok(""),
            Value::Borrowed(text) => Ok(text),
            Value::Owned(text) => Ok(text),
            _ => self.failed(call, "the argument is not text"),
        }
    }

    fn substring(&mut self, text: &str, from: &Value<'r>, to: Option<&Value<'r>>) -> Result<Value<'r>, Halt> {
        let offset = |value: &Value<'_>| value.as_integer().and_then(|index| byte_offset(text, index));
        let end = match to {
            None => Some(text.len()),
            Some(to) => offset(to),
        };
        match offset(from).zip(end).and_then(|(from, to)| text.get(from..to)) {
            Some(part) => self.new_text(part.to_string()),
            None => self.failed("substring", "the range is out of bounds"),
        }
    }

    fn replace_text(&mut self, text: &str, from: &Value<'r>, to: &Value<'r>) -> Result<Value<'r>, Halt> {
        let (from, to) = (self.needed("replace", from)?, self.needed("replace", to)?);
        let matches = text.matches(from).count();
        // Checked before it is built: a long replacement of many matches could be gigabytes.
        let size = text.len().saturating_add(matches.saturating_mul(to.len()));
        self.charge_bytes(size)?;
        let replaced = text.replace(from, to);
        self.new_text(replaced)
    }

    fn repeat(&mut self, text: &str, count: &Value<'r>) -> Result<Value<'r>, Halt> {
        let Some(count) = count.as_integer().and_then(|count| usize::try_from(count).ok()) else {
            return self.failed("repeat", "the count is negative");
        };
        self.charge_bytes(text.len().saturating_mul(count))?;
        let repeated = if text.is_empty() { String::new() } else { text.repeat(count) };
        self.new_text(repeated)
    }

    /// The pattern of a call: the one compiled with the template, or compiled now.
    fn regex(
        &mut self,
        pattern: &Value<'r>,
        compiled: Option<&'r Result<JavaRegex, RegexError>>,
    ) -> Result<Compiled<'r>, Halt> {
        let failed = |error: String| RenderError::CallFailed { call: "regular expression".to_string(), reason: error };
        match compiled {
            Some(Ok(regex)) => Ok(Compiled::Before(regex)),
            Some(Err(error)) => Err(failed(error.to_string()).into()),
            None => {
                let pattern = self.needed("regular expression", pattern)?.to_string();
                // Compiling costs far more than a step.
                self.charge(2000 + pattern.len() * 20)?;
                let regex = JavaRegex::parse(&pattern).map_err(|error| failed(error.to_string()))?;
                Ok(Compiled::Now(Box::new(regex)))
            }
        }
    }

    fn replace_matches(
        &mut self,
        text: &str,
        regex: &JavaRegex,
        replacement: &Value<'r>,
        all: bool,
    ) -> Result<Value<'r>, Halt> {
        let replacement = self.needed("replaceAll", replacement)?.to_string();
        self.charge(text.len() / 8)?;
        let replaced =
            if all { regex.replace_all(text, &replacement) } else { regex.replace_first(text, &replacement) };
        match replaced {
            Ok(replaced) => self.new_text(replaced),
            Err(error) => self.failed("replaceAll", error.to_string()),
        }
    }

    fn split(&mut self, text: &str, regex: &JavaRegex, limit: Option<i128>) -> Result<Value<'r>, Halt> {
        self.charge(text.len() / 8)?;
        let parts: Vec<String> = match limit {
            None | Some(0) => regex.split(text).into_iter().map(str::to_string).collect(),
            Some(limit) => {
                regex.split_at_most(text, usize::try_from(limit).ok()).into_iter().map(str::to_string).collect()
            }
        };
        self.charge(parts.len())?;
        self.charge_bytes(text.len() + 48 * parts.len())?;
        Ok(Value::list(parts.into_iter().map(Value::text).collect()))
    }

    /// `String.format` with `%s`, `%d`, `%x`, `%f`, `%b`, `%c`, `%n`, `%%`, a width, `-`, `0` and a precision.
    fn format(&mut self, pattern: &str, arguments: &[Value<'r>]) -> Result<Value<'r>, Halt> {
        // `$s.format("%s", $x)` calls the static method: the first argument is the pattern, the receiver is not used.
        let (pattern, arguments) = match arguments {
            [first, rest @ ..] if first.as_str().is_some_and(|text| text.contains('%')) => {
                (first.as_str().unwrap_or_default().to_string(), rest)
            }
            _ => (pattern.to_string(), arguments),
        };
        let mut out = String::new();
        let mut arguments = arguments.iter();
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let Some(specifier) = Specifier::read(after) else {
                return self.failed("format", "the format is not known");
            };
            rest = &after[specifier.length..];
            match specifier.conversion {
                '%' => out.push('%'),
                'n' => out.push('\n'),
                _ => {
                    let Some(argument) = arguments.next() else {
                        return self.failed("format", "an argument is missing");
                    };
                    let Some(text) = specifier.apply(argument, self.limits.output_bytes)? else {
                        return self.failed("format", "the argument does not fit the format");
                    };
                    out.push_str(&text);
                }
            }
            self.charge(1 + out.len() / 1024)?;
        }
        out.push_str(rest);
        self.new_text(out)
    }

    pub(super) fn number_call(
        &mut self,
        receiver: &Value<'r>,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Value<'r>, Halt> {
        let Some(number) = receiver.as_number() else { return Ok(Value::Null) };
        Ok(match (name, arguments) {
            ("intValue" | "longValue" | "shortValue", []) => match receiver.as_integer() {
                Some(_) => receiver.clone(),
                // Java cuts the fraction off and stays within the range.
                None => Value::Integer(number.as_f64() as i64),
            },
            ("doubleValue" | "floatValue", []) => Value::Decimal(number.as_f64()),
            ("hashCode", []) => receiver.as_integer().map_or(Value::Null, Value::integer),
            ("compareTo", [other]) => match other.as_number() {
                None => return self.failed(name, "the argument is not a number"),
                Some(other) if arithmetic::same_number(number, other) => Value::Integer(0),
                Some(_) if arithmetic::ordered(Operator::Less, receiver, other_of(arguments)) => Value::Integer(-1),
                Some(_) => Value::Integer(1),
            },
            ("parseInt" | "parseLong" | "valueOf", [value]) if receiver.as_integer().is_some() => {
                match value.as_str().map(str::parse) {
                    Some(Ok(number)) => Value::Integer(number),
                    Some(Err(_)) => return self.failed(name, "the text is not a number"),
                    None if name == "valueOf" => value.clone(),
                    None => Value::Null,
                }
            }
            ("parseDouble" | "valueOf", [value]) => match value.as_str().map(|text| text.trim().parse()) {
                Some(Ok(number)) => Value::Decimal(number),
                Some(Err(_)) => return self.failed(name, "the text is not a number"),
                None => value.as_number().map_or(Value::Null, |number| Value::Decimal(number.as_f64())),
            },
            ("toString", [value]) => return self.text_of(value),
            _ => Value::Null,
        })
    }
}

/// Whether Java has such a method for arguments of these kinds; a call that does not fit is null.
fn arguments_fit(name: &str, arguments: &[Value<'_>]) -> bool {
    let is_text = |value: &Value<'_>| value.is_null() || value.as_str().is_some();
    let is_integer = |value: &Value<'_>| value.as_integer().is_some();
    match name {
        "contains"
        | "startsWith"
        | "endsWith"
        | "concat"
        | "compareTo"
        | "compareToIgnoreCase"
        | "replace"
        | "matches"
        | "replaceAll"
        | "replaceFirst" => arguments.iter().all(is_text),
        "indexOf" | "lastIndexOf" | "split" => {
            arguments.first().is_none_or(is_text) && arguments.iter().skip(1).all(is_integer)
        }
        "substring" | "subSequence" | "charAt" | "repeat" => arguments.iter().all(is_integer),
        _ => true,
    }
}

/// A pattern and who owns it.
enum Compiled<'r> {
    Before(&'r JavaRegex),
    Now(Box<JavaRegex>),
}

impl std::ops::Deref for Compiled<'_> {
    type Target = JavaRegex;

    fn deref(&self) -> &JavaRegex {
        match self {
            Compiled::Before(regex) => regex,
            Compiled::Now(regex) => regex,
        }
    }
}

fn other_of<'v, 'r>(arguments: &'v [Value<'r>]) -> &'v Value<'r> {
    arguments.first().unwrap_or(&Value::Null)
}

fn utf16_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The byte at which the UTF-16 unit of that number begins; `None` beyond the end or inside a character.
fn byte_offset(text: &str, units: i128) -> Option<usize> {
    let units = usize::try_from(units).ok()?;
    if text.is_ascii() {
        return (units <= text.len()).then_some(units);
    }
    let mut seen = 0;
    for (place, character) in text.char_indices() {
        if seen >= units {
            return (seen == units).then_some(place);
        }
        seen += character.len_utf16();
    }
    (seen == units).then_some(text.len())
}

fn found_at<'r>(text: &str, place: Option<usize>) -> Value<'r> {
    place.map_or(Value::Integer(-1), |place| Value::size(utf16_length(&text[..place])))
}

/// Java's difference of the first units that differ, or of the lengths.
fn compared<'r>(left: &str, right: &str) -> Value<'r> {
    let differing = left.encode_utf16().zip(right.encode_utf16()).find(|(left, right)| left != right);
    Value::Integer(match differing {
        Some((left, right)) => i64::from(left) - i64::from(right),
        None => utf16_length(left) as i64 - utf16_length(right) as i64,
    })
}

fn hash_code(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// One `%…` of a format.
struct Specifier {
    left: bool,
    zero: bool,
    grouped: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
    length: usize,
}

impl Specifier {
    fn read(text: &str) -> Option<Specifier> {
        let bytes = text.as_bytes();
        let flags = bytes.iter().take_while(|byte| matches!(byte, b'-' | b'0' | b',' | b' ' | b'+')).count();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut length = flags;
        let width_digits = digits(length);
        let width = if width_digits == 0 { 0 } else { text[length..length + width_digits].parse().ok()? };
        length += width_digits;
        let mut precision = None;
        if bytes.get(length) == Some(&b'.') {
            let count = digits(length + 1);
            precision = Some(text[length + 1..length + 1 + count].parse().ok()?);
            length += 1 + count;
        }
        let conversion = text[length..].chars().next()?;
        if width > 1000 || precision.is_some_and(|precision| precision > 100) {
            return None;
        }
        Some(Specifier {
            left: text[..flags].contains('-'),
            zero: text[..flags].contains('0'),
            grouped: text[..flags].contains(','),
            width,
            precision,
            conversion,
            length: length + conversion.len_utf8(),
        })
    }

    /// The formatted argument; `None` when it does not fit the conversion.
    fn apply(&self, argument: &Value<'_>, limit: usize) -> Result<Option<String>, RenderError> {
        let formatted = match self.conversion {
            's' | 'S' => {
                let mut text = String::new();
                print(argument, &mut text, limit)?;
                if let Some(precision) = self.precision {
                    text = text.chars().take(precision).collect();
                }
                Some(if self.conversion == 'S' { text.to_uppercase() } else { text })
            }
            'd' => argument.as_integer().map(|number| {
                let digits = number.unsigned_abs().to_string();
                let digits = if self.grouped { grouped(&digits) } else { digits };
                if number < 0 { format!("-{digits}") } else { digits }
            }),
            'x' => argument.as_integer().map(|number| format!("{:x}", number as i64)),
            'X' => argument.as_integer().map(|number| format!("{:X}", number as i64)),
            'f' => match argument {
                Value::Decimal(number) => Some(format!("{number:.*}", self.precision.unwrap_or(6))),
                _ => None,
            },
            'b' => Some(matches!(argument, Value::Boolean(true)).to_string()),
            'c' => argument.as_str().and_then(|text| text.chars().next()).map(String::from),
            _ => None,
        };
        Ok(formatted.map(|text| self.pad(text)))
    }

    fn pad(&self, text: String) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let padding = if self.zero && !self.left { "0" } else { " " }.repeat(missing);
        match (self.left, text.strip_prefix('-')) {
            (true, _) => text + &padding,
            (false, Some(digits)) if self.zero => format!("-{padding}{digits}"),
            _ => padding + &text,
        }
    }
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
