//! The codecs: any request to members by its shape table, any output to an answer.
//!
//! In between, members stand under their names in the model in a JSON object: the form that typed structs are read from
//! and written to.

pub(crate) mod encode;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod scalar;
pub(crate) mod xml;

use base::shape::{OperationModel, Protocol, Service};
use bytes::Bytes;
use http::request::Parts;

use crate::ApiError;
use crate::service::Input;

/// Decodes a request for an operation; the labels are those of the path.
pub(crate) fn decode(
    service: &Service,
    operation: &OperationModel,
    labels: Vec<(&'static str, String)>,
    request: &Parts,
    body: Bytes,
) -> Result<Input, ApiError> {
    let Some(shape) = operation.input else { return Ok(Input::default()) };
    match service.protocol {
        Protocol::RestJson => rest::decode(shape, labels, request, body).map_err(|error| error.answer(service)),
        Protocol::Json10 | Protocol::Json11 => {
            let members = json::decode(&body, shape).map_err(|error| error.answer(service))?;
            Ok(Input { members, payload: None })
        }
        Protocol::Query => {
            let members = query::decode(request, &body, shape).map_err(|error| error.answer(service))?;
            Ok(Input { members, payload: None })
        }
    }
}

/// Why a request could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The body is not in the protocol's format at all; the text says where.
    Malformed(String),
    /// A value is of another type than the model's; the text is AWS's.
    WrongType(String),
}

impl DecodeError {
    /// The refusal as the service words it.
    fn answer(self, service: &Service) -> ApiError {
        match (self, service.protocol) {
            (DecodeError::Malformed(detail) | DecodeError::WrongType(detail), Protocol::Query) => {
                ApiError::custom("MalformedInput", 400, detail)
            }
            // Lambda has an error of its own for bodies that are not JSON (recorded for Invoke).
            (DecodeError::Malformed(detail), _) if service.name == "lambda" => {
                let message = format!("Could not parse request body into json: {detail}");
                ApiError::custom("InvalidRequestContentException", 400, message).with_member("Type", "User")
            }
            (DecodeError::Malformed(detail), _) => {
                ApiError::serialization(format!("Could not parse request body into json: {detail}"))
            }
            (DecodeError::WrongType(message), _) => ApiError::serialization(message),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
