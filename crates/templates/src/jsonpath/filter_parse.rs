//! Reads filters: `(@.price < 10 && @.category in ['a','b'])`.

use super::filter::{Comparison, Condition, Operand};
use super::{PathError, parse};
use crate::document::Json;
use crate::java_regex::JavaRegex;

/// How deep parentheses may nest in one filter.
const MAX_NESTING: usize = 40;

/// Reads a filter, its outer parentheses included.
pub(super) fn parse(characters: &[char], nesting: usize) -> Result<Condition, PathError> {
    let mut reader = Reader { characters, position: 0, nesting, depth: 0 };
    let condition = reader.either()?;
    reader.skip_blanks();
    if reader.position < characters.len() {
        return Err(reader.error("the filter ends too early"));
    }
    Ok(condition)
}

struct Reader<'c> {
    characters: &'c [char],
    position: usize,
    nesting: usize,
    depth: usize,
}

impl Reader<'_> {
    fn error(&self, message: &str) -> PathError {
        PathError { position: self.position, message: message.to_string() }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(' ') {
            self.position += 1;
        }
    }

    fn take(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let here = self.characters.get(self.position..self.position + length);
        let found = here.is_some_and(|here| here.iter().copied().eq(text.chars()));
        if found {
            self.position += length;
        }
        found
    }

    fn either(&mut self) -> Result<Condition, PathError> {
        let mut alternatives = vec![self.both()?];
        loop {
            self.skip_blanks();
            if !self.take("||") {
                break;
            }
            alternatives.push(self.both()?);
        }
        Ok(if alternatives.len() == 1 { alternatives.remove(0) } else { Condition::Any(alternatives) })
    }

    fn both(&mut self) -> Result<Condition, PathError> {
        let mut parts = vec![self.part()?];
        loop {
            self.skip_blanks();
            if !self.take("&&") {
                break;
            }
            parts.push(self.part()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn part(&mut self) -> Result<Condition, PathError> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(self.error("the filter is nested too deeply"));
        }
        self.skip_blanks();
        let condition = match self.peek() {
            Some('!') => {
                self.position += 1;
                Condition::Not(Box::new(self.part()?))
            }
            Some('(') => {
                self.position += 1;
                let inner = self.either()?;
                self.skip_blanks();
                if !self.take(")") {
                    return Err(self.error("`)` expected"));
                }
                inner
            }
            _ => self.comparison()?,
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, PathError> {
        let left = self.operand()?;
        self.skip_blanks();
        let Some(comparison) = self.comparison_operator() else {
            return match left {
                Operand::Path(path) => Ok(Condition::Exists(path)),
                _ => Err(self.error("an operator is expected")),
            };
        };
        let right = self.operand()?;
        Ok(Condition::Compare(left, comparison, right))
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        const SIGNS: [(&str, Comparison); 9] = [
            ("===", Comparison::SameTypeEqual),
            ("!==", Comparison::SameTypeNotEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("=~", Comparison::Matches),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        if let Some((_, comparison)) = SIGNS.iter().find(|(sign, _)| self.take(sign)) {
            return Some(*comparison);
        }
        let start = self.position;
        let word: String = self.characters[start..].iter().take_while(|c| c.is_ascii_alphabetic()).collect();
        let comparison = Comparison::from_word(&word.to_ascii_lowercase())?;
        self.position += word.len();
        Some(comparison)
    }

    fn operand(&mut self) -> Result<Operand, PathError> {
        self.skip_blanks();
        match self.peek() {
            Some('@' | '$') => self.path(),
            Some(quote @ ('\'' | '"')) => self.string(quote),
            Some('/') => self.pattern(),
            Some('[' | '{') => self.json(),
            Some('-' | '0'..='9') => self.number(),
            _ if self.take("true") => Ok(Operand::Literal(Json::Boolean(true))),
            _ if self.take("false") => Ok(Operand::Literal(Json::Boolean(false))),
            _ if self.take("null") => Ok(Operand::Literal(Json::Null)),
            _ => Err(self.error("a path or a literal is expected")),
        }
    }

    fn path(&mut self) -> Result<Operand, PathError> {
        let start = self.position;
        let from_item = self.peek() == Some('@');
        self.position += 1;
        while let Some(character) = self.peek() {
            match character {
                '[' => {
                    self.position = bracket_end(self.characters, self.position)
                        .ok_or_else(|| self.error("`]` is missing in the path"))?;
                }
                '(' => {
                    self.position = parse::closing(self.characters, self.position)
                        .ok_or_else(|| self.error("`)` is missing in the path"))?
                        + 1;
                }
                '.' => self.position += 1,
                ' ' | ')' | '=' | '!' | '<' | '>' | '&' | '|' => break,
                _ => self.position += 1,
            }
        }
        let text: String = self.characters[start..self.position].iter().collect();
        let path = parse::parse_nested(&text, self.nesting + 1)?;
        Ok(Operand::Path(super::filter::ItemPath { path, from_item }))
    }

    fn string(&mut self, quote: char) -> Result<Operand, PathError> {
        self.position += 1;
        let start = self.position;
        while let Some(character) = self.peek() {
            if character == '\\' {
                self.position += 2;
            } else if character == quote {
                let inside = self.characters.get(start..self.position).unwrap_or_default();
                let text = parse::unescape(inside).ok_or_else(|| self.error("bad escape in the string"))?;
                self.position += 1;
                return Ok(Operand::Literal(Json::Text(text.into())));
            } else {
                self.position += 1;
            }
        }
        Err(self.error("the string has no end"))
    }

    fn pattern(&mut self) -> Result<Operand, PathError> {
        self.position += 1;
        let mut pattern = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error("the regular expression has no end")),
                Some('/') => break,
                Some('\\') if self.characters.get(self.position + 1) == Some(&'/') => {
                    pattern.push('/');
                    self.position += 2;
                }
                Some('\\') => {
                    pattern.push('\\');
                    pattern.extend(self.characters.get(self.position + 1));
                    self.position += 2;
                }
                Some(character) => {
                    pattern.push(character);
                    self.position += 1;
                }
            }
        }
        self.position += 1;
        let mut flags = String::new();
        while let Some(flag @ ('i' | 's' | 'm' | 'x' | 'd' | 'u' | 'U')) = self.peek() {
            // `d`, `u` and `U` choose line ends and character tables; the defaults are kept.
            if matches!(flag, 'i' | 's' | 'm' | 'x') {
                flags.push(flag);
            }
            self.position += 1;
        }
        let pattern = if flags.is_empty() { pattern } else { format!("(?{flags}){pattern}") };
        let regex = JavaRegex::parse(&pattern).map_err(|error| self.error(&error.to_string()))?;
        Ok(Operand::Pattern(Box::new(regex)))
    }

    fn json(&mut self) -> Result<Operand, PathError> {
        let end = bracket_end(self.characters, self.position).ok_or_else(|| self.error("the JSON has no end"))?;
        let text: String = self.characters[self.position..end].iter().collect();
        let value = Json::parse(&text)
            .map(Json::into_owned)
            .or_else(|_| Json::parse(&text.replace('\'', "\"")).map(Json::into_owned))
            .map_err(|_| self.error("what stands in the brackets is no JSON"))?;
        self.position = end;
        Ok(Operand::Literal(value))
    }

    fn number(&mut self) -> Result<Operand, PathError> {
        let start = self.position;
        while matches!(self.peek(), Some('0'..='9' | '-' | '+' | '.' | 'e' | 'E')) {
            self.position += 1;
        }
        let text: String = self.characters[start..self.position].iter().collect();
        let number = match text.parse() {
            Ok(integer) => Json::Integer(integer),
            Err(_) => text.parse().map(Json::Decimal).map_err(|_| self.error("not a number"))?,
        };
        Ok(Operand::Literal(number))
    }
}

/// The place after the bracket or brace that closes the one at `open`, with strings skipped.
fn bracket_end(characters: &[char], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut place = open;
    while let Some(character) = characters.get(place).copied() {
        match quote {
            Some(_) if character == '\\' => place += 1,
            Some(end) if character == end => quote = None,
            Some(_) => {}
            None => match character {
                '\'' | '"' => quote = Some(character),
                '[' | '{' => depth += 1,
                ']' | '}' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(place + 1);
                    }
                }
                _ => {}
            },
        }
        place += 1;
    }
    None
}
