//! Patterns of schemas: ECMA's regular expressions on the engine for Java's, which are close relatives.

use crate::java_regex::{JavaRegex, RegexError};

/// How often one search may step back, in patterns that need it (look-ahead, back references).
const BACKTRACKS: usize = 25_000;

/// A regular expression as it was written, and compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) source: Box<str>,
    pub(super) regex: JavaRegex,
}

impl Pattern {
    /// What it costs to look for the pattern in a text, in the evaluator's steps.
    pub(super) fn steps(&self, text: &str) -> usize {
        match self.regex.is_linear() {
            true => 1 + text.len() / 16 * (1 + self.source.len() / 16),
            // A short text has few ways to be read.
            false if text.len() <= 12 => 1 << text.len(),
            false => BACKTRACKS / 5,
        }
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is not valid or too large.
    pub(super) fn parse(source: &str) -> Result<Pattern, RegexError> {
        Ok(Pattern { source: source.into(), regex: JavaRegex::parse_bounded(&to_java(source), BACKTRACKS)? })
    }
}

/// Rewrites what Java would read otherwise: in a class an opening bracket, `&&` and a closing bracket at the start,
/// and braces that count nothing.
fn to_java(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len() + 8);
    let mut at = 0;
    let mut is_in_class = false;
    while let Some(&character) = characters.get(at) {
        at += 1;
        match character {
            '\\' => {
                let escaped = characters.get(at).copied();
                at += 1;
                push_escape(escaped, &mut out);
            }
            '[' if is_in_class => out.push_str("\\["),
            '[' => match (characters.get(at), characters.get(at + 1)) {
                // A class of nothing, and one of everything.
                (Some(']'), _) => {
                    out.push_str("(?!)");
                    at += 1;
                }
                (Some('^'), Some(']')) => {
                    out.push_str("(?s:.)");
                    at += 2;
                }
                _ => {
                    is_in_class = true;
                    out.push('[');
                    if characters.get(at) == Some(&'^') {
                        out.push('^');
                        at += 1;
                    }
                }
            },
            ']' if is_in_class => {
                is_in_class = false;
                out.push(']');
            }
            '&' if is_in_class => out.push_str("\\&"),
            '{' if !is_in_class && !is_count(&characters[at..]) => out.push_str("\\{"),
            '}' if !is_in_class && !out_has_open_count(&characters[..at - 1]) => out.push_str("\\}"),
            other => out.push(other),
        }
    }
    out
}

/// The letters whose escapes mean something to ECMA and the same to Java; of other letters an escape is the letter.
fn push_escape(escaped: Option<char>, out: &mut String) {
    match escaped {
        Some(letter @ ('Q' | 'E' | 'h' | 'H' | 'V' | 'Z' | 'z' | 'A' | 'R' | 'e' | 'G' | 'X' | 'a')) => {
            out.push(letter);
        }
        Some('v') => out.push_str("\\x0B"),
        Some('0') => out.push_str("\\x00"),
        Some(other) => {
            out.push('\\');
            out.push(other);
        }
        None => out.push('\\'),
    }
}

/// Whether `{` is followed by `n}`, `n,}` or `n,m}`.
fn is_count(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|character| *character == '}') else { return false };
    let mut parts = rest[..end].split(|character| *character == ',');
    let digits = |part: &[char]| part.iter().all(char::is_ascii_digit);
    let first = parts.next().is_some_and(|part| !part.is_empty() && digits(part));
    first && parts.next().is_none_or(digits) && parts.next().is_none()
}

/// Whether the closing brace after these characters ends a count.
fn out_has_open_count(before: &[char]) -> bool {
    let open = before.iter().rposition(|character| *character == '{');
    open.is_some_and(|open| {
        let inside: Vec<char> = before[open + 1..].iter().copied().chain(['}']).collect();
        is_count(&inside)
    })
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn found(pattern: &str, text: &str) -> bool {
        let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        pattern.regex.is_found(text).expect("it is not too much work")
    }

    #[test]
    fn patterns_are_looked_for_anywhere() {
        assert!(found("a+", "xxaayy"));
        assert!(!found("^a+$", "xxaayy"));
        assert!(found("", ""));
    }

    #[test]
    fn ecma_is_not_java() {
        assert!(found(r#"^[^<>()[\]\\.,;:\s@"]+$"#, "user"));
        assert!(!found(r#"^[^<>()[\]\\.,;:\s@"]+$"#, "us[er"));
        assert!(found("^[a&&b]+$", "a&b"));
        assert!(found("^a{b}$", "a{b}"));
        assert!(found("^a{2}$", "aa"));
        assert!(found("^a{1,}$", "aaa"));
        assert!(found("^[{}]{2}$", "{}"));
        assert!(found("^x[^]y$", "x\ny"));
        assert!(!found("[]", "x"));
        assert!(found(r"^\/a\-b$", "/a-b"));
        assert!(found(r"^\u0041\x42$", "AB"));
        assert!(!found(r"^\d$", "\u{0663}"));
        assert!(found("^(?=.*\\d).{4,8}$", "abc1"));
        assert!(found("^\u{1F432}*$", "\u{1F432}\u{1F432}"));
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(Pattern::parse("(").is_err());
        assert!(Pattern::parse("a{1000000}{1000000}").is_err());
        assert!(!found("^(a+)+$", &format!("{}!", "a".repeat(5_000))));
        let backtracking = Pattern::parse("^(?=(a+)+$)\\1b").expect("a valid pattern");
        // Whatever it finds, it ends.
        let _ = backtracking.regex.is_found(&"a".repeat(2_000));
    }
}
