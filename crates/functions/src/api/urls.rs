//! Function URLs: create, get, update, delete, list.

use std::sync::Arc;

use base::clock::Moment;
use base::seams::FindFunctionUrl;
use model_lambda as model;
use store::{Stored, Transaction};
use wire::{ApiError, Call};

use super::functions::PAGE;
use super::names::Named;
use super::{Failure, attempts, conflict, not_found, page_size};
use crate::Functions;
use crate::records::{AliasRecord, FunctionRecord, LATEST};
use crate::time::timestamp;
use crate::urls::{CorsRecord, UrlRecord, url_key};

/// The tag of a function that chooses the id of its URL, as LocalStack's users know it.
const CUSTOM_ID: &str = "_custom_id_";

/// How many characters of `[a-z0-9]` an id has.
const ID_LENGTH: usize = 32;

pub(super) async fn create_function_url_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::CreateFunctionUrlConfigRequest,
) -> Result<model::CreateFunctionUrlConfigResponse, ApiError> {
    let named = name(&call, &input.function_name, input.qualifier.as_deref())?;
    let _making = functions.index.urls.making.lock().await;
    let url = attempts(async || {
        let (transaction, function) = functions.owner(&named).await?;
        if functions.url(&named).await?.is_some() {
            return Err(conflict(format!(
                "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function",
                named.qualified_arn()
            ))
            .into());
        }
        let now = functions.engine.clock.now().0;
        let url = UrlRecord {
            function: named.name.clone(),
            qualifier: named.qualifier().to_owned(),
            id: functions.choose_id(&named, &function),
            auth_type: input.auth_type.clone(),
            invoke_mode: input.invoke_mode.clone(),
            cors: input.cors.clone().map(cors),
            created: now,
            modified: now,
        };
        functions.store.commit(transaction.insert(&named.scope, &url)).await?;
        Ok::<_, Failure>(url)
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    let shown = functions.show_url(&named, url);
    Ok(model::CreateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        invoke_mode: input.invoke_mode,
    })
}

pub(super) async fn get_function_url_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionUrlConfigRequest,
) -> Result<model::GetFunctionUrlConfigResponse, ApiError> {
    let named = name(&call, &input.function_name, input.qualifier.as_deref())?;
    let url = functions.url(&named).await?.ok_or_else(missing)?.record;
    let shown = functions.show_url(&named, url);
    Ok(model::GetFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

pub(super) async fn update_function_url_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::UpdateFunctionUrlConfigRequest,
) -> Result<model::UpdateFunctionUrlConfigResponse, ApiError> {
    let named = name(&call, &input.function_name, input.qualifier.as_deref())?;
    let url = attempts(async || {
        let (transaction, _) = functions.owner(&named).await?;
        let Stored { record: mut url, revision } = functions.url(&named).await?.ok_or_else(missing)?;
        if let Some(auth_type) = &input.auth_type {
            url.auth_type.clone_from(auth_type);
        }
        if let Some(given) = &input.cors {
            // As a whole: what is not named again is gone.
            url.cors = Some(cors(given.clone()));
        }
        if input.invoke_mode.is_some() {
            url.invoke_mode.clone_from(&input.invoke_mode);
        }
        url.modified = functions.engine.clock.now().0;
        functions.store.commit(transaction.update(&named.scope, &url, revision)).await?;
        Ok::<_, Failure>(url)
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    let invoke_mode = url.invoke_mode.clone();
    let shown = functions.show_url(&named, url);
    Ok(model::UpdateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode,
    })
}

pub(super) async fn delete_function_url_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::DeleteFunctionUrlConfigRequest,
) -> Result<(), ApiError> {
    let named = name(&call, &input.function_name, input.qualifier.as_deref())?;
    attempts(async || {
        let url = functions.url(&named).await?.ok_or_else(missing)?;
        let key = url_key(&named.name, named.qualifier());
        functions.store.commit(Transaction::new().delete::<UrlRecord>(&named.scope, &key, url.revision)).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await
}

pub(super) async fn list_function_url_configs(
    functions: Arc<Functions>,
    call: Call,
    input: model::ListFunctionUrlConfigsRequest,
) -> Result<model::ListFunctionUrlConfigsResponse, ApiError> {
    let named = Named { qualifier: None, ..Named::unqualified(&call, &input.function_name)? };
    if functions.function(&named).await?.is_none() {
        return Err(no_function());
    }
    let size = page_size(input.max_items, PAGE);
    // The marker is the last qualifier shown.
    let after = input.marker.map(|marker| url_key(&named.name, &marker));
    let mut page = functions
        .store
        .list::<UrlRecord>(&named.scope, &named.name, after.as_deref(), size + 1)
        .await
        .map_err(ApiError::internal)?;
    let more = page.len() > size;
    page.truncate(size);
    let next_marker = page.last().filter(|_| more).map(|last| last.record.qualifier.clone());
    let shown = page.into_iter().map(|url| functions.show_url(&named, url.record)).collect();
    Ok(model::ListFunctionUrlConfigsResponse { function_url_configs: shown, next_marker })
}

/// What a request names. Only functions and aliases have URLs, and the model refuses other qualifiers; in a function's
/// name the same are refused here.
fn name(call: &Call, function: &str, qualifier: Option<&str>) -> Result<Named, ApiError> {
    let named = Named::read(call, function, qualifier)?;
    match named.qualifier.as_deref() {
        Some(version) if version == LATEST || version.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(ApiError::validation(format!(
                "1 validation error detected: Value '{version}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"
            )))
        }
        _ => Ok(named),
    }
}

fn missing() -> ApiError {
    not_found("The resource you requested does not exist.")
}

fn no_function() -> ApiError {
    not_found("Function does not exist")
}

fn cors(given: model::Cors) -> CorsRecord {
    CorsRecord {
        allow_credentials: given.allow_credentials,
        allow_headers: given.allow_headers,
        allow_methods: given.allow_methods,
        allow_origins: given.allow_origins,
        expose_headers: given.expose_headers,
        max_age: given.max_age.and_then(|seconds| u32::try_from(seconds).ok()),
    }
}

fn show_cors(cors: CorsRecord) -> model::Cors {
    model::Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age: cors.max_age.and_then(|seconds| i32::try_from(seconds).ok()),
    }
}

/// Whether a text can be the first label of a host.
fn is_label(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.len() <= 63
        && text.bytes().all(inside)
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with('-')
}

impl Functions {
    async fn url(&self, named: &Named) -> Result<Option<Stored<UrlRecord>>, ApiError> {
        let key = url_key(&named.name, named.qualifier());
        self.store.get(&named.scope, &key).await.map_err(ApiError::internal)
    }

    /// The function whose URL it is, and a transaction that holds only while it, and the alias that is named, are there.
    async fn owner(&self, named: &Named) -> Result<(Transaction, FunctionRecord), Failure> {
        let function = self.function(named).await?.ok_or_else(no_function)?;
        let mut transaction = Transaction::new().expect::<FunctionRecord>(&named.scope, &named.name, function.revision);
        if let Some(alias) = &named.qualifier {
            let found = self.alias(named, alias).await?.ok_or_else(no_function)?;
            transaction =
                transaction.expect::<AliasRecord>(&named.scope, &format!("{}/{alias}", named.name), found.revision);
        }
        Ok((transaction, function.record))
    }

    /// The id that the function's tag asks for, if it can be had, else a new one.
    fn choose_id(&self, named: &Named, function: &FunctionRecord) -> String {
        if let Some(tag) = function.tags.get(CUSTOM_ID) {
            let id = match &named.qualifier {
                Some(alias) => format!("{tag}-{alias}"),
                None => tag.clone(),
            };
            let id = id.to_ascii_lowercase();
            let is_free = self.find(&id).is_none();
            if is_label(&id) && is_free {
                return id;
            }
            tracing::warn!(id, is_free, "the id that a function's tag {CUSTOM_ID} asks for cannot be had");
        }
        base::ids::api_gateway_id(ID_LENGTH)
    }

    fn show_url(&self, named: &Named, url: UrlRecord) -> model::FunctionUrlConfig {
        let function_arn = match url.qualifier.as_str() {
            LATEST => named.arn(),
            alias => format!("{}:{alias}", named.arn()),
        };
        model::FunctionUrlConfig {
            function_url: format!("http://{}.lambda-url.{}.{}/", url.id, named.scope.region, self.url_suffix),
            function_arn,
            creation_time: timestamp(Moment(url.created)),
            last_modified_time: timestamp(Moment(url.modified)),
            cors: url.cors.map(show_cors),
            auth_type: url.auth_type,
            invoke_mode: Some(url.invoke_mode.unwrap_or_else(|| "BUFFERED".to_owned())),
        }
    }
}
