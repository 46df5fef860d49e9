//! Requests of the query protocol: `Tags.member.1.Key=…` in a form body or a query string.

use std::collections::BTreeMap;

use base::shape::{Kind, List, Map as MapShape, Shape};
use http::request::Parts;
use serde_json::{Map, Value};

use super::form::{Parameters, is_form};
use super::{DecodeError, scalar};

/// The deepest nesting that a parameter's name may have.
const MAXIMUM_DEPTH: usize = 32;

/// Reads a request by its input shape.
pub(crate) fn decode(request: &Parts, body: &[u8], shape: &Shape) -> Result<Value, DecodeError> {
    let text = if is_form(&request.headers) { body } else { request.uri.query().unwrap_or_default().as_bytes() };
    decode_form(text, shape)
}

/// Reads form parameters by a shape.
pub(crate) fn decode_form(text: &[u8], shape: &Shape) -> Result<Value, DecodeError> {
    let mut root = Node::default();
    for (name, value) in Parameters::parse(text).iter() {
        root.insert(name, value)?;
    }
    read(&root, shape).map(|value| value.unwrap_or_else(|| Value::Object(Map::new())))
}

/// Parameters as a tree: what stands between the dots of their names.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, name: &str, value: &str) -> Result<(), DecodeError> {
        if name.split('.').count() > MAXIMUM_DEPTH {
            return Err(DecodeError::Malformed("a parameter is nested too deeply".into()));
        }
        let mut node = self;
        for part in name.split('.') {
            node = node.children.entry(part.to_string()).or_default();
        }
        node.text = Some(value.to_string());
        Ok(())
    }

    /// The children that are numbered, in the order of their numbers.
    fn numbered(&self) -> Vec<&Node> {
        let mut numbered: Vec<(u32, &Node)> =
            self.children.iter().filter_map(|(name, node)| Some((name.parse().ok()?, node))).collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, node)| node).collect()
    }
}

fn read(node: &Node, shape: &Shape) -> Result<Option<Value>, DecodeError> {
    match &shape.kind {
        Kind::Structure(structure) => {
            let mut members = Map::new();
            for member in structure.members {
                if let Some(child) = node.children.get(member.wire_name)
                    && let Some(value) = read(child, member.shape)?
                {
                    members.insert(member.name.into(), value);
                }
            }
            Ok(Some(Value::Object(members)))
        }
        Kind::List(list) => read_list(node, list).map(Some),
        Kind::Map(map) => read_map(node, map).map(Some),
        _ => node.text.as_deref().map(|text| scalar::from_text(text, shape)).transpose(),
    }
}

fn read_list(node: &Node, list: &List) -> Result<Value, DecodeError> {
    let holder = if list.flattened { Some(node) } else { node.children.get(list.member_name) };
    let mut values = Vec::new();
    for child in holder.map(Node::numbered).unwrap_or_default() {
        values.push(read(child, list.member)?.unwrap_or(Value::Null));
    }
    Ok(Value::Array(values))
}

fn read_map(node: &Node, map: &MapShape) -> Result<Value, DecodeError> {
    let holder = if map.flattened { Some(node) } else { node.children.get("entry") };
    let mut values = Map::new();
    for child in holder.map(Node::numbered).unwrap_or_default() {
        let key = child.children.get(map.key_name).and_then(|key| key.text.clone()).unwrap_or_default();
        let value = child.children.get(map.value_name).map(|value| read(value, map.value)).transpose()?.flatten();
        values.insert(key, value.unwrap_or(Value::Null));
    }
    Ok(Value::Object(values))
}
