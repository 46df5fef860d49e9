//! Walks a document along a path.

use std::borrow::Cow;
use std::cell::Cell;

use super::{Found, JsonPath, Token, functions};
use crate::document::{Json, Members};

/// Why an evaluation ended before its end: it visited more values than it may, or a part of the path that names one value led
/// nowhere.
#[derive(Debug)]
pub(super) struct Stopped;

/// One evaluation: the document that `$` in filters means, and how much may still be visited.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Json<'a>,
    visits_left: Cell<usize>,
}

type Finds<'a> = Vec<Cow<'a, Json<'a>>>;

pub(super) fn evaluate<'a>(path: &JsonPath, document: &'a Json<'a>, visits_left: &mut usize) -> Found<'a> {
    let walk = Walk { root: document, visits_left: Cell::new(*visits_left) };
    let found = walk.find(path, document).unwrap_or(Found::Missing);
    *visits_left = walk.visits_left.get();
    found
}

impl<'a> Walk<'a> {
    pub(super) fn visit(&self) -> Result<(), Stopped> {
        self.charge(1)
    }

    /// Counts work that is done: visits, or what costs as much.
    pub(super) fn charge(&self, visits: usize) -> Result<(), Stopped> {
        match self.visits_left.get().checked_sub(visits) {
            Some(left) => {
                self.visits_left.set(left);
                Ok(())
            }
            None => {
                self.visits_left.set(0);
                Err(Stopped)
            }
        }
    }

    /// Counts what going through a whole value costs: comparing and copying do.
    pub(super) fn weigh(&self, value: &Json<'_>) -> Result<(), Stopped> {
        match value {
            Json::Array(items) => {
                self.charge(items.len())?;
                items.iter().try_for_each(|item| self.weigh(item))
            }
            Json::Object(members) => {
                self.charge(members.len())?;
                members.iter().try_for_each(|(_, member)| self.weigh(member))
            }
            Json::Text(text) => self.charge(text.len() / 64),
            _ => Ok(()),
        }
    }

    /// The value itself; a copy counts.
    pub(super) fn own(&self, value: Cow<'a, Json<'a>>) -> Result<Json<'a>, Stopped> {
        if let Cow::Borrowed(value) = value {
            self.weigh(value)?;
        }
        Ok(value.into_owned())
    }

    /// Whether the evaluation stopped because it visited too much.
    pub(super) fn is_exhausted(&self) -> bool {
        self.visits_left.get() == 0
    }

    pub(super) fn find(&self, path: &JsonPath, item: &'a Json<'a>) -> Result<Found<'a>, Stopped> {
        // A function at the end of a scan works on the list of what the scan found.
        if let [Token::Scan, scanned @ .., Token::Function(call)] = path.tokens.as_slice() {
            let mut finds = Vec::new();
            self.scan(scanned, item, &mut finds)?;
            let owned: Result<Vec<_>, Stopped> = finds.into_iter().map(|found| self.own(found)).collect();
            let list = Json::Array(owned?);
            return Ok(
                functions::call(call, &list, item, self)?.map_or(Found::Missing, |v| Found::Value(Cow::Owned(v)))
            );
        }
        let mut finds = Vec::new();
        self.walk(&path.tokens, item, true, &mut finds)?;
        if path.definite {
            return Ok(finds.pop().map_or(Found::Missing, Found::Value));
        }
        Ok(Found::List(finds))
    }

    /// Goes along the path. While every token so far named one value (`definite`), a value of the wrong kind or a missing
    /// member ends the whole evaluation; later it is only passed over.
    fn walk(
        &self,
        tokens: &[Token],
        model: &'a Json<'a>,
        definite: bool,
        finds: &mut Finds<'a>,
    ) -> Result<(), Stopped> {
        self.visit()?;
        let Some((token, rest)) = tokens.split_first() else {
            finds.push(Cow::Borrowed(model));
            return Ok(());
        };
        let not_here = if definite { Err(Stopped) } else { Ok(()) };
        match token {
            Token::Properties(names) => match model {
                Json::Object(members) => self.properties(names, rest, members, definite, finds),
                _ => not_here,
            },
            Token::Indexes(indexes) => {
                let Json::Array(items) = model else { return not_here };
                let definite = definite && indexes.len() == 1;
                indexes.iter().try_for_each(|index| self.index(items, *index, rest, definite, finds))
            }
            Token::Slice(from, to) => {
                let Json::Array(items) = model else { return not_here };
                self.slice(items, *from, *to, rest, finds)
            }
            Token::Wildcard => children(model).try_for_each(|child| self.walk(rest, child, false, finds)),
            Token::Scan => self.scan(rest, model, finds),
            Token::Filter(condition) => match model {
                Json::Array(items) => {
                    for item in items {
                        if condition.accepts(item, self)? {
                            self.walk(rest, item, false, finds)?;
                        }
                    }
                    Ok(())
                }
                Json::Object(_) if condition.accepts(model, self)? => self.walk(rest, model, false, finds),
                Json::Object(_) => Ok(()),
                _ => not_here,
            },
            Token::Function(call) => {
                finds.extend(functions::call(call, model, model, self)?.map(Cow::Owned));
                Ok(())
            }
        }
    }

    fn properties(
        &self,
        names: &[String],
        rest: &[Token],
        members: &'a Members<'a>,
        definite: bool,
        finds: &mut Finds<'a>,
    ) -> Result<(), Stopped> {
        if names.len() > 1 && rest.is_empty() {
            // Several names at the end of a path make one object of those members.
            let mut some = Vec::with_capacity(names.len());
            for name in names {
                let Some(member) = members.get(name) else { continue };
                some.push((Cow::Owned(name.clone()), self.own(Cow::Borrowed(member))?));
            }
            finds.push(Cow::Owned(Json::Object(some.into_iter().collect())));
            return Ok(());
        }
        for name in names {
            match members.get(name) {
                Some(member) => self.walk(rest, member, definite && names.len() == 1, finds)?,
                None if definite && names.len() == 1 => return Err(Stopped),
                None => {}
            }
        }
        Ok(())
    }

    /// A negative index counts from the end; one out of bounds finds nothing.
    fn index(
        &self,
        items: &'a [Json<'a>],
        index: i64,
        rest: &[Token],
        definite: bool,
        finds: &mut Finds<'a>,
    ) -> Result<(), Stopped> {
        let place = if index < 0 { index + items.len() as i64 } else { index };
        match usize::try_from(place).ok().and_then(|place| items.get(place)) {
            Some(item) => self.walk(rest, item, definite, finds),
            None => Ok(()),
        }
    }

    fn slice(
        &self,
        items: &'a [Json<'a>],
        from: Option<i64>,
        to: Option<i64>,
        rest: &[Token],
        finds: &mut Finds<'a>,
    ) -> Result<(), Stopped> {
        let length = items.len() as i64;
        let (from, to) = match (from, to) {
            (Some(from), None) if from < 0 => ((length + from).max(0), length),
            (Some(from), None) => (from, length),
            (None, Some(to)) if to < 0 => (0, length + to),
            (None, to) => (0, to.unwrap_or(length).min(length)),
            // With both bounds, Jayway counts from a negative one up: `[-5:7]` gives the last five and then the first seven.
            (Some(from), Some(to)) => (from, to.min(length)),
        };
        if length == 0 {
            return Ok(());
        }
        for index in from..to {
            self.visit()?;
            self.index(items, index, rest, false, finds)?;
        }
        Ok(())
    }

    /// Tries the rest of the path here and at every level below, parents first.
    fn scan(&self, rest: &[Token], model: &'a Json<'a>, finds: &mut Finds<'a>) -> Result<(), Stopped> {
        self.visit()?;
        match model {
            // Below an array Jayway goes on with each item, whatever index or slice was asked for.
            Json::Array(items) if rest.len() > 1 && matches!(rest[0], Token::Indexes(_) | Token::Slice(..)) => {
                items.iter().try_for_each(|item| self.walk(&rest[1..], item, false, finds))?;
            }
            Json::Object(_) | Json::Array(_) if scan_matches(rest, model) => {
                self.walk(rest, model, false, finds)?;
            }
            _ => {}
        }
        children(model).try_for_each(|child| self.scan(rest, child, finds))
    }
}

/// Whether a scan tries its next token on this value. An array is not filtered as a whole when its items are.
fn scan_matches(rest: &[Token], model: &Json<'_>) -> bool {
    match rest.first() {
        Some(Token::Filter(_)) => matches!(model, Json::Object(_)),
        Some(Token::Properties(names)) => match model {
            Json::Object(members) => names.iter().all(|name| members.get(name).is_some()),
            _ => false,
        },
        _ => true,
    }
}

fn children<'a>(model: &'a Json<'a>) -> Box<dyn Iterator<Item = &'a Json<'a>> + 'a> {
    match model {
        Json::Array(items) => Box::new(items.iter()),
        Json::Object(members) => Box::new(members.iter().map(|(_, value)| value)),
        _ => Box::new(std::iter::empty()),
    }
}
