//! Whether a value is as a schema says, in the order and the words of the service's validator, within bounds.
//!
//! The order: of one value the keywords by name, `format` last; then, if nothing is wrong so far, its elements, or its
//! members by name. What `allOf`, `anyOf`, `oneOf` and `not` find is counted, not told.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::document::{Json, Members};

use super::Invalid;
use super::node::{Additional, Dependency, Items, Keywords, Node, NodeId, Object, type_of};
use super::number::{compare, is_multiple, is_same, push_canonical};
use super::pattern::Pattern;

/// How much work one value may be: looks at a schema, a member or some text. Some tenths of a second.
const MAX_STEPS: usize = 20_000_000;
/// How deep schemas may lead into each other.
const MAX_DEPTH: usize = 512;
/// How many texts are gathered; what is wrong after that is not looked for.
const MAX_TEXTS: usize = 100;
/// The longest text about one thing that is wrong, in bytes; longer ones are cut.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// Validates a value by a node.
pub(super) fn validate(nodes: &[Node], root: NodeId, instance: &Json<'_>) -> Result<(), Invalid> {
    let mut evaluation = Evaluation { nodes, steps: 0 };
    let mut report = Report { failed: false, texts: Some(Vec::new()) };
    match evaluation.node(root, instance, 0, &mut report) {
        Err(Stop::Unusable(reason)) => Err(Invalid::Unusable(reason)),
        Err(Stop::Decided) => Err(Invalid::Mismatch(report.texts.unwrap_or_default())),
        Ok(()) if report.failed => Err(Invalid::Mismatch(report.texts.unwrap_or_default())),
        Ok(()) => Ok(()),
    }
}

/// Why the evaluation ends before its time.
enum Stop {
    /// Enough is wrong.
    Decided,
    /// The schema cannot be used, or not for this value.
    Unusable(String),
}

/// What has been found wrong.
struct Report {
    failed: bool,
    /// Absent where only the outcome counts.
    texts: Option<Vec<String>>,
}

impl Report {
    fn fail(&mut self, text: impl FnOnce() -> String) -> Result<(), Stop> {
        self.failed = true;
        let Some(texts) = &mut self.texts else { return Err(Stop::Decided) };
        let mut text = text();
        if text.len() > MAX_TEXT_BYTES {
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
            text.push_str("...");
        }
        texts.push(text);
        if texts.len() < MAX_TEXTS { Ok(()) } else { Err(Stop::Decided) }
    }
}

struct Evaluation<'n> {
    nodes: &'n [Node],
    steps: usize,
}

type Outcome = Result<(), Stop>;

impl<'n> Evaluation<'n> {
    fn spend(&mut self, steps: usize) -> Outcome {
        self.steps = self.steps.saturating_add(steps);
        if self.steps <= MAX_STEPS {
            Ok(())
        } else {
            Err(Stop::Unusable("the model is too much work for this body".into()))
        }
    }

    fn node(&mut self, id: NodeId, instance: &Json<'_>, depth: usize, report: &mut Report) -> Outcome {
        self.spend(1)?;
        if depth > MAX_DEPTH {
            return Err(Stop::Unusable("the model leads into itself without an end".into()));
        }
        let nodes = self.nodes;
        match &nodes[id] {
            Node::Reference(other) => self.node(*other, instance, depth + 1, report),
            Node::Broken(reason) => Err(Stop::Unusable(reason.to_string())),
            Node::Keywords(keywords) => {
                self.keywords(keywords, instance, depth, report)?;
                if report.failed {
                    return Ok(());
                }
                match instance {
                    Json::Array(items) => self.elements(keywords, items, depth, report),
                    Json::Object(members) => self.members(&keywords.object, members, depth, report),
                    _ => Ok(()),
                }
            }
        }
    }

    /// What a schema says of a value itself, keyword by keyword in the order of their names.
    fn keywords(&mut self, schema: &'n Keywords, instance: &Json<'_>, depth: usize, report: &mut Report) -> Outcome {
        match instance {
            Json::Array(items) => check_additional_items(schema, items, report)?,
            Json::Object(members) => self.additional_members(&schema.object, members, report)?,
            _ => {}
        }
        self.combined(schema, instance, depth, report)?;
        if let Json::Object(members) = instance {
            self.dependencies(&schema.object, members, instance, depth, report)?;
        }
        if let Some(values) = &schema.enumeration {
            self.enumeration(values, instance, report)?;
        }
        check_sizes(schema, instance, report)?;
        if schema.multiple_of.is_some() || schema.minimum.is_some() || schema.maximum.is_some() {
            check_number(schema, instance, report)?;
        }
        self.negation_and_choice(schema, instance, depth, report)?;
        if let (Some(pattern), Json::Text(text)) = (&schema.pattern, instance)
            && !self.is_found(pattern, text)?
        {
            report.fail(|| format!("ECMA 262 regex \"{}\" does not match input string \"{text}\"", pattern.source))?;
        }
        if let Json::Object(members) = instance {
            check_required(&schema.object, members, report)?;
        }
        if let Some(types) = schema.types {
            let found = type_of(instance);
            if !types.contains(found) {
                report.fail(|| {
                    let allowed = list(types.names());
                    format!("instance type ({found}) does not match any allowed primitive type (allowed: {allowed})")
                })?;
            }
        }
        if let (true, Json::Array(items)) = (schema.array.unique, instance)
            && !self.are_unique(items)?
        {
            report.fail(|| "array must not contain duplicate elements".into())?;
        }
        if let (Some(format), Json::Text(text)) = (schema.format, instance) {
            self.spend(format.steps(text))?;
            if let Some(problem) = format.problem(text) {
                report.fail(|| problem)?;
            }
        }
        Ok(())
    }

    /// `allOf` and `anyOf`.
    fn combined(&mut self, schema: &'n Keywords, instance: &Json<'_>, depth: usize, report: &mut Report) -> Outcome {
        if let Some(parts) = &schema.all_of {
            let matched = self.count(parts, instance, depth)?;
            if matched < parts.len() {
                let of = parts.len();
                report.fail(|| {
                    format!("instance failed to match all required schemas (matched only {matched} out of {of})")
                })?;
            }
        }
        if let Some(parts) = &schema.any_of {
            let mut found = false;
            for part in parts {
                found = found || self.matches(*part, instance, depth)?;
            }
            if !found {
                let of = parts.len();
                report.fail(|| format!("instance failed to match at least one required schema among {of}"))?;
            }
        }
        Ok(())
    }

    /// `not` and `oneOf`.
    fn negation_and_choice(
        &mut self,
        schema: &'n Keywords,
        instance: &Json<'_>,
        depth: usize,
        report: &mut Report,
    ) -> Outcome {
        if let Some(part) = schema.not
            && self.matches(part, instance, depth)?
        {
            report.fail(|| "instance matched a schema which it should not have".into())?;
        }
        if let Some(parts) = &schema.one_of {
            let matched = self.count(parts, instance, depth)?;
            if matched != 1 {
                let of = parts.len();
                report
                    .fail(|| format!("instance failed to match exactly one schema (matched {matched} out of {of})"))?;
            }
        }
        Ok(())
    }

    fn count(&mut self, parts: &[NodeId], instance: &Json<'_>, depth: usize) -> Result<usize, Stop> {
        parts.iter().try_fold(0, |count, part| Ok(count + usize::from(self.matches(*part, instance, depth)?)))
    }

    /// Whether the value is as the schema says; nobody is told what is wrong.
    fn matches(&mut self, id: NodeId, instance: &Json<'_>, depth: usize) -> Result<bool, Stop> {
        let mut report = Report { failed: false, texts: None };
        match self.node(id, instance, depth + 1, &mut report) {
            Err(Stop::Unusable(reason)) => Err(Stop::Unusable(reason)),
            Err(Stop::Decided) => Ok(false),
            Ok(()) => Ok(!report.failed),
        }
    }

    fn is_found(&mut self, pattern: &Pattern, text: &str) -> Result<bool, Stop> {
        self.spend(pattern.steps(text))?;
        pattern.regex.is_found(text).ok_or_else(|| {
            Stop::Unusable(format!("the pattern {} is too much work for a text of this body", pattern.source))
        })
    }

    fn enumeration(&mut self, values: &[Json<'static>], instance: &Json<'_>, report: &mut Report) -> Outcome {
        self.spend(values.len())?;
        if values.iter().any(|value| is_same(value, instance)) {
            return Ok(());
        }
        report.fail(|| {
            let possible = Json::Array(values.to_vec());
            format!("instance value ({instance}) not found in enum (possible values: {possible})")
        })
    }

    fn are_unique(&mut self, items: &[Json<'_>]) -> Result<bool, Stop> {
        let mut seen = HashSet::with_capacity(items.len());
        for item in items {
            let mut text = String::new();
            push_canonical(item, &mut text);
            self.spend(1 + text.len() / 16)?;
            if !seen.insert(text) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Members that no keyword knows, where they are forbidden.
    fn additional_members(&mut self, schema: &'n Object, members: &Members<'_>, report: &mut Report) -> Outcome {
        if !matches!(schema.additional, Additional::Forbidden) {
            return Ok(());
        }
        let mut unknown = Vec::new();
        for (name, _) in members.iter() {
            if find(&schema.properties, name).is_none() && !self.has_pattern(schema, name)? {
                unknown.push(name);
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        unknown.sort_unstable();
        report.fail(|| {
            format!("object instance has properties which are not allowed by the schema: {}", list(unknown.into_iter()))
        })
    }

    fn has_pattern(&mut self, schema: &'n Object, name: &str) -> Result<bool, Stop> {
        for (pattern, _) in &schema.patterns {
            if self.is_found(pattern, name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn dependencies(
        &mut self,
        schema: &'n Object,
        members: &Members<'_>,
        instance: &Json<'_>,
        depth: usize,
        report: &mut Report,
    ) -> Outcome {
        for (name, dependency) in &schema.dependencies {
            if members.get(name).is_none() {
                continue;
            }
            match dependency {
                Dependency::Schema(part) => self.node(*part, instance, depth + 1, report)?,
                Dependency::Members(names) => {
                    let missing: Vec<&str> =
                        names.iter().map(|name| &**name).filter(|name| members.get(name).is_none()).collect();
                    if !missing.is_empty() {
                        report.fail(|| {
                            let (all, missing) = (list(names.iter().map(|name| &**name)), list(missing.into_iter()));
                            format!(
                                "property \"{name}\" of object has missing property dependencies (schema requires \
                                 {all}; missing: {missing})"
                            )
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    fn elements(&mut self, schema: &'n Keywords, items: &[Json<'_>], depth: usize, report: &mut Report) -> Outcome {
        for (place, item) in items.iter().enumerate() {
            let part = match &schema.array.items {
                Items::Any => return Ok(()),
                Items::All(part) => Some(*part),
                Items::Each(parts) => parts.get(place).copied().or(match schema.array.additional {
                    Additional::Schema(part) => Some(part),
                    _ => None,
                }),
            };
            let Some(part) = part else { return Ok(()) };
            self.node(part, item, depth + 1, report)?;
        }
        Ok(())
    }

    fn members(&mut self, schema: &'n Object, members: &Members<'_>, depth: usize, report: &mut Report) -> Outcome {
        if !schema.looks_at_members() {
            return Ok(());
        }
        let mut sorted: Vec<(&str, &Json<'_>)> = members.iter().collect();
        sorted.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in sorted {
            self.spend(1)?;
            let mut is_known = false;
            if let Some(part) = find(&schema.properties, name) {
                is_known = true;
                self.node(part, value, depth + 1, report)?;
            }
            for (pattern, part) in &schema.patterns {
                if self.is_found(pattern, name)? {
                    is_known = true;
                    self.node(*part, value, depth + 1, report)?;
                }
            }
            if let (false, Additional::Schema(part)) = (is_known, schema.additional) {
                self.node(part, value, depth + 1, report)?;
            }
        }
        Ok(())
    }
}

fn find(properties: &[(Box<str>, NodeId)], name: &str) -> Option<NodeId> {
    properties.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|place| properties[place].1)
}

fn check_additional_items(schema: &Keywords, items: &[Json<'_>], report: &mut Report) -> Outcome {
    match (&schema.array.items, schema.array.additional) {
        (Items::Each(parts), Additional::Forbidden) if items.len() > parts.len() => report.fail(|| {
            let (allowed, found) = (parts.len(), items.len());
            format!("schema only allows {allowed} elements in array but instance has {found} elements")
        }),
        _ => Ok(()),
    }
}

/// The bounds of lengths; no two of them concern the same kind of value, but for a least and a most.
fn check_sizes(schema: &Keywords, instance: &Json<'_>, report: &mut Report) -> Outcome {
    match instance {
        Json::Array(items) => {
            let found = items.len();
            if let Some(most) = schema.array.max.filter(|most| found > *most) {
                report.fail(|| {
                    format!("array is too long: must have at most {most} elements but instance has {found} elements")
                })?;
            }
            if let Some(least) = schema.array.min.filter(|least| found < *least) {
                report.fail(|| {
                    format!("array is too short: must have at least {least} elements but instance has {found} elements")
                })?;
            }
        }
        Json::Object(members) => {
            let found = members.len();
            if let Some(most) = schema.object.max.filter(|most| found > *most) {
                report.fail(|| {
                    format!("object has too many properties (found {found} but schema requires at most {most})")
                })?;
            }
            if let Some(least) = schema.object.min.filter(|least| found < *least) {
                report.fail(|| {
                    format!("object has too few properties (found {found} but schema requires at least {least})")
                })?;
            }
        }
        Json::Text(text) if schema.max_length.is_some() || schema.min_length.is_some() => {
            let found = text.chars().count();
            if let Some(most) = schema.max_length.filter(|most| found > *most) {
                report.fail(|| format!("string \"{text}\" is too long (length: {found}, maximum allowed: {most})"))?;
            }
            if let Some(least) = schema.min_length.filter(|least| found < *least) {
                report
                    .fail(|| format!("string \"{text}\" is too short (length: {found}, required minimum: {least})"))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `maximum`, `minimum` and `multipleOf`; other values than numbers are beyond them.
fn check_number(schema: &Keywords, instance: &Json<'_>, report: &mut Report) -> Outcome {
    if let Some(bound) = &schema.maximum {
        match compare(instance, &bound.value) {
            Some(Ordering::Greater) => report.fail(|| {
                let most = &bound.value;
                format!("numeric instance is greater than the required maximum (maximum: {most}, found: {instance})")
            })?,
            Some(Ordering::Equal) if bound.is_exclusive => report
                .fail(|| format!("numeric instance is not strictly lower than the required maximum {}", bound.value))?,
            _ => {}
        }
    }
    if let Some(bound) = &schema.minimum {
        match compare(instance, &bound.value) {
            Some(Ordering::Less) => report.fail(|| {
                let least = &bound.value;
                format!("numeric instance is lower than the required minimum (minimum: {least}, found: {instance})")
            })?,
            Some(Ordering::Equal) if bound.is_exclusive => report.fail(|| {
                format!("numeric instance is not strictly greater than the required minimum {}", bound.value)
            })?,
            _ => {}
        }
    }
    if let Some(of) = &schema.multiple_of
        && instance.as_f64().is_some()
        && !is_multiple(instance, of)
    {
        report.fail(|| format!("remainder of division is not zero ({instance} / {of})"))?;
    }
    Ok(())
}

fn check_required(schema: &Object, members: &Members<'_>, report: &mut Report) -> Outcome {
    let is_missing = |name: &&str| members.get(name).is_none();
    let missing: Vec<&str> = schema.required.iter().map(|name| &**name).filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    report.fail(|| format!("object has missing required properties ({})", list(missing.into_iter())))
}

/// Names as a JSON array.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    Json::Array(names.map(|name| Json::Text(name.into())).collect()).to_string()
}
