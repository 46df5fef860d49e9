//! Writes the shape tables: one static per reachable shape.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::botocore::{Reference, Shape};
use crate::names::constant;
use crate::selection::Service;

/// The file `shapes.rs`.
pub(crate) fn write(service: &Service) -> Result<String> {
    let mut body = String::new();
    for name in &service.reachable {
        let shape = service.shape(name)?;
        write!(
            body,
            "\npub(crate) static {}: Shape = Shape {{ name: {name:?}, sensitive: {}, kind: {} }};\n",
            constant(name),
            shape.sensitive,
            kind(service, shape).with_context(|| format!("in shape {name}"))?
        )?;
    }
    let used: Vec<&str> = [
        "Kind",
        "List",
        "Location",
        "Map",
        "Member",
        "Range",
        "RealRange",
        "Shape",
        "Structure",
        "Text",
        "TimestampFormat",
    ]
    .into_iter()
    .filter(|word| body.contains(&format!("{word} {{")) || body.contains(&format!("{word}::")))
    .collect();
    let header = format!("use base::shape::{{{}}};\n", used.join(", "));
    Ok(format!("//! The shapes that implemented operations reach, as tables.\n\n{header}{body}"))
}

fn kind(service: &Service, shape: &Shape) -> Result<String> {
    Ok(match shape.kind.as_str() {
        "structure" if shape.document => "Kind::Document".into(),
        "structure" => structure(service, shape)?,
        "list" => {
            let member = shape.member.as_ref().context("a list without member")?;
            format!(
                "Kind::List(List {{ member: &{}, member_name: {:?}, flattened: {}, length: {} }})",
                constant(&member.shape),
                member.location_name.as_deref().unwrap_or("member"),
                shape.flattened,
                range(shape)
            )
        }
        "map" => {
            let (key, value) = (
                shape.key.as_ref().context("a map without key")?,
                shape.value.as_ref().context("a map without value")?,
            );
            format!(
                "Kind::Map(Map {{ key: &{}, value: &{}, key_name: {:?}, value_name: {:?}, flattened: {}, nullable_values: {}, length: {} }})",
                constant(&key.shape),
                constant(&value.shape),
                key.location_name.as_deref().unwrap_or("key"),
                value.location_name.as_deref().unwrap_or("value"),
                shape.flattened,
                shape.nullable_values,
                range(shape)
            )
        }
        "string" => format!(
            "Kind::String(Text {{ length: {}, pattern: {:?}, enumeration: &{:?} }})",
            range(shape),
            shape.pattern,
            if shape.unchecked { &[] } else { shape.enumeration.as_slice() }
        ),
        "integer" => format!("Kind::Integer({})", range(shape)),
        "long" => format!("Kind::Long({})", range(shape)),
        "double" | "float" => format!("Kind::Double(RealRange {{ min: {:?}, max: {:?} }})", shape.min, shape.max),
        "boolean" => "Kind::Boolean".into(),
        "timestamp" => format!("Kind::Timestamp({})", format_of(shape.timestamp_format.as_deref())?),
        "blob" => format!("Kind::Blob({})", range(shape)),
        other => bail!("unknown type {other}"),
    })
}

fn structure(service: &Service, shape: &Shape) -> Result<String> {
    let mut members = String::new();
    for (name, reference) in shape.references()? {
        let referenced = service.shape(&reference.shape)?;
        write!(
            members,
            "Member {{ name: {name:?}, wire_name: {:?}, location: Location::{}, shape: &{}, required: {}, timestamp_format: {} }},",
            reference.location_name.as_deref().unwrap_or(&name),
            location(&reference)?,
            constant(&reference.shape),
            shape.required.contains(&name),
            format_of(reference.timestamp_format.as_deref().or(referenced.timestamp_format.as_deref()))?,
        )?;
    }
    Ok(format!("Kind::Structure(Structure {{ members: &[{members}], payload: {:?} }})", shape.payload))
}

fn location(reference: &Reference) -> Result<&'static str> {
    Ok(match reference.location.as_deref() {
        None => "Body",
        Some("uri") => "Uri",
        Some("querystring") => "Query",
        Some("header") => "Header",
        Some("headers") => "Headers",
        Some("statusCode") => "StatusCode",
        Some(other) => bail!("unknown location {other}"),
    })
}

fn format_of(name: Option<&str>) -> Result<String> {
    let format = match name {
        None => return Ok("None".into()),
        Some("unixTimestamp") => "UnixTimestamp",
        Some("iso8601") => "Iso8601",
        Some("rfc822") => "Rfc822",
        Some(other) => bail!("unknown timestamp format {other}"),
    };
    Ok(format!("Some(TimestampFormat::{format})"))
}

fn range(shape: &Shape) -> String {
    if shape.min.is_none() && shape.max.is_none() {
        return "Range::ANY".into();
    }
    let whole = |bound: Option<f64>| bound.map(|bound| bound as i64);
    format!("Range {{ min: {:?}, max: {:?} }}", whole(shape.min), whole(shape.max))
}
