//! Resources: the tree of an API's paths.

use std::collections::{BTreeMap, HashMap};

use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};

use super::methods;
use super::page::page;
use crate::Apis;
use crate::patch::Op::Replace;
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::{ApiHead, PathClaim, Resource};

const PATCHES: Table =
    Table { wording: Wording::Listing, entries: &[("/parentId", &[Replace]), ("/pathPart", &[Replace])] };

impl Apis {
    pub(crate) async fn create_resource(
        &self,
        scope: &Scope,
        input: model::CreateResourceRequest,
    ) -> Answer<model::Resource> {
        check_path_part(&input.path_part)?;
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let parent = apis.resource(&scope, &input.rest_api_id, &input.parent_id).await?.record;
            let head = apis.head(&scope, &parent.api).await?.ok_or_else(Refusal::unknown_resource)?;
            check_can_hold(&parent)?;
            apis.check_place(&scope, &parent, &input.path_part).await?;
            if head.record.resources >= apis.settings.limits.resources_per_api {
                return Err(Refusal::quota("Resources", "API"));
            }
            let resource = Resource {
                api: parent.api.clone(),
                id: base::ids::api_gateway_id(6),
                parent_id: Some(parent.id.clone()),
                path_part: Some(input.path_part.clone()),
                path: join(&parent.path, &input.path_part),
                methods: BTreeMap::new(),
            };
            let claim = claim_of(&resource).ok_or_else(Refusal::unknown_resource)?;
            let made = Transaction::new().insert(&scope, &resource).insert(&scope, &claim);
            apis.store.commit(with_head(made, &scope, &head, head.record.resources + 1)).await?;
            Ok(shown(&resource, Embed::None))
        })
        .await
    }

    pub(crate) async fn get_resource(
        &self,
        scope: &Scope,
        input: model::GetResourceRequest,
    ) -> Answer<model::Resource> {
        let resource = self.resource(scope, &input.rest_api_id, &input.resource_id).await?.record;
        Ok(shown(&resource, Embed::asked(input.embed.as_deref())))
    }

    pub(crate) async fn get_resources(
        &self,
        scope: &Scope,
        input: model::GetResourcesRequest,
    ) -> Answer<model::Resources> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let mut resources = self.resources_of(scope, &input.rest_api_id).await?;
        resources.sort_by(|one, other| one.record.path.cmp(&other.record.path));
        let path = |resource: &Stored<Resource>| resource.record.path.clone();
        let (page, position) = page(resources, path, input.position.as_deref(), input.limit)?;
        let embed = Embed::asked(input.embed.as_deref());
        Ok(model::Resources {
            position,
            items: Some(page.iter().map(|resource| shown(&resource.record, embed)).collect()),
        })
    }

    pub(crate) async fn update_resource(
        &self,
        scope: &Scope,
        input: model::UpdateResourceRequest,
    ) -> Answer<model::Resource> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.resource(&scope, &input.rest_api_id, &input.resource_id).await?;
            let mut resource = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut resource, apply)?;
            if resource == stored.record {
                return Ok(shown(&resource, Embed::None));
            }
            apis.move_resource(&scope, &stored.record, resource).await
        })
        .await
    }

    pub(crate) async fn delete_resource(&self, scope: &Scope, input: model::DeleteResourceRequest) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let root = apis.resource(&scope, &input.rest_api_id, &input.resource_id).await?;
            let claim =
                claim_of(&root.record).ok_or_else(|| Refusal::bad_request("Root resource cannot be deleted."))?;
            let head = apis.head(&scope, &claim.api).await?.ok_or_else(Refusal::unknown_resource)?;
            let tree = subtree(apis.resources_of(&scope, &claim.api).await?, root);
            let mut gone = Transaction::new().delete_tree::<PathClaim>(&scope, &claim.key());
            for resource in &tree {
                gone = gone
                    .delete::<Resource>(&scope, &resource.record.key(), resource.revision)
                    .delete_tree::<PathClaim>(&scope, &resource.record.key());
            }
            let left = head.record.resources.saturating_sub(tree.len());
            apis.store.commit(with_head(gone, &scope, &head, left)).await?;
            Ok(())
        })
        .await
    }

    /// Every resource of an API, in no useful order.
    pub(crate) async fn resources_of(&self, scope: &Scope, api: &str) -> Answer<Vec<Stored<Resource>>> {
        Ok(self.store.list_tree::<Resource>(scope, api).await?)
    }

    /// Refuses a path part whose place below `parent` is taken.
    async fn check_place(&self, scope: &Scope, parent: &Resource, path_part: &str) -> Answer<()> {
        let place = PathClaim::place(&parent.api, &parent.id, path_part);
        let Some(taken) = self.store.get::<PathClaim>(scope, &place).await? else { return Ok(()) };
        let holder = taken.record.path_part;
        if holder == path_part {
            return Err(Refusal::Conflict(format!(
                "Another resource with the same parent already has this name: {path_part}"
            )));
        }
        Err(Refusal::BadRequest(format!(
            "A sibling ({holder}) of this resource already has a variable path part -- only one is allowed"
        )))
    }

    /// Gives a resource its new place, and everything below it its new path.
    async fn move_resource(&self, scope: &Scope, before: &Resource, after: Resource) -> Answer<model::Resource> {
        let head = self.head(scope, &after.api).await?.ok_or_else(Refusal::unknown_resource)?;
        let parent_id = after.parent_id.clone().ok_or_else(Refusal::unknown_resource)?;
        let parent = self.resource(scope, &after.api, &parent_id).await?.record;
        check_can_hold(&parent)?;
        let root = self.resource(scope, &after.api, &after.id).await?;
        let tree = subtree(self.resources_of(scope, &after.api).await?, root);
        if tree.iter().any(|resource| resource.record.id == parent.id) {
            return Err(Refusal::bad_request("Resources cannot be cyclical."));
        }
        let (old, new) = (claim_of(before), claim_of(&after));
        let (Some(old), Some(new)) = (old, new) else { return Err(Refusal::unknown_resource()) };
        if tree.len() > 1 {
            check_can_hold(&after)?;
        }
        let mut moved = Transaction::new();
        if old.key() != new.key() {
            self.check_place(scope, &parent, &new.path_part).await?;
            moved = moved.delete_tree::<PathClaim>(scope, &old.key()).insert(scope, &new);
        } else {
            moved = moved.put(scope, &new);
        }
        let path = join(&parent.path, &new.path_part);
        for resource in &tree {
            let below = resource.record.path.strip_prefix(before.path.as_str()).unwrap_or_default();
            let mut record = if below.is_empty() { after.clone() } else { resource.record.clone() };
            record.path = format!("{path}{below}");
            moved = moved.update(scope, &record, resource.revision);
        }
        self.store.commit(with_head(moved, scope, &head, head.record.resources)).await?;
        Ok(shown(&Resource { path, ..after }, Embed::None))
    }
}

fn with_head(transaction: Transaction, scope: &Scope, head: &Stored<ApiHead>, resources: usize) -> Transaction {
    transaction.update(scope, &ApiHead { resources, ..head.record.clone() }, head.revision)
}

/// The claim of a resource on its place; the root needs none.
fn claim_of(resource: &Resource) -> Option<PathClaim> {
    Some(PathClaim {
        api: resource.api.clone(),
        parent_id: resource.parent_id.clone()?,
        path_part: resource.path_part.clone()?,
    })
}

/// A resource and everything below it, out of all resources of the API.
fn subtree(resources: Vec<Stored<Resource>>, root: Stored<Resource>) -> Vec<Stored<Resource>> {
    let mut children: HashMap<String, Vec<Stored<Resource>>> = HashMap::new();
    for resource in resources {
        if let Some(parent) = resource.record.parent_id.clone() {
            children.entry(parent).or_default().push(resource);
        }
    }
    let mut tree = vec![root];
    let mut next = 0;
    while next < tree.len() {
        tree.extend(children.remove(&tree[next].record.id).into_iter().flatten());
        next += 1;
    }
    tree
}

fn apply(resource: &mut Resource, edit: Edit) -> Answer<()> {
    let member = edit.place.trim_start_matches('/');
    if resource.parent_id.is_none() {
        return Err(Refusal::BadRequest(format!("Root resource cannot update its {member}.")));
    }
    if member == "parentId" {
        resource.parent_id = Some(edit.text().to_owned());
    } else {
        check_path_part(edit.text())?;
        resource.path_part = Some(edit.text().to_owned());
    }
    Ok(())
}

/// Nothing stands below a greedy variable.
fn check_can_hold(parent: &Resource) -> Answer<()> {
    match &parent.path_part {
        Some(part) if part.ends_with("+}") => {
            Err(Refusal::BadRequest(format!("Cannot create a child of a resource with a greedy path variable: {part}")))
        }
        _ => Ok(()),
    }
}

/// A path part is a literal, or a variable that fills the whole segment.
fn check_path_part(part: &str) -> Answer<()> {
    let inner = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let name = inner.map_or(part, |name| name.strip_suffix('+').unwrap_or(name));
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte) || (inner.is_none() && byte == b',');
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(Refusal::bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the \
             beginning and the end.",
        ));
    }
    Ok(())
}

fn join(parent: &str, part: &str) -> String {
    format!("{}/{part}", parent.trim_end_matches('/'))
}

/// How much of a resource's methods an answer shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Embed {
    /// Their verbs.
    None,
    /// Everything.
    Methods,
}

impl Embed {
    fn asked(embed: Option<&[String]>) -> Embed {
        let whole = embed.is_some_and(|names| names.iter().any(|name| name == "methods"));
        if whole { Embed::Methods } else { Embed::None }
    }
}

fn shown(resource: &Resource, embed: Embed) -> model::Resource {
    let methods = resource.methods.iter().map(|(verb, method)| {
        let shown = if embed == Embed::Methods { methods::shown(verb, method) } else { model::Method::default() };
        (verb.clone(), shown)
    });
    model::Resource {
        id: Some(resource.id.clone()),
        parent_id: resource.parent_id.clone(),
        path_part: resource.path_part.clone(),
        path: Some(resource.path.clone()),
        resource_methods: (!resource.methods.is_empty()).then(|| methods.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_parts_are_literals_or_whole_variables() {
        for good in ["pets", "a.b_c-d", "events:batch", "a,b", "{id}", "{proxy+}", "-"] {
            assert!(check_path_part(good).is_ok(), "{good}");
        }
        for bad in ["", "{}", "{+}", "a/b", "{id}.html", "{id", "id}", "a+", "{a{b}}", "a b", "caf\u{e9}", "{a+b}"] {
            assert!(check_path_part(bad).is_err(), "{bad}");
        }
    }
}
