//! From template text to the compiled form: expressions, literals and references.

use super::ParseError;
use super::ast::{Call, Chain, Expression, Operator, Reference, SLOT_CONTEXT, SLOT_INPUT, Step};
use super::parser::Parser;
use crate::java_regex::{JavaRegex, RegexError};
use crate::jsonpath::JsonPath;

/// Calls that change the value they are made on.
///
/// `replace` is missing: it is Java's name for a map's method too, but far more often a string's, which changes nothing; on a
/// payload's map it is worth nothing.
const MUTATING_CALLS: [&str; 10] =
    ["add", "addAll", "set", "remove", "put", "putAll", "clear", "putIfAbsent", "removeAll", "retainAll"];

impl<'s> Parser<'s, '_> {
    /// Reads a reference at `$`, or answers `None` and stays when what follows is text.
    pub(super) fn reference(&mut self) -> Result<Option<Reference>, ParseError> {
        let start = self.position;
        if self.peek() != Some(b'$') {
            return Ok(None);
        }
        self.position += 1;
        if self.peek() == Some(b'!') {
            self.position += 1;
        }
        let braced = self.peek() == Some(b'{');
        self.position += usize::from(braced);
        let Some(name) = self.identifier() else {
            self.position = start;
            return Ok(None);
        };
        let slot = self.names.slot(name);
        let steps = self.steps(slot)?;
        if braced {
            if self.peek() != Some(b'}') {
                return Err(self.error("`}` expected after the reference"));
            }
            self.position += 1;
        }
        let context_path = if slot == SLOT_CONTEXT { fixed_path(&steps) } else { None };
        Ok(Some(Reference { slot, steps, context_path }))
    }

    fn identifier(&mut self) -> Option<&'s str> {
        let first = self.peek()?;
        if !first.is_ascii_alphabetic() && first != b'_' {
            return None;
        }
        let start = self.position;
        while matches!(self.peek(), Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            self.position += 1;
        }
        Some(&self.source[start..self.position])
    }

    fn steps(&mut self, root: u32) -> Result<Box<[Step]>, ParseError> {
        let mut steps = Vec::new();
        loop {
            match self.peek() {
                Some(b'.') if matches!(self.peek_at(1), Some(b'a'..=b'z' | b'A'..=b'Z' | b'_')) => {
                    self.position += 1;
                    let name = self.identifier().unwrap_or_default();
                    if self.peek() == Some(b'(') && self.arguments_follow() {
                        self.position += 1;
                        let arguments = self.nested(|parser| parser.list_until(b')'))?;
                        if MUTATING_CALLS.contains(&name) && root != SLOT_CONTEXT {
                            self.mutates = true;
                        }
                        let path = fixed_json_path(root, steps.is_empty(), name, &arguments);
                        let regex = fixed_regex(name, &arguments);
                        let arguments = arguments.into_boxed_slice();
                        steps.push(Step::Call(Box::new(Call { name: name.into(), arguments, path, regex })));
                    } else {
                        steps.push(Step::Property(name.into()));
                    }
                }
                Some(b'[') => {
                    self.position += 1;
                    let index = self.nested(Self::expression)?;
                    self.skip_whitespace();
                    if self.peek() != Some(b']') {
                        return Err(self.error("`]` expected after the index"));
                    }
                    self.position += 1;
                    steps.push(Step::Index(index));
                }
                _ => return Ok(steps.into_boxed_slice()),
            }
        }
    }

    /// Whether the parenthesis here can open arguments; otherwise it is text after a property, as in `$user.name(admin)`.
    fn arguments_follow(&self) -> bool {
        let rest = &self.bytes[self.position + 1..];
        match rest.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b')' | b'"' | b'\'' | b'$' | b'[' | b'{' | b'(' | b'!' | b'-' | b'.' | b'0'..=b'9') => true,
            Some(b't' | b'f' | b'n') => {
                let text = &self.source[self.position + 1..];
                let text = text.trim_start();
                ["true", "false", "null", "not "].iter().any(|word| text.starts_with(word))
            }
            _ => false,
        }
    }

    /// Elements between commas, up to and with the closing byte.
    fn list_until(&mut self, close: u8) -> Result<Vec<Expression>, ParseError> {
        let mut elements = Vec::new();
        self.skip_whitespace();
        if self.peek() == Some(close) {
            self.position += 1;
            return Ok(elements);
        }
        loop {
            elements.push(self.expression()?);
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(byte) if byte == close => {
                    self.position += 1;
                    return Ok(elements);
                }
                _ => return Err(self.error(format!("`,` or `{}` expected", char::from(close)))),
            }
        }
    }

    pub(super) fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    /// Takes the word when it stands here alone.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let rest = &self.bytes[self.position..];
        let matches = rest.starts_with(word.as_bytes())
            && !rest.get(word.len()).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if matches {
            self.position += word.len();
        }
        matches
    }

    pub(super) fn expression(&mut self) -> Result<Expression, ParseError> {
        self.nested(|parser| parser.binary(1))
    }

    /// Reads operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Result<Expression, ParseError> {
        let mut left = self.unary()?;
        loop {
            self.skip_whitespace();
            let Some((operator, length)) = self.operator() else { return Ok(left) };
            if operator.precedence() < least {
                return Ok(left);
            }
            self.position += length;
            let precedence = operator.precedence();
            let right = self.nested(|parser| parser.binary(precedence + 1))?;
            match &mut left {
                Expression::Chain(chain) if chain.precedence == precedence => chain.rest.push((operator, right)),
                _ => {
                    left =
                        Expression::Chain(Box::new(Chain { first: left, rest: vec![(operator, right)], precedence }));
                }
            }
        }
    }

    fn operator(&self) -> Option<(Operator, usize)> {
        let found = match (self.peek()?, self.peek_at(1)) {
            (b'|', Some(b'|')) => (Operator::Or, 2),
            (b'&', Some(b'&')) => (Operator::And, 2),
            (b'=', Some(b'=')) => (Operator::Equal, 2),
            (b'!', Some(b'=')) => (Operator::NotEqual, 2),
            (b'<', Some(b'=')) => (Operator::LessOrEqual, 2),
            (b'>', Some(b'=')) => (Operator::GreaterOrEqual, 2),
            (b'<', _) => (Operator::Less, 1),
            (b'>', _) => (Operator::Greater, 1),
            (b'+', _) => (Operator::Add, 1),
            (b'-', _) => (Operator::Subtract, 1),
            (b'*', _) => (Operator::Multiply, 1),
            (b'/', _) => (Operator::Divide, 1),
            (b'%', _) => (Operator::Modulo, 1),
            (b'a'..=b'z', _) => return self.word_operator(),
            _ => return None,
        };
        Some(found)
    }

    fn word_operator(&self) -> Option<(Operator, usize)> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let operator = match &rest[..length] {
            b"or" => Operator::Or,
            b"and" => Operator::And,
            b"eq" => Operator::Equal,
            b"ne" => Operator::NotEqual,
            b"lt" => Operator::Less,
            b"le" => Operator::LessOrEqual,
            b"gt" => Operator::Greater,
            b"ge" => Operator::GreaterOrEqual,
            _ => return None,
        };
        Some((operator, length))
    }

    fn unary(&mut self) -> Result<Expression, ParseError> {
        self.skip_whitespace();
        if self.peek() == Some(b'!') {
            self.position += 1;
        } else if !self.word("not") {
            return self.primary();
        }
        let operand = self.nested(Self::unary)?;
        Ok(Expression::Not(Box::new(operand)))
    }

    /// A literal, a reference or something in parentheses.
    pub(super) fn primary(&mut self) -> Result<Expression, ParseError> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'$') => match self.reference()? {
                Some(reference) => Ok(Expression::Reference(reference)),
                None => Err(self.error("a reference is expected after `$`")),
            },
            Some(b'\'') => {
                let text = self.quoted(b'\'')?;
                Ok(Expression::Text(text.into_boxed_str()))
            }
            Some(b'"') => self.double_quoted(),
            Some(b'(') => {
                self.position += 1;
                let inner = self.expression()?;
                self.skip_whitespace();
                if self.peek() != Some(b')') {
                    return Err(self.error("`)` expected"));
                }
                self.position += 1;
                Ok(inner)
            }
            Some(b'[') => {
                self.position += 1;
                self.nested(Self::list_or_range)
            }
            Some(b'{') => {
                self.position += 1;
                self.nested(Self::map)
            }
            Some(b'0'..=b'9' | b'-' | b'.') => self.number(),
            _ if self.word("true") => Ok(Expression::Boolean(true)),
            _ if self.word("false") => Ok(Expression::Boolean(false)),
            _ if self.word("null") => Ok(Expression::Null),
            _ => Err(self.error("an expression is expected")),
        }
    }

    fn list_or_range(&mut self) -> Result<Expression, ParseError> {
        self.skip_whitespace();
        if self.peek() == Some(b']') {
            self.position += 1;
            return Ok(Expression::List(Box::default()));
        }
        let first = self.expression()?;
        self.skip_whitespace();
        if self.peek() == Some(b'.') && self.peek_at(1) == Some(b'.') {
            self.position += 2;
            let last = self.expression()?;
            self.skip_whitespace();
            if self.peek() != Some(b']') {
                return Err(self.error("`]` expected after the range"));
            }
            self.position += 1;
            return Ok(Expression::Range(Box::new((first, last))));
        }
        let mut elements = vec![first];
        match self.peek() {
            Some(b']') => self.position += 1,
            Some(b',') => {
                self.position += 1;
                elements.extend(self.list_until(b']')?);
            }
            _ => return Err(self.error("`,` or `]` expected in the list")),
        }
        Ok(Expression::List(elements.into_boxed_slice()))
    }

    fn map(&mut self) -> Result<Expression, ParseError> {
        let mut entries = Vec::new();
        self.skip_whitespace();
        if self.peek() == Some(b'}') {
            self.position += 1;
            return Ok(Expression::Map(Box::default()));
        }
        loop {
            let key = self.expression()?;
            self.skip_whitespace();
            if self.peek() != Some(b':') {
                return Err(self.error("`:` expected after the key"));
            }
            self.position += 1;
            let value = self.expression()?;
            entries.push((key, value));
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(b'}') => {
                    self.position += 1;
                    return Ok(Expression::Map(entries.into_boxed_slice()));
                }
                _ => return Err(self.error("`,` or `}` expected in the map")),
            }
        }
    }

    fn number(&mut self) -> Result<Expression, ParseError> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        self.digits();
        let mut decimal = false;
        // Two dots belong to a range.
        if self.peek() == Some(b'.') && self.peek_at(1) != Some(b'.') {
            decimal = true;
            self.position += 1;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            let signed = matches!(self.peek_at(1), Some(b'+' | b'-'));
            if matches!(self.peek_at(1 + usize::from(signed)), Some(b'0'..=b'9')) {
                decimal = true;
                self.position += 1 + usize::from(signed);
                self.digits();
            }
        }
        let text = &self.source[start..self.position];
        let number = if decimal {
            text.parse().ok().map(Expression::Decimal)
        } else {
            match text.parse() {
                Ok(integer) => Some(Expression::Integer(integer)),
                Err(_) => text.parse().ok().map(Expression::BigInteger),
            }
        };
        number.ok_or_else(|| self.error(format!("`{text}` is not a number")))
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
    }

    /// The inside of a quoted string. Doubling the quote inserts it; there are no backslash sequences.
    fn quoted(&mut self, quote: u8) -> Result<String, ParseError> {
        let start = self.position;
        self.position += 1;
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.position..];
            let Some(length) = rest.iter().position(|byte| *byte == quote) else {
                self.position = start;
                return Err(self.error("the string has no end"));
            };
            text.push_str(&self.source[self.position..self.position + length]);
            self.position += length + 1;
            if self.peek() != Some(quote) {
                return Ok(text);
            }
            text.push(char::from(quote));
            self.position += 1;
        }
    }

    fn double_quoted(&mut self) -> Result<Expression, ParseError> {
        let start = self.position;
        let text = self.quoted(b'"')?;
        if !text.contains(['$', '#']) {
            return Ok(Expression::Text(text.into_boxed_str()));
        }
        let mut inner = Parser::new(&text, &mut *self.names);
        inner.is_string = true;
        inner.nesting = self.nesting;
        let block = inner.nested(Parser::whole);
        let mutates = inner.mutates;
        self.mutates |= mutates;
        match block {
            Ok(block) => Ok(Expression::Interpolated(block)),
            Err(error) => {
                // The error stands where the string begins.
                self.position = start;
                Err(self.error(error.message))
            }
        }
    }
}

/// `a.b` for the steps `.a.b`, `.a["b"]`, …; `None` when a step is a call or computed.
fn fixed_path(steps: &[Step]) -> Option<Box<str>> {
    let mut path = String::new();
    for step in steps {
        let name = match step {
            // A dot in a name would make it two.
            Step::Property(name) | Step::Index(Expression::Text(name)) if !name.contains('.') => name,
            _ => return None,
        };
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    }
    (!path.is_empty()).then(|| path.into_boxed_str())
}

/// Compiles the pattern of `replaceAll('…', …)` and the like once, at parse time.
fn fixed_regex(name: &str, arguments: &[Expression]) -> Option<Result<JavaRegex, RegexError>> {
    match arguments {
        [Expression::Text(pattern), ..] if matches!(name, "matches" | "replaceAll" | "replaceFirst" | "split") => {
            Some(JavaRegex::parse(pattern))
        }
        _ => None,
    }
}

/// Compiles the path of `$input.json('…')` and `$input.path('…')` once, at parse time.
fn fixed_json_path(
    root: u32,
    is_first_step: bool,
    name: &str,
    arguments: &[Expression],
) -> Option<Result<JsonPath, crate::jsonpath::PathError>> {
    match arguments {
        [Expression::Text(path)] if root == SLOT_INPUT && is_first_step && matches!(name, "json" | "path") => {
            Some(JsonPath::parse(path))
        }
        _ => None,
    }
}
