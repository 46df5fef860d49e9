//! Authorizers: who decides whether a caller may go on. They are stored and frozen by deployments; the data plane of
//! this version asks none of them and keeps methods that name one shut.

use model_apigateway as model;
use store::{Record, Scope, Stored, Transaction};

use super::EVERY;
use super::page::page;
use crate::Apis;
use crate::compile::uri::AwsUri;
use crate::patch::Op::{Add, Remove, Replace};
use crate::patch::{Edit, Table, Wording};
use crate::refusal::{Answer, Refusal};
use crate::rows::Authorizer;
use crate::words::AuthorizerType;

const PATCHES: Table = Table {
    wording: Wording::Listing,
    entries: &[
        ("/name", &[Replace]),
        ("/type", &[Replace]),
        ("/authorizerUri", &[Replace]),
        ("/authorizerCredentials", &[Replace]),
        ("/authorizerResultTtlInSeconds", &[Replace]),
        ("/authType", &[Replace]),
        ("/identitySource", &[Replace, Add, Remove]),
        ("/identityValidationExpression", &[Replace]),
        ("/providerARNs", &[Add, Remove]),
    ],
};

/// Where an authorizer of one header looks unless it says otherwise.
const DEFAULT_SOURCE: &str = "method.request.header.Authorization";

impl Apis {
    pub(crate) async fn create_authorizer(
        &self,
        scope: &Scope,
        input: model::CreateAuthorizerRequest,
    ) -> Answer<model::Authorizer> {
        let authorizer = new_authorizer(input)?;
        check(&authorizer)?;
        let api = authorizer.api.clone();
        self.edit(scope, &api, authorizer, |apis, scope, authorizer| async move {
            // AWS does not say that there is no such API, but that another edit came in between.
            let head = apis.head(&scope, &authorizer.api).await?.ok_or(Refusal::Raced)?;
            let known = apis.authorizers_of(&scope, &authorizer.api).await?;
            check_name(&authorizer, &known)?;
            if known.len() >= apis.settings.limits.authorizers_per_api {
                return Err(Refusal::quota("Authorizers", "API"));
            }
            let made = Transaction::new().update(&scope, &head.record, head.revision).insert(&scope, &*authorizer);
            apis.store.commit(made).await?;
            Ok(shown(&authorizer))
        })
        .await
    }

    pub(crate) async fn get_authorizer(
        &self,
        scope: &Scope,
        input: model::GetAuthorizerRequest,
    ) -> Answer<model::Authorizer> {
        let authorizer = self.authorizer(scope, &input.rest_api_id, &input.authorizer_id).await?;
        Ok(shown(&authorizer.ok_or_else(unknown)?.record))
    }

    pub(crate) async fn get_authorizers(
        &self,
        scope: &Scope,
        input: model::GetAuthorizersRequest,
    ) -> Answer<model::Authorizers> {
        self.rest_api(scope, &input.rest_api_id).await?;
        let mut authorizers = self.authorizers_of(scope, &input.rest_api_id).await?;
        let order = |authorizer: &Authorizer| authorizer.id.clone();
        authorizers.sort_by_cached_key(order);
        let (page, position) = page(authorizers, order, input.position.as_deref(), input.limit)?;
        Ok(model::Authorizers { position, items: Some(page.iter().map(shown).collect()) })
    }

    pub(crate) async fn update_authorizer(
        &self,
        scope: &Scope,
        input: model::UpdateAuthorizerRequest,
    ) -> Answer<model::Authorizer> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.authorizer(&scope, &input.rest_api_id, &input.authorizer_id).await?;
            let stored = stored.ok_or_else(unknown)?;
            let mut authorizer = stored.record.clone();
            PATCHES.patch(input.patch_operations.clone(), &mut authorizer, apply)?;
            check(&authorizer)?;
            if authorizer == stored.record {
                return Ok(shown(&authorizer));
            }
            let known = apis.authorizers_of(&scope, &authorizer.api).await?;
            check_name(&authorizer, &known)?;
            if authorizer.kind != stored.record.kind {
                apis.refuse_use_of(&scope, &authorizer, "change the type of").await?;
            }
            let head = apis.head(&scope, &authorizer.api).await?.ok_or(Refusal::Raced)?;
            let changed = Transaction::new().update(&scope, &head.record, head.revision).update(
                &scope,
                &authorizer,
                stored.revision,
            );
            apis.store.commit(changed).await?;
            Ok(shown(&authorizer))
        })
        .await
    }

    pub(crate) async fn delete_authorizer(&self, scope: &Scope, input: model::DeleteAuthorizerRequest) -> Answer<()> {
        let api = input.rest_api_id.clone();
        self.edit(scope, &api, input, |apis, scope, input| async move {
            let stored = apis.authorizer(&scope, &input.rest_api_id, &input.authorizer_id).await?;
            let stored = stored.ok_or_else(unknown)?;
            let head = apis.head(&scope, &input.rest_api_id).await?.ok_or(Refusal::Raced)?;
            apis.refuse_use_of(&scope, &stored.record, "delete").await?;
            let gone = Transaction::new().update(&scope, &head.record, head.revision).delete::<Authorizer>(
                &scope,
                &stored.record.key(),
                stored.revision,
            );
            apis.store.commit(gone).await?;
            Ok(())
        })
        .await
    }

    /// The authorizers of an API, in no useful order.
    pub(super) async fn authorizers_of(&self, scope: &Scope, api: &str) -> Answer<Vec<Authorizer>> {
        let stored = self.store.list::<Authorizer>(scope, api, None, EVERY).await?;
        Ok(stored.into_iter().map(|authorizer| authorizer.record).collect())
    }

    async fn authorizer(&self, scope: &Scope, api: &str, id: &str) -> Answer<Option<Stored<Authorizer>>> {
        self.find_below(scope, api, id).await
    }

    /// Refuses what would leave a method without its authorizer.
    async fn refuse_use_of(&self, scope: &Scope, authorizer: &Authorizer, what: &str) -> Answer<()> {
        let resources = self.resources_of(scope, &authorizer.api).await?;
        let user = resources.iter().find_map(|resource| {
            let methods = &resource.record.methods;
            let verb = methods.iter().find(|(_, method)| method.authorizer_id.as_ref() == Some(&authorizer.id))?.0;
            // The root's path has its slash as well, as AWS writes it of models.
            Some(format!("{}/{verb}", resource.record.path))
        });
        match user {
            None => Ok(()),
            Some(method) => Err(Refusal::Conflict(format!(
                "Cannot {what} authorizer '{}', is referenced in method: {method}",
                authorizer.id
            ))),
        }
    }
}

fn unknown() -> Refusal {
    Refusal::not_found("Invalid Authorizer identifier specified")
}

fn new_authorizer(input: model::CreateAuthorizerRequest) -> Answer<Authorizer> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let kind = kind(&input.r#type)?;
    let default = (kind != AuthorizerType::Request).then(|| DEFAULT_SOURCE.to_owned());
    Ok(Authorizer {
        api: input.rest_api_id,
        id: base::ids::api_gateway_id(6),
        name: input.name,
        kind,
        auth_type: given(input.auth_type).unwrap_or_else(|| auth_type(kind).to_owned()),
        provider_arns: input.provider_arns.unwrap_or_default(),
        uri: given(input.authorizer_uri),
        credentials: given(input.authorizer_credentials),
        identity_source: given(input.identity_source).or(default),
        identity_validation_expression: given(input.identity_validation_expression),
        ttl_in_seconds: input.authorizer_result_ttl_in_seconds.map(|ttl| self::ttl(i64::from(ttl))).transpose()?,
    })
}

fn kind(text: &str) -> Answer<AuthorizerType> {
    AuthorizerType::parse(text).ok_or_else(|| {
        Refusal::bad_request("Invalid authorizer type specified. Valid options are TOKEN,REQUEST,COGNITO_USER_POOLS")
    })
}

/// What AWS calls an authorizer's kind in OpenAPI documents (recorded for Lambda).
fn auth_type(kind: AuthorizerType) -> &'static str {
    match kind {
        AuthorizerType::Token | AuthorizerType::Request => "custom",
        AuthorizerType::CognitoUserPools => "cognito_user_pools",
    }
}

fn ttl(seconds: i64) -> Answer<u16> {
    let bounded = u16::try_from(seconds).ok().filter(|ttl| *ttl <= 3_600);
    bounded.ok_or_else(|| Refusal::bad_request("Authorizer result TTL must be between 0 and 3600 seconds"))
}

/// Checks an authorizer as a whole.
fn check(authorizer: &Authorizer) -> Answer<()> {
    if authorizer.name.is_empty() {
        return Err(Refusal::bad_request("Authorizer name must be non-empty"));
    }
    let source = authorizer.identity_source.as_deref().unwrap_or_default();
    match authorizer.kind {
        AuthorizerType::CognitoUserPools => {
            check_pools(&authorizer.provider_arns)?;
            check_header(source)
        }
        AuthorizerType::Token => {
            check_uri(authorizer.uri.as_deref())?;
            check_header(source)
        }
        AuthorizerType::Request => {
            check_uri(authorizer.uri.as_deref())?;
            if source.is_empty() && authorizer.ttl_in_seconds.unwrap_or(300) > 0 {
                return Err(Refusal::bad_request(
                    "Identity source must be set if authorizer caching is enabled (TTL is greater than 0)",
                ));
            }
            source.split(',').filter(|source| !source.is_empty()).try_for_each(|source| check_source(source.trim()))
        }
    }
}

/// The address of the function, which stage variables may complete. AWS takes one that is broken into lines.
fn check_uri(uri: Option<&str>) -> Answer<()> {
    let joined = uri.map(|uri| uri.split_whitespace().collect::<String>());
    let parsed = joined.as_deref().and_then(|uri| AwsUri::parse(uri).ok());
    match parsed.and_then(|uri| uri.lambda_function()) {
        Some(_) => Ok(()),
        None => Err(Refusal::BadRequest(format!(
            "Invalid Authorizer URI: {}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda \
             function invocation.",
            uri.unwrap_or("null")
        ))),
    }
}

fn check_pools(arns: &[String]) -> Answer<()> {
    if arns.is_empty() {
        return Err(Refusal::bad_request("Provider ARNs must be specified for an authorizer of Cognito user pools"));
    }
    let is_pool = |arn: &String| {
        base::arn::Arn::parse(arn)
            .is_some_and(|arn| arn.service == "cognito-idp" && arn.resource.starts_with("userpool/"))
    };
    match arns.iter().all(is_pool) {
        true => Ok(()),
        false => Err(Refusal::bad_request("Invalid ARN specified in the request")),
    }
}

fn check_header(source: &str) -> Answer<()> {
    match source.strip_prefix("method.request.header.") {
        Some(name) if !name.is_empty() && !name.contains(',') => Ok(()),
        _ => Err(bad_source(source)),
    }
}

fn check_source(source: &str) -> Answer<()> {
    const PLACES: [&str; 6] = [
        "method.request.header.",
        "method.request.querystring.",
        "method.request.multivalueheader.",
        "method.request.multivaluequerystring.",
        "context.",
        "stageVariables.",
    ];
    match PLACES.iter().any(|place| source.strip_prefix(place).is_some_and(|name| !name.is_empty())) {
        true => Ok(()),
        false => Err(bad_source(source)),
    }
}

fn bad_source(source: &str) -> Refusal {
    Refusal::BadRequest(format!("Invalid identity source specified: {source}"))
}

/// A name stands for one authorizer of an API.
fn check_name(authorizer: &Authorizer, known: &[Authorizer]) -> Answer<()> {
    match known.iter().any(|known| known.name == authorizer.name && known.id != authorizer.id) {
        false => Ok(()),
        true => Err(Refusal::BadRequest(format!(
            "Authorizer name must be unique. Authorizer {} already exists in this RestApi.",
            authorizer.name
        ))),
    }
}

fn apply(authorizer: &mut Authorizer, edit: Edit) -> Answer<()> {
    match edit.place {
        "/name" => authorizer.name = edit.text().to_owned(),
        "/type" => {
            let kind = kind(edit.text())?;
            if authorizer.auth_type == auth_type(authorizer.kind) {
                authorizer.auth_type = auth_type(kind).to_owned();
            }
            authorizer.kind = kind;
        }
        "/authorizerUri" => authorizer.uri = edit.optional(),
        "/authorizerCredentials" => authorizer.credentials = edit.optional(),
        "/authorizerResultTtlInSeconds" => {
            authorizer.ttl_in_seconds = Some(ttl(edit.text().parse().unwrap_or(-1))?);
        }
        "/authType" => authorizer.auth_type = edit.text().to_owned(),
        "/identitySource" => edit_sources(&mut authorizer.identity_source, &edit),
        "/identityValidationExpression" => authorizer.identity_validation_expression = edit.optional(),
        _ => {
            authorizer.provider_arns.retain(|arn| arn != edit.text());
            if edit.op == Add {
                authorizer.provider_arns.push(edit.text().to_owned());
            }
        }
    }
    Ok(())
}

/// One source comes or goes, or all are replaced.
fn edit_sources(sources: &mut Option<String>, edit: &Edit) {
    if edit.op == Replace {
        *sources = edit.optional();
        return;
    }
    let before = sources.take().unwrap_or_default();
    let mut left: Vec<&str> = before.split(',').filter(|source| !source.is_empty() && *source != edit.text()).collect();
    if edit.op == Add {
        left.push(edit.text());
    }
    *sources = Some(left.join(",")).filter(|sources| !sources.is_empty());
}

fn shown(authorizer: &Authorizer) -> model::Authorizer {
    model::Authorizer {
        id: Some(authorizer.id.clone()),
        name: Some(authorizer.name.clone()),
        r#type: Some(authorizer.kind.text().to_owned()),
        provider_arns: (!authorizer.provider_arns.is_empty()).then(|| authorizer.provider_arns.clone()),
        auth_type: Some(authorizer.auth_type.clone()),
        authorizer_uri: authorizer.uri.clone(),
        authorizer_credentials: authorizer.credentials.clone(),
        identity_source: authorizer.identity_source.clone(),
        identity_validation_expression: authorizer.identity_validation_expression.clone(),
        authorizer_result_ttl_in_seconds: authorizer.ttl_in_seconds.map(i32::from),
    }
}
