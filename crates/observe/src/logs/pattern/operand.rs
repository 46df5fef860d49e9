//! What a field is compared with, and how.

use regex::Regex;
use serde_json::Value;

use super::PatternError;
use super::cursor::Cursor;

/// A comparison with something that is known.
#[derive(Debug)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
enum Operand {
    Number(f64, Wildcard),
    Text(Wildcard),
    Expression(Regex),
}

/// Text in which stars stand for anything: the pieces between them.
#[derive(Debug)]
struct Wildcard(Vec<Box<str>>);

impl Comparison {
    /// Reads an operator and what stands behind it. `ends` tells which characters end a text without quotes.
    pub(super) fn parse(cursor: &mut Cursor<'_>, ends: fn(char) -> bool) -> Result<Comparison, PatternError> {
        use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        // The longer ones first.
        let operators =
            [("!=", NotEqual), ("<=", LessOrEqual), (">=", GreaterOrEqual), ("=", Equal), ("<", Less), (">", Greater)];
        let Some((_, operator)) = operators.into_iter().find(|(token, _)| cursor.take(token)) else {
            return Err(cursor.error("a comparison is expected"));
        };
        let operand = Operand::parse(cursor, ends)?;
        match (&operator, &operand) {
            (Equal | NotEqual, _) | (_, Operand::Number(..)) => Ok(Comparison { operator, operand }),
            _ => Err(cursor.error("only numbers can be less or greater")),
        }
    }

    /// Whether it holds of a member of a JSON document; never of one that is not there, or that has members itself.
    pub(super) fn holds_of(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.holds(text, None),
            Value::Number(number) => self.holds(&number.to_string(), number.as_f64()),
            Value::Bool(value) => self.holds(if *value { "true" } else { "false" }, None),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Whether it holds of a column.
    pub(super) fn holds_of_text(&self, text: &str) -> bool {
        self.holds(text, text.parse().ok())
    }

    fn holds(&self, text: &str, number: Option<f64>) -> bool {
        let is_equal = || match &self.operand {
            Operand::Number(operand, written) => {
                number.map_or_else(|| written.matches(text), |number| number == *operand)
            }
            Operand::Text(wildcard) => wildcard.matches(text),
            Operand::Expression(expression) => expression.is_match(text),
        };
        let compare = |test: fn(&f64, &f64) -> bool| match (&self.operand, number) {
            (Operand::Number(operand, _), Some(number)) => test(&number, operand),
            _ => false,
        };
        match self.operator {
            Operator::Equal => is_equal(),
            Operator::NotEqual => !is_equal(),
            Operator::Less => compare(f64::lt),
            Operator::LessOrEqual => compare(f64::le),
            Operator::Greater => compare(f64::gt),
            Operator::GreaterOrEqual => compare(f64::ge),
        }
    }
}

impl Operand {
    fn parse(cursor: &mut Cursor<'_>, ends: fn(char) -> bool) -> Result<Operand, PatternError> {
        if cursor.take("\"") {
            return Ok(Operand::Text(Wildcard::new(&cursor.quoted()?)));
        }
        if cursor.take("%") {
            return Ok(Operand::Expression(cursor.expression()?));
        }
        let text = cursor.take_while(|next| !next.is_whitespace() && !ends(next));
        if text.is_empty() || text.contains(['"', '%', '=', '<', '>']) {
            return Err(cursor.error(&format!("invalid character(s) in term '{text}'")));
        }
        // "inf" and "nan" are texts.
        let is_number = text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'));
        match text.parse().ok().filter(|number: &f64| is_number && number.is_finite()) {
            Some(number) => Ok(Operand::Number(number, Wildcard::new(text))),
            None => Ok(Operand::Text(Wildcard::new(text))),
        }
    }
}

impl Wildcard {
    fn new(text: &str) -> Wildcard {
        Wildcard(text.split('*').map(Box::from).collect())
    }

    fn matches(&self, text: &str) -> bool {
        let (first, behind) = match &*self.0 {
            [] => return true,
            [only] => return **only == *text,
            [first, behind @ ..] => (first, behind),
        };
        let Some(mut rest) = text.strip_prefix(&**first) else { return false };
        let Some((last, between)) = behind.split_last() else { return true };
        for piece in between {
            match rest.split_once(&**piece) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(&**last)
    }
}
