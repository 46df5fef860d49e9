//! Edits of resources, and what their methods may refer to: the API's models, request validators and authorizers.

use std::collections::{BTreeMap, BTreeSet};

use model_apigateway::PatchOperation;
use store::{Scope, Transaction};

use super::{EVERY, validate};
use crate::Apis;
use crate::refusal::{Answer, Refusal};
use crate::rows::{ApiHead, Method, Model, RequestValidator, Resource};
use crate::words::AuthorizerType;

/// The names and ids that there are.
#[derive(Debug, Default)]
pub(super) struct References {
    models: BTreeSet<String>,
    validators: BTreeSet<String>,
    /// By id.
    authorizers: BTreeMap<String, AuthorizerType>,
}

impl References {
    pub(super) fn check_model(&self, name: &str) -> Answer<()> {
        match self.models.contains(name) {
            true => Ok(()),
            false => Err(Refusal::BadRequest(format!("Invalid model identifier specified: {name}"))),
        }
    }

    /// A map of model names by content type.
    pub(super) fn check_models(&self, models: Option<&BTreeMap<String, String>>) -> Answer<()> {
        models.into_iter().flatten().try_for_each(|(key, name)| {
            validate::content_type(key)?;
            self.check_model(name)
        })
    }

    pub(super) fn check_validator(&self, id: &str) -> Answer<()> {
        match self.validators.contains(id) {
            true => Ok(()),
            false => Err(Refusal::bad_request("Invalid Request Validator identifier specified")),
        }
    }

    /// A method names an authorizer of the kind that its type of authorization asks for. With `NONE` and `AWS_IAM` AWS
    /// ignores what is named.
    pub(super) fn check_authorizer(&self, method: &mut Method) -> Answer<()> {
        let cognito = match method.authorization_type.as_str() {
            "CUSTOM" => false,
            "COGNITO_USER_POOLS" => true,
            _ => {
                method.authorizer_id = None;
                return Ok(());
            }
        };
        let kind = method.authorizer_id.as_ref().and_then(|id| self.authorizers.get(id));
        match kind.is_some_and(|kind| (*kind == AuthorizerType::CognitoUserPools) == cognito) {
            true => Ok(()),
            false => Err(Refusal::bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS \
                 requires a valid authorizer.",
            )),
        }
    }
}

/// Whether a patch has an operation below one of these paths.
pub(super) fn patches_below(operations: Option<&[PatchOperation]>, paths: &[&str]) -> bool {
    let given = operations.into_iter().flatten().filter_map(|operation| operation.path.as_deref());
    given.into_iter().any(|given| paths.iter().any(|path| given.starts_with(path)))
}

/// What an edit does to a resource, told by its input.
type Change<I, T> = fn(&mut Resource, &I) -> Answer<T>;

impl Apis {
    /// An edit of one resource and of what it holds: read, change, write.
    pub(super) async fn edit_resource<I, T>(
        &self,
        scope: &Scope,
        ids: (&str, &str),
        input: I,
        change: Change<I, T>,
    ) -> Answer<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.edit_referring(
            scope,
            ids,
            (input, change),
            |_| false,
            |resource, (input, change), _| change(resource, input),
        )
        .await
    }

    /// An edit of one resource that may make it refer to what [`References`] has, if `refers` says so of the input. Such
    /// an edit replaces the API's head, as the deletion of a model, a validator or an authorizer does: of the two only one goes through.
    pub(super) async fn edit_referring<I, T>(
        &self,
        scope: &Scope,
        (api, resource): (&str, &str),
        input: I,
        refers: fn(&I) -> bool,
        change: fn(&mut Resource, &I, &References) -> Answer<T>,
    ) -> Answer<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        let input = (api.to_owned(), resource.to_owned(), input);
        self.edit(scope, api, input, move |apis, scope, input| async move {
            let (api, resource, input) = &*input;
            let mut resource = apis.resource(&scope, api, resource).await?;
            let before = resource.record.clone();
            let mut edit = Transaction::new();
            let mut references = References::default();
            if refers(input) {
                let head = apis.head(&scope, api).await?.ok_or(Refusal::Raced)?;
                edit = edit.update(&scope, &ApiHead::clone(&head.record), head.revision);
                references = apis.references(&scope, api).await?;
            }
            let outcome = change(&mut resource.record, input, &references)?;
            if resource.record != before {
                apis.store.commit(edit.update(&scope, &resource.record, resource.revision)).await?;
            }
            Ok(outcome)
        })
        .await
    }

    async fn references(&self, scope: &Scope, api: &str) -> Answer<References> {
        let models = self.store.list::<Model>(scope, api, None, EVERY).await?;
        let validators = self.store.list::<RequestValidator>(scope, api, None, EVERY).await?;
        let authorizers = self.authorizers_of(scope, api).await?;
        Ok(References {
            models: models.into_iter().map(|model| model.record.name).collect(),
            validators: validators.into_iter().map(|validator| validator.record.id).collect(),
            authorizers: authorizers.into_iter().map(|authorizer| (authorizer.id, authorizer.kind)).collect(),
        })
    }
}
