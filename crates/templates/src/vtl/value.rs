//! The values a template works with: Java's, as far as templates can see them.
//!
//! Lists and maps are shared and mutable, as in Java: `#set($b = $a)` makes two names for one list. JSON from the payload stays
//! the parsed document it is (`Value::Json`) unless the template changes values in place; see [`Value::from_json`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::ast::Block;
use crate::document::Json;

#[derive(Clone)]
pub(super) enum Value<'r> {
    Null,
    Boolean(bool),
    Integer(i64),
    BigInteger(Rc<i128>),
    Decimal(f64),
    Borrowed(&'r str),
    Owned(Rc<str>),
    /// An object or array of the payload, read only.
    Json(&'r Json<'r>),
    List(Rc<List<'r>>),
    Map(Rc<Map<'r>>),
    Entry(Rc<(Value<'r>, Value<'r>)>),
    Iterator(Rc<ListIterator<'r>>),
    /// What `#define` named: rendered at each use.
    Block(&'r Block),
    /// `$foreach` of the loop with this number.
    Loop(usize),
    Input,
    Util,
    Context,
    StageVariables,
}

/// A Java list. One that came from JSON prints as JSON, one made by the template as Java prints lists.
#[derive(Default)]
pub(super) struct List<'r> {
    pub(super) from_json: bool,
    pub(super) items: RefCell<Vec<Value<'r>>>,
}

pub(super) struct Map<'r> {
    pub(super) entries: RefCell<Entries<'r>>,
}

pub(super) struct ListIterator<'r> {
    pub(super) list: Rc<List<'r>>,
    pub(super) next: std::cell::Cell<usize>,
}

/// The entries of a map in the order in which their keys came first.
#[derive(Default)]
pub(super) struct Entries<'r> {
    pairs: Vec<(Value<'r>, Value<'r>)>,
    /// Where each key is, kept once the map is too big to look through.
    index: Option<HashMap<String, usize>>,
}

/// Maps up to this size are searched from end to end.
const SMALL_MAP: usize = 16;

impl<'r> Value<'r> {
    pub(super) fn text(text: impl AsRef<str>) -> Value<'r> {
        Value::Owned(Rc::from(text.as_ref()))
    }

    pub(super) fn list(items: Vec<Value<'r>>) -> Value<'r> {
        Value::List(Rc::new(List { from_json: false, items: RefCell::new(items) }))
    }

    pub(super) fn map(entries: Entries<'r>) -> Value<'r> {
        Value::Map(Rc::new(Map { entries: RefCell::new(entries) }))
    }

    pub(super) fn integer(number: i128) -> Value<'r> {
        match i64::try_from(number) {
            Ok(small) => Value::Integer(small),
            Err(_) => Value::BigInteger(Rc::new(number)),
        }
    }

    pub(super) fn size(length: usize) -> Value<'r> {
        Value::Integer(i64::try_from(length).unwrap_or(i64::MAX))
    }

    /// A value of the payload: scalars as themselves, objects and arrays by reference.
    pub(super) fn from_json(json: &'r Json<'r>) -> Value<'r> {
        match json {
            Json::Text(text) => Value::Borrowed(text),
            Json::Array(_) | Json::Object(_) => Value::Json(json),
            scalar => Value::scalar(scalar),
        }
    }

    /// A copy of a JSON value that the template may change and that borrows nothing.
    pub(super) fn copied_from_json(json: &Json<'_>) -> Value<'r> {
        match json {
            Json::Text(text) => Value::text(text),
            Json::Array(items) => {
                let items = items.iter().map(Value::copied_from_json).collect();
                Value::List(Rc::new(List { from_json: true, items: RefCell::new(items) }))
            }
            Json::Object(members) => {
                let mut entries = Entries::default();
                for (name, member) in members.iter() {
                    entries.put(Value::text(name), Value::copied_from_json(member));
                }
                Value::Map(Rc::new(Map { entries: RefCell::new(entries) }))
            }
            scalar => Value::scalar(scalar),
        }
    }

    fn scalar(json: &Json<'_>) -> Value<'r> {
        match json {
            Json::Boolean(truth) => Value::Boolean(*truth),
            Json::Integer(number) => Value::Integer(*number),
            Json::BigInteger(number) => Value::integer(**number),
            Json::Decimal(number) => Value::Decimal(*number),
            _ => Value::Null,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Value::Borrowed(text) => Some(text),
            Value::Owned(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Only `false` is false: API Gateway takes null, zero and empty text for true.
    pub(super) fn is_true(&self) -> bool {
        !matches!(self, Value::Boolean(false))
    }

    pub(super) fn as_integer(&self) -> Option<i128> {
        match self {
            Value::Integer(number) => Some(i128::from(*number)),
            Value::BigInteger(number) => Some(**number),
            _ => None,
        }
    }

    pub(super) fn as_number(&self) -> Option<Number> {
        match self {
            Value::Decimal(number) => Some(Number::Decimal(*number)),
            _ => self.as_integer().map(Number::Integer),
        }
    }

    /// The containers directly inside, for walks that must not recurse.
    fn take_containers(self, into: &mut Vec<Value<'r>>) {
        match self {
            Value::List(list) => {
                if let Some(mut list) = Rc::into_inner(list) {
                    into.append(list.items.get_mut());
                }
            }
            Value::Map(map) => {
                if let Some(mut map) = Rc::into_inner(map) {
                    into.extend(std::mem::take(map.entries.get_mut()).pairs.into_iter().flat_map(|(k, v)| [k, v]));
                }
            }
            Value::Entry(entry) => {
                if let Some((key, value)) = Rc::into_inner(entry) {
                    into.extend([key, value]);
                }
            }
            Value::Iterator(iterator) => {
                if let Some(iterator) = Rc::into_inner(iterator) {
                    into.push(Value::List(iterator.list));
                }
            }
            _ => {}
        }
    }
}

/// A number with what the arithmetic needs to know of its Java class.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Integer(i128),
    Decimal(f64),
}

impl Number {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Number::Integer(number) => number as f64,
            Number::Decimal(number) => number,
        }
    }
}

// Nested containers are taken apart one after the other: the compiler's own recursive drop would overflow the stack on a list
// that a template nested a million deep.
impl Drop for List<'_> {
    fn drop(&mut self) {
        drop_flat(std::mem::take(self.items.get_mut()));
    }
}

impl Drop for Map<'_> {
    fn drop(&mut self) {
        let pairs = std::mem::take(&mut self.entries.get_mut().pairs);
        drop_flat(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect());
    }
}

fn drop_flat(mut pending: Vec<Value<'_>>) {
    while let Some(value) = pending.pop() {
        value.take_containers(&mut pending);
    }
}

impl<'r> Entries<'r> {
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Value<'r>, Value<'r>)> {
        self.pairs.iter()
    }

    pub(super) fn at(&self, place: usize) -> Option<&(Value<'r>, Value<'r>)> {
        self.pairs.get(place)
    }

    fn place_of(&self, key: &Value<'r>) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&key_name(key)).copied(),
            None => self.pairs.iter().position(|(present, _)| same_key(present, key)),
        }
    }

    pub(super) fn get(&self, key: &Value<'r>) -> Option<&Value<'r>> {
        self.place_of(key).map(|place| &self.pairs[place].1)
    }

    /// Looks up a text key without making a value of it.
    pub(super) fn get_text(&self, key: &str) -> Option<&Value<'r>> {
        match &self.index {
            Some(index) => index.get(key).map(|place| &self.pairs[*place].1),
            None => self.pairs.iter().find(|(present, _)| present.as_str() == Some(key)).map(|(_, value)| value),
        }
    }

    /// Sets the key's value and returns the one before.
    pub(super) fn put(&mut self, key: Value<'r>, value: Value<'r>) -> Option<Value<'r>> {
        if let Some(place) = self.place_of(&key) {
            return Some(std::mem::replace(&mut self.pairs[place].1, value));
        }
        match &mut self.index {
            Some(index) => {
                index.insert(key_name(&key), self.pairs.len());
            }
            None if self.pairs.len() == SMALL_MAP => {
                let mut index: HashMap<String, usize> =
                    self.pairs.iter().enumerate().map(|(place, (key, _))| (key_name(key), place)).collect();
                index.insert(key_name(&key), self.pairs.len());
                self.index = Some(index);
            }
            None => {}
        }
        self.pairs.push((key, value));
        None
    }

    pub(super) fn remove(&mut self, key: &Value<'r>) -> Option<Value<'r>> {
        let place = self.place_of(key)?;
        let (_, value) = self.pairs.remove(place);
        if self.index.is_some() {
            self.index = Some(self.pairs.iter().enumerate().map(|(place, (key, _))| (key_name(key), place)).collect());
        }
        Some(value)
    }

    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.index = None;
    }
}

/// Whether two values are the same key of a map. Containers are keys by identity.
fn same_key(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left.as_str(), right.as_str()) {
        (Some(left), Some(right)) => left == right,
        (None, None) => key_name(left) == key_name(right),
        _ => false,
    }
}

/// Text that differs for different keys; text keys are themselves.
fn key_name(key: &Value<'_>) -> String {
    match key {
        Value::Borrowed(text) => (*text).to_string(),
        Value::Owned(text) => text.to_string(),
        Value::Null => "\0null".to_string(),
        Value::Boolean(truth) => format!("\0boolean {truth}"),
        Value::Integer(number) => format!("\0integer {number}"),
        Value::BigInteger(number) => format!("\0integer {number}"),
        Value::Decimal(number) => format!("\0decimal {number}"),
        Value::List(list) => format!("\0list {:p}", Rc::as_ptr(list)),
        Value::Map(map) => format!("\0map {:p}", Rc::as_ptr(map)),
        Value::Json(json) => format!("\0json {:p}", *json),
        _ => "\0other".to_string(),
    }
}
