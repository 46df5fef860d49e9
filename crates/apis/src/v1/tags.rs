//! Tags of APIs and stages, by ARN.

use std::collections::BTreeMap;

use base::arn::Arn;
use model_apigateway as model;
use store::{Record, Scope, Transaction};

use super::validate;
use crate::Apis;
use crate::refusal::{Answer, Refusal};
use crate::rows::{RestApi, Stage};

/// What an ARN of API Gateway names.
enum Tagged {
    Api(String),
    Stage(String, String),
}

impl Tagged {
    fn api(&self) -> &str {
        match self {
            Tagged::Api(api) | Tagged::Stage(api, _) => api,
        }
    }
}

/// A change of tags.
enum Change {
    Set(BTreeMap<String, String>),
    Remove(Vec<String>),
}

impl Change {
    fn apply(&self, tags: &mut BTreeMap<String, String>) -> Answer<()> {
        match self {
            Change::Set(new) => tags.extend(new.clone()),
            Change::Remove(keys) => keys.iter().for_each(|key| {
                tags.remove(key);
            }),
        }
        validate::tags(tags)
    }
}

impl Apis {
    pub(crate) async fn get_tags(&self, scope: &Scope, input: model::GetTagsRequest) -> Answer<model::Tags> {
        let tags = match tagged(scope, &input.resource_arn)? {
            Tagged::Api(api) => self.rest_api(scope, &api).await?.record.tags,
            Tagged::Stage(api, stage) => {
                self.rest_api(scope, &api).await?;
                self.stage(scope, &api, &stage).await?.record.tags
            }
        };
        Ok(model::Tags { tags: Some(tags) })
    }

    pub(crate) async fn tag_resource(&self, scope: &Scope, input: model::TagResourceRequest) -> Answer<()> {
        self.change_tags(scope, &input.resource_arn, Change::Set(input.tags)).await
    }

    pub(crate) async fn untag_resource(&self, scope: &Scope, input: model::UntagResourceRequest) -> Answer<()> {
        self.change_tags(scope, &input.resource_arn, Change::Remove(input.tag_keys)).await
    }

    async fn change_tags(&self, scope: &Scope, arn: &str, change: Change) -> Answer<()> {
        let tagged = tagged(scope, arn)?;
        let api = tagged.api().to_owned();
        self.edit(scope, &api, (tagged, change), |apis, scope, input| async move {
            let (tagged, change) = &*input;
            let api = apis.rest_api(&scope, tagged.api()).await?;
            let edit = match tagged {
                Tagged::Api(_) => {
                    let mut record: RestApi = api.record;
                    change.apply(&mut record.tags)?;
                    Transaction::new().update(&scope, &record, api.revision)
                }
                Tagged::Stage(_, name) => {
                    let stage = apis.stage(&scope, &api.record.key(), name).await?;
                    let mut record: Stage = stage.record;
                    change.apply(&mut record.tags)?;
                    Transaction::new().update(&scope, &record, stage.revision)
                }
            };
            apis.store.commit(edit).await?;
            Ok(())
        })
        .await
    }
}

/// Reads `arn:{partition}:apigateway:{region}::/restapis/{id}[/stages/{name}]`.
fn tagged(scope: &Scope, arn: &str) -> Answer<Tagged> {
    let invalid = || Refusal::bad_request("Invalid ARN specified in the request");
    let parsed = Arn::parse(arn).filter(|arn| arn.service == "apigateway").ok_or_else(invalid)?;
    if parsed.region != &*scope.region {
        return Err(invalid());
    }
    let parts: Vec<&str> = parsed.resource.split('/').collect();
    match parts.as_slice() {
        ["", "restapis", api] => Ok(Tagged::Api((*api).to_owned())),
        ["", "restapis", api, "stages", stage] => Ok(Tagged::Stage((*api).to_owned(), (*stage).to_owned())),
        ["", kind, ..] => Err(Refusal::not_built(format_args!("tagging of {kind}"))),
        _ => Err(invalid()),
    }
}
