//! The template that GetModelTemplate makes of a model: it reads a payload of the model's shape and writes it again, for
//! people to start from.
//!
//! An object's members stand one a line, strings in quotes; an array becomes a loop over the payload's array. References
//! to other models are followed until one would come a second time or the template grows too large.

use std::collections::BTreeMap;

use crate::document::{Json, push_quoted};
use crate::schema::reference::{Document, Reference, follow};

/// What is larger than a template may be is cut short by leaving parts out, in bytes.
const MAX_BYTES: usize = 300 * 1024;
/// How deep members may lie in members; what lies deeper is left out.
const MAX_DEPTH: usize = 20;

/// Makes the template of the model `name`; `models` are all models of the API, names and schemas. `None` if there is no
/// such model, or its schema is no JSON.
pub fn model_template(api_id: &str, models: &BTreeMap<&str, &str>, name: &str) -> Option<String> {
    let schemas = models.iter().filter_map(|(name, text)| Some((*name, Json::parse(text).ok()?))).collect();
    let mut writer = Writer { api_id, schemas: &schemas, out: String::new(), open: Vec::new() };
    let schema = schemas.get(name)?;
    writer.out.push_str("#set($inputRoot = $input.path('$'))\n");
    writer.value(schema, schema, "$inputRoot", 0);
    Some(writer.out)
}

struct Writer<'s, 't> {
    api_id: &'s str,
    schemas: &'s BTreeMap<&'t str, Json<'t>>,
    out: String,
    /// The schemas that are being written, so that a cycle ends.
    open: Vec<*const Json<'t>>,
}

/// What a schema makes of its place in the template.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
    Text,
    Bare,
}

impl<'s, 't> Writer<'s, 't> {
    /// The schema that stands here, references followed, and its document.
    fn resolve(&self, mut schema: &'s Json<'t>, mut document: &'s Json<'t>) -> Option<(&'s Json<'t>, &'s Json<'t>)> {
        for _ in 0..MAX_DEPTH {
            let Some(text) = schema.member("$ref").and_then(Json::as_str) else { return Some((schema, document)) };
            let reference = Reference::parse(text);
            document = match reference.document {
                Document::Own => document,
                Document::Model { api_id, name } if api_id == self.api_id => self.schemas.get(name)?,
                _ => return None,
            };
            schema = follow(document, &reference.fragment)?;
        }
        None
    }

    fn value(&mut self, schema: &'s Json<'t>, document: &'s Json<'t>, path: &str, indent: usize) {
        let Some((schema, document)) = self.resolve(schema, document) else { return self.text(path) };
        let is_open = self.open.contains(&std::ptr::from_ref(schema));
        if is_open || self.open.len() >= MAX_DEPTH || self.out.len() >= MAX_BYTES {
            // A second time round nothing new would come.
            self.out.push_str("{}");
            return;
        }
        self.open.push(schema);
        match shape(schema) {
            Shape::Object => self.object(schema, document, path, indent),
            Shape::Array => self.array(schema, document, path, indent),
            Shape::Text => self.text(path),
            Shape::Bare => self.out.push_str(path),
        }
        self.open.pop();
    }

    fn text(&mut self, path: &str) {
        self.out.push('"');
        self.out.push_str(path);
        self.out.push('"');
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", indent));
    }

    fn object(&mut self, schema: &'s Json<'t>, document: &'s Json<'t>, path: &str, indent: usize) {
        self.out.push('{');
        if let Some(Json::Object(properties)) = schema.member("properties") {
            for (place, (name, part)) in properties.iter().enumerate() {
                if self.out.len() >= MAX_BYTES {
                    break;
                }
                if place > 0 {
                    self.out.push(',');
                }
                self.line(indent + 1);
                push_quoted(&mut self.out, name);
                self.out.push_str(" : ");
                self.value(part, document, &format!("{path}.{name}"), indent + 1);
            }
        }
        self.line(indent);
        self.out.push('}');
    }

    fn array(&mut self, schema: &'s Json<'t>, document: &'s Json<'t>, path: &str, indent: usize) {
        let element = match schema.member("items") {
            Some(Json::Array(parts)) => parts.first(),
            part => part,
        };
        self.out.push_str("[\n##TODO: Update this foreach loop to reference array from input json\n");
        self.out.push_str(&format!("#foreach($elem in {path})"));
        self.line(indent + 1);
        match element {
            Some(part) => self.value(part, document, "$elem", indent + 1),
            None => self.text("$elem"),
        }
        self.out.push_str("#if($foreach.hasNext),#end\n\n#end");
        self.line(indent);
        self.out.push(']');
    }
}

/// What a schema is for; one without a type by its keywords.
fn shape(schema: &Json<'_>) -> Shape {
    let kind = match schema.member("type") {
        Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null"),
        kind => kind.and_then(Json::as_str),
    };
    match kind {
        Some("object") => Shape::Object,
        Some("array") => Shape::Array,
        Some("integer" | "number" | "boolean" | "null") => Shape::Bare,
        Some(_) => Shape::Text,
        None if schema.member("properties").is_some() => Shape::Object,
        None if schema.member("items").is_some() => Shape::Array,
        None => Shape::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vtl::{Limits, Overrides, ParamLists, Scope, Template};

    const ORDER: &str = r#"{
        "type": "object",
        "properties": {
            "strProp": {"type": "string"},
            "numProp": {"type": "number"},
            "obj": {"type": "object", "properties": {"inner": {"type": ["null", "string"]}}},
            "arr": {"type": "array", "items": {"$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Item"}}
        }
    }"#;
    const ITEM: &str = r#"{"properties": {"id": {"type": "string"}}}"#;

    fn template(models: &[(&str, &str)], name: &str) -> String {
        model_template("abc", &models.iter().copied().collect(), name).expect("there is such a model")
    }

    #[test]
    fn a_model_becomes_a_template() {
        let expected = r#"#set($inputRoot = $input.path('$'))
{
  "strProp" : "$inputRoot.strProp",
  "numProp" : $inputRoot.numProp,
  "obj" : {
    "inner" : "$inputRoot.obj.inner"
  },
  "arr" : [
##TODO: Update this foreach loop to reference array from input json
#foreach($elem in $inputRoot.arr)
    {
      "id" : "$elem.id"
    }#if($foreach.hasNext),#end

#end
  ]
}"#;
        assert_eq!(template(&[("Order", ORDER), ("Item", ITEM)], "Order"), expected);
    }

    #[test]
    fn the_template_renders_what_it_reads() {
        let template = template(&[("Order", ORDER), ("Item", ITEM)], "Order");
        let body = r#"{"strProp":"x","numProp":1.5,"obj":{"inner":"y"},"arr":[{"id":"1"},{"id":"2"}]}"#;
        let (params, variables) = (ParamLists::default(), BTreeMap::new());
        let context = serde_json::Value::Null;
        let scope = Scope {
            body,
            params: &params,
            context: &context,
            stage_variables: &variables,
            overrides: Overrides::default(),
        };
        let rendered =
            Template::parse(&template).expect("a template").render(&scope, &Limits::default()).expect("it renders");
        let value: serde_json::Value = serde_json::from_str(&rendered.text).expect("JSON");
        assert_eq!(value, serde_json::from_str::<serde_json::Value>(body).expect("JSON"));
    }

    #[test]
    fn cycles_and_bombs_end() {
        let node = r##"{"type":"object","properties":{"next":{"$ref":"#"},"text":{"$ref":"none"}}}"##;
        assert_eq!(
            template(&[("Node", node)], "Node"),
            "#set($inputRoot = $input.path('$'))\n{\n  \"next\" : {},\n  \"text\" : \"$inputRoot.text\"\n}"
        );
        let doubled: Vec<String> = (0..60)
            .map(|at| {
                let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, at + 1);
                format!(r#""d{at}":{{"properties":{{"a":{next},"b":{next}}}}}"#)
            })
            .collect();
        let bomb = format!(r##"{{"$ref":"#/definitions/d0","definitions":{{{}}}}}"##, doubled.join(","));
        assert!(template(&[("Bomb", &bomb)], "Bomb").len() < 2 * MAX_BYTES);
        assert_eq!(
            template(&[("Loop", r##"{"$ref":"#"}"##)], "Loop"),
            "#set($inputRoot = $input.path('$'))\n\"$inputRoot\""
        );
        assert_eq!(model_template("abc", &BTreeMap::new(), "None"), None);
        assert_eq!(model_template("abc", &[("M", "{")].into(), "M"), None);
    }
}
