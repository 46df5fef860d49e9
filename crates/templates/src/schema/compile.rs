//! From the texts of models to nodes. Each part is compiled once, however often it is referred to, so that cycles and
//! many references to one model cost nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use crate::document::{Json, Members};

use super::SCHEMA_BYTES;
use super::check::{check_keywords, size};
use super::format::Format;
use super::node::{Additional, Array, Bound, Dependency, Items, Keywords, Node, NodeId, Object, Types};
use super::pattern::Pattern;
use super::reference::{Document, Reference, follow};

/// How many nodes a library may have; what is beyond refuses everything.
const MAX_NODES: usize = 100_000;

/// JSON Schema's own schema, which schemas may refer to.
static META_SCHEMA: LazyLock<Json<'static>> =
    LazyLock::new(|| Json::parse(include_str!("draft4.json")).expect("it is JSON, as a test shows"));

/// Compiles the wanted models and what they refer to: the nodes, and the root of each.
pub(super) fn compile<'m>(
    api_id: &str,
    models: BTreeMap<&'m str, &'m str>,
    wanted: impl Iterator<Item = &'m str>,
) -> (Vec<Node>, BTreeMap<Box<str>, NodeId>) {
    let documents: BTreeMap<&str, Result<Json<'_>, String>> =
        models.into_iter().map(|(name, text)| (name, parse(text))).collect();
    let mut compiler =
        Compiler { api_id, documents: &documents, nodes: Vec::new(), known: HashMap::new(), waiting: Vec::new() };
    let roots = wanted.map(|name| (name.into(), compiler.model(name, ""))).collect();
    while let Some((place, schema, document)) = compiler.waiting.pop() {
        compiler.nodes[place] = compiler.node(schema, document);
    }
    (compiler.nodes, roots)
}

fn parse(text: &str) -> Result<Json<'_>, String> {
    if text.len() > SCHEMA_BYTES {
        return Err("it is larger than 400 KB".into());
    }
    Json::parse(text).map_err(|error| error.to_string())
}

struct Compiler<'d, 't> {
    api_id: &'d str,
    documents: &'d BTreeMap<&'t str, Result<Json<'t>, String>>,
    nodes: Vec<Node>,
    /// By the address of the schema in its document.
    known: HashMap<*const Json<'t>, NodeId>,
    /// The schemas whose nodes are still to be made, and the documents that they are in.
    waiting: Vec<(NodeId, &'d Json<'t>, &'d Json<'t>)>,
}

impl<'d, 't> Compiler<'d, 't> {
    /// The node of a schema, made now or known from before.
    fn id_of(&mut self, schema: &'d Json<'t>, document: &'d Json<'t>) -> NodeId {
        if let Some(known) = self.known.get(&std::ptr::from_ref(schema)) {
            return *known;
        }
        if self.nodes.len() >= MAX_NODES {
            return self.broken("the models of the API have too many parts".into());
        }
        let place = self.broken(String::new());
        self.known.insert(schema, place);
        self.waiting.push((place, schema, document));
        place
    }

    fn broken(&mut self, reason: String) -> NodeId {
        self.nodes.push(Node::Broken(reason.into()));
        self.nodes.len() - 1
    }

    /// The node of a model or of a part of it.
    fn model(&mut self, name: &str, pointer: &str) -> NodeId {
        let documents = self.documents;
        match documents.get(name) {
            None => self.broken(format!("there is no model {name}")),
            Some(Err(error)) => self.broken(format!("the schema of the model {name} cannot be read: {error}")),
            Some(Ok(document)) => match follow(document, pointer) {
                Some(schema) => self.id_of(schema, document),
                None => self.broken(format!("the model {name} has no {pointer}")),
            },
        }
    }

    fn refer(&mut self, text: &str, own: &'d Json<'t>) -> NodeId {
        let Reference { document, fragment } = Reference::parse(text);
        let own_id = own.member("id").and_then(Json::as_str).map(|id| id.trim_end_matches('#'));
        match document {
            Document::Model { api_id, name } if api_id == self.api_id => self.model(name, &fragment),
            Document::MetaSchema => match follow(&META_SCHEMA, &fragment) {
                Some(schema) => self.id_of(schema, &META_SCHEMA),
                None => self.broken(format!("the reference {text} leads nowhere")),
            },
            Document::Foreign(address) if Some(address) != own_id => {
                self.broken(format!("the reference {text} is not to a model of this API"))
            }
            Document::Model { .. } => self.broken(format!("the reference {text} is to a model of another API")),
            Document::Own | Document::Foreign(_) => match follow(own, &fragment) {
                Some(schema) => self.id_of(schema, own),
                None => self.broken(format!("the reference {text} leads nowhere")),
            },
        }
    }

    fn node(&mut self, schema: &'d Json<'t>, document: &'d Json<'t>) -> Node {
        let Json::Object(members) = schema else { return Node::Broken("a schema must be an object".into()) };
        if let Some(reference) = members.get("$ref").and_then(Json::as_str) {
            return Node::Reference(self.refer(reference, document));
        }
        match check_keywords(members).and_then(|()| self.keywords(members, document)) {
            Ok(keywords) => Node::Keywords(Box::new(keywords)),
            Err(reason) => Node::Broken(reason.into()),
        }
    }

    /// The keywords of a schema, whose values have been checked.
    fn keywords(&mut self, schema: &'d Members<'t>, document: &'d Json<'t>) -> Result<Keywords, String> {
        let bound = |name: &str, exclusive: &str| {
            let is_exclusive = schema.get(exclusive) == Some(&Json::Boolean(true));
            schema.get(name).map(|value| Bound { value: value.clone().into_owned(), is_exclusive })
        };
        Ok(Keywords {
            types: schema.get("type").and_then(types),
            enumeration: schema
                .get("enum")
                .and_then(Json::as_array)
                .map(|values| values.iter().map(|value| value.clone().into_owned()).collect()),
            format: schema.get("format").and_then(Json::as_str).and_then(Format::named),
            all_of: self.list(schema.get("allOf"), document),
            any_of: self.list(schema.get("anyOf"), document),
            one_of: self.list(schema.get("oneOf"), document),
            not: schema.get("not").map(|part| self.id_of(part, document)),
            multiple_of: schema.get("multipleOf").map(|value| value.clone().into_owned()),
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            min_length: schema.get("minLength").and_then(size),
            max_length: schema.get("maxLength").and_then(size),
            pattern: schema.get("pattern").and_then(Json::as_str).map(pattern).transpose()?,
            array: Array {
                min: schema.get("minItems").and_then(size),
                max: schema.get("maxItems").and_then(size),
                unique: schema.get("uniqueItems") == Some(&Json::Boolean(true)),
                items: match schema.get("items") {
                    Some(Json::Array(_)) => Items::Each(self.list(schema.get("items"), document).unwrap_or_default()),
                    Some(part) => Items::All(self.id_of(part, document)),
                    None => Items::Any,
                },
                additional: self.additional(schema.get("additionalItems"), document),
            },
            object: self.object(schema, document)?,
        })
    }

    fn object(&mut self, schema: &'d Members<'t>, document: &'d Json<'t>) -> Result<Object, String> {
        let mut properties: Vec<(Box<str>, NodeId)> =
            members(schema.get("properties")).map(|(name, part)| (name.into(), self.id_of(part, document))).collect();
        properties.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut patterns = Vec::new();
        for (source, part) in members(schema.get("patternProperties")) {
            patterns.push((pattern(source)?, self.id_of(part, document)));
        }
        let dependencies = members(schema.get("dependencies")).map(|(name, part)| {
            let dependency = match part {
                Json::Array(names) => Dependency::Members(sorted_names(names)),
                part => Dependency::Schema(self.id_of(part, document)),
            };
            (name.into(), dependency)
        });
        Ok(Object {
            min: schema.get("minProperties").and_then(size),
            max: schema.get("maxProperties").and_then(size),
            required: schema.get("required").and_then(Json::as_array).map(sorted_names).unwrap_or_default(),
            dependencies: dependencies.collect(),
            additional: self.additional(schema.get("additionalProperties"), document),
            properties,
            patterns,
        })
    }

    fn list(&mut self, parts: Option<&'d Json<'t>>, document: &'d Json<'t>) -> Option<Vec<NodeId>> {
        Some(parts?.as_array()?.iter().map(|part| self.id_of(part, document)).collect())
    }

    fn additional(&mut self, part: Option<&'d Json<'t>>, document: &'d Json<'t>) -> Additional {
        match part {
            None | Some(Json::Boolean(true)) => Additional::Allowed,
            Some(Json::Boolean(false)) => Additional::Forbidden,
            Some(part) => Additional::Schema(self.id_of(part, document)),
        }
    }
}

fn members<'d, 't>(parts: Option<&'d Json<'t>>) -> impl Iterator<Item = (&'d str, &'d Json<'t>)> {
    let parts = match parts {
        Some(Json::Object(parts)) => Some(parts),
        _ => None,
    };
    parts.into_iter().flat_map(Members::iter)
}

fn types(value: &Json<'_>) -> Option<Types> {
    let names = match value {
        Json::Array(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    names.iter().try_fold(Types::default(), |types, name| types.with(name.as_str()?))
}

fn pattern(source: &str) -> Result<Pattern, String> {
    Pattern::parse(source).map_err(|error| error.to_string())
}

fn sorted_names(names: &[Json<'_>]) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = names.iter().filter_map(|name| Some(name.as_str()?.into())).collect();
    names.sort_unstable();
    names
}
