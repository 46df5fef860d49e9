//! FindFunctionUrl: how the data plane learns what is behind a function URL.

use std::sync::Arc;

/// Knows the function URLs of this process.
pub trait FindFunctionUrl: Send + Sync {
    /// The URL of that id, in lower case. Neither waits nor locks; an acknowledged write is seen.
    fn find(&self, id: &str) -> Option<Arc<FunctionUrl>>;
}

/// For programs without functions.
impl FindFunctionUrl for () {
    fn find(&self, _: &str) -> Option<Arc<FunctionUrl>> {
        None
    }
}

/// The HTTP address of a function or of one of its aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The first label of its host, in lower case; unique in the process.
    pub id: Box<str>,
    /// What it calls, with the alias where it has one.
    pub function_arn: Arc<str>,
    /// The owner, twelve digits.
    pub account: Arc<str>,
    /// For example `us-east-1`.
    pub region: Arc<str>,
    /// Who may call.
    pub auth: UrlAuth,
    /// Whether the function's answer is passed on while it is written (`RESPONSE_STREAM`).
    pub streams: bool,
    /// What pages of other origins may do; `None` leaves that to the function.
    pub cors: Option<UrlCors>,
}

/// `AuthType` of a function URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlAuth {
    /// Whoever the function's policy lets in without credentials.
    None,
    /// Whoever signs (`AWS_IAM`).
    Iam,
}

/// `Cors` of a function URL, as it was configured: lists are empty where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlCors {
    /// `AllowCredentials`.
    pub allow_credentials: bool,
    /// `AllowHeaders`; `*` stands for any.
    pub allow_headers: Vec<String>,
    /// `AllowMethods`; `*` stands for any.
    pub allow_methods: Vec<String>,
    /// `AllowOrigins`; `*` stands for any.
    pub allow_origins: Vec<String>,
    /// `ExposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `MaxAge`, seconds.
    pub max_age: Option<u32>,
}
