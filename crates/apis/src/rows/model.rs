//! The rows of models and request validators.

use serde::{Deserialize, Serialize};
use store::Record;

/// What a body may look like. Its name tells it from the API's other models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Model {
    pub(crate) api: String,
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) content_type: String,
    /// As it was given: JSON Schema draft 4 where the content type is JSON.
    pub(crate) schema: String,
}

impl Record for Model {
    const KIND: &'static str = "rest_model";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.name)
    }
}

/// What a method may ask of its requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestValidator {
    pub(crate) api: String,
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Whether bodies must be as their models say.
    pub(crate) body: bool,
    /// Whether the required parameters must be there.
    pub(crate) parameters: bool,
}

impl Record for RequestValidator {
    const KIND: &'static str = "rest_request_validator";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        format!("{}/{}", self.api, self.id)
    }
}
