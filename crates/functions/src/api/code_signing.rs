//! Code signing: Frontgate has no configurations for it, and says so of each function, as infrastructure tools ask.

use std::sync::Arc;

use base::shape::{Operation, OperationModel};
use model_lambda as model;
use serde::Serialize;
use wire::{ApiError, Call};

use super::names::Named;
use crate::Functions;

/// GetFunctionCodeSigningConfig. The model demands members in its answer that AWS leaves out where a function has no
/// configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct GetFunctionCodeSigningConfig;

impl Operation for GetFunctionCodeSigningConfig {
    type Input = model::GetFunctionCodeSigningConfigRequest;
    type Output = NoConfiguration;
    const MODEL: &'static OperationModel = model::GetFunctionCodeSigningConfig::MODEL;
}

/// `{}`.
#[derive(Debug, Serialize)]
pub(super) struct NoConfiguration {}

pub(super) async fn get_function_code_signing_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionCodeSigningConfigRequest,
) -> Result<NoConfiguration, ApiError> {
    let named = Named::unqualified(&call, &input.function_name)?;
    functions.function(&named).await?.ok_or_else(|| named.missing())?;
    Ok(NoConfiguration {})
}
