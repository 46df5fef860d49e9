//! JSON documents as templates and paths read them: text borrowed from the source, members in order, numbers as Java keeps them.
//!
//! A payload is parsed once per call and read a little, so that parsing is what costs: small objects are plain lists, and nothing is
//! copied that has no escapes. Whole numbers stay exact up to 128 bits, where `serde_json` would make decimals of them.
//!
//! ```
//! use templates::document::Json;
//!
//! let document = Json::parse(r#"{"id": 12345678901234567890123, "tags": ["a", "b"]}"#)?;
//! assert_eq!(document.to_string(), r#"{"id":12345678901234567890123,"tags":["a","b"]}"#);
//! # Ok::<(), templates::document::JsonError>(())
//! ```

mod parse;
mod write;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

pub(crate) use write::push_double;
pub use write::push_quoted;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: {message} at byte {position}")]
pub struct JsonError {
    /// How many bytes stand before the error.
    pub position: usize,
    /// What is wrong.
    pub message: &'static str,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number of at most 64 bits.
    Integer(i64),
    /// A larger whole number.
    BigInteger(Box<i128>),
    /// A number with a fraction or an exponent, or beyond 128 bits.
    Decimal(f64),
    /// A string.
    Text(Cow<'t, str>),
    /// An array.
    Array(Vec<Json<'t>>),
    /// An object.
    Object(Members<'t>),
}

/// The members of an object in the order in which their names came first; of several values for one name the last counts.
#[derive(Debug, Clone, Default)]
pub struct Members<'t> {
    list: Vec<(Cow<'t, str>, Json<'t>)>,
    /// Where each name is, once the object is too big to look through.
    index: Option<Box<Index<'t>>>,
}

/// Boxed, because few objects need one and every object has the room for it.
#[derive(Debug, Clone)]
struct Index<'t> {
    places: HashMap<Cow<'t, str>, usize>,
}

/// Objects up to this size are searched from end to end.
const SMALL_OBJECT: usize = 16;

impl<'t> Json<'t> {
    /// Parses a text of at most 128 levels.
    ///
    /// # Errors
    /// The text is not one JSON value.
    pub fn parse(text: &'t str) -> Result<Json<'t>, JsonError> {
        parse::parse(text)
    }

    /// A view of another representation; texts are borrowed.
    pub fn from_value(value: &'t serde_json::Value) -> Json<'t> {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(truth) => Json::Boolean(*truth),
            serde_json::Value::Number(number) => Json::from_number(number),
            serde_json::Value::String(text) => Json::Text(Cow::Borrowed(text)),
            serde_json::Value::Array(items) => Json::Array(items.iter().map(Json::from_value).collect()),
            serde_json::Value::Object(members) => Json::Object(
                members.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), Json::from_value(value))).collect(),
            ),
        }
    }

    fn from_number(number: &serde_json::Number) -> Json<'t> {
        match (number.as_i64(), number.as_u64()) {
            (Some(small), _) => Json::Integer(small),
            (None, Some(large)) => Json::BigInteger(Box::new(i128::from(large))),
            (None, None) => Json::Decimal(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// The same value in another representation. Whole numbers beyond 64 bits become decimals.
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Json::Null => serde_json::Value::Null,
            Json::Boolean(truth) => (*truth).into(),
            Json::Integer(number) => (*number).into(),
            Json::BigInteger(number) => match u64::try_from(**number) {
                Ok(number) => number.into(),
                Err(_) => serde_json::Number::from_f64(**number as f64).into(),
            },
            Json::Decimal(number) => serde_json::Number::from_f64(*number).into(),
            Json::Text(text) => text.as_ref().into(),
            Json::Array(items) => items.iter().map(Json::to_value).collect(),
            Json::Object(members) => serde_json::Value::Object(
                members.iter().map(|(name, value)| (name.to_string(), value.to_value())).collect(),
            ),
        }
    }

    /// The same value with nothing borrowed.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Json::Null => Json::Null,
            Json::Boolean(truth) => Json::Boolean(truth),
            Json::Integer(number) => Json::Integer(number),
            Json::BigInteger(number) => Json::BigInteger(number),
            Json::Decimal(number) => Json::Decimal(number),
            Json::Text(text) => Json::Text(Cow::Owned(text.into_owned())),
            Json::Array(items) => Json::Array(items.into_iter().map(Json::into_owned).collect()),
            Json::Object(members) => Json::Object(
                members
                    .list
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
                    .collect(),
            ),
        }
    }

    /// The member of that name, when this is an object that has it.
    pub fn member(&self, name: &str) -> Option<&Json<'t>> {
        match self {
            Json::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// The elements, when this is an array.
    pub fn as_array(&self) -> Option<&[Json<'t>]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number as a decimal, when this is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Integer(number) => Some(*number as f64),
            Json::BigInteger(number) => Some(**number as f64),
            Json::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn size(length: usize) -> Json<'t> {
        Json::Integer(i64::try_from(length).unwrap_or(i64::MAX))
    }
}

/// Compact JSON.
impl fmt::Display for Json<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write::write(self, &mut text);
        formatter.write_str(&text)
    }
}

impl<'t> Members<'t> {
    /// How many members there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Json<'t>> {
        self.place_of(name).map(|place| &self.list[place].1)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json<'t>)> {
        self.list.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The member at that place.
    pub fn at(&self, place: usize) -> Option<(&str, &Json<'t>)> {
        self.list.get(place).map(|(name, value)| (name.as_ref(), value))
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.places.get(name).copied(),
            None => self.list.iter().position(|(present, _)| present == name),
        }
    }

    fn insert(&mut self, name: Cow<'t, str>, value: Json<'t>) {
        if let Some(place) = self.place_of(&name) {
            self.list[place].1 = value;
            return;
        }
        if self.list.len() == SMALL_OBJECT {
            let places = self.list.iter().enumerate().map(|(place, (name, _))| (name.clone(), place));
            self.index = Some(Box::new(Index { places: places.collect() }));
        }
        if let Some(index) = &mut self.index {
            index.places.insert(name.clone(), self.list.len());
        }
        self.list.push((name, value));
    }
}

impl<'t> FromIterator<(Cow<'t, str>, Json<'t>)> for Members<'t> {
    fn from_iter<I: IntoIterator<Item = (Cow<'t, str>, Json<'t>)>>(members: I) -> Members<'t> {
        let mut all = Members::default();
        for (name, value) in members {
            all.insert(name, value);
        }
        all
    }
}

/// Objects are equal whatever the order of their members.
impl PartialEq for Members<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}
