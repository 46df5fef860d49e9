//! Tags of functions and layers.

use std::collections::BTreeMap;
use std::sync::Arc;

use model_lambda as model;
use store::Transaction;
use wire::{ApiError, Call};

use super::names::Named;
use super::{Failure, attempts, invalid, layers, not_found};
use crate::Functions;
use crate::layers::LayerName;

/// The most tags of a resource.
const TAGS: usize = 50;

/// What can have tags here. AWS tags more kinds, of which Frontgate has none: none of theirs is ever found.
enum Tagged {
    Function(Named),
    Layer(LayerName),
}

impl Tagged {
    /// Reads an ARN, which has passed the model's pattern.
    fn read(call: &Call, arn: &str) -> Result<Tagged, ApiError> {
        match arn.split(':').nth(5) {
            Some("function") => {
                let named = Named::unqualified(call, arn)?;
                if named.qualifier.is_some() {
                    let message =
                        "Tags on function aliases and versions are not supported. Please specify a function ARN.";
                    return Err(invalid(message));
                }
                Ok(Tagged::Function(named))
            }
            Some("layer") => Ok(Tagged::Layer(layers::own_layer(call, arn)?)),
            _ => Err(not_found("The resource you requested does not exist.")),
        }
    }
}

pub(super) async fn tag_resource(
    functions: Arc<Functions>,
    call: Call,
    input: model::TagResourceRequest,
) -> Result<(), ApiError> {
    let tagged = Tagged::read(&call, &input.resource)?;
    if input.tags.is_empty() {
        return Err(invalid("An error occurred and the request cannot be processed."));
    }
    functions.change_tags(&tagged, |tags| tags.extend(input.tags.clone())).await
}

pub(super) async fn untag_resource(
    functions: Arc<Functions>,
    call: Call,
    input: model::UntagResourceRequest,
) -> Result<(), ApiError> {
    let tagged = Tagged::read(&call, &input.resource)?;
    functions.change_tags(&tagged, |tags| tags.retain(|key, _| !input.tag_keys.contains(key))).await
}

pub(super) async fn list_tags(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListTagsRequest,
) -> Result<model::ListTagsResponse, ApiError> {
    let tags = match Tagged::read(&call, &input.resource)? {
        Tagged::Function(named) => functions.function(&named).await?.ok_or_else(|| named.missing())?.record.tags,
        Tagged::Layer(layer) => functions.layer(&layer).await?.ok_or_else(|| missing_layer(&layer))?.record.tags,
    };
    Ok(model::ListTagsResponse { tags: Some(tags) })
}

/// Refuses more tags than a resource may have.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    match tags.len() {
        0..=TAGS => Ok(()),
        _ => Err(invalid("Number of tags exceeds resource tag limit.")),
    }
}

fn missing_layer(layer: &LayerName) -> ApiError {
    not_found(format!("Layer not found: {}", layer.arn()))
}

impl Functions {
    async fn change_tags(
        &self,
        tagged: &Tagged,
        change: impl Fn(&mut BTreeMap<String, String>),
    ) -> Result<(), ApiError> {
        attempts(async || {
            let transaction = match tagged {
                Tagged::Function(named) => {
                    let mut function = self.function(named).await?.ok_or_else(|| named.missing())?;
                    change(&mut function.record.tags);
                    check(&function.record.tags)?;
                    // Seen in AWS's answers: tags are a change of the function.
                    function.record.latest.revision_id = base::ids::uuid();
                    Transaction::new().update(&named.scope, &function.record, function.revision)
                }
                Tagged::Layer(layer) => {
                    let mut row = self.layer(layer).await?.ok_or_else(|| missing_layer(layer))?;
                    change(&mut row.record.tags);
                    check(&row.record.tags)?;
                    Transaction::new().update(&layer.scope, &row.record, row.revision)
                }
            };
            self.store.commit(transaction).await?;
            Ok::<_, Failure>(())
        })
        .await
    }
}
