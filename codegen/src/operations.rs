//! Writes the operations: their table, a type for each implemented one, and the errors.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::botocore::{Operation, Reference, Shape};
use crate::names::{constant, field};
use crate::selection::Service;

/// The file `operations.rs`: a type per implemented operation, with its entry of the table.
pub(crate) fn write(service: &Service) -> Result<String> {
    let mut body = String::new();
    for name in &service.selected {
        let operation = &service.model.operations[name];
        let (input, output) = (type_name(operation.input.as_ref()), type_name(operation.output.as_ref()));
        write!(
            body,
            "\n/// The operation `{name}`: `{} {}`.\n#[derive(Clone, Copy, Debug)]\npub struct {name};\n\nimpl Operation for {name} {{\n type Input = {input};\n type Output = {output};\n const MODEL: &'static OperationModel = &crate::service::{};\n{}{}}}\n",
            operation.http.method,
            operation.http.request_uri,
            constant(name),
            set_payload(service, operation)?,
            take_payload(service, operation)?,
        )?;
    }
    let header = "//! A type for each implemented operation.\n\nuse base::shape::{Operation, OperationModel};\n\nuse crate::types::*;\n";
    Ok(format!("{header}{body}"))
}

/// The file `service.rs`: the table of the service.
pub(crate) fn write_table(service: &Service) -> Result<String> {
    let metadata = &service.model.metadata;
    let mut body = String::new();
    for (name, operation) in &service.model.operations {
        write!(
            body,
            "\npub(crate) static {}: OperationModel = {};\n",
            constant(name),
            entry(service, name, operation)
        )?;
    }
    let protocol = match (metadata.protocol.as_str(), metadata.json_version.as_deref()) {
        ("rest-json", _) => "RestJson",
        ("query", _) => "Query",
        ("json", Some("1.0")) => "Json10",
        ("json", _) => "Json11",
        (other, _) => bail!("protocol {other} is not handled yet"),
    };
    let references: Vec<String> = service.model.operations.keys().map(|name| format!("&{}", constant(name))).collect();
    let imports = match body.contains("&errors::") {
        true => "use crate::{errors, shapes};",
        false => "use crate::shapes;",
    };
    Ok(format!(
        "//! The table of {}: every operation, and how it is called.\n\nuse base::shape::{{OperationModel, PathStyle, Protocol, Service}};\n\n{imports}\n\n\
         /// {}, version {}.\npub static SERVICE: Service = Service {{ name: {:?}, signing_name: {:?}, version: {:?}, protocol: Protocol::{protocol}, \
         target_prefix: {:?}, xml_namespace: {:?}, path_style: PathStyle::{}, elements_not_null: {}, operations: &[{}] }};\n{body}",
        metadata.service_full_name,
        metadata.service_full_name,
        metadata.api_version,
        service.name,
        metadata.signing_name.as_deref().unwrap_or(&metadata.endpoint_prefix),
        metadata.api_version,
        metadata.target_prefix,
        metadata.xml_namespace,
        service.path_style,
        service.elements_not_null,
        references.join(", "),
    ))
}

/// The file `errors.rs`: every error of the service.
pub(crate) fn write_errors(service: &Service) -> Result<String> {
    let mut out = String::from(
        "//! The errors of the service: codes, statuses and the spelling of their bodies.\n\nuse base::shape::ErrorModel;\n",
    );
    for (name, shape) in service.model.shapes.iter().filter(|(_, shape)| shape.exception) {
        let details = shape.error.as_ref();
        let code = details.and_then(|details| details.code.as_deref()).unwrap_or(name);
        let status =
            details.and_then(|details| details.http_status_code).unwrap_or(if shape.fault { 500 } else { 400 });
        let message_member = if shape.members.contains_key("Message") { "Message" } else { "message" };
        write!(
            out,
            "\n/// `{code}`, status {status}.\npub static {}: ErrorModel = ErrorModel {{ code: {code:?}, status: {status}, message_member: {message_member:?}, has_type: {}, fault: {} }};\n",
            constant(name),
            shape.members.contains_key("Type"),
            shape.fault || status >= 500,
        )?;
    }
    Ok(out)
}

fn entry(service: &Service, name: &str, operation: &Operation) -> String {
    let implemented = service.selected.contains(name);
    let shape = |reference: &Option<Reference>| match reference {
        Some(reference) if implemented => format!("Some(&shapes::{})", constant(&reference.shape)),
        _ => "None".into(),
    };
    let errors: Vec<String> = match implemented {
        true => operation.errors.iter().map(|error| format!("&errors::{}", constant(&error.shape))).collect(),
        false => Vec::new(),
    };
    format!(
        "OperationModel {{ name: {name:?}, method: {:?}, uri: {:?}, status: {}, implemented: {implemented}, input: {}, output: {}, result_wrapper: {:?}, errors: &[{}] }}",
        operation.http.method,
        operation.http.request_uri,
        operation.http.response_code.unwrap_or(200),
        shape(&operation.input),
        shape(&operation.output),
        operation.output.as_ref().and_then(|output| output.result_wrapper.as_ref()),
        errors.join(", "),
    )
}

fn type_name(reference: Option<&Reference>) -> &str {
    reference.map_or("()", |reference| reference.shape.as_str())
}

/// The payload member of a structure when it is bytes rather than a structure.
fn bytes_payload<'s>(
    service: &'s Service,
    reference: Option<&Reference>,
) -> Result<Option<(&'s Shape, String, String)>> {
    let Some(reference) = reference else { return Ok(None) };
    let shape = service.shape(&reference.shape)?;
    let Some(payload) = &shape.payload else { return Ok(None) };
    let found = shape.references()?.into_iter().find(|(name, _)| name == payload);
    let Some((name, member)) = found else { bail!("payload {payload} is no member") };
    Ok((service.shape(&member.shape)?.kind == "blob").then_some((shape, name, member.shape)))
}

fn set_payload(service: &Service, operation: &Operation) -> Result<String> {
    let Some((owner, name, shape)) = bytes_payload(service, operation.input.as_ref())? else {
        return Ok(String::new());
    };
    let mut value = String::from("base::shape::Blob(body)");
    if service.is_sensitive(&shape)? {
        value = format!("base::shape::Sensitive({value})");
    }
    if !owner.required.contains(&name) {
        value = format!("Some({value})");
    }
    Ok(format!(
        "\nfn set_payload(input: &mut Self::Input, body: bytes::Bytes) {{ input.{} = {value}; }}\n",
        field(&name)
    ))
}

fn take_payload(service: &Service, operation: &Operation) -> Result<String> {
    let Some((owner, name, shape)) = bytes_payload(service, operation.output.as_ref())? else {
        return Ok(String::new());
    };
    let inner = if service.is_sensitive(&shape)? { "blob.0.0" } else { "blob.0" };
    let taken = match owner.required.contains(&name) {
        true => format!("let blob = std::mem::take(&mut output.{}); Some({inner})", field(&name)),
        false => format!("output.{}.take().map(|blob| {inner})", field(&name)),
    };
    Ok(format!("\nfn take_payload(output: &mut Self::Output) -> Option<bytes::Bytes> {{ {taken} }}\n"))
}
