//! Answers: outputs and errors in the caller's protocol.

use base::seams::AnswerBody;
use base::shape::{Kind, Location, Member, OperationModel, Protocol, Service, Shape, Structure, TimestampFormat};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::scalar;
use super::xml::XmlWriter;
use crate::ApiError;
use crate::dispatch::ErrorFormat;
use crate::service::Output;

/// The header that carries the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The header that carries an error's code.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Encodes an output, whose body may be events that come.
pub(crate) fn answer(
    service: &Service,
    operation: &OperationModel,
    mut output: Output,
    request_id: &str,
) -> Result<Response<AnswerBody>, ApiError> {
    let events = output.events.take();
    let response = success(service, operation, output, request_id)?;
    Ok(response.map(|whole| match events {
        Some(events) => AnswerBody::Stream(Box::new(events)),
        None => AnswerBody::Whole(whole),
    }))
}

/// Encodes an output.
pub(crate) fn success(
    service: &Service,
    operation: &OperationModel,
    output: Output,
    request_id: &str,
) -> Result<Response<Bytes>, ApiError> {
    let mut headers = output.headers.clone();
    let mut response = match service.protocol {
        Protocol::RestJson => rest(operation, output)?,
        Protocol::Json10 => json_body("application/x-amz-json-1.0", json_output(operation, &output)),
        Protocol::Json11 => json_body("application/x-amz-json-1.1", json_output(operation, &output)),
        Protocol::Query => query(service, operation, &output, request_id),
    };
    response.headers_mut().extend(headers.drain());
    response.headers_mut().insert(REQUEST_ID, request_id_value(request_id));
    Ok(response)
}

/// Encodes an error.
pub(crate) fn error(
    error: &ApiError,
    format: ErrorFormat,
    namespace: Option<&str>,
    request_id: &str,
) -> Response<Bytes> {
    let mut response = match format {
        ErrorFormat::RestJson => json_body("application/json", Value::Object(error.body())),
        ErrorFormat::Json10 => json_body("application/x-amz-json-1.0", typed_body(error)),
        ErrorFormat::Json11 => json_body("application/x-amz-json-1.1", typed_body(error)),
        ErrorFormat::Query => xml_error(error, namespace, request_id),
        ErrorFormat::RestXml => rest_xml_error(error, request_id),
        ErrorFormat::Cbor => cbor_error(error),
    };
    *response.status_mut() = error.status();
    if !matches!(format, ErrorFormat::Query | ErrorFormat::RestXml)
        && let Ok(code) = HeaderValue::from_str(error.code())
    {
        response.headers_mut().insert(ERROR_TYPE, code);
    }
    response.headers_mut().extend(error.headers().clone());
    response.headers_mut().insert(REQUEST_ID, request_id_value(request_id));
    response
}

/// An output of the rest-json protocol: headers, status and body where the model says.
fn rest(operation: &OperationModel, output: Output) -> Result<Response<Bytes>, ApiError> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(operation.status).unwrap_or(StatusCode::OK);
    let Some(Kind::Structure(structure)) = operation.output.map(|shape| &shape.kind) else {
        return Ok(response);
    };
    for member in structure.members {
        match (member.location, output.members.get(member.name)) {
            (Location::StatusCode, Some(value)) => {
                let status = value.as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
                *response.status_mut() = status.ok_or_else(|| ApiError::internal("a handler gave no valid status"))?;
            }
            (Location::Header, Some(value)) => {
                let text = scalar::to_text(value, member.shape, member.timestamp_format, TimestampFormat::Rfc822);
                response.headers_mut().insert(header_name(member.wire_name)?, header_value(&text)?);
            }
            (Location::Headers, Some(Value::Object(entries))) => {
                for (name, value) in entries {
                    let name = header_name(&format!("{}{name}", member.wire_name))?;
                    response.headers_mut().insert(name, header_value(value.as_str().unwrap_or_default())?);
                }
            }
            _ => {}
        }
    }
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(response);
    }
    *response.body_mut() = rest_body(structure, operation, &output, response.status());
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok(response)
}

fn rest_body(structure: &Structure, operation: &OperationModel, output: &Output, status: StatusCode) -> Bytes {
    let Some(payload) = structure.payload.and_then(|name| structure.member(name)) else {
        let shape =
            operation.output.filter(|_| structure.members.iter().any(|member| member.location == Location::Body));
        return match shape {
            Some(shape) => json_bytes(&wire_value(&output.members, shape, None)),
            None if status == StatusCode::OK => Bytes::from_static(b"{}"),
            None => Bytes::new(),
        };
    };
    match (&payload.shape.kind, output.members.get(payload.name)) {
        (Kind::Blob(_), _) => output.payload.clone().unwrap_or_default(),
        (_, None) => Bytes::new(),
        (Kind::String(_), Some(value)) => Bytes::from(value.as_str().unwrap_or_default().to_string()),
        (_, Some(value)) => json_bytes(&wire_value(value, payload.shape, payload.timestamp_format)),
    }
}

fn json_output(operation: &OperationModel, output: &Output) -> Value {
    operation.output.map_or_else(|| Value::Object(Map::new()), |shape| wire_value(&output.members, shape, None))
}

/// A value under its names on the wire; members that are null or travel elsewhere are left out.
fn wire_value(value: &Value, shape: &Shape, format: Option<TimestampFormat>) -> Value {
    match (value, &shape.kind) {
        (Value::Object(members), Kind::Structure(structure)) => {
            let travels = |member: &&Member| member.location == Location::Body;
            let written = structure.members.iter().filter(travels).filter_map(|member| {
                let value = members.get(member.name).filter(|value| !value.is_null())?;
                Some((member.wire_name.to_string(), wire_value(value, member.shape, member.timestamp_format)))
            });
            Value::Object(written.collect())
        }
        (Value::Array(items), Kind::List(list)) => {
            Value::Array(items.iter().map(|item| wire_value(item, list.member, None)).collect())
        }
        (Value::Object(entries), Kind::Map(map)) => Value::Object(
            entries.iter().map(|(key, value)| (key.clone(), wire_value(value, map.value, None))).collect(),
        ),
        (Value::Number(seconds), Kind::Timestamp(own)) => {
            let seconds = seconds.as_f64().unwrap_or_default();
            match format.or(*own).unwrap_or(TimestampFormat::UnixTimestamp) {
                TimestampFormat::UnixTimestamp => scalar::number(seconds),
                format => Value::String(scalar::write_instant(seconds, format)),
            }
        }
        _ => value.clone(),
    }
}

fn query(service: &Service, operation: &OperationModel, output: &Output, request_id: &str) -> Response<Bytes> {
    let mut writer = XmlWriter::default();
    writer.root(&format!("{}Response", operation.name), service.xml_namespace, |writer| {
        if let (Some(wrapper), Some(shape)) = (operation.result_wrapper, operation.output) {
            writer.element(wrapper, |writer| writer.members(&output.members, shape));
        }
        writer.element("ResponseMetadata", |writer| writer.leaf("RequestId", request_id));
    });
    xml_body(writer)
}

fn xml_error(error: &ApiError, namespace: Option<&str>, request_id: &str) -> Response<Bytes> {
    let mut writer = XmlWriter::default();
    writer.root("ErrorResponse", namespace, |writer| {
        writer.element("Error", |writer| {
            writer.leaf("Type", if error.status().is_server_error() { "Receiver" } else { "Sender" });
            writer.leaf("Code", error.code());
            writer.leaf("Message", error.message());
        });
        writer.leaf("RequestId", request_id);
    });
    xml_body(writer)
}

fn rest_xml_error(error: &ApiError, request_id: &str) -> Response<Bytes> {
    let mut writer = XmlWriter::default();
    writer.root("Error", None, |writer| {
        writer.leaf("Code", error.code());
        writer.leaf("Message", error.message());
        writer.leaf("RequestId", request_id);
    });
    xml_body(writer)
}

fn typed_body(error: &ApiError) -> Value {
    let mut body = Map::from_iter([("__type".to_string(), error.code().into())]);
    body.extend(error.body());
    Value::Object(body)
}

/// A CBOR map of two texts: all that an rpc-v2 client needs in order to show an error.
fn cbor_error(error: &ApiError) -> Response<Bytes> {
    let mut body = vec![0xa2];
    for text in ["__type", error.code(), "message", error.message()] {
        match u8::try_from(text.len()) {
            Ok(length) => body.extend_from_slice(&[0x78, length]),
            Err(_) => {
                body.push(0x7a);
                body.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        body.extend_from_slice(text.as_bytes());
    }
    let mut response = with_type("application/cbor", body.into());
    response.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    response
}

fn json_body(content_type: &'static str, body: Value) -> Response<Bytes> {
    with_type(content_type, json_bytes(&body))
}

fn json_bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

fn xml_body(writer: XmlWriter) -> Response<Bytes> {
    with_type("text/xml", Bytes::from(writer.finish()))
}

fn with_type(content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn request_id_value(request_id: &str) -> HeaderValue {
    HeaderValue::from_str(request_id).unwrap_or(HeaderValue::from_static("unknown"))
}

fn header_name(name: &str) -> Result<HeaderName, ApiError> {
    HeaderName::try_from(name).map_err(ApiError::internal)
}

fn header_value(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(ApiError::internal)
}
