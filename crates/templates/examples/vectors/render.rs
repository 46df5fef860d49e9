//! Renders a template for a vector; `error` stands for a refusal of any kind.

use std::collections::BTreeMap;

use serde_json::Value;
use templates::vtl::{Limits, Overrides, ParamLists, Scope, Template};

/// Renders with an input: `body`, `params`, `stageVariables` and `context`.
pub(super) fn with_input(template: &str, input: &Value) -> String {
    let Ok(template) = Template::parse(template) else { return "error".to_string() };
    let texts = |members: &Value| -> Vec<(String, String)> {
        let members = members.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_string())).collect()
    };
    let params = &input["params"];
    let params = ParamLists {
        path: texts(&params["path"]),
        querystring: texts(&params["querystring"]),
        header: texts(&params["header"]),
    };
    let stage_variables: BTreeMap<String, String> = texts(&input["stageVariables"]).into_iter().collect();
    let body = match &input["body"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        json => json.to_string(),
    };
    let scope = Scope {
        body: &body,
        params: &params,
        context: &input["context"],
        stage_variables: &stage_variables,
        overrides: Overrides::default(),
    };
    template.render(&scope, &Limits::default()).map_or("error".to_string(), |rendered| rendered.text)
}

/// Renders with the context's members as variables, which come by way of the payload.
pub(super) fn with_variables(template: &str, context: &Value) -> String {
    let mut whole = String::new();
    for name in context.as_object().into_iter().flat_map(serde_json::Map::keys) {
        whole.push_str(&format!("#set(${name} = $input.path('$.{name}'))#[[]]#"));
    }
    whole.push_str(template);
    with_input(&whole, &serde_json::json!({ "body": context }))
}
