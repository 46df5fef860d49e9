//! Requests of the rest-json protocol: members in labels, query, headers and body.

use base::shape::{Kind, Location, Member, Shape, Structure};
use bytes::Bytes;
use http::request::Parts;
use serde_json::{Map, Value};

use super::form::Parameters;
use super::{DecodeError, json, scalar};
use crate::service::Input;

/// Reads a request by its input shape.
pub(crate) fn decode(
    shape: &'static Shape,
    labels: Vec<(&'static str, String)>,
    request: &Parts,
    body: Bytes,
) -> Result<Input, DecodeError> {
    let Kind::Structure(structure) = &shape.kind else { return Ok(Input::default()) };
    let mut input = read_body(shape, structure, body)?;
    let Value::Object(members) = &mut input.members else { return Ok(input) };
    let query = Parameters::parse(request.uri.query().unwrap_or_default().as_bytes());
    for member in structure.members {
        let value = match member.location {
            Location::Body | Location::StatusCode => None,
            Location::Uri => labels
                .iter()
                .find(|(name, _)| *name == member.wire_name)
                .map(|(_, text)| scalar::from_text(text, member.shape))
                .transpose()?,
            Location::Query => from_query(member, structure, &query)?,
            Location::Header => from_header(member, request)?,
            Location::Headers => from_headers(member, request)?,
        };
        if let Some(value) = value {
            members.insert(member.name.into(), value);
        }
    }
    Ok(input)
}

fn read_body(shape: &'static Shape, structure: &Structure, body: Bytes) -> Result<Input, DecodeError> {
    let mut members = Map::new();
    if let Some(member) = structure.payload.and_then(|name| structure.member(name)) {
        match &member.shape.kind {
            Kind::Blob(_) => {
                let payload = (!body.is_empty()).then_some(body);
                return Ok(Input { members: Value::Object(members), payload });
            }
            Kind::String(_) if !body.is_empty() => {
                let text = std::str::from_utf8(&body).map_err(|error| DecodeError::Malformed(error.to_string()))?;
                members.insert(member.name.into(), text.into());
            }
            Kind::String(_) => {}
            _ if body.is_empty() => {}
            _ => {
                members.insert(member.name.into(), json::decode(&body, member.shape)?);
            }
        }
        return Ok(Input { members: Value::Object(members), payload: None });
    }
    let has_body = structure.members.iter().any(|member| member.location == Location::Body);
    let members = if has_body { json::decode(&body, shape)? } else { Value::Object(members) };
    Ok(Input { members, payload: None })
}

fn from_query(member: &Member, structure: &Structure, query: &Parameters) -> Result<Option<Value>, DecodeError> {
    match &member.shape.kind {
        Kind::List(list) => {
            let values = query.all(member.wire_name).map(|text| scalar::from_text(text, list.member));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            Ok((!values.is_empty()).then_some(Value::Array(values)))
        }
        Kind::Map(map) => {
            let bound = |name: &str| {
                structure.members.iter().any(|other| other.location == Location::Query && other.wire_name == name)
            };
            let mut values = Map::new();
            for (name, text) in query.iter().filter(|(name, _)| !bound(name)) {
                values.insert(name.into(), scalar::from_text(text, map.value)?);
            }
            Ok((!values.is_empty()).then_some(Value::Object(values)))
        }
        _ => query.get(member.wire_name).map(|text| scalar::from_text(text, member.shape)).transpose(),
    }
}

fn from_header(member: &Member, request: &Parts) -> Result<Option<Value>, DecodeError> {
    let Some(value) = request.headers.get(member.wire_name) else { return Ok(None) };
    let text = header_text(value.as_bytes())?;
    match &member.shape.kind {
        Kind::List(list) => {
            let values = text.split(',').map(|part| scalar::from_text(part.trim(), list.member));
            Ok(Some(Value::Array(values.collect::<Result<_, _>>()?)))
        }
        _ => scalar::from_text(text, member.shape).map(Some),
    }
}

fn from_headers(member: &Member, request: &Parts) -> Result<Option<Value>, DecodeError> {
    let Kind::Map(map) = &member.shape.kind else { return Ok(None) };
    let prefix = member.wire_name.to_ascii_lowercase();
    let mut values = Map::new();
    for (name, value) in &request.headers {
        if let Some(rest) = name.as_str().strip_prefix(&prefix) {
            values.insert(rest.into(), scalar::from_text(header_text(value.as_bytes())?, map.value)?);
        }
    }
    Ok((!values.is_empty()).then_some(Value::Object(values)))
}

fn header_text(value: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(value).map_err(|_| DecodeError::WrongType("a header is not UTF-8 text".into()))
}
