//! Function URLs: what is kept of them, and the index by which the data plane finds them.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::seams::{FindFunctionUrl, FunctionUrl, UrlAuth, UrlCors};
use serde::{Deserialize, Serialize};
use store::{Record, Scope};
use tokio::sync::Mutex;

use crate::Functions;
use crate::index::function_arn;
use crate::records::LATEST;

/// The HTTP address of a function or of an alias of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UrlRecord {
    /// `FunctionName`.
    pub(crate) function: String,
    /// The alias; [`LATEST`] for the function itself.
    pub(crate) qualifier: String,
    /// The first label of the host.
    pub(crate) id: String,
    /// `AuthType`: `NONE` or `AWS_IAM`.
    pub(crate) auth_type: String,
    /// `InvokeMode`, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) invoke_mode: Option<String>,
    /// `Cors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cors: Option<CorsRecord>,
    /// `CreationTime`, milliseconds since 1970.
    pub(crate) created: u64,
    /// `LastModifiedTime`, milliseconds since 1970.
    pub(crate) modified: u64,
}

/// `Cors` of a function URL; a member is absent where it was not given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CorsRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allow_credentials: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allow_headers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allow_methods: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) allow_origins: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expose_headers: Option<Vec<String>>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<u32>,
}

impl Record for UrlRecord {
    const KIND: &'static str = "function_url";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        url_key(&self.function, &self.qualifier)
    }
}

/// The key of the URL of a function or an alias.
pub(crate) fn url_key(function: &str, qualifier: &str) -> String {
    format!("{function}/{qualifier}")
}

/// All URLs, by id.
#[derive(Default)]
pub(crate) struct UrlIndex {
    urls: ArcSwap<HashMap<Box<str>, Arc<FunctionUrl>>>,
    /// Held while a URL is made, from the look whether its id is free until it is in the index.
    pub(crate) making: Mutex<()>,
}

impl UrlIndex {
    /// The URL of that id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<FunctionUrl>> {
        self.urls.load().get(id).cloned()
    }

    /// Takes over what a function's URLs are now. To be called by one at a time.
    pub(crate) fn replace(&self, scope: &Scope, function: &str, records: Vec<UrlRecord>) {
        let unqualified = function_arn(scope, function);
        let is_of = |url: &FunctionUrl| {
            url.function_arn.strip_prefix(&unqualified).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let before = self.urls.load();
        if records.is_empty() && !before.values().any(|url| is_of(url)) {
            return;
        }
        let mut urls = HashMap::clone(&before);
        urls.retain(|_, url| !is_of(url));
        for record in records {
            let url = plan(scope, &unqualified, record);
            urls.insert(url.id.clone(), Arc::new(url));
        }
        self.urls.store(Arc::new(urls));
    }
}

fn plan(scope: &Scope, function_arn: &str, record: UrlRecord) -> FunctionUrl {
    let arn = match record.qualifier.as_str() {
        LATEST => function_arn.to_owned(),
        alias => format!("{function_arn}:{alias}"),
    };
    FunctionUrl {
        id: record.id.to_ascii_lowercase().into(),
        function_arn: arn.into(),
        account: Arc::clone(&scope.account),
        region: Arc::clone(&scope.region),
        // What is not known to be open is shut.
        auth: if record.auth_type == "NONE" { UrlAuth::None } else { UrlAuth::Iam },
        streams: record.invoke_mode.as_deref() == Some("RESPONSE_STREAM"),
        cors: record.cors.map(|cors| UrlCors {
            allow_credentials: cors.allow_credentials == Some(true),
            allow_headers: cors.allow_headers.unwrap_or_default(),
            allow_methods: cors.allow_methods.unwrap_or_default(),
            allow_origins: cors.allow_origins.unwrap_or_default(),
            expose_headers: cors.expose_headers.unwrap_or_default(),
            max_age: cors.max_age,
        }),
    }
}

impl FindFunctionUrl for Functions {
    fn find(&self, id: &str) -> Option<Arc<FunctionUrl>> {
        self.index.urls.find(id)
    }
}
