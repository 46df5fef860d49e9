//! What templates assign to `$context.requestOverride` and `$context.responseOverride`.

use serde_json::{Map, Value};

/// The overrides of one call. They last from the request template to the response template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `$context.requestOverride`: `header`, `querystring`, `path` and whatever else was assigned.
    pub request: Map<String, Value>,
    /// `$context.responseOverride`: `header`, `status` and whatever else was assigned.
    pub response: Map<String, Value>,
}

/// The value of an override: a list repeats the header or query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

impl OneOrMany {
    fn from_json(value: &Value) -> OneOrMany {
        match value {
            Value::Array(values) => OneOrMany::Many(values.iter().map(plain).collect()),
            other => OneOrMany::One(plain(other)),
        }
    }

    /// All values in order.
    pub fn values(&self) -> &[String] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }
}

impl Overrides {
    /// Whether nothing was assigned.
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty()
    }

    /// Headers for the integration request.
    pub fn request_headers(&self) -> impl Iterator<Item = (&str, OneOrMany)> {
        members(&self.request, "header")
    }

    /// Query parameters for the integration request.
    pub fn request_querystring(&self) -> impl Iterator<Item = (&str, OneOrMany)> {
        members(&self.request, "querystring")
    }

    /// Path parameters for the integration request.
    pub fn request_path(&self) -> impl Iterator<Item = (&str, OneOrMany)> {
        members(&self.request, "path")
    }

    /// Headers for the method response.
    pub fn response_headers(&self) -> impl Iterator<Item = (&str, OneOrMany)> {
        members(&self.response, "header")
    }

    /// The status for the method response: an integer from 100 to 599, anything else is ignored.
    pub fn response_status(&self) -> Option<u16> {
        let status = u16::try_from(self.response.get("status")?.as_i64()?).ok()?;
        (100..=599).contains(&status).then_some(status)
    }
}

fn members<'o>(map: &'o Map<String, Value>, name: &str) -> impl Iterator<Item = (&'o str, OneOrMany)> {
    let members = map.get(name).and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, value)| (name.as_str(), OneOrMany::from_json(value)))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
