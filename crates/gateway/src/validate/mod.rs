//! The validate phase: the parameters and the body that a method's request validator asks for (REST data plane, section 4).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use plan::media::mime;
use plan::validation::{BodyModel, ParameterPlace, RequiredParameter, Validation};
use templates::document::Json;
use templates::schema::Schema;

use crate::body::RequestBody;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::route::Routed;
use crate::throttle::Admitted;
use crate::transform::facts::Facts;

/// A request that is as its method asks.
#[derive(Debug)]
pub struct Validated {
    _established: (),
}

/// Checks a request that has been admitted: parameters first, and the body only if none of them is missing.
///
/// # Errors
/// [`Fault::MissingParameters`] and [`Fault::InvalidBody`]; those of reading the body.
pub async fn validate(
    exchange: &Exchange,
    routed: &Routed<'_>,
    _admitted: &Admitted,
    body: &mut RequestBody,
) -> Result<Validated, Fault> {
    if let Some(validation) = &routed.method.validation {
        // Boxed, so that the requests that nobody validates do not carry the room for it.
        Box::pin(check(exchange, routed, validation, body)).await?;
    }
    Ok(Validated { _established: () })
}

async fn check(
    exchange: &Exchange,
    routed: &Routed<'_>,
    validation: &Validation,
    body: &mut RequestBody,
) -> Result<(), Fault> {
    if !validation.parameters.is_empty() {
        check_parameters(&Facts::new(exchange, routed), &validation.parameters)?;
    }
    if validation.models.is_empty() {
        return Ok(());
    }
    let media_type = exchange.header(CONTENT_TYPE).map(mime).filter(|kind| !kind.is_empty());
    let media_type = media_type.unwrap_or("application/json");
    match validation.model(media_type) {
        Some(BodyModel::Schema(schema)) => check_body(schema, &body.whole().await?)
            .map_err(|errors| Fault::InvalidBody { media_type: media_type.into(), errors: errors.into() })?,
        Some(BodyModel::Anything) => {}
        None => return Ok(()),
    }
    if let Some(log) = &exchange.execution_log {
        log.write(format!("Request validation succeeded for content type {media_type}"));
    }
    Ok(())
}

fn check_parameters(facts: &Facts<'_>, required: &[RequiredParameter]) -> Result<(), Fault> {
    let is_missing = |parameter: &&RequiredParameter| {
        let value = match parameter.place {
            ParameterPlace::Header => facts.header(&parameter.name),
            ParameterPlace::Path => facts.path_parameter(&parameter.name).map(Cow::Borrowed),
            ParameterPlace::Query => facts.query_parameter(&parameter.name),
        };
        value.is_none_or(|value| value.trim().is_empty())
    };
    let missing: Vec<&str> = required.iter().filter(is_missing).map(|parameter| &*parameter.name).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Fault::MissingParameters { names: missing.join(", ").into() }),
    }
}

/// Checks a body; no body is an empty object.
///
/// # Errors
/// What is wrong, in brackets: `$context.error.validationErrorString`.
fn check_body(schema: &Schema, body: &[u8]) -> Result<(), String> {
    let body = if body.is_empty() { b"{}" } else { body };
    let text = std::str::from_utf8(body).map_err(|_| "[the body is not UTF-8]".to_owned())?;
    let json = Json::parse(text).map_err(|error| format!("[{error}]"))?;
    schema.validate(&json).map_err(|invalid| invalid.to_string())
}
