//! Values that travel as text: in paths, queries, headers, forms and XML; and instants in all their spellings.

use base::shape::{Kind, Shape, TimestampFormat, base64_decode};
use jiff::Timestamp;
use jiff::fmt::strtime;
use serde_json::{Number, Value};

use super::DecodeError;

/// AWS's text for a value of another type than the model's (recorded: `class java.lang.Boolean can not be converted to
/// an String`).
pub(crate) fn wrong_type(found: &str, wanted: &Shape) -> DecodeError {
    DecodeError::WrongType(format!("class {found} can not be converted to an {}", java_name(wanted)))
}

fn java_name(shape: &Shape) -> &'static str {
    match &shape.kind {
        Kind::String(_) => "String",
        Kind::Integer(_) => "Integer",
        Kind::Long(_) => "Long",
        Kind::Double(_) => "Double",
        Kind::Boolean => "Boolean",
        Kind::Timestamp(_) => "Date",
        Kind::Blob(_) => "Blob",
        Kind::Structure(_) => "Structure",
        Kind::List(_) => "List",
        Kind::Map(_) => "Map",
        Kind::Document => "Document",
    }
}

/// Reads a scalar from text. Lists, maps and structures have no text form and are refused.
pub(crate) fn from_text(text: &str, shape: &Shape) -> Result<Value, DecodeError> {
    let wrong = || wrong_type("java.lang.String", shape);
    Ok(match &shape.kind {
        Kind::String(_) => Value::String(text.into()),
        Kind::Integer(_) => Value::from(text.trim().parse::<i32>().map_err(|_| wrong())?),
        Kind::Long(_) => Value::from(text.trim().parse::<i64>().map_err(|_| wrong())?),
        Kind::Double(_) => {
            let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(wrong)?)
        }
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        Kind::Timestamp(_) => Value::Number(parse_instant(text).and_then(Number::from_f64).ok_or_else(wrong)?),
        Kind::Blob(_) => match base64_decode(text) {
            Ok(_) => Value::String(text.into()),
            Err(_) => return Err(wrong()),
        },
        _ => return Err(wrong()),
    })
}

/// Writes a scalar as text; `default` is the protocol's format for instants at this place.
pub(crate) fn to_text(
    value: &Value,
    shape: &Shape,
    format: Option<TimestampFormat>,
    default: TimestampFormat,
) -> String {
    match (value, &shape.kind) {
        (Value::Number(number), Kind::Timestamp(own)) => {
            write_instant(number.as_f64().unwrap_or_default(), format.or(*own).unwrap_or(default))
        }
        (Value::String(text), _) => text.clone(),
        (other, _) => other.to_string(),
    }
}

/// Seconds since 1970 from any spelling that AWS accepts: a number, ISO 8601, or an HTTP date.
pub(crate) fn parse_instant(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => instant,
        Err(_) => {
            let plain = text.strip_suffix("GMT").unwrap_or(text).trim_end();
            strtime::parse("%a, %d %b %Y %H:%M:%S", plain)
                .ok()?
                .to_datetime()
                .ok()?
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp()
        }
    };
    Some(instant.as_millisecond() as f64 / 1000.0)
}

/// Writes an instant. Whole seconds have no fraction; instants beyond the calendar are written as numbers.
pub(crate) fn write_instant(seconds: f64, format: TimestampFormat) -> String {
    let milliseconds = (seconds * 1000.0).round() as i64;
    let instant = match format {
        TimestampFormat::UnixTimestamp => None,
        _ => Timestamp::from_millisecond(milliseconds).ok(),
    };
    match (instant, format) {
        (Some(instant), TimestampFormat::Rfc822) => instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        (Some(instant), _) if milliseconds % 1000 == 0 => instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        (Some(instant), _) => instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        (None, _) => number(seconds).to_string(),
    }
}

/// A number without a fraction where it has none.
pub(crate) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9.0e15 { Value::from(value as i64) } else { Value::from(value) }
}
