//! Reads a path. Only blanks count as white space, as in Jayway.

use super::filter::ItemPath;
use super::functions::{Argument, Call, Function};
use super::{JsonPath, MAX_PATH_BYTES, PathError, Token, filter_parse};
use crate::document::Json;

/// How deep filters and function arguments may nest.
const MAX_NESTING: usize = 20;

pub(super) fn parse(path: &str) -> Result<JsonPath, PathError> {
    parse_nested(path, 0)
}

pub(super) fn parse_nested(path: &str, nesting: usize) -> Result<JsonPath, PathError> {
    if path.len() > MAX_PATH_BYTES {
        return Err(PathError { position: 0, message: "the path is too long".to_string() });
    }
    let trimmed = path.trim_end_matches(' ');
    let text = if path.starts_with(['$', '@']) { trimmed.to_string() } else { format!("$.{trimmed}") };
    let mut reader = Reader { characters: text.chars().collect(), position: 1, nesting, tokens: Vec::new() };
    if nesting > MAX_NESTING {
        return Err(reader.error("the path is nested too deeply"));
    }
    if reader.characters.last() == Some(&'.') {
        return Err(reader.error("a path must not end with a dot"));
    }
    if let Some(first) = reader.peek()
        && first != '.'
        && first != '['
    {
        return Err(reader.error("`.` or `[` expected"));
    }
    while reader.position < reader.characters.len() {
        reader.token()?;
    }
    let definite = is_definite(&reader.tokens);
    Ok(JsonPath { tokens: reader.tokens, definite })
}

fn is_definite(tokens: &[Token]) -> bool {
    // A function makes one value of what a scan finds.
    if matches!(tokens, [Token::Scan, .., Token::Function(_)]) {
        return true;
    }
    tokens.iter().enumerate().all(|(place, token)| match token {
        Token::Properties(names) => names.len() == 1 || place + 1 == tokens.len(),
        Token::Indexes(indexes) => indexes.len() == 1,
        Token::Function(_) => true,
        Token::Slice(..) | Token::Wildcard | Token::Scan | Token::Filter(_) => false,
    })
}

struct Reader {
    characters: Vec<char>,
    position: usize,
    nesting: usize,
    tokens: Vec<Token>,
}

impl Reader {
    fn error(&self, message: &str) -> PathError {
        PathError { position: self.position, message: message.to_string() }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    /// The first place at or after `from` that holds no blank.
    fn after_blanks(&self, from: usize) -> usize {
        from + self.characters.get(from..).unwrap_or_default().iter().take_while(|c| **c == ' ').count()
    }

    fn significant(&self, from: usize) -> Option<char> {
        self.characters.get(self.after_blanks(from)).copied()
    }

    fn token(&mut self) -> Result<(), PathError> {
        match self.peek() {
            Some('[') => self.bracket(),
            Some('.') => self.dot(),
            Some('*') => {
                self.position += 1;
                self.tokens.push(Token::Wildcard);
                Ok(())
            }
            _ => self.property_or_function(),
        }
    }

    fn dot(&mut self) -> Result<(), PathError> {
        self.position += 1;
        if self.peek() == Some('.') {
            self.position += 1;
            self.tokens.push(Token::Scan);
            if self.peek() == Some('.') {
                return Err(self.error("a dot is not valid here"));
            }
        } else if self.peek() == Some('.') {
            return Err(self.error("a dot is not valid here"));
        }
        match self.peek() {
            None => Err(self.error("a path must not end with a dot")),
            Some('[') => self.bracket(),
            Some('*') => {
                self.position += 1;
                self.tokens.push(Token::Wildcard);
                Ok(())
            }
            Some(_) => self.property_or_function(),
        }
    }

    fn property_or_function(&mut self) -> Result<(), PathError> {
        let start = self.position;
        while let Some(character) = self.peek() {
            match character {
                ' ' => return Err(self.error("a property with blanks needs brackets: ['my property']")),
                '.' | '[' => break,
                '(' => return self.function(start),
                _ => self.position += 1,
            }
        }
        if self.position == start {
            return Err(self.error("a property is expected"));
        }
        let name = self.characters[start..self.position].iter().collect();
        self.tokens.push(Token::Properties(vec![name]));
        Ok(())
    }

    fn function(&mut self, start: usize) -> Result<(), PathError> {
        let name: String = self.characters[start..self.position].iter().collect();
        let Some(function) = Function::from_name(&name) else {
            return Err(self.error(&format!("there is no function `{name}`")));
        };
        let open = self.position;
        let close = self.closing(open).ok_or_else(|| self.error("`)` is missing"))?;
        let mut arguments = Vec::new();
        for text in split_arguments(&self.characters[open + 1..close]) {
            arguments.push(self.argument(&text)?);
        }
        self.position = close + 1;
        if self.position < self.characters.len() {
            return Err(self.error("nothing may follow a function"));
        }
        self.tokens.push(Token::Function(Call { function, arguments }));
        Ok(())
    }

    fn argument(&self, text: &str) -> Result<Argument, PathError> {
        if text.starts_with(['$', '@']) {
            let path = parse_nested(text, self.nesting + 1)?;
            return Ok(Argument::Path(ItemPath { path, from_item: text.starts_with('@') }));
        }
        if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Ok(Argument::Literal(Json::Text(inner.to_string().into())));
        }
        let literal = Json::parse(text).map_err(|_| self.error("the argument is no path and no JSON"))?;
        Ok(Argument::Literal(literal.into_owned()))
    }

    fn bracket(&mut self) -> Result<(), PathError> {
        match self.significant(self.position + 1) {
            Some(quote @ ('\'' | '"')) => self.quoted_properties(quote),
            Some('*') => {
                let star = self.after_blanks(self.position + 1);
                let close = self.after_blanks(star + 1);
                if self.characters.get(close) != Some(&']') {
                    return Err(self.error("`]` expected after `*`"));
                }
                self.position = close + 1;
                self.tokens.push(Token::Wildcard);
                Ok(())
            }
            Some('?') => self.filter(),
            Some(first) if first.is_ascii_digit() || first == '-' || first == ':' => self.indexes(),
            _ => Err(self.error("what stands in the brackets is not known")),
        }
    }

    fn quoted_properties(&mut self, quote: char) -> Result<(), PathError> {
        let mut names = Vec::new();
        let mut start = None;
        let mut after_comma = false;
        let mut escaped = false;
        let mut place = self.position + 1;
        loop {
            let Some(character) = self.characters.get(place).copied() else {
                return Err(self.error("the property is not closed"));
            };
            match (character, start) {
                _ if escaped => escaped = false,
                ('\\', _) => escaped = true,
                (']', None) => break,
                (',', None) if after_comma => return Err(self.error("a property is empty")),
                (',', None) => after_comma = true,
                (found, None) if found == quote => {
                    start = Some(place + 1);
                    after_comma = false;
                }
                (found, Some(from)) if found == quote => {
                    if !matches!(self.significant(place + 1), Some(']' | ',')) {
                        return Err(self.error("`,` or `]` expected after the property"));
                    }
                    names.push(self.unescape(from, place)?);
                    start = None;
                }
                _ => {}
            }
            place += 1;
        }
        if after_comma {
            return Err(self.error("a property is empty"));
        }
        self.position = place + 1;
        self.tokens.push(Token::Properties(names));
        Ok(())
    }

    fn unescape(&self, from: usize, to: usize) -> Result<String, PathError> {
        unescape(&self.characters[from..to])
            .ok_or_else(|| self.error("the escape after `\\u` is no hexadecimal number"))
    }

    fn indexes(&mut self) -> Result<(), PathError> {
        let start = self.position + 1;
        let rest = self.characters.get(start..).unwrap_or_default();
        let length = rest.iter().position(|c| *c == ']').ok_or_else(|| self.error("`]` is missing"))?;
        let text: String = rest[..length].iter().collect();
        let text = text.trim_matches(' ');
        let token = if text.contains(':') { slice(text) } else { indexes(text) };
        let token = token.ok_or_else(|| self.error("the index is not a number"))?;
        self.position = start + length + 1;
        self.tokens.push(token);
        Ok(())
    }

    fn filter(&mut self) -> Result<(), PathError> {
        let question = self.after_blanks(self.position + 1);
        let open = self.after_blanks(question + 1);
        if self.characters.get(open) != Some(&'(') {
            return Err(self.error("`(` expected after `?`"));
        }
        let close = self.closing(open).ok_or_else(|| self.error("`)` is missing"))?;
        let end = self.after_blanks(close + 1);
        if self.characters.get(end) != Some(&']') {
            return Err(self.error("`]` expected after the filter"));
        }
        let condition = filter_parse::parse(&self.characters[open..=close], self.nesting + 1)?;
        self.position = end + 1;
        self.tokens.push(Token::Filter(condition));
        Ok(())
    }

    /// The parenthesis that closes the one at `open`, with strings and regular expressions skipped.
    fn closing(&self, open: usize) -> Option<usize> {
        closing(&self.characters, open)
    }
}

pub(super) fn closing(characters: &[char], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut place = open;
    while let Some(character) = characters.get(place).copied() {
        match quote {
            Some(_) if character == '\\' => place += 1,
            Some(end) if character == end => quote = None,
            Some(_) => {}
            None => match character {
                '\'' | '"' | '/' => quote = Some(character),
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(place);
                    }
                }
                _ => {}
            },
        }
        place += 1;
    }
    None
}

/// Takes the backslashes out of a quoted property or string.
pub(super) fn unescape(characters: &[char]) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = characters.iter();
    while let Some(character) = rest.next() {
        let mut buffer = [0; 2];
        let character = match character {
            '\\' => match rest.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    if digits.len() < 4 {
                        break;
                    }
                    units.push(u16::from_str_radix(&digits, 16).ok()?);
                    continue;
                }
                Some(other) => *other,
                None => break,
            },
            other => *other,
        };
        units.extend_from_slice(character.encode_utf16(&mut buffer));
    }
    Some(String::from_utf16_lossy(&units))
}

fn indexes(text: &str) -> Option<Token> {
    let numbers: Option<Vec<i64>> = text.split(',').map(|number| number.trim_matches(' ')).map(index).collect();
    numbers.map(Token::Indexes)
}

/// A 32-bit number, as Java's `Integer.parseInt` takes it, without a plus.
fn index(text: &str) -> Option<i64> {
    if text.starts_with('+') {
        return None;
    }
    text.parse::<i32>().ok().map(i64::from)
}

/// `from:to` with at least one bound; a step after a second colon is read over.
fn slice(text: &str) -> Option<Token> {
    if !text.chars().all(|character| character.is_ascii_digit() || character == '-' || character == ':') {
        return None;
    }
    let mut bounds =
        text.split(':').map(|bound| if bound.is_empty() { Ok(None) } else { index(bound).map(Some).ok_or(()) });
    let from = bounds.next().unwrap_or(Ok(None)).ok()?;
    let to = bounds.next().unwrap_or(Ok(None)).ok()?;
    (from.is_some() || to.is_some()).then_some(Token::Slice(from, to))
}

/// The arguments of a call, split at commas outside strings and parentheses.
fn split_arguments(characters: &[char]) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current = String::new();
    let mut depth = 0_usize;
    let mut quote = None;
    for character in characters {
        match (quote, character) {
            (Some(end), found) if *found == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(*character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                arguments.push(std::mem::take(&mut current).trim().to_string());
                continue;
            }
            _ => {}
        }
        current.push(*character);
    }
    let last = current.trim().to_string();
    if !last.is_empty() || !arguments.is_empty() {
        arguments.push(last);
    }
    arguments
}
