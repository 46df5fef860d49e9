//! Whether a function may call itself by way of others without end.

use std::sync::Arc;

use model_lambda as model;
use store::Transaction;
use wire::{ApiError, Call};

use super::names::Named;
use super::{Failure, attempts, invalid};
use crate::Functions;

const ALLOW: &str = "Allow";
const TERMINATE: &str = "Terminate";

pub(super) async fn put_function_recursion_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::PutFunctionRecursionConfigRequest,
) -> Result<model::PutFunctionRecursionConfigResponse, ApiError> {
    let named = unqualified(&call, &input.function_name)?;
    attempts(async || {
        let mut function = functions.function(&named).await?.ok_or_else(|| named.missing())?;
        function.record.allows_recursion = input.recursive_loop == ALLOW;
        let transaction = Transaction::new().update(&named.scope, &function.record, function.revision);
        functions.store.commit(transaction).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    functions.refresh(&named.scope, &named.name).await?;
    Ok(model::PutFunctionRecursionConfigResponse { recursive_loop: Some(input.recursive_loop) })
}

pub(super) async fn get_function_recursion_config(
    functions: Arc<Functions>,
    call: Call,
    input: model::GetFunctionRecursionConfigRequest,
) -> Result<model::GetFunctionRecursionConfigResponse, ApiError> {
    let named = unqualified(&call, &input.function_name)?;
    let function = functions.function(&named).await?.ok_or_else(|| named.missing())?.record;
    let shown = if function.allows_recursion { ALLOW } else { TERMINATE };
    Ok(model::GetFunctionRecursionConfigResponse { recursive_loop: Some(shown.to_owned()) })
}

/// The setting is one of the function, not of its versions.
fn unqualified(call: &Call, text: &str) -> Result<Named, ApiError> {
    let named = Named::unqualified(call, text)?;
    match named.qualifier {
        None => Ok(named),
        Some(_) => Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
        )),
    }
}
