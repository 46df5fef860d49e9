//! The service models as botocore publishes them, reduced to what we read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Map;

/// The version of the models, as `codegen/requirements.txt` pins it.
pub const VERSION: &str = "1.43.11";

/// One service's model.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    /// Protocol, names and version.
    pub(crate) metadata: Metadata,
    /// Operations by name.
    pub(crate) operations: BTreeMap<String, Operation>,
    /// Shapes by name.
    pub(crate) shapes: BTreeMap<String, Shape>,
}

/// Protocol, names and version of a service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// A date.
    pub(crate) api_version: String,
    /// The first label of the service's host name.
    pub(crate) endpoint_prefix: String,
    /// The service in a credential scope, where it differs from the host's first label.
    pub(crate) signing_name: Option<String>,
    /// The wire protocol.
    pub(crate) protocol: String,
    /// `1.0` or `1.1`, for the JSON protocol.
    pub(crate) json_version: Option<String>,
    /// What stands before the dot in `X-Amz-Target`.
    pub(crate) target_prefix: Option<String>,
    /// The namespace of XML answers.
    pub(crate) xml_namespace: Option<String>,
    /// The name in prose.
    pub(crate) service_full_name: String,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// Method, path and status.
    pub(crate) http: Http,
    /// The input structure.
    pub(crate) input: Option<Reference>,
    /// The output structure.
    pub(crate) output: Option<Reference>,
    /// The errors it may answer with.
    #[serde(default)]
    pub(crate) errors: Vec<Reference>,
}

/// Method, path and status of an operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    /// The HTTP method.
    pub(crate) method: String,
    /// Path with labels, and query literals.
    pub(crate) request_uri: String,
    /// The status of success, 200 when absent.
    pub(crate) response_code: Option<u16>,
}

/// A use of a shape, with what is particular to the use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Reference {
    /// The shape's name.
    pub(crate) shape: String,
    /// `uri`, `querystring`, `header`, `headers`, `statusCode`, or the body.
    pub(crate) location: Option<String>,
    /// The name on the wire.
    pub(crate) location_name: Option<String>,
    /// The format of a timestamp.
    pub(crate) timestamp_format: Option<String>,
    /// The element around the output, for the query protocol.
    pub(crate) result_wrapper: Option<String>,
}

/// One shape.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Shape {
    /// `structure`, `list`, `map`, `string`, `integer`, ...
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The members of a structure, in order: `serde_json::Map` keeps it.
    pub(crate) members: Map<String, serde_json::Value>,
    /// The members without which a request is refused.
    pub(crate) required: Vec<String>,
    /// The member that is the whole body.
    pub(crate) payload: Option<String>,
    /// The element of a list.
    pub(crate) member: Option<Reference>,
    /// The key of a map.
    pub(crate) key: Option<Reference>,
    /// The value of a map.
    pub(crate) value: Option<Reference>,
    /// Whether list or map stand without an enclosing element.
    pub(crate) flattened: bool,
    /// The least value or length.
    pub(crate) min: Option<f64>,
    /// The greatest value or length.
    pub(crate) max: Option<f64>,
    /// A Java regular expression.
    pub(crate) pattern: Option<String>,
    /// The allowed values.
    #[serde(rename = "enum")]
    pub(crate) enumeration: Vec<String>,
    /// Whether the allowed values are known but not checked; set by our overrides.
    #[serde(skip)]
    pub(crate) unchecked: bool,
    /// Whether values must not be shown.
    pub(crate) sensitive: bool,
    /// Whether it is an error.
    pub(crate) exception: bool,
    /// Whether the service is to blame.
    pub(crate) fault: bool,
    /// Code and status of an error.
    pub(crate) error: Option<ErrorTrait>,
    /// The format of a timestamp.
    pub(crate) timestamp_format: Option<String>,
    /// Whether a structure is any JSON document.
    pub(crate) document: bool,
    /// Whether the values of a map may be null; set by our overrides.
    #[serde(skip)]
    pub(crate) nullable_values: bool,
}

impl Shape {
    /// The members of a structure in the model's order.
    pub(crate) fn references(&self) -> Result<Vec<(String, Reference)>> {
        self.members.iter().map(|(name, value)| Ok((name.clone(), serde_json::from_value(value.clone())?))).collect()
    }
}

/// Code and status of an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ErrorTrait {
    /// The code, where it differs from the shape's name.
    pub(crate) code: Option<String>,
    /// The status, 400 when absent.
    pub(crate) http_status_code: Option<u16>,
}

/// Reads the model of `service` at `version` below `directory`, botocore's package folder or the folder that holds it.
pub(crate) fn load(directory: &Path, service: &str, version: &str) -> Result<Model> {
    let packaged = directory.join("botocore");
    let root = if packaged.is_dir() { packaged } else { directory.to_path_buf() };
    let path = root.join("data").join(service).join(version).join("service-2.json.gz");
    let file = File::open(&path).with_context(|| format!("cannot open the model {}", path.display()))?;
    let text = std::io::read_to_string(GzDecoder::new(file));
    let text = text.with_context(|| format!("cannot unpack the model {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot read the model {}", path.display()))
}
