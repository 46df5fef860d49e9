//! The methods of Java's strings. Offsets count UTF-16 units, as in Java.

use std::time::Instant;

use super::RenderError;
use super::machine::{Halt, Machine};
use super::print::print;
use super::value::Value;
use crate::java_regex::{JavaRegex, MatchError, RegexError};

/// Searches that are more work than this are timed.
const UNTIMED_EFFORT: usize = 2_000;

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
            ("stripLeading", []) => return self.new_text(text.trim_start().to_string()),
            ("stripTrailing", []) => return self.new_text(text.trim_end().to_string()),
            ("intern", []) => receiver.clone(),
            ("toCharArray", []) => return self.characters(text),
            ("codePointAt", [index]) => {
                let place = index.as_integer().and_then(|index| byte_offset(text, index));
                match place.and_then(|place| text[place..].chars().next()) {
                    Some(character) => Value::Integer(i64::from(u32::from(character))),
                    None => return self.failed("codePointAt", "the index is out of bounds"),
                }
            }
            ("contentEquals", [other]) => Value::Boolean(other.as_str() == Some(text)),
            ("join", [separator, list]) => return self.join(separator, list),
            ("hashCode", []) => Value::Integer(i64::from(hash_code(text))),
            ("substring", [from]) => return self.substring(text, from, None),
            ("substring" | "subSequence", [from, to]) => return self.substring(text, from, Some(to)),
            ("charAt", [index]) => {
                let next = index.as_integer().map(|index| Value::integer(index.saturating_add(1)));
                return self.substring(text, index, next.as_ref());
            }
            ("contains", [part]) => Value::Boolean(text.contains(self.needed(name, part)?)),
            ("startsWith", [part]) => Value::Boolean(text.starts_with(self.needed(name, part)?)),
            ("startsWith", [part, from]) => {
                let start = from.as_integer().and_then(|from| byte_offset(text, from));
                let part = self.needed(name, part)?;
                Value::Boolean(start.is_some_and(|start| text[start..].starts_with(part)))
            }
            ("endsWith", [part]) => Value::Boolean(text.ends_with(self.needed(name, part)?)),
            ("equalsIgnoreCase", [other]) => {
                Value::Boolean(other.as_str().is_some_and(|other| text.to_lowercase() == other.to_lowercase()))
            }
            ("indexOf", [part]) => found_at(text, text.find(self.needed(name, part)?)),
            ("indexOf", [part, from]) => {
                let start = from.as_integer().and_then(|from| byte_offset(text, from.max(0))).unwrap_or(text.len());
                found_at(text, text[start..].find(self.needed(name, part)?).map(|place| place + start))
            }
            ("lastIndexOf", [part, from]) => {
                let part = self.needed(name, part)?;
                let found = from.as_integer().filter(|from| *from >= 0).and_then(|from| last_before(text, part, from));
                found_at(text, found)
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
                Value::Boolean(self.searched("matches", &regex, text, || regex.try_full_match(text))?)
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

    /// `String.join`: the elements' texts with the separator between them.
    fn join(&mut self, separator: &Value<'r>, list: &Value<'r>) -> Result<Value<'r>, Halt> {
        let separator = self.needed("join", separator)?;
        let mut joined = String::new();
        for (place, element) in self.elements(list)?.iter().enumerate() {
            if place > 0 {
                joined.push_str(separator);
            }
            print(element, &mut joined, self.limits.output_bytes)?;
        }
        self.new_text(joined)
    }

    /// The characters as a list of texts.
    fn characters(&mut self, text: &str) -> Result<Value<'r>, Halt> {
        self.charge(text.len())?;
        self.charge_bytes(64 * text.len())?;
        Ok(Value::list(text.chars().map(|character| Value::text(character.encode_utf8(&mut [0; 4]))).collect()))
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
                self.charge(regex.compile_effort() / 8)?;
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
        let replacement = self.needed("replaceAll", replacement)?;
        let replaced = self.searched("replaceAll", regex, text, || match all {
            true => regex.replace_all(text, replacement),
            false => regex.replace_first(text, replacement),
        })?;
        self.new_text(replaced)
    }

    /// Runs a search within the steps and the time that it may take.
    fn searched<T>(
        &mut self,
        call: &str,
        regex: &JavaRegex,
        text: &str,
        run: impl FnOnce() -> Result<T, MatchError>,
    ) -> Result<T, Halt> {
        let effort = regex.effort(text);
        self.charge(effort / 8)?;
        // The clock is read only where steps say little about time.
        let began = (effort > UNTIMED_EFFORT).then(Instant::now);
        let found = run();
        if let Some(began) = began {
            self.search_time_left =
                self.search_time_left.checked_sub(began.elapsed()).ok_or(RenderError::SearchesTooSlow)?;
        }
        match found {
            Ok(found) => Ok(found),
            Err(MatchError::TooSlow) => Err(RenderError::SearchesTooSlow.into()),
            Err(error) => self.failed(call, error.to_string()),
        }
    }

    fn split(&mut self, text: &str, regex: &JavaRegex, limit: Option<i128>) -> Result<Value<'r>, Halt> {
        let parts = self.searched("split", regex, text, || match limit {
            None | Some(0) => regex.split(text),
            Some(limit) => regex.split_at_most(text, usize::try_from(limit).ok()),
        })?;
        self.charge(parts.len())?;
        self.charge_bytes(text.len() + 48 * parts.len())?;
        Ok(Value::list(parts.into_iter().map(Value::text).collect()))
    }
}

/// Whether Java has such a method for arguments of these kinds; a call that does not fit is null.
fn arguments_fit(name: &str, arguments: &[Value<'_>]) -> bool {
    let is_text = |value: &Value<'_>| value.is_null() || value.as_str().is_some();
    let is_integer = |value: &Value<'_>| value.as_integer().is_some();
    match name {
        "contains"
        | "endsWith"
        | "concat"
        | "compareTo"
        | "compareToIgnoreCase"
        | "replace"
        | "matches"
        | "replaceAll"
        | "replaceFirst" => arguments.iter().all(is_text),
        "indexOf" | "lastIndexOf" | "split" | "startsWith" => {
            arguments.first().is_none_or(is_text) && arguments.iter().skip(1).all(is_integer)
        }
        "substring" | "subSequence" | "charAt" | "codePointAt" | "repeat" => arguments.iter().all(is_integer),
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

/// The last place, not after the UTF-16 unit `from`, where the part begins.
fn last_before(text: &str, part: &str, from: i128) -> Option<usize> {
    // Nothing begins inside a character.
    let start = byte_offset(text, from).or_else(|| byte_offset(text, from - 1)).unwrap_or(text.len());
    let mut end = start.saturating_add(part.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].rfind(part)
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
