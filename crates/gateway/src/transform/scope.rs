//! What templates see of a request, and how they are run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use templates::vtl::{Context, Limits, Overrides, ParamPlace, Params, Scope, Template, Variables};

use super::content::Payload;
use super::context;
use super::facts::Facts;
use crate::fault::Fault;

/// Renders a request template.
///
/// # Errors
/// [`Fault::RequestTransformation`] when the template fails or the body is bytes.
pub(super) fn render_request(
    facts: &Facts<'_>,
    template: &Template,
    payload: &Payload,
) -> Result<(String, Overrides), Fault> {
    render(facts, template, payload, Overrides::default()).map_err(|reason| Fault::RequestTransformation { reason })
}

/// Renders a response template; what the request template overrode is still visible.
///
/// # Errors
/// [`Fault::ResponseTransformation`] when the template fails or the body is bytes.
pub(super) fn render_response(
    facts: &Facts<'_>,
    template: &Template,
    payload: &Payload,
    overrides: Overrides,
) -> Result<(String, Overrides), Fault> {
    render(facts, template, payload, overrides).map_err(|reason| Fault::ResponseTransformation { reason })
}

fn render(
    facts: &Facts<'_>,
    template: &Template,
    payload: &Payload,
    overrides: Overrides,
) -> Result<(String, Overrides), Cow<'static, str>> {
    let body = payload.text().ok_or("a template cannot take a binary body")?;
    let seen = Seen { facts };
    let stage_variables = StageVariables(&facts.exchange.plan.variables);
    let scope = Scope { body, params: &seen, context: &seen, stage_variables: &stage_variables, overrides };
    let rendered = template.render(&scope, &Limits::default()).map_err(|error| error.to_string())?;
    Ok((rendered.text, rendered.overrides))
}

struct Seen<'f> {
    facts: &'f Facts<'f>,
}

impl Params for Seen<'_> {
    fn get(&self, place: ParamPlace, name: &str) -> Option<Cow<'_, str>> {
        match place {
            ParamPlace::Path => self.facts.path_parameter(name).map(Cow::Borrowed),
            ParamPlace::Querystring => self.facts.query_parameter(name),
            ParamPlace::Header => self.facts.header(name),
        }
    }

    fn each(&self, place: ParamPlace, visit: &mut dyn FnMut(&str, &str)) {
        match place {
            ParamPlace::Path => self.facts.path_parameters().for_each(|(name, value)| visit(name, value)),
            ParamPlace::Querystring => self.facts.query().for_each(|(name, value)| visit(&name, &value)),
            ParamPlace::Header => {
                for (name, values) in self.facts.headers() {
                    visit(name, values.last().map_or("", |value| value));
                }
            }
        }
    }
}

impl Context for Seen<'_> {
    fn get(&self, path: &str) -> Option<Cow<'_, str>> {
        context::value(self.facts, path)
    }

    fn tree(&self) -> serde_json::Value {
        context::tree(self.facts)
    }
}

struct StageVariables<'p>(&'p BTreeMap<Arc<str>, Arc<str>>);

impl Variables for StageVariables<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(AsRef::as_ref)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.0 {
            visit(name, value);
        }
    }
}
