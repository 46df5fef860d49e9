//! Models: JSON Schema draft 4 as API Gateway takes it, compiled once for an API and evaluated within bounds.
//!
//! A [`Library`] is made of all models of an API, so that one may refer to another by its address
//! (`https://apigateway.amazonaws.com/restapis/{id}/models/{name}`); nothing is ever fetched. What a model gets wrong,
//! a reference that leads nowhere for example, makes the part that has it refuse everything.
//!
//! The service validates with the Java library json-schema-validator. What its users see of it, in
//! `$context.error.validationErrorString` and in logs, are its texts and their order: keywords by name, members by
//! name, and no look inside a value that is wrong already.
//!
//! Why this is our own evaluator: `docs/decisions/0007-json-schema.md`.
//!
//! ```
//! use templates::document::Json;
//! use templates::schema::Library;
//!
//! let pet = r#"{"type": "object", "required": ["name"]}"#;
//! let pets = r#"{"items": {"$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Pet"}}"#;
//! let library = Library::compile("abc", [("Pet", pet), ("Pets", pets)], ["Pets"]);
//! let schema = library.schema("Pets").expect("it was asked for");
//! let wrong = schema.validate(&Json::parse("[{}]").unwrap()).unwrap_err();
//! assert_eq!(wrong.to_string(), r#"[object has missing required properties (["name"])]"#);
//! ```

mod check;
mod compile;
mod evaluate;
mod flatten;
mod format;
mod node;
mod number;
mod pattern;
pub(crate) mod reference;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::document::Json;

pub use check::{ModelError, check_model};
pub use flatten::flatten;
use node::Node;

/// The largest schema of a model, in bytes.
pub const SCHEMA_BYTES: usize = 400 * 1024;

/// Models ready to be validated by.
#[derive(Debug)]
pub struct Library {
    nodes: Vec<Node>,
    roots: BTreeMap<Box<str>, usize>,
}

impl Library {
    /// Compiles the models of an API that are `wanted`, and what they refer to. `models` are all of them: names and
    /// schemas. A model that is not there or not valid refuses every value.
    pub fn compile<'m>(
        api_id: &str,
        models: impl IntoIterator<Item = (&'m str, &'m str)>,
        wanted: impl IntoIterator<Item = &'m str>,
    ) -> Arc<Library> {
        let (nodes, roots) = compile::compile(api_id, models.into_iter().collect(), wanted.into_iter());
        Arc::new(Library { nodes, roots })
    }

    /// The schema of a model that was wanted.
    pub fn schema(self: &Arc<Library>, name: &str) -> Option<Schema> {
        Some(Schema { library: Arc::clone(self), root: *self.roots.get(name)? })
    }
}

/// One model to validate by.
#[derive(Clone, Debug)]
pub struct Schema {
    library: Arc<Library>,
    root: usize,
}

impl Schema {
    /// Whether a value is as the model says.
    ///
    /// # Errors
    /// What is wrong with the value; or why the model cannot be used, which refuses every value.
    pub fn validate(&self, instance: &Json<'_>) -> Result<(), Invalid> {
        evaluate::validate(&self.library.nodes, self.root, instance)
    }
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is not as the model says: the texts of the service's validator.
    Mismatch(Vec<String>),
    /// The model cannot be used, or is too much work for this value; why, for the operator.
    Unusable(String),
}

/// As in `$context.error.validationErrorString`: the texts in brackets.
impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Mismatch(texts) => write!(formatter, "[{}]", texts.join(", ")),
            Invalid::Unusable(reason) => write!(formatter, "[{reason}]"),
        }
    }
}
