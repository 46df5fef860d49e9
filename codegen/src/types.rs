//! Writes the typed structs, one per reachable structure, and the values of enumerations as constants.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::botocore::{Reference, Shape};
use crate::names::{constant, field, snake_case};
use crate::selection::Service;

/// The file `types.rs`.
pub(crate) fn write(service: &Service) -> Result<String> {
    let mut body = String::new();
    for (name, shape) in service.structures() {
        refuse_recursion(service, name, name, &mut BTreeSet::new())?;
        write!(
            body,
            "\n/// The structure `{name}`.\n#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]\n#[serde(default)]\npub struct {name} {{\n"
        )?;
        for (member, reference) in shape.references()? {
            body.push_str(
                &member_field(service, shape, &member, &reference).with_context(|| format!("{name}.{member}"))?,
            );
        }
        body.push_str("}\n");
    }
    let mut header = String::from("//! The structures of implemented operations.\n\n");
    if body.contains("BTreeMap<") {
        header.push_str("use std::collections::BTreeMap;\n\n");
    }
    let used: Vec<&str> = ["Blob", "Sensitive", "Timestamp"]
        .into_iter()
        .filter(|word| {
            body.contains(&format!("{word}>"))
                || body.contains(&format!(": {word},"))
                || body.contains(&format!("{word}<"))
        })
        .collect();
    if !used.is_empty() {
        writeln!(header, "use base::shape::{{{}}};", used.join(", "))?;
    }
    header.push_str("use serde::{Deserialize, Serialize};\n");
    Ok(header + &body)
}

/// The file `values.rs`: a module of constants per enumeration.
pub(crate) fn write_enumerations(service: &Service) -> Result<String> {
    let mut out = String::from("//! The values that enumerations allow, as constants.\n");
    for name in &service.reachable {
        let shape = service.shape(name)?;
        if shape.enumeration.is_empty() {
            continue;
        }
        write!(out, "\n/// The values of `{name}`.\npub mod {} {{\n", field(name))?;
        for value in &shape.enumeration {
            write!(out, "/// The value `{value}`.\npub const {}: &str = {value:?};\n", constant(value))?;
        }
        write!(
            out,
            "/// All of them, in the order in which the service prints them.\npub const VALUES: &[&str] = &{:?};\n}}\n",
            shape.enumeration
        )?;
    }
    Ok(out)
}

fn member_field(service: &Service, owner: &Shape, name: &str, reference: &Reference) -> Result<String> {
    let required = owner.required.iter().any(|required| required == name);
    let mut rust = rust_type(service, &reference.shape)?;
    if service.is_sensitive(&reference.shape)? {
        rust = format!("Sensitive<{rust}>");
    }
    if !required {
        rust = format!("Option<{rust}>");
    }
    let identifier = field(name);
    let mut out = format!("/// {}\n", describe(service, name, reference, required)?);
    let mut attributes = Vec::new();
    if identifier.trim_start_matches("r#") != name {
        attributes.push(format!("rename = {name:?}"));
    }
    if !required {
        attributes.push("skip_serializing_if = \"Option::is_none\"".into());
    }
    if !attributes.is_empty() {
        writeln!(out, "#[serde({})]", attributes.join(", "))?;
    }
    writeln!(out, "pub {identifier}: {rust},")?;
    Ok(out)
}

/// A field's documentation: where the member travels and what it must satisfy.
fn describe(service: &Service, name: &str, reference: &Reference, required: bool) -> Result<String> {
    let shape = service.shape(&reference.shape)?;
    let mut facts = Vec::new();
    if required {
        facts.push("required".to_string());
    }
    let wire_name = reference.location_name.as_deref().unwrap_or(name);
    match reference.location.as_deref() {
        None if wire_name != name => facts.push(format!("`{wire_name}` on the wire")),
        None => {}
        Some("uri") => facts.push(format!("in the path as `{wire_name}`")),
        Some("querystring") => facts.push(format!("in the query as `{wire_name}`")),
        Some("header") => facts.push(format!("in the header `{wire_name}`")),
        Some("headers") => facts.push(format!("in headers that begin with `{wire_name}`")),
        Some("statusCode") => facts.push("the HTTP status".into()),
        Some(other) => bail!("unknown location {other}"),
    }
    let measure = if matches!(shape.kind.as_str(), "string" | "blob" | "list" | "map") { "length " } else { "" };
    match (shape.min, shape.max) {
        (Some(min), Some(max)) => facts.push(format!("{measure}{min} to {max}")),
        (Some(min), None) => facts.push(format!("{measure}{min} or more")),
        (None, Some(max)) => facts.push(format!("{measure}{max} or less")),
        (None, None) => {}
    }
    if !shape.enumeration.is_empty() {
        facts.push(format!("one of [`{0}`](crate::values::{0})", snake_case(&reference.shape)));
    }
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    Ok(format!("The member `{name}`{facts}."))
}

fn rust_type(service: &Service, name: &str) -> Result<String> {
    let shape = service.shape(name)?;
    Ok(match shape.kind.as_str() {
        "structure" if shape.document => bail!("document types are not handled yet"),
        "structure" => name.to_string(),
        "list" => {
            format!("Vec<{}>", rust_type(service, &shape.member.as_ref().context("a list without member")?.shape)?)
        }
        "map" => {
            let value = shape.value.as_ref().context("a map without value")?;
            let value = rust_type(service, &value.shape)?;
            match shape.nullable_values {
                true => format!("BTreeMap<String, Option<{value}>>"),
                false => format!("BTreeMap<String, {value}>"),
            }
        }
        "string" => "String".into(),
        "integer" => "i32".into(),
        "long" => "i64".into(),
        "double" | "float" => "f64".into(),
        "boolean" => "bool".into(),
        "timestamp" => "Timestamp".into(),
        "blob" => "Blob".into(),
        other => bail!("unknown type {other}"),
    })
}

/// A structure that holds itself directly would need a box; none that we implement does.
fn refuse_recursion(service: &Service, start: &str, name: &str, seen: &mut BTreeSet<String>) -> Result<()> {
    for (_, reference) in service.shape(name)?.references()? {
        let target = service.shape(&reference.shape)?;
        if target.kind != "structure" || !seen.insert(reference.shape.clone()) {
            continue;
        }
        if reference.shape == start {
            bail!("structure {start} holds itself; the generator has no boxes yet");
        }
        refuse_recursion(service, start, &reference.shape, seen)?;
    }
    Ok(())
}
