//! Documentation parts out of an OpenAPI document: its `x-amazon-apigateway-documentation`, JSON only.

use std::collections::BTreeMap;

use model_apigateway as model;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::{Scope, Transaction};

use super::location::{checked_location, checked_properties};
use crate::Apis;
use crate::refusal::{Answer, Refusal};
use crate::rows::{DocumentationPart, Location};

/// The largest document, in bytes: AWS's bound for imports.
const DOCUMENT_BYTES: usize = 6 * 1024 * 1024;

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "x-amazon-apigateway-documentation")]
    documentation: Option<Documentation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Documentation {
    #[serde(default)]
    documentation_parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    location: model::DocumentationPartLocation,
    #[serde(default)]
    properties: Map<String, Value>,
}

/// A location and its properties.
type Given = (Location, String);

impl Apis {
    pub(crate) async fn import_documentation_parts(
        &self,
        scope: &Scope,
        input: model::ImportDocumentationPartsRequest,
    ) -> Answer<model::DocumentationPartIds> {
        let overwrite = match input.mode.as_deref() {
            None | Some("" | "merge") => false,
            Some("overwrite") => true,
            Some(_) => return Err(Refusal::bad_request("Invalid mode specified. Valid options are merge,overwrite")),
        };
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, move |apis, scope, input| async move {
            let api = apis.rest_api(&scope, &input.rest_api_id).await?.record;
            let head = apis.head(&scope, &api.id).await?.ok_or(Refusal::Raced)?;
            let (given, warnings) = read(input.body.as_bytes())?;
            if input.fail_on_warnings == Some(true) && !warnings.is_empty() {
                return Err(Refusal::BadRequest(format!("Warnings found during import: {}", warnings.join("; "))));
            }
            let known = if overwrite { Vec::new() } else { apis.parts_of(&scope, &api.id).await? };
            let known: BTreeMap<Location, String> = known.into_iter().map(|part| (part.location, part.id)).collect();
            let mut change = Transaction::new().update(&scope, &head.record, head.revision);
            if overwrite {
                change = change.delete_tree::<DocumentationPart>(&scope, &api.id);
            }
            let (mut ids, mut added) = (Vec::new(), 0);
            for (location, properties) in given {
                let before = known.get(&location);
                added += usize::from(before.is_none());
                let id = before.cloned().unwrap_or_else(|| base::ids::api_gateway_id(6));
                let part = DocumentationPart { api: api.id.clone(), id: id.clone(), location, properties };
                change = change.put(&scope, &part);
                ids.push(id);
            }
            if known.len() + added > apis.settings.limits.documentation_parts_per_api {
                return Err(Refusal::quota("DocumentationParts", "API"));
            }
            apis.store.commit(change).await?;
            Ok(model::DocumentationPartIds { ids: Some(ids), warnings: Some(warnings).filter(|list| !list.is_empty()) })
        })
        .await
    }
}

/// The parts of a document, each location once, and what had to be left out.
fn read(body: &[u8]) -> Answer<(Vec<Given>, Vec<String>)> {
    let document: Option<Document> = match body.len() <= DOCUMENT_BYTES {
        true => serde_json::from_slice(body).ok(),
        false => None,
    };
    let document = document.ok_or_else(|| Refusal::bad_request("Unable to build importer with provided input."))?;
    let (mut parts, mut warnings) = (Vec::<Given>::new(), Vec::new());
    let mut places = BTreeMap::new();
    for part in document.documentation.into_iter().flat_map(|documentation| documentation.documentation_parts) {
        let read = checked_location(&part.location)
            .and_then(|location| Ok((location, checked_properties(&Value::Object(part.properties).to_string())?)));
        match read {
            Ok((location, properties)) => match places.get(&location) {
                Some(at) => {
                    let known: &mut Given = &mut parts[*at];
                    known.1 = properties;
                }
                None => {
                    places.insert(location.clone(), parts.len());
                    parts.push((location, properties));
                }
            },
            Err(Refusal::BadRequest(reason)) => warnings.push(reason),
            Err(other) => return Err(other),
        }
    }
    Ok((parts, warnings))
}
