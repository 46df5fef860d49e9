//! VPC links, and the integrations that use them. This machine's network is the private network: a link is a name, and
//! an integration by it sends to its own address.

use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};

use super::page::page;
use super::{EVERY, validate};
use crate::Apis;
use crate::compile::uri;
use crate::patch::Op::Replace;
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{Integration, Snapshot, Stage, VpcLink};
use crate::words::Connection;

const PATCHES: Table =
    Table { wording: Wording::Listing, entries: &[("/name", &[Replace]), ("/description", &[Replace])] };

impl Apis {
    pub(crate) async fn create_vpc_link(
        &self,
        scope: &Scope,
        input: model::CreateVpcLinkRequest,
    ) -> Answer<model::VpcLink> {
        let link = new_link(input, self.now())?;
        self.edit(scope, &turn(scope), link, |apis, scope, link| async move {
            let quota = apis.settings.limits.vpc_links;
            if quota < usize::MAX && apis.store.list::<VpcLink>(&scope, "", None, quota).await?.len() >= quota {
                return Err(Refusal::quota("VpcLinks", "account"));
            }
            apis.store.commit(Transaction::new().insert(&scope, &*link)).await?;
            // Ready at once, but AWS's callers wait for the change of state, so they are given one to wait for.
            let pending =
                model::VpcLink { status: Some("PENDING".into()), status_message: None, ..shown(&link, false) };
            Ok(pending)
        })
        .await
    }

    pub(crate) async fn get_vpc_link(&self, scope: &Scope, input: model::GetVpcLinkRequest) -> Answer<model::VpcLink> {
        Ok(shown(&self.vpc_link(scope, &input.vpc_link_id).await?.record, true))
    }

    pub(crate) async fn get_vpc_links(
        &self,
        scope: &Scope,
        input: model::GetVpcLinksRequest,
    ) -> Answer<model::VpcLinks> {
        let stored = self.store.list::<VpcLink>(scope, "", None, EVERY).await?;
        let mut links: Vec<VpcLink> = stored.into_iter().map(|link| link.record).collect();
        let order = |link: &VpcLink| format!("{:012}/{}", link.created, link.id);
        links.sort_by_cached_key(order);
        let (page, position) = page(links, order, input.position.as_deref(), input.limit)?;
        Ok(model::VpcLinks { position, items: Some(page.iter().map(|link| shown(link, false)).collect()) })
    }

    pub(crate) async fn update_vpc_link(
        &self,
        scope: &Scope,
        input: model::UpdateVpcLinkRequest,
    ) -> Answer<model::VpcLink> {
        self.edit(scope, &turn(scope), input, |apis, scope, input| async move {
            let stored = apis.vpc_link(&scope, &input.vpc_link_id).await?;
            let mut link = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut link, apply)?;
            if link != stored.record {
                apis.store.commit(Transaction::new().update(&scope, &link, stored.revision)).await?;
            }
            Ok(shown(&link, true))
        })
        .await
    }

    pub(crate) async fn delete_vpc_link(&self, scope: &Scope, input: model::DeleteVpcLinkRequest) -> Answer<()> {
        self.edit(scope, &turn(scope), input.vpc_link_id, |apis, scope, id| async move {
            let stored = apis.vpc_link(&scope, &id).await?;
            let users = apis.deployed_users(&scope, &id).await?;
            if !users.is_empty() {
                return Err(Refusal::BadRequest(format!(
                    "Cannot delete vpc link. Vpc link '{id}', is referenced in [{}] in format of \
                     [RESTApiId:Method:Resource:Stage].",
                    users.join(", ")
                )));
            }
            let gone = Transaction::new().delete::<VpcLink>(&scope, &stored.record.key(), stored.revision);
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    /// The link of that id.
    pub(super) async fn vpc_link(&self, scope: &Scope, id: &str) -> Answer<Stored<VpcLink>> {
        let found = if id.contains('/') { None } else { self.find::<VpcLink>(scope, id).await? };
        found.ok_or_else(|| Refusal::not_found("Invalid Vpc Link identifier specified"))
    }

    /// Refuses an integration by a link that there is not. One that a stage variable names is not known yet.
    pub(super) async fn check_vpc_link(&self, scope: &Scope, id: Option<&str>) -> Answer<()> {
        match id {
            Some(id) if !id.is_empty() && !id.contains("${") => self.vpc_link(scope, id).await.map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The deployed methods that use a link, as AWS's message lists them.
    async fn deployed_users(&self, scope: &Scope, id: &str) -> Answer<Vec<String>> {
        let mut users = Vec::new();
        let stages = self.store.list_all::<Stage>().await?;
        for stage in stages.iter().filter(|(owner, _)| owner == scope).map(|(_, stage)| &stage.record) {
            let key = format!("{}/{}", stage.api, stage.deployment_id);
            let Some(snapshot) = self.find::<Snapshot>(scope, &key).await? else { continue };
            let variables =
                stage.variables.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
            for resource in &snapshot.record.resources {
                let by_link = resource.methods.iter().filter(|(_, method)| {
                    let given = method.integration.as_ref().and_then(|integration| integration.connection_id.as_ref());
                    given.is_some_and(|given| uri::fill(given, &variables) == id)
                });
                users.extend(by_link.map(|(verb, _)| format!("{}:{verb}:{}:{}", stage.api, resource.id, stage.name)));
            }
        }
        Ok(users)
    }
}

/// The lock that the links of an account and region share.
pub(super) fn turn(scope: &Scope) -> String {
    format!("{}/{}/vpclinks", scope.account, scope.region)
}

fn new_link(input: model::CreateVpcLinkRequest, created: u64) -> Answer<VpcLink> {
    check_name(&input.name)?;
    match input.target_arns.as_slice() {
        [] => return Err(Refusal::bad_request("Target arns cannot be empty")),
        [arn] if base::arn::Arn::parse(arn).is_none() => {
            return Err(Refusal::BadRequest(format!("Invalid ARN. ARN is not well formed {arn}")));
        }
        [_] => {}
        _ => return Err(Refusal::bad_request("More than one target arn specified for vpc link.")),
    }
    let tags = input.tags.unwrap_or_default();
    validate::tags(&tags)?;
    Ok(VpcLink {
        id: base::ids::api_gateway_id(6),
        name: input.name,
        description: input.description.filter(|text| !text.is_empty()),
        target_arns: input.target_arns,
        tags,
        created,
    })
}

fn check_name(name: &str) -> Answer<()> {
    match name.is_empty() {
        true => Err(Refusal::bad_request("Name cannot be empty")),
        false => Ok(()),
    }
}

fn apply(link: &mut VpcLink, edit: Edit) -> Answer<()> {
    match edit.place {
        "/name" => {
            check_name(edit.text())?;
            link.name = edit.text().to_owned();
        }
        _ => link.description = edit.optional(),
    }
    Ok(())
}

/// A link as AWS shows it; an empty map of tags is in some answers and not in others (recorded).
fn shown(link: &VpcLink, always_tags: bool) -> model::VpcLink {
    model::VpcLink {
        id: Some(link.id.clone()),
        name: Some(link.name.clone()),
        description: link.description.clone(),
        target_arns: Some(link.target_arns.clone()),
        status: Some("AVAILABLE".into()),
        status_message: Some("Your vpc link is ready for use".into()),
        tags: (always_tags || !link.tags.is_empty()).then(|| link.tags.clone()),
    }
}

/// How a backend is reached: the type's word, the link, and the balancer behind it.
pub(super) fn connection(text: Option<&str>) -> Answer<Connection> {
    match text {
        None | Some("") => Ok(Connection::Internet),
        Some(text) => Connection::parse(text).ok_or_else(|| {
            Refusal::bad_request("Invalid connectionType specified. Valid options are INTERNET,VPC_LINK")
        }),
    }
}

/// Checks how an integration reaches its backend, as a whole.
pub(super) fn check_connection(integration: &Integration) -> Answer<()> {
    let by_link = integration.connection == Connection::VpcLink;
    if by_link && !integration.kind.is_http() {
        return Err(Refusal::bad_request("Connection type VPC_LINK is for integrations of type HTTP and HTTP_PROXY."));
    }
    match (by_link, &integration.connection_id) {
        (true, None) => Err(Refusal::bad_request("Connection id must be specified for connection type VPC_LINK.")),
        (false, Some(_)) => {
            Err(Refusal::bad_request("Connection id must not be specified for connection type INTERNET."))
        }
        _ => Ok(()),
    }
}
