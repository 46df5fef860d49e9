//! The small parts of an integration: templates, mappings, patterns.

use std::collections::BTreeMap;

use http::{HeaderName, StatusCode};
use plan::integration::ContentHandling as PlannedHandling;
use plan::spelling::is_usual;
use plan::{AccessLog, GatewayResponsePlan, GatewayResponses, ResponsePlan};
use templates::java_regex::JavaRegex;
use templates::mapping::{Source, Target};
use templates::plain::PlainTemplate;
use templates::vtl::Template;

use crate::rows::{self, GatewayResponse, IntegrationResponse, MethodResponse, Templates};
use crate::words::ContentHandling;

/// A template that parses and never renders: it stands for one that does not parse, so that only those requests fail
/// that choose it, as on AWS.
const UNRENDERABLE: &str = "$util.parseJson('{')";

/// Templates by media type; empty ones are as if they were not there.
pub(super) fn templates(templates: Option<&Templates>) -> Vec<(Box<str>, Template)> {
    let given = templates.into_iter().flatten().filter_map(|(kind, text)| Some((kind, text.as_deref()?)));
    given.filter_map(|(kind, text)| Some((kind.as_str().into(), template(text)?))).collect()
}

fn template(text: &str) -> Option<Template> {
    Template::parse(text)
        .or_else(|error| {
            tracing::warn!(%error, "a mapping template cannot be parsed; requests that choose it will fail");
            Template::parse(UNRENDERABLE)
        })
        .ok()
}

/// What a stage logs, where it says both where to and what.
pub(super) fn access_log(log: &rows::AccessLog) -> Option<Box<AccessLog>> {
    let (group, format) = (log.destination_arn.as_deref()?, log.format.as_deref()?);
    let format = PlainTemplate::parse(format.trim_end_matches(['\r', '\n']));
    Some(Box::new(AccessLog { group_arn: group.into(), format }))
}

/// The mappings of a request. What cannot be read was refused when it was stored.
pub(super) fn request_mappings(mappings: Option<&BTreeMap<String, String>>) -> Vec<(Target, Source)> {
    let given = mappings.into_iter().flatten();
    given.filter_map(|(key, value)| Some((Target::parse(key).ok()?, Source::parse_request(value).ok()?))).collect()
}

/// A conversion of the body, in the plan's words.
pub(super) fn content_handling(handling: Option<ContentHandling>) -> Option<PlannedHandling> {
    handling.map(|handling| match handling {
        ContentHandling::ToBinary => PlannedHandling::ToBinary,
        ContentHandling::ToText => PlannedHandling::ToText,
    })
}

/// The integration responses by rising status; of several that match, the first one answers.
///
/// `declared` has the statuses of the method's responses.
pub(super) fn responses(
    responses: &BTreeMap<String, IntegrationResponse>,
    declared: &BTreeMap<String, MethodResponse>,
) -> Vec<ResponsePlan> {
    // Status codes are three digits, so the order of their texts is that of the numbers.
    let planned = responses
        .iter()
        .filter_map(|(status, response)| response_plan(status, declared.contains_key(status), response));
    planned.collect()
}

fn response_plan(status: &str, is_declared: bool, response: &IntegrationResponse) -> Option<ResponsePlan> {
    let selection = match response.selection_pattern.as_deref() {
        None | Some("") => None,
        Some(pattern) => match JavaRegex::parse(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                tracing::warn!(%error, status, "a selection pattern cannot be read; its response is never chosen");
                return None;
            }
        },
    };
    Some(ResponsePlan {
        status: StatusCode::from_bytes(status.as_bytes()).ok()?,
        is_declared,
        selection,
        headers: response_headers(response),
        spelled: unusual(response.parameters.iter().flatten(), "method.response.header."),
        templates: templates(response.templates.as_ref()),
        content_handling: content_handling(response.content_handling),
    })
}

/// The names of mapped headers that are not written as usual.
fn unusual<'r>(parameters: impl Iterator<Item = (&'r String, &'r String)>, prefix: &str) -> Vec<Box<str>> {
    let names = parameters.filter_map(|(key, _)| key.strip_prefix(prefix));
    names.filter(|name| !is_usual(name)).map(Box::from).collect()
}

fn response_headers(response: &IntegrationResponse) -> Vec<(HeaderName, Source)> {
    let mappings = response.parameters.iter().flatten();
    mappings
        .filter_map(|(key, value)| {
            let name = key.strip_prefix("method.response.header.")?;
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, Source::parse_response(value).ok()?))
        })
        .collect()
}

/// What the API defines in place of the gateway's own error bodies. What cannot be read was refused when it was stored.
pub(super) fn gateway_responses(rows: &[GatewayResponse]) -> Option<Box<GatewayResponses>> {
    GatewayResponses::new(rows.iter().map(|row| {
        let headers = row.parameters.iter().filter_map(|(key, value)| {
            let name = key.strip_prefix("gatewayresponse.header.")?;
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, Source::parse_gateway_response(value).ok()?))
        });
        let templates = row.templates.iter();
        let plan = GatewayResponsePlan {
            status: row.status_code.as_deref().and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok()),
            headers: headers.collect(),
            spelled: unusual(row.parameters.iter(), "gatewayresponse.header."),
            templates: templates
                .map(|(kind, text)| (kind.as_str().into(), PlainTemplate::parse(text.as_deref().unwrap_or_default())))
                .collect(),
        };
        (row.response_type.as_str().into(), plan)
    }))
}
