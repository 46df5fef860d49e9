//! What is generated: the operations that were asked for, the shapes they reach, and where AWS differs from its model.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::botocore::{Model, Shape};

/// `operations.toml`: services and the operations that we implement.
pub(crate) type Selection = BTreeMap<String, Selected>;

/// What is asked for of one service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selected {
    /// The model's version, a date.
    pub(crate) version: String,
    /// Names of operations.
    pub(crate) operations: BTreeSet<String>,
}

/// `overrides.toml`: services and what AWS does otherwise than its model says.
pub(crate) type Overrides = BTreeMap<String, Override>;

/// What AWS does otherwise in one service.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Override {
    /// `operation-input` where messages spell members of the body `putIntegrationInput.type`.
    pub(crate) path_style: Option<String>,
    /// Whether messages end the rules of elements with `Member must not be null`.
    pub(crate) elements_not_null: bool,
    /// The order in which allowed values are printed, by shape.
    pub(crate) enumerations: BTreeMap<String, Vec<String>>,
    /// Shapes whose values are not checked against their enumeration, because the service does it later in other words.
    pub(crate) unchecked_enumerations: BTreeSet<String>,
    /// Patterns by shape.
    pub(crate) patterns: BTreeMap<String, String>,
    /// Texts to replace in every pattern.
    pub(crate) pattern_parts: BTreeMap<String, String>,
    /// Bounds by shape; a bound that is left away is unbounded.
    pub(crate) bounds: BTreeMap<String, Bounds>,
    /// Statuses of success by operation.
    pub(crate) statuses: BTreeMap<String, u16>,
    /// Maps of text whose values may be null, as `Structure.member`.
    pub(crate) nullable_values: BTreeSet<String>,
}

/// Bounds on a value or a length.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounds {
    /// The least.
    pub(crate) min: Option<f64>,
    /// The greatest.
    pub(crate) max: Option<f64>,
}

/// One service, ready to be written.
pub(crate) struct Service {
    /// The model's folder name, `apigateway`.
    pub(crate) name: String,
    /// The model, with the overrides worked in.
    pub(crate) model: Model,
    /// The operations that were asked for.
    pub(crate) selected: BTreeSet<String>,
    /// The shapes that they reach through inputs and outputs.
    pub(crate) reachable: BTreeSet<String>,
    /// How validation messages spell the way to a member.
    pub(crate) path_style: &'static str,
    /// Whether messages end the rules of elements with `Member must not be null`.
    pub(crate) elements_not_null: bool,
}

impl Service {
    /// Works the overrides into the model and finds what the selected operations reach.
    pub(crate) fn new(name: &str, mut model: Model, selected: &Selected, change: &Override) -> Result<Service> {
        apply(&mut model, change).with_context(|| format!("in the overrides of {name}"))?;
        let mut reachable = BTreeSet::new();
        for operation in &selected.operations {
            let found = model.operations.get(operation);
            let found = found.with_context(|| format!("{name} has no operation {operation}"))?;
            for reference in found.input.iter().chain(&found.output) {
                reach(&model, &reference.shape, &mut reachable)?;
            }
        }
        let path_style = match change.path_style.as_deref() {
            Some("operation-input") => "OperationInput",
            None => "Bare",
            Some(other) => bail!("unknown path style {other}"),
        };
        Ok(Service {
            name: name.into(),
            model,
            selected: selected.operations.clone(),
            reachable,
            path_style,
            elements_not_null: change.elements_not_null,
        })
    }

    /// The shape called `name`.
    pub(crate) fn shape(&self, name: &str) -> Result<&Shape> {
        self.model.shapes.get(name).with_context(|| format!("{} has no shape {name}", self.name))
    }

    /// Whether values of the shape must not be shown: it, its elements or its entries are sensitive.
    pub(crate) fn is_sensitive(&self, name: &str) -> Result<bool> {
        let shape = self.shape(name)?;
        if shape.sensitive {
            return Ok(true);
        }
        for part in [&shape.member, &shape.key, &shape.value].into_iter().flatten() {
            if self.is_sensitive(&part.shape)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The reachable structures, by name.
    pub(crate) fn structures(&self) -> impl Iterator<Item = (&String, &Shape)> {
        self.reachable
            .iter()
            .filter_map(|name| self.model.shapes.get_key_value(name))
            .filter(|(_, shape)| shape.kind == "structure" && !shape.document)
    }
}

fn apply(model: &mut Model, change: &Override) -> Result<()> {
    for shape in model.shapes.values_mut() {
        if let Some(pattern) = &mut shape.pattern {
            for (from, to) in &change.pattern_parts {
                *pattern = pattern.replace(from, to);
            }
        }
    }
    for (name, pattern) in &change.patterns {
        named(model, name)?.pattern = Some(pattern.clone());
    }
    for (name, bounds) in &change.bounds {
        let shape = named(model, name)?;
        (shape.min, shape.max) = (bounds.min, bounds.max);
    }
    for (name, order) in &change.enumerations {
        let shape = named(model, name)?;
        let (known, ordered): (BTreeSet<_>, BTreeSet<_>) = (shape.enumeration.iter().collect(), order.iter().collect());
        if !ordered.is_subset(&known) {
            bail!("the order of {name} has values that the model does not know");
        }
        // A value that is newer than the recording goes last.
        let newer: Vec<String> = known.difference(&ordered).copied().cloned().collect();
        shape.enumeration = order.iter().cloned().chain(newer).collect();
    }
    for (operation, status) in &change.statuses {
        let found = model.operations.get_mut(operation);
        found.with_context(|| format!("no operation {operation}"))?.http.response_code = Some(*status);
    }
    for name in &change.unchecked_enumerations {
        named(model, name)?.unchecked = true;
    }
    change.nullable_values.iter().try_for_each(|place| allow_null_values(model, place))
}

/// Gives the map member at `place` (`Structure.member`) a shape of its own, whose values may be null.
fn allow_null_values(model: &mut Model, place: &str) -> Result<()> {
    let (owner, member) = place.split_once('.').with_context(|| format!("{place} is not Structure.member"))?;
    let reference = named(model, owner)?.members.get_mut(member);
    let name = reference.with_context(|| format!("no member {place}"))?.get_mut("shape");
    let name = name.with_context(|| format!("member {place} has no shape"))?;
    let shape = name.as_str().unwrap_or_default().to_owned();
    let nullable = format!("{shape}OrNull");
    *name = nullable.clone().into();
    let map = named(model, &shape)?;
    if map.kind != "map" {
        bail!("{place} is not a map");
    }
    let copy = Shape { nullable_values: true, ..map.clone() };
    model.shapes.insert(nullable, copy);
    Ok(())
}

fn named<'m>(model: &'m mut Model, name: &str) -> Result<&'m mut Shape> {
    model.shapes.get_mut(name).with_context(|| format!("no shape {name}"))
}

fn reach(model: &Model, name: &str, reachable: &mut BTreeSet<String>) -> Result<()> {
    if !reachable.insert(name.to_string()) {
        return Ok(());
    }
    let shape = model.shapes.get(name).with_context(|| format!("no shape {name}"))?;
    for (_, reference) in shape.references()? {
        reach(model, &reference.shape, reachable)?;
    }
    for part in [&shape.member, &shape.key, &shape.value].into_iter().flatten() {
        reach(model, &part.shape, reachable)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = r#"{
        "metadata": {"apiVersion": "1", "endpointPrefix": "notes", "protocol": "rest-json", "serviceFullName": "Notes"},
        "operations": {
            "Put": {"http": {"method": "PUT", "requestUri": "/"}, "input": {"shape": "PutRequest"}},
            "Get": {"http": {"method": "GET", "requestUri": "/"}, "output": {"shape": "Other"}}
        },
        "shapes": {
            "PutRequest": {"type": "structure", "members": {"Kind": {"shape": "Kind"}, "Secrets": {"shape": "Secrets"},
                "Texts": {"shape": "Texts"}, "Others": {"shape": "Texts"}}},
            "Kind": {"type": "string", "enum": ["a", "b", "c"], "pattern": "[a-z]{2}-x"},
            "Secrets": {"type": "list", "member": {"shape": "Secret"}},
            "Secret": {"type": "string", "sensitive": true},
            "Texts": {"type": "map", "key": {"shape": "Kind"}, "value": {"shape": "Kind"}},
            "Other": {"type": "structure", "members": {}}
        }
    }"#;

    fn service(operations: &[&str], overrides: &str) -> Result<Service> {
        let operations = operations.iter().map(ToString::to_string).collect();
        let selected = Selected { version: "1".into(), operations };
        Service::new("notes", serde_json::from_str(MODEL)?, &selected, &toml::from_str(overrides)?)
    }

    #[test]
    fn only_what_selected_operations_reach_is_generated() {
        let service = service(&["Put"], "").unwrap();
        let reachable: Vec<&str> = service.reachable.iter().map(String::as_str).collect();
        assert_eq!(reachable, ["Kind", "PutRequest", "Secret", "Secrets", "Texts"]);
        assert!(service.is_sensitive("Secrets").unwrap());
        assert!(!service.is_sensitive("Kind").unwrap());
    }

    #[test]
    fn overrides_change_the_model() {
        let overrides = r#"
            enumerations = { Kind = ["c", "a"] }
            pattern_parts = { "[a-z]{2}" = "[a-z]{3}" }
            statuses = { Put = 201 }
        "#;
        let service = service(&["Put"], overrides).unwrap();
        assert_eq!(service.shape("Kind").unwrap().enumeration, ["c", "a", "b"]);
        assert_eq!(service.shape("Kind").unwrap().pattern.as_deref(), Some("[a-z]{3}-x"));
        assert_eq!(service.model.operations["Put"].http.response_code, Some(201));
    }

    #[test]
    fn a_member_that_may_hold_null_gets_a_shape_of_its_own() {
        let service = service(&["Put"], "nullable_values = [\"PutRequest.Texts\"]").unwrap();
        assert!(service.shape("TextsOrNull").unwrap().nullable_values);
        assert!(!service.shape("Texts").unwrap().nullable_values);
        let reachable: Vec<&str> = service.reachable.iter().map(String::as_str).collect();
        assert_eq!(reachable, ["Kind", "PutRequest", "Secret", "Secrets", "Texts", "TextsOrNull"]);
    }

    #[test]
    fn names_that_the_model_does_not_have_are_refused() {
        assert!(service(&["Jump"], "").is_err());
        for overrides in [
            "statuses = { Jump = 201 }",
            "enumerations = { Kind = [\"z\"] }",
            "patterns = { Nothing = \"x\" }",
            "unchecked_enumerations = [\"Nothing\"]",
            "path_style = \"other\"",
            "nullable_values = [\"PutRequest.Nothing\"]",
            "nullable_values = [\"PutRequest.Kind\"]",
            "unknown = 1",
        ] {
            assert!(service(&["Put"], overrides).is_err(), "{overrides}");
        }
    }
}
