//! Patterns made of terms, for events that are plain text.

use memchr::memmem::Finder;
use regex::Regex;

use super::PatternError;
use super::cursor::Cursor;

/// What an event must contain, and what it must not.
#[derive(Debug)]
pub(super) struct Terms {
    all: Vec<Term>,
    /// One of them, where there is nothing that all must contain.
    any: Vec<Term>,
    none: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(Box<Finder<'static>>),
    Expression(Regex),
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Terms, PatternError> {
        let mut terms = Terms { all: Vec::new(), any: Vec::new(), none: Vec::new() };
        while cursor.peek().is_some() {
            let kind = if cursor.take("?") {
                &mut terms.any
            } else if cursor.take("-") {
                &mut terms.none
            } else {
                &mut terms.all
            };
            kind.push(Term::parse(cursor)?);
        }
        // AWS leaves the optional terms aside where others must be there.
        if !terms.all.is_empty() {
            terms.any.clear();
        }
        Ok(terms)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.all.iter().all(|term| term.is_in(message))
            && (self.any.is_empty() || self.any.iter().any(|term| term.is_in(message)))
            && !self.none.iter().any(|term| term.is_in(message))
    }
}

impl Term {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Term, PatternError> {
        if cursor.take_here("\"") {
            return Ok(Term::text(&cursor.quoted()?));
        }
        if cursor.take_here("%") {
            return cursor.expression().map(Term::Expression);
        }
        let term = cursor.take_while(|next| !next.is_whitespace());
        if !term.is_empty() && term.chars().all(|next| next.is_alphanumeric() || next == '_') {
            return Ok(Term::text(term));
        }
        Err(PatternError(format!("Invalid character(s) in term '{term}'")))
    }

    fn text(text: &str) -> Term {
        Term::Text(Box::new(Finder::new(text).into_owned()))
    }

    fn is_in(&self, message: &str) -> bool {
        match self {
            Term::Text(finder) => finder.find(message.as_bytes()).is_some(),
            Term::Expression(expression) => expression.is_match(message),
        }
    }
}
