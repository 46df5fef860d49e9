//! JSON bodies, read by shape table in one pass: what the model does not name is skipped without being kept, so that a
//! hostile body costs no more memory than a friendly one.

use std::cell::{Cell, RefCell};
use std::fmt;

use base::shape::{Kind, Location, Shape, Structure};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::DecodeError;
use super::scalar::{number, parse_instant, wrong_type};

/// The most values that one body may hold.
const MAXIMUM_VALUES: usize = 500_000;

/// The class under which AWS's errors speak of a JSON number (recorded).
const NUMBER: &str = "com.amazon.coral.value.json.numbers.TruncatingBigNumber";

/// Reads a body as a structure. An empty body and `null` are structures without members.
pub(crate) fn decode(body: &[u8], shape: &'static Shape) -> Result<Value, DecodeError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let context = Context { values: Cell::new(0), refusal: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Seed { shape, context: &context }.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    match (read, context.refusal.into_inner()) {
        (_, Some(refusal)) => Err(refusal),
        (Ok(Value::Null), None) => Ok(Value::Object(Map::new())),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => Err(DecodeError::Malformed(error.to_string())),
    }
}

/// What the reading of one body shares. A refusal goes past serde, whose errors cannot carry AWS's text unchanged.
struct Context {
    values: Cell<usize>,
    refusal: RefCell<Option<DecodeError>>,
}

impl Context {
    fn refuse<E: de::Error>(&self, error: DecodeError) -> E {
        self.refusal.replace(Some(error));
        E::custom("refused")
    }
}

/// Reads one value of a shape.
#[derive(Clone, Copy)]
struct Seed<'c> {
    shape: &'static Shape,
    context: &'c Context,
}

impl Seed<'_> {
    fn wrong<E: de::Error>(&self, found: &str) -> E {
        self.context.refuse(wrong_type(found, self.shape))
    }

    /// AWS's text for a list or an object where the model has something else.
    fn unexpected<E: de::Error>(&self, found: &str) -> E {
        self.context.refuse(DecodeError::WrongType(format!("Start of {found} found where not expected.")))
    }

    fn count<E: de::Error>(&self) -> Result<(), E> {
        let values = self.context.values.get() + 1;
        self.context.values.set(values);
        if values > MAXIMUM_VALUES {
            let text = format!("the request has more than {MAXIMUM_VALUES} values");
            return Err(self.context.refuse(DecodeError::WrongType(text)));
        }
        Ok(())
    }

    fn whole<E: de::Error>(&self, whole: i128) -> Result<Value, E> {
        let fits = match &self.shape.kind {
            Kind::Integer(_) => i32::try_from(whole).ok().map(Value::from),
            Kind::Long(_) => i64::try_from(whole).ok().map(Value::from),
            Kind::Double(_) | Kind::Timestamp(_) => Number::from_f64(whole as f64).map(Value::Number),
            _ => None,
        };
        fits.ok_or_else(|| self.wrong(NUMBER))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        match &self.shape.kind {
            Kind::Document => de::Deserialize::deserialize(deserializer),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.shape.name)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        match &self.shape.kind {
            Kind::Boolean => Ok(Value::Bool(value)),
            _ => Err(self.wrong("java.lang.Boolean")),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.whole(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.whole(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        match &self.shape.kind {
            Kind::Double(_) | Kind::Timestamp(_) => Ok(number(value)),
            // AWS cuts fractions off whole numbers, as the name of its number class says.
            Kind::Integer(_) | Kind::Long(_) if value.abs() < 1.0e19 => self.whole(value as i128),
            _ => Err(self.wrong(NUMBER)),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        match &self.shape.kind {
            Kind::String(_) => Ok(Value::String(value.into())),
            Kind::Blob(_) if is_base64(value) => Ok(Value::String(value.into())),
            Kind::Blob(_) => Err(self.context.refuse(DecodeError::WrongType("the value is not valid base64".into()))),
            Kind::Timestamp(_) => match parse_instant(value) {
                Some(seconds) => Ok(number(seconds)),
                None => Err(self.wrong("java.lang.String")),
            },
            _ => Err(self.wrong("java.lang.String")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Kind::List(list) = &self.shape.kind else { return Err(self.unexpected("list")) };
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Seed { shape: list.member, ..self })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        match &self.shape.kind {
            Kind::Structure(structure) => {
                while let Some(key) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
                    let Some((name, shape)) = body_member(structure, &key) else {
                        entries.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let value = entries.next_value_seed(Seed { shape, ..self })?;
                    match value {
                        Value::Null => members.shift_remove(name),
                        value => members.insert(name.into(), value),
                    };
                }
            }
            Kind::Map(map) => {
                while let Some(key) = entries.next_key::<String>()? {
                    let value = entries.next_value_seed(Seed { shape: map.value, ..self })?;
                    members.insert(key, value);
                }
            }
            _ => return Err(self.unexpected("structure or map")),
        }
        Ok(Value::Object(members))
    }
}

/// The member of a structure that travels in the body under `key`.
fn body_member(structure: &Structure, key: &str) -> Option<(&'static str, &'static Shape)> {
    let member =
        structure.members.iter().find(|member| member.wire_name == key && member.location == Location::Body)?;
    Some((member.name, member.shape))
}

/// Whether text can be base64; the decoding itself happens once, when the value gets its type.
fn is_base64(text: &str) -> bool {
    let text = text.trim_ascii_end();
    let digits = text.trim_end_matches('=');
    let mut count = 0;
    let alphabet = digits.bytes().all(|byte| {
        count += usize::from(!byte.is_ascii_whitespace());
        byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || matches!(byte, b'+' | b'/')
    });
    alphabet && text.len() - digits.len() <= 2 && count % 4 != 1
}
