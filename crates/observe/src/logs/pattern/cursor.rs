//! Reads a pattern piece by piece, and the conditions that JSON patterns and columns have in common.

use regex::{Regex, RegexBuilder};

use super::PatternError;

/// How deep parentheses may be nested.
const DEPTH: usize = 32;

/// Regular expressions that a pattern may have.
const EXPRESSIONS: usize = 2;

/// The most memory that a compiled regular expression may take, in bytes.
const EXPRESSION_BYTES: usize = 1 << 20;

/// Characters that a regular expression may have beside letters, digits and blanks: those that stand for themselves, and
/// those with a meaning.
const EXPRESSION_CHARACTERS: &str = ":_#=@/;,-^$?[]{}|\\*+.()";

/// A place in a pattern. Blanks before what is read are skipped, but for characters within a piece.
#[derive(Debug)]
pub(super) struct Cursor<'p> {
    rest: &'p str,
    depth: usize,
    expressions: usize,
}

/// A condition made of others.
#[derive(Debug)]
pub(super) enum Condition<T> {
    All(Vec<Condition<T>>),
    Any(Vec<Condition<T>>),
    Is(T),
}

impl<T> Condition<T> {
    /// Whether it holds, where `test` tells of each leaf whether it does.
    pub(super) fn holds(&self, test: &impl Fn(&T) -> bool) -> bool {
        match self {
            Condition::All(parts) => parts.iter().all(|part| part.holds(test)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(test)),
            Condition::Is(leaf) => test(leaf),
        }
    }

    /// Shows every leaf.
    pub(super) fn each(&self, visit: &mut impl FnMut(&T)) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| part.each(visit)),
            Condition::Is(leaf) => visit(leaf),
        }
    }
}

impl<'p> Cursor<'p> {
    pub(super) fn new(text: &'p str) -> Cursor<'p> {
        Cursor { rest: text.trim(), depth: 0, expressions: 0 }
    }

    /// An error of the pattern.
    pub(super) fn error(&self, reason: &str) -> PatternError {
        PatternError(format!("Invalid metric filter pattern: {reason}"))
    }

    /// The next character that is not a blank.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    /// Goes on behind `token`, if it is next.
    pub(super) fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.take_here(token)
    }

    /// Goes on behind `token`, if it comes without a blank before it.
    pub(super) fn take_here(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Goes on behind the word, if it is next and ends there.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.rest = self.rest.trim_start();
        let is_it = self.rest.strip_prefix(word).filter(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()));
        self.rest = is_it.unwrap_or(self.rest);
        is_it.is_some()
    }

    /// The characters up to the first that does not belong.
    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'p str {
        let end = self.rest.find(|next| !belongs(next)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// What stands between quotes, of which the first has been taken.
    pub(super) fn quoted(&mut self) -> Result<String, PatternError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                _ => text.push(character),
            }
        }
        Err(self.error("a quote is not closed"))
    }

    /// A regular expression between percent signs, of which the first has been taken.
    pub(super) fn expression(&mut self) -> Result<Regex, PatternError> {
        let Some((text, rest)) = self.rest.split_once('%') else {
            return Err(self.error("a regular expression is not closed"));
        };
        self.rest = rest;
        self.expressions += 1;
        if self.expressions > EXPRESSIONS {
            return Err(self.error("it has more than two regular expressions"));
        }
        let is_known = |character: char| {
            character.is_alphanumeric() || character == ' ' || EXPRESSION_CHARACTERS.contains(character)
        };
        if text.is_empty() || !text.chars().all(is_known) || text.contains("(?") {
            return Err(self.error(&format!("invalid character(s) in the regular expression '{text}'")));
        }
        let built = RegexBuilder::new(text).size_limit(EXPRESSION_BYTES).dfa_size_limit(EXPRESSION_BYTES).build();
        built.map_err(|_| self.error(&format!("'{text}' is not a regular expression")))
    }

    /// A condition whose leaves `leaf` reads: `a && (b || c)`; `&&` binds closer.
    pub(super) fn condition<T>(
        &mut self,
        leaf: &impl Fn(&mut Self) -> Result<T, PatternError>,
    ) -> Result<Condition<T>, PatternError> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.all(leaf)?);
            if !self.take("||") {
                return Ok(one_or(parts, Condition::Any));
            }
        }
    }

    fn all<T>(&mut self, leaf: &impl Fn(&mut Self) -> Result<T, PatternError>) -> Result<Condition<T>, PatternError> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.part(leaf)?);
            if !self.take("&&") {
                return Ok(one_or(parts, Condition::All));
            }
        }
    }

    fn part<T>(&mut self, leaf: &impl Fn(&mut Self) -> Result<T, PatternError>) -> Result<Condition<T>, PatternError> {
        if !self.take("(") {
            return leaf(self).map(Condition::Is);
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error("its parentheses are nested too deep"));
        }
        let inner = self.condition(leaf)?;
        self.depth -= 1;
        if self.take(")") { Ok(inner) } else { Err(self.error("a parenthesis is not closed")) }
    }
}

fn one_or<T>(mut parts: Vec<Condition<T>>, several: impl FnOnce(Vec<Condition<T>>) -> Condition<T>) -> Condition<T> {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            several(parts)
        }
    }
}
