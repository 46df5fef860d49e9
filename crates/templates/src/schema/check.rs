//! Whether a schema is one of draft 4: asked when a model is stored, and of each part when it is compiled.

use std::collections::BTreeSet;

use crate::document::{Json, Members};

use super::node::Types;
use super::pattern::Pattern;
use super::reference::{Document, Reference};
use super::{SCHEMA_BYTES, number};

/// What draft 4 knows; the service refuses a model that has anything else.
const KNOWN: [&str; 34] = [
    "$ref",
    "$schema",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "definitions",
    "dependencies",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "id",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
];

/// Why a text is no schema of a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// It is no JSON object.
    #[error("it is not a JSON object: {0}")]
    NotJson(String),
    /// It is larger than [`SCHEMA_BYTES`].
    #[error("it is larger than 400 KB")]
    TooLarge,
    /// A keyword has a value that it must not have.
    #[error("{0}")]
    Malformed(String),
    /// It has keywords that draft 4 does not have, in order.
    #[error("unsupported keywords {0:?}")]
    Unsupported(Vec<String>),
    /// A `$ref` is neither to a part of the schema nor to a model by its whole address.
    #[error("the reference {0} is not to a model")]
    NotCanonical(String),
}

/// Checks the schema of a model in JSON. Whether the models that it refers to exist is not asked.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_model(text: &str) -> Result<(), ModelError> {
    if text.len() > SCHEMA_BYTES {
        return Err(ModelError::TooLarge);
    }
    let schema = Json::parse(text).map_err(|error| ModelError::NotJson(error.to_string()))?;
    let mut unknown = BTreeSet::new();
    let mut foreign = None;
    check(&schema, &mut unknown, &mut foreign)?;
    match (unknown.is_empty(), foreign) {
        (false, _) => Err(ModelError::Unsupported(unknown.into_iter().map(str::to_owned).collect())),
        (true, Some(reference)) => Err(ModelError::NotCanonical(reference.to_owned())),
        (true, None) => Ok(()),
    }
}

/// Checks a schema and what is in it; as deep as the parser lets it be.
fn check<'j>(
    schema: &'j Json<'_>,
    unknown: &mut BTreeSet<&'j str>,
    foreign: &mut Option<&'j str>,
) -> Result<(), ModelError> {
    let Json::Object(members) = schema else {
        return Err(ModelError::NotJson("a schema must be an object".into()));
    };
    if let Some(reference) = members.get("$ref").and_then(Json::as_str) {
        if let Document::Foreign(_) = Reference::parse(reference).document {
            foreign.get_or_insert(reference);
        }
        // Beside a reference nothing else counts.
        return Ok(());
    }
    unknown.extend(members.iter().map(|(name, _)| name).filter(|name| !KNOWN.contains(name)));
    check_keywords(members).map_err(ModelError::Malformed)?;
    subschemas(members).into_iter().try_for_each(|part| check(part, unknown, foreign))
}

/// The schemas directly in a schema whose keywords are sound.
fn subschemas<'j, 't>(members: &'j Members<'t>) -> Vec<&'j Json<'t>> {
    let mut found = Vec::new();
    for (name, value) in members.iter() {
        match (name, value) {
            ("not" | "additionalItems" | "additionalProperties" | "items", Json::Object(_)) => found.push(value),
            ("items" | "allOf" | "anyOf" | "oneOf", Json::Array(items)) => found.extend(items),
            ("definitions" | "properties" | "patternProperties", Json::Object(parts)) => {
                found.extend(parts.iter().map(|(_, part)| part));
            }
            ("dependencies", Json::Object(parts)) => {
                found.extend(parts.iter().map(|(_, part)| part).filter(|part| matches!(part, Json::Object(_))));
            }
            _ => {}
        }
    }
    found
}

/// Checks the values of a schema's keywords, not the schemas in it.
///
/// # Errors
/// What is wrong with the first bad one.
pub(super) fn check_keywords(schema: &Members<'_>) -> Result<(), String> {
    for (name, value) in schema.iter() {
        check_keyword(name, value, schema).map_err(|what| format!("keyword {name}: {what}"))?;
    }
    Ok(())
}

fn check_keyword(name: &str, value: &Json<'_>, schema: &Members<'_>) -> Result<(), String> {
    let expect = |sound: bool, what: &str| if sound { Ok(()) } else { Err(what.to_owned()) };
    match name {
        "type" => check_types(value),
        "enum" => {
            let items = value.as_array().filter(|items| !items.is_empty()).ok_or("an array of values is expected")?;
            let mut seen = BTreeSet::new();
            let is_new = |item| {
                let mut text = String::new();
                number::push_canonical(item, &mut text);
                seen.insert(text)
            };
            expect(items.iter().all(is_new), "the values must differ")
        }
        "required" => check_names(value),
        "allOf" | "anyOf" | "oneOf" => {
            let items = value.as_array().filter(|items| !items.is_empty());
            expect(items.is_some_and(|items| items.iter().all(is_object)), "an array of schemas is expected")
        }
        "not" => expect(is_object(value), "a schema is expected"),
        "items" => expect(
            is_object(value) || value.as_array().is_some_and(|items| items.iter().all(is_object)),
            "a schema or an array of schemas is expected",
        ),
        "additionalItems" | "additionalProperties" => {
            expect(is_object(value) || matches!(value, Json::Boolean(_)), "a boolean or a schema is expected")
        }
        "definitions" | "properties" => expect(
            parts(value).is_some_and(|parts| parts.iter().all(|(_, part)| is_object(part))),
            "schemas by name are expected",
        ),
        "patternProperties" => {
            let parts = parts(value).filter(|parts| parts.iter().all(|(_, part)| is_object(part)));
            parts.ok_or("schemas by pattern are expected")?.iter().try_for_each(|(pattern, _)| check_pattern(pattern))
        }
        "dependencies" => parts(value).ok_or("an object is expected")?.iter().try_for_each(|(_, part)| match part {
            Json::Object(_) => Ok(()),
            names => check_names(names),
        }),
        "minimum" | "maximum" => expect(value.as_f64().is_some(), "a number is expected"),
        "exclusiveMinimum" | "exclusiveMaximum" => {
            let bound = if name == "exclusiveMinimum" { "minimum" } else { "maximum" };
            expect(matches!(value, Json::Boolean(_)), "a boolean is expected")?;
            expect(schema.get(bound).is_some(), "there is no bound to exclude")
        }
        "multipleOf" => expect(value.as_f64().is_some_and(|number| number > 0.0), "a number above zero is expected"),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            expect(size(value).is_some(), "an integer of zero or more is expected")
        }
        "uniqueItems" => expect(matches!(value, Json::Boolean(_)), "a boolean is expected"),
        "pattern" => check_pattern(value.as_str().ok_or("a text is expected")?),
        "$schema" | "id" | "title" | "description" | "format" => expect(value.as_str().is_some(), "a text is expected"),
        _ => Ok(()),
    }
}

fn is_object(value: &Json<'_>) -> bool {
    matches!(value, Json::Object(_))
}

fn parts<'j, 't>(value: &'j Json<'t>) -> Option<&'j Members<'t>> {
    match value {
        Json::Object(members) => Some(members),
        _ => None,
    }
}

/// A bound of a size. What is beyond every size is the largest.
pub(super) fn size(value: &Json<'_>) -> Option<usize> {
    match value {
        Json::Integer(number) => usize::try_from(*number).ok(),
        Json::BigInteger(number) if **number > 0 => Some(usize::MAX),
        // Some write 2.0 for 2; the validator takes it.
        Json::Decimal(number) if *number >= 0.0 && number.fract() == 0.0 => Some(*number as usize),
        _ => None,
    }
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    Pattern::parse(pattern).map(|_| ()).map_err(|error| error.to_string())
}

fn check_types(value: &Json<'_>) -> Result<(), String> {
    let names = match value {
        Json::Text(_) => std::slice::from_ref(value),
        Json::Array(names) if !names.is_empty() => names,
        _ => return Err("a type or an array of types is expected".into()),
    };
    let mut seen = BTreeSet::new();
    for name in names {
        let name = name.as_str().ok_or("the name of a type is expected")?;
        if Types::default().with(name).is_none() {
            return Err(format!("{name} is not a type"));
        }
        if !seen.insert(name) {
            return Err("the types must differ".into());
        }
    }
    Ok(())
}

fn check_names(value: &Json<'_>) -> Result<(), String> {
    let names = value.as_array().filter(|names| !names.is_empty()).ok_or("an array of names is expected")?;
    let mut seen = BTreeSet::new();
    let is_new = |name: &Json<'_>| name.as_str().is_some_and(|name| seen.insert(name.to_owned()));
    if names.iter().all(is_new) { Ok(()) } else { Err("texts that differ are expected".into()) }
}
