//! Pure text machines: mapping templates, JSONPath, parameter mapping. They never panic and do no I/O.
//!
//! - [`vtl`]: mapping templates (Velocity as API Gateway runs it).
//! - [`jsonpath`]: Jayway's dialect of JSONPath.
//! - [`mapping`]: parameter mapping expressions.
//! - [`plain`]: plain substitution for gateway responses and access logs.
//! - [`mock_status`]: the status that a MOCK integration's template names.
//! - [`document`]: JSON as templates and paths read it.
//! - [`schema`]: models, that is JSON Schema draft 4.
//! - [`model_template`]: the template that GetModelTemplate makes of a model.
//! - [`java_regex`]: Java's regular expressions, for selection patterns and `String.matches`.

pub mod document;
pub mod java_regex;
pub mod jsonpath;
pub mod mapping;
pub mod mock_status;
pub mod model_template;
pub mod plain;
pub mod schema;
pub mod vtl;
