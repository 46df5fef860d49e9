//! Checks that several resources share, with AWS's words for what fails them.

use std::collections::{BTreeMap, BTreeSet};

use templates::mapping::Source;

use crate::refusal::{Answer, Refusal};
use crate::rows::Templates;
use crate::words::VERBS;

/// The largest mapping template that AWS takes, in bytes.
const TEMPLATE_BYTES: usize = 300 * 1024;

/// Checks a verb of a method or of an integration.
pub(super) fn verb(verb: &str) -> Answer<()> {
    match VERBS.contains(&verb) {
        true => Ok(()),
        false => {
            Err(Refusal::BadRequest(format!("Invalid HttpMethod specified. Valid options are {}", VERBS.join(","))))
        }
    }
}

/// Tags as AWS bounds them: at most 50, keys of 1 to 128 characters, values of up to 256, `aws:` reserved.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Answer<()> {
    if tags.len() > 50 {
        return Err(Refusal::bad_request("A resource can have at most 50 tags."));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(Refusal::bad_request("Invalid tag key: must be between 1 and 128 characters long."));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Refusal::bad_request("Invalid tag key: the prefix aws: is reserved."));
        }
        if value.chars().count() > 256 {
            return Err(Refusal::bad_request("Invalid tag value: must be at most 256 characters long."));
        }
    }
    Ok(())
}

/// Stage variables: names of word characters up to 64, values of AWS's characters up to 512, at most 100 of them.
pub(super) fn stage_variables(variables: &BTreeMap<String, String>) -> Answer<()> {
    if variables.len() > 100 {
        return Err(Refusal::bad_request("A stage can have at most 100 variables."));
    }
    variables.iter().try_for_each(|(name, value)| stage_variable(name, value))
}

/// One stage variable.
pub(super) fn stage_variable(name: &str, value: &str) -> Answer<()> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(word) {
        return Err(Refusal::BadRequest(format!(
            "Invalid stage variable name: {name}.  Please use names with only word characters."
        )));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" -._~:/?#&=,".contains(&byte);
    if value.is_empty() || value.len() > 512 || !value.bytes().all(allowed) {
        // The odd quotes are AWS's.
        return Err(Refusal::BadRequest(format!(
            "Invalid stage variable value: {value}.  Please use values with alphanumeric characters and the symbols \
             ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
        )));
    }
    Ok(())
}

/// A stage's name.
pub(super) fn stage_name(name: &str) -> Answer<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(Refusal::bad_request("Stage name only allows a-zA-Z0-9_"));
    }
    match name.len() <= 128 {
        true => Ok(()),
        false => Err(Refusal::bad_request("Stage name can be at most 128 characters.")),
    }
}

/// A key of a map of templates or models: a media type, or `$default`.
pub(super) fn content_type(key: &str) -> Answer<()> {
    let media_type = key.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
    match media_type || key == "$default" {
        true => Ok(()),
        false => Err(Refusal::BadRequest(format!(
            "Validation Result: warnings : [], errors : [Invalid content type specified: {key}]"
        ))),
    }
}

/// Templates as they are stored: their content types checked, empty ones as absent text.
pub(super) fn templates(given: Option<Templates>) -> Answer<Option<Templates>> {
    given
        .map(|given| given.into_iter().map(|(key, text)| template(key, text.unwrap_or_default())).collect())
        .transpose()
}

/// One template as it is stored. It is not parsed: AWS takes a broken one, and it fails when it is used.
pub(super) fn template(key: String, text: String) -> Answer<(String, Option<String>)> {
    content_type(&key)?;
    if text.len() > TEMPLATE_BYTES {
        return Err(Refusal::BadRequest(format!("The mapping template for {key} exceeds the maximum size of 300 KB")));
    }
    Ok((key, Some(text).filter(|text| !text.is_empty())))
}

/// The refusal of a mapping: `text` is the key or the value that cannot stand there.
pub(super) fn bad_mapping(text: &str) -> Refusal {
    Refusal::BadRequest(format!(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression \
         specified: {text}]"
    ))
}

/// The refusal of a mapping from or to a parameter that the method does not declare.
fn undeclared(parameter: &str) -> Refusal {
    Refusal::BadRequest(format!(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression \
         parameter specified: {parameter}]"
    ))
}

/// Whether `key` is `{prefix}{location}.{name}` with one of the locations and a name of AWS's characters.
fn is_parameter(key: &str, prefix: &str, locations: &[&str]) -> bool {
    let named = key.strip_prefix(prefix).and_then(|rest| rest.split_once('.'));
    named.is_some_and(|(location, name)| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._$-".contains(&byte);
        locations.contains(&location) && !name.is_empty() && name.bytes().all(allowed)
    })
}

/// The parameters that a method declares: `method.request.{header|querystring|path}.NAME`, each name once.
pub(super) fn method_parameters(parameters: &BTreeMap<String, bool>) -> Answer<()> {
    let mut names = BTreeSet::new();
    for key in parameters.keys() {
        if !is_parameter(key, "method.request.", &["header", "querystring", "path"]) {
            return Err(bad_mapping(key));
        }
        let name = key.splitn(4, '.').nth(3).unwrap_or_default();
        if !names.insert(name) {
            return Err(Refusal::bad_request("Parameter names must be unique across querystring, header and path"));
        }
    }
    Ok(())
}

/// The headers that a method response declares: `method.response.header.NAME`.
pub(super) fn response_parameter(key: &str) -> Answer<()> {
    match is_parameter(key, "method.response.", &["header"]) {
        true => Ok(()),
        false => Err(bad_mapping(key)),
    }
}

/// One mapping of an integration request, from what the method declares.
pub(super) fn request_mapping(key: &str, value: &str, declared: Option<&BTreeMap<String, bool>>) -> Answer<()> {
    if !is_parameter(key, "integration.request.", &["header", "querystring", "path"]) {
        return Err(bad_mapping(key));
    }
    if Source::parse_request(value).is_err() {
        return Err(bad_mapping(value));
    }
    let Some(parameter) = value.strip_prefix("method.request.") else { return Ok(()) };
    let Some((location, name)) = parameter.split_once('.') else { return Ok(()) };
    let location = location.strip_prefix("multivalue").unwrap_or(location);
    let wanted = format!("method.request.{location}.{name}");
    match location == "body" || declared.is_some_and(|declared| declared.contains_key(&wanted)) {
        true => Ok(()),
        false => Err(undeclared(value)),
    }
}

/// One mapping of an integration response, to what the method response declares.
pub(super) fn response_mapping(key: &str, value: &str, declared: Option<&BTreeMap<String, bool>>) -> Answer<()> {
    response_parameter(key)?;
    if Source::parse_response(value).is_err() {
        return Err(bad_mapping(value));
    }
    match declared.is_some_and(|declared| declared.contains_key(key)) {
        true => Ok(()),
        false => Err(undeclared(key)),
    }
}
