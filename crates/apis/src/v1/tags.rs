//! Tags of APIs, stages and VPC links, by ARN.

use std::collections::BTreeMap;

use base::arn::Arn;
use model_apigateway as model;
use store::{Scope, Transaction};

use super::{validate, vpc_links};
use crate::Apis;
use crate::refusal::{Answer, Refusal};

/// What an ARN of API Gateway names.
enum Tagged {
    Api(String),
    Stage(String, String),
    VpcLink(String),
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
            Tagged::VpcLink(id) => self.vpc_link(scope, &id).await?.record.tags,
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
        let turn = match &tagged {
            Tagged::Api(api) | Tagged::Stage(api, _) => api.clone(),
            Tagged::VpcLink(_) => vpc_links::turn(scope),
        };
        self.edit(scope, &turn, (tagged, change), |apis, scope, input| async move {
            let (tagged, change) = &*input;
            let edit = match tagged {
                Tagged::Api(api) => {
                    let mut api = apis.rest_api(&scope, api).await?;
                    change.apply(&mut api.record.tags)?;
                    Transaction::new().update(&scope, &api.record, api.revision)
                }
                Tagged::Stage(api, name) => {
                    apis.rest_api(&scope, api).await?;
                    let mut stage = apis.stage(&scope, api, name).await?;
                    change.apply(&mut stage.record.tags)?;
                    Transaction::new().update(&scope, &stage.record, stage.revision)
                }
                Tagged::VpcLink(id) => {
                    let mut link = apis.vpc_link(&scope, id).await?;
                    change.apply(&mut link.record.tags)?;
                    Transaction::new().update(&scope, &link.record, link.revision)
                }
            };
            apis.store.commit(edit).await?;
            Ok(())
        })
        .await
    }
}

/// Reads `arn:{partition}:apigateway:{region}::/restapis/{id}[/stages/{name}]` and `…::/vpclinks/{id}`.
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
        ["", "vpclinks", link] => Ok(Tagged::VpcLink((*link).to_owned())),
        ["", kind, ..] => Err(Refusal::not_built(format_args!("tagging of {kind}"))),
        _ => Err(invalid()),
    }
}
