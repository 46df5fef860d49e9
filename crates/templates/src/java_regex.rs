//! Java regular expressions (`String.matches`, `replaceAll`, selection patterns) on Rust's engines.
//!
//! A pattern is translated where the dialects differ (`\Q…\E`, `\h`, `\d` for ASCII digits only, `\Z`, …) and given to `regex`,
//! which never backtracks. What that engine lacks (look-around, back references, possessive quantifiers) goes to `fancy-regex` with
//! limits on backtracking, on the text's length and on time. What is beyond a limit is an error, and does not match.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The longest pattern that is compiled, in bytes.
const MAX_PATTERN_BYTES: usize = 32 * 1024;
/// What a compiled form may take, in bytes, and the longest text that a pattern of that size searches: the time that the linear
/// engine takes at worst is the product of both.
const LINEAR_SIZES: [(usize, usize); 2] = [(48 * 1024, usize::MAX), (512 * 1024, 512 * 1024)];
/// The largest result of a replacement, in bytes.
const MAX_REPLACED_BYTES: usize = 16 * 1024 * 1024;
/// How often the fallback engine may step back in one search.
const BACKTRACK_LIMIT: usize = 50_000;
/// The longest pattern that the fallback engine takes, in bytes.
const MAX_BACKTRACKED_PATTERN_BYTES: usize = 4 * 1024;
/// The longest text that the fallback engine searches, in bytes. Each step back may look through all of it.
const MAX_BACKTRACKED_BYTES: usize = 32 * 1024;
/// How long one call may go on to search with the fallback engine. Its steps cannot be counted, so that the clock must do.
const BACKTRACK_TIME: Duration = Duration::from_secs(1);

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression: {0}")]
pub struct RegexError(String);

/// Why a search or a replacement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// The replacement names a group that the pattern does not have.
    #[error("the replacement names a group that the pattern does not have")]
    NoSuchGroup,
    /// The result is too large.
    #[error("the result is too large")]
    TooLarge,
    /// The search takes too long, or the text is too long for a pattern of that kind.
    #[error("the pattern takes too long on this text")]
    TooSlow,
}

/// A compiled Java pattern.
#[derive(Debug)]
pub struct JavaRegex {
    translated: String,
    backtracks: usize,
    find: Engine,
    /// The pattern anchored at both ends, compiled when it is first asked for.
    full: OnceLock<Option<Engine>>,
}

#[derive(Debug)]
enum Engine {
    Linear {
        regex: regex::Regex,
        /// The longest text that is searched, in bytes.
        longest: usize,
    },
    Backtracking(fancy_regex::Regex),
}

impl JavaRegex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The pattern is not valid or too large.
    pub fn parse(pattern: &str) -> Result<JavaRegex, RegexError> {
        JavaRegex::parse_bounded(pattern, BACKTRACK_LIMIT)
    }

    /// Compiles a pattern of which one search may step back so many times.
    ///
    /// # Errors
    /// As [`JavaRegex::parse`].
    pub fn parse_bounded(pattern: &str, backtracks: usize) -> Result<JavaRegex, RegexError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(RegexError("the pattern is too long".to_string()));
        }
        let translated = translate(pattern);
        let find = Engine::new(&translated, backtracks)?;
        Ok(JavaRegex { translated, backtracks, find, full: OnceLock::new() })
    }

    /// Roughly how much work a search of the text is, for those who bound it; plain patterns count the text's bytes.
    pub fn effort(&self, text: &str) -> usize {
        match &self.find {
            Engine::Linear { longest: usize::MAX, .. } => text.len(),
            Engine::Linear { .. } => 8 * text.len(),
            Engine::Backtracking(_) => 2_000 + 8 * text.len(),
        }
    }

    /// What compiling the pattern costs, in the same measure.
    pub fn compile_effort(&self) -> usize {
        let base = 20_000 + self.translated.len() * 200;
        if matches!(self.find, Engine::Linear { longest: usize::MAX, .. }) { base } else { 20 * base }
    }

    /// Whether the whole text matches, as `String.matches` asks. A text that is beyond a limit does not match.
    pub fn is_full_match(&self, text: &str) -> bool {
        self.try_full_match(text).unwrap_or(false)
    }

    /// Whether the whole text matches.
    ///
    /// # Errors
    /// [`MatchError::TooSlow`].
    pub fn try_full_match(&self, text: &str) -> Result<bool, MatchError> {
        let full =
            self.full.get_or_init(|| Engine::new(&format!("\\A(?:{})\\z", self.translated), self.backtracks).ok());
        // What compiles alone also compiles anchored, but for its size.
        let full = full.as_ref().ok_or(MatchError::TooSlow)?;
        full.check(text)?;
        match full {
            Engine::Linear { regex, .. } => Ok(regex.is_match(text)),
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|_| MatchError::TooSlow),
        }
    }

    /// Whether searches take time in proportion to the text, whatever is in it.
    pub fn is_linear(&self) -> bool {
        matches!(self.find, Engine::Linear { .. })
    }

    /// Whether the pattern matches somewhere in the text; `None` when finding out is beyond the limits.
    pub fn is_found(&self, text: &str) -> Option<bool> {
        self.find.check(text).ok()?;
        match &self.find {
            Engine::Linear { regex, .. } => Some(regex.is_match(text)),
            Engine::Backtracking(regex) => regex.is_match(text).ok(),
        }
    }

    /// Replaces every match; `$1` and `${name}` in the replacement stand for groups, a backslash makes the next character plain.
    ///
    /// # Errors
    /// The replacement names a group that the pattern does not have, the result is larger than 16 MB, or the search takes too
    /// long.
    pub fn replace_all(&self, text: &str, replacement: &str) -> Result<String, MatchError> {
        self.replace(text, replacement, usize::MAX)
    }

    /// Replaces the first match only.
    ///
    /// # Errors
    /// As [`JavaRegex::replace_all`].
    pub fn replace_first(&self, text: &str, replacement: &str) -> Result<String, MatchError> {
        self.replace(text, replacement, 1)
    }

    fn replace(&self, text: &str, replacement: &str, most: usize) -> Result<String, MatchError> {
        let parts = self.find.replacement_parts(replacement).ok_or(MatchError::NoSuchGroup)?;
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        self.find.each_match(text, most, &mut |groups| {
            let whole = groups[0].clone().unwrap_or(0..0);
            out.push_str(&text[end..whole.start]);
            for part in &parts {
                match part {
                    Part::Text(plain) => out.push_str(plain),
                    Part::Group(number) => {
                        if let Some(Some(range)) = groups.get(*number) {
                            out.push_str(&text[range.clone()]);
                        }
                    }
                }
                if out.len() > MAX_REPLACED_BYTES {
                    return false;
                }
            }
            end = whole.end;
            true
        })?;
        if out.len() > MAX_REPLACED_BYTES {
            return Err(MatchError::TooLarge);
        }
        out.push_str(&text[end..]);
        Ok(out)
    }

    /// Splits as `String.split` does: no empty texts at the end, and none in front of an empty match at the start.
    ///
    /// # Errors
    /// [`MatchError::TooSlow`].
    pub fn split<'t>(&self, text: &'t str) -> Result<Vec<&'t str>, MatchError> {
        let mut parts = self.split_at_most(text, None)?;
        if text.is_empty() {
            return Ok(parts);
        }
        while parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        Ok(parts)
    }

    /// Splits into at most so many texts, the last with all that is left; `None` is no limit. Empty texts at the end stay.
    ///
    /// # Errors
    /// [`MatchError::TooSlow`].
    pub fn split_at_most<'t>(&self, text: &'t str, most: Option<usize>) -> Result<Vec<&'t str>, MatchError> {
        if text.is_empty() {
            return Ok(vec![text]);
        }
        let mut parts = Vec::new();
        let mut start = 0;
        self.find.each_match(text, usize::MAX, &mut |groups| {
            let whole = groups[0].clone().unwrap_or(0..0);
            let is_full = most.is_some_and(|most| parts.len() + 1 >= most);
            if !is_full && whole.end > 0 && (!whole.is_empty() || whole.start < text.len()) {
                parts.push(&text[start..whole.start]);
                start = whole.end;
            }
            !is_full
        })?;
        parts.push(&text[start..]);
        Ok(parts)
    }
}

enum Part {
    Text(String),
    Group(usize),
}

type Groups = Vec<Option<std::ops::Range<usize>>>;

impl Engine {
    fn new(pattern: &str, backtracks: usize) -> Result<Engine, RegexError> {
        for (size, longest) in LINEAR_SIZES {
            match regex::RegexBuilder::new(pattern).size_limit(size).build() {
                Ok(regex) => return Ok(Engine::Linear { regex, longest }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Engine::backtracking(pattern, backtracks),
            }
        }
        Err(RegexError("the pattern is too large".to_string()))
    }

    fn backtracking(pattern: &str, backtracks: usize) -> Result<Engine, RegexError> {
        if pattern.len() > MAX_BACKTRACKED_PATTERN_BYTES {
            return Err(RegexError("the pattern is too long for one of its kind".to_string()));
        }
        let [.., (largest, _)] = LINEAR_SIZES;
        fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(backtracks)
            .delegate_size_limit(largest)
            .build()
            .map(Engine::Backtracking)
            .map_err(|error| RegexError(error.to_string()))
    }

    /// Refuses a text that is too long for the pattern.
    fn check(&self, text: &str) -> Result<(), MatchError> {
        let longest = match self {
            Engine::Linear { longest, .. } => *longest,
            Engine::Backtracking(_) => MAX_BACKTRACKED_BYTES,
        };
        if text.len() > longest { Err(MatchError::TooSlow) } else { Ok(()) }
    }

    fn group_count(&self) -> usize {
        match self {
            Engine::Linear { regex, .. } => regex.captures_len(),
            Engine::Backtracking(regex) => regex.captures_len(),
        }
    }

    fn group_named(&self, name: &str) -> Option<usize> {
        match self {
            Engine::Linear { regex, .. } => regex.capture_names().position(|found| found == Some(name)),
            Engine::Backtracking(regex) => regex.capture_names().position(|found| found == Some(name)),
        }
    }

    /// Visits the matches until the visitor answers false.
    fn each_match(&self, text: &str, most: usize, visit: &mut dyn FnMut(&Groups) -> bool) -> Result<(), MatchError> {
        self.check(text)?;
        match self {
            Engine::Linear { regex, .. } => {
                for captures in regex.captures_iter(text).take(most) {
                    if !visit(&captures.iter().map(|group| group.map(|found| found.range())).collect()) {
                        break;
                    }
                }
            }
            Engine::Backtracking(regex) => {
                let began = Instant::now();
                for captures in regex.captures_iter(text).take(most) {
                    let captures = captures.map_err(|_| MatchError::TooSlow)?;
                    if !visit(&captures.iter().map(|group| group.map(|found| found.range())).collect()) {
                        break;
                    }
                    if began.elapsed() > BACKTRACK_TIME {
                        return Err(MatchError::TooSlow);
                    }
                }
            }
        }
        Ok(())
    }

    fn replacement_parts(&self, replacement: &str) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = replacement.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\\' => plain.push(rest.next()?),
                '$' => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    if rest.next_if_eq(&'{').is_some() {
                        let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                        parts.push(Part::Group(self.group_named(&name)?));
                        continue;
                    }
                    let mut number = rest.next()?.to_digit(10)? as usize;
                    if number >= self.group_count() {
                        return None;
                    }
                    // Java takes further digits as long as such a group exists.
                    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                        let longer = number * 10 + digit as usize;
                        if longer >= self.group_count() {
                            break;
                        }
                        number = longer;
                        rest.next();
                    }
                    parts.push(Part::Group(number));
                }
                other => plain.push(other),
            }
        }
        parts.push(Part::Text(plain));
        Some(parts)
    }
}

/// Rewrites what Java writes otherwise than Rust's engines do.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut class_depth = 0_usize;
    while let Some(character) = rest.chars().next() {
        let length = character.len_utf8();
        match character {
            '\\' => {
                if let Some(quoted) = rest.strip_prefix("\\Q") {
                    let (inside, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                    out.push_str(&regex::escape(inside));
                    rest = after;
                    continue;
                }
                let escaped = rest[1..].chars().next();
                out.push_str(&translate_escape(escaped, class_depth > 0));
                rest = &rest[1 + escaped.map_or(0, char::len_utf8)..];
                continue;
            }
            '[' => {
                class_depth += 1;
                out.push('[');
                rest = &rest[1..];
                if let Some(negated) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = negated;
                }
                // A bracket right after the opening is a member of the class, in Java not even an error.
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = after;
                }
                continue;
            }
            ']' if class_depth > 0 => {
                class_depth -= 1;
                out.push(']');
            }
            // Rust reads `--` and `~~` in a class as set operations, Java does not.
            '-' | '~' if class_depth > 0 && rest[1..].starts_with(character) => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
        rest = &rest[length..];
    }
    out
}

/// The character after a backslash, in or outside a character class.
fn translate_escape(escaped: Option<char>, in_class: bool) -> Cow<'static, str> {
    let (set, negated) = match escaped {
        Some('d') => ("0-9", false),
        Some('D') => ("0-9", true),
        Some('w') => ("a-zA-Z_0-9", false),
        Some('W') => ("a-zA-Z_0-9", true),
        Some('s') => (" \\t\\n\\x0B\\f\\r", false),
        Some('S') => (" \\t\\n\\x0B\\f\\r", true),
        Some('h') => (" \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}", false),
        Some('H') => (" \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}", true),
        Some('v') => ("\\n\\x0B\\f\\r\\u{85}\\u{2028}\\u{2029}", false),
        Some('V') => ("\\n\\x0B\\f\\r\\u{85}\\u{2028}\\u{2029}", true),
        // The end of the text, with or without a last line break.
        Some('Z') => return Cow::Borrowed("(?=\\n?\\z)"),
        Some('R') => return Cow::Borrowed("(?:\\r\\n|[\\n\\x0B\\f\\r\\u{85}\\u{2028}\\u{2029}])"),
        Some('e') => return Cow::Borrowed("\\x1B"),
        Some(other) if other.is_ascii_alphanumeric() => return Cow::Owned(format!("\\{other}")),
        Some(other) => return Cow::Owned(regex::escape(&other.to_string())),
        None => return Cow::Borrowed("\\"),
    };
    Cow::Owned(match (in_class, negated) {
        (true, false) => set.to_string(),
        (_, true) => format!("[^{set}]"),
        (false, false) => format!("[{set}]"),
    })
}

#[cfg(test)]
mod tests {
    use super::{JavaRegex, MatchError};

    fn full(pattern: &str, text: &str) -> bool {
        JavaRegex::parse(pattern).expect("a valid pattern").is_full_match(text)
    }

    #[test]
    fn the_whole_text_must_match() {
        assert!(full("4\\d{2}", "404"));
        assert!(!full("4\\d{2}", "4040"));
        assert!(!full("a|ab", "abc"));
        assert!(full("a|ab", "ab"));
        assert!(!full(".*", "a\nb"), "a dot matches no line end");
        assert!(full("(?s).*", "a\nb"));
    }

    #[test]
    fn java_spelling_is_translated() {
        assert!(full("\\Qa.b\\E+", "a.bbb"));
        assert!(!full("\\Qa.b\\E", "axb"));
        assert!(!full("\\d", "\u{0663}"), "digits are ASCII");
        assert!(full("\\h", "\t"));
        assert!(full("a++b", "aab"), "possessive");
        assert!(full("(a)(?!c)b", "ab"), "look-ahead");
        assert!(full("(.)\\1", "xx"), "back reference");
        assert!(full("[\\d\\w-]+", "a-1"));
        assert!(full("[]a]+", "]a"));
    }

    #[test]
    fn replacing_and_splitting() {
        let regex = JavaRegex::parse("ba.").expect("a valid pattern");
        assert_eq!(regex.replace_all("foobar123bab", "foo").as_deref(), Ok("foofoo123foo"));
        let regex = JavaRegex::parse("(\\w)(\\d)").expect("a valid pattern");
        assert_eq!(regex.replace_all("a1b2", "$2$1").as_deref(), Ok("1a2b"));
        assert_eq!(regex.replace_first("a1b2", "\\$").as_deref(), Ok("$b2"));
        assert_eq!(regex.replace_all("a1", "$3"), Err(MatchError::NoSuchGroup));
        let all = JavaRegex::parse("(?s).+").expect("a valid pattern");
        assert_eq!(all.replace_all(&"x".repeat(100_000), &"$0".repeat(1000)), Err(MatchError::TooLarge));
        let comma = JavaRegex::parse(",").expect("a valid pattern");
        assert_eq!(comma.split("a,b,,").expect("a short text"), ["a", "b"]);
        assert_eq!(comma.split(",a").expect("a short text"), ["", "a"]);
        assert_eq!(comma.split("").expect("a short text"), [""]);
        let nothing = JavaRegex::parse("").expect("a valid pattern");
        assert_eq!(nothing.split("abc").expect("a short text"), ["a", "b", "c"]);
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(JavaRegex::parse("(").is_err());
        assert!(JavaRegex::parse(&"a".repeat(100_000)).is_err());
        assert!(JavaRegex::parse("((a{1000}){1000}){1000}").is_err());
        let backtracking = JavaRegex::parse("(a*)*(?!x)\\1b").expect("a valid pattern");
        assert!(!backtracking.is_full_match(&"a".repeat(200)));
    }
}
