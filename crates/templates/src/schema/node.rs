//! A compiled schema: nodes that refer to each other by their place, so that cycles need no pointers.

use crate::document::Json;

use super::format::Format;
use super::pattern::Pattern;

/// The place of a node among all nodes of a library.
pub(super) type NodeId = usize;

/// One schema or subschema.
#[derive(Debug)]
pub(super) enum Node {
    /// A `$ref`: another node stands for this one.
    Reference(NodeId),
    /// What cannot be used; it refuses everything, and says why.
    Broken(Box<str>),
    /// Keywords.
    Keywords(Box<Keywords>),
}

/// The keywords of a schema that mean something.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    pub(super) types: Option<Types>,
    pub(super) enumeration: Option<Vec<Json<'static>>>,
    pub(super) format: Option<Format>,
    pub(super) all_of: Option<Vec<NodeId>>,
    pub(super) any_of: Option<Vec<NodeId>>,
    pub(super) one_of: Option<Vec<NodeId>>,
    pub(super) not: Option<NodeId>,
    pub(super) multiple_of: Option<Json<'static>>,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<Pattern>,
    pub(super) array: Array,
    pub(super) object: Object,
}

/// The keywords for arrays.
#[derive(Debug, Default)]
pub(super) struct Array {
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    pub(super) unique: bool,
    pub(super) items: Items,
    pub(super) additional: Additional,
}

/// `items`.
#[derive(Debug, Default)]
pub(super) enum Items {
    #[default]
    Any,
    /// One schema for all elements.
    All(NodeId),
    /// A schema for each of the first elements.
    Each(Vec<NodeId>),
}

/// `additionalItems` or `additionalProperties`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Additional {
    #[default]
    Allowed,
    Forbidden,
    Schema(NodeId),
}

/// The keywords for objects.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    /// Names in order, each once.
    pub(super) required: Vec<Box<str>>,
    /// Sorted by name.
    pub(super) properties: Vec<(Box<str>, NodeId)>,
    pub(super) patterns: Vec<(Pattern, NodeId)>,
    pub(super) additional: Additional,
    pub(super) dependencies: Vec<(Box<str>, Dependency)>,
}

impl Object {
    /// Whether a look at the members of an object can show anything wrong.
    pub(super) fn looks_at_members(&self) -> bool {
        let plain = self.properties.is_empty() && self.patterns.is_empty();
        !plain || matches!(self.additional, Additional::Schema(_))
    }
}

/// What the presence of a member asks for.
#[derive(Debug)]
pub(super) enum Dependency {
    /// Other members, in order.
    Members(Vec<Box<str>>),
    /// That the whole object is as this schema says.
    Schema(NodeId),
}

/// `minimum` or `maximum`.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) value: Json<'static>,
    pub(super) is_exclusive: bool,
}

/// A set of primitive types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Types(u8);

/// The primitive types in the order in which the validator names them.
pub(super) const TYPE_NAMES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

impl Types {
    /// The set with this type in it, where the name is one; every integer is a number.
    pub(super) fn with(self, name: &str) -> Option<Types> {
        let place = TYPE_NAMES.iter().position(|known| *known == name)?;
        let integer = if name == "number" { 1 << 2 } else { 0 };
        Some(Types(self.0 | 1 << place | integer))
    }

    pub(super) fn contains(self, name: &str) -> bool {
        TYPE_NAMES.iter().position(|known| *known == name).is_some_and(|place| self.0 & 1 << place != 0)
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        TYPE_NAMES.into_iter().enumerate().filter(move |(place, _)| self.0 & 1 << place != 0).map(|(_, name)| name)
    }
}

/// The primitive type of a value. A number with a fraction part is no integer, even if that part is zero.
pub(super) fn type_of(value: &Json<'_>) -> &'static str {
    match value {
        Json::Array(_) => "array",
        Json::Boolean(_) => "boolean",
        Json::Integer(_) | Json::BigInteger(_) => "integer",
        // Beyond 128 bits a whole number is read as a decimal; nobody writes such a one with a fraction.
        Json::Decimal(number) if number.abs() >= 2_f64.powi(127) => "integer",
        Json::Decimal(_) => "number",
        Json::Null => "null",
        Json::Object(_) => "object",
        Json::Text(_) => "string",
    }
}
