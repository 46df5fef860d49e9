//! A model with everything that it refers to in one schema, as GetModel shows it with `flatten`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reference::{Document, Reference};

/// The schema of the model `name` with the other models of the API among its `definitions`, as far as it refers to them,
/// and references to those in place of the models' addresses. `None` if there is no such model or its schema is no JSON.
pub fn flatten(api_id: &str, models: &BTreeMap<&str, &str>, name: &str) -> Option<String> {
    let mut flat = Flattening { api_id, root: name, models, wanted: vec![], taken: BTreeMap::new() };
    let mut root = flat.model(name)?;
    while let Some(next) = flat.wanted.pop() {
        if !flat.taken.contains_key(next.as_str())
            && let Some(schema) = flat.model(&next)
        {
            flat.taken.insert(next, schema);
        }
    }
    if let (Value::Object(root), false) = (&mut root, flat.taken.is_empty()) {
        let definitions = root.entry("definitions").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(definitions) = definitions {
            definitions.extend(flat.taken);
        }
    }
    serde_json::to_string_pretty(&root).ok()
}

struct Flattening<'m> {
    api_id: &'m str,
    root: &'m str,
    models: &'m BTreeMap<&'m str, &'m str>,
    /// Models that something refers to.
    wanted: Vec<String>,
    taken: BTreeMap<String, Value>,
}

impl Flattening<'_> {
    /// A model's schema with its references rewritten.
    fn model(&mut self, name: &str) -> Option<Value> {
        let mut schema = serde_json::from_str(self.models.get(name)?).ok()?;
        self.rewrite(&mut schema, name);
        Some(schema)
    }

    fn rewrite(&mut self, value: &mut Value, own: &str) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get_mut("$ref") {
                    self.redirect(reference, own);
                }
                members.values_mut().for_each(|member| self.rewrite(member, own));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rewrite(item, own)),
            _ => {}
        }
    }

    fn redirect(&mut self, text: &mut String, own: &str) {
        let reference = Reference::parse(text);
        let (name, pointer) = match reference.document {
            Document::Own => (own, reference.fragment),
            Document::Model { api_id, name } if api_id == self.api_id && self.models.contains_key(name) => {
                (name, reference.fragment)
            }
            _ => return,
        };
        let redirected = match name == self.root {
            true => format!("#{pointer}"),
            false => {
                self.wanted.push(name.to_owned());
                format!("#/definitions/{name}{pointer}")
            }
        };
        *text = redirected;
    }
}

#[cfg(test)]
mod tests {
    use super::flatten;
    use serde_json::{Value, json};

    #[test]
    fn referenced_models_become_definitions() {
        let address = |name: &str| format!("https://apigateway.amazonaws.com/restapis/abc/models/{name}");
        let pets = json!({"items": {"$ref": address("Pet")}, "definitions": {"x": {}}}).to_string();
        let pet = json!({
            "properties": {"friends": {"$ref": address("Pets")}, "kind": {"$ref": "#/definitions/kind"},
                "none": {"$ref": address("None")}},
            "definitions": {"kind": {}},
        })
        .to_string();
        let models = [("Pets", pets.as_str()), ("Pet", pet.as_str()), ("Other", "{}")].into();
        let flat = flatten("abc", &models, "Pets").expect("there is such a model");
        let expected = json!({
            "items": {"$ref": "#/definitions/Pet"},
            "definitions": {"x": {}, "Pet": {
                "properties": {"friends": {"$ref": "#"}, "kind": {"$ref": "#/definitions/Pet/definitions/kind"},
                    "none": {"$ref": address("None")}},
                "definitions": {"kind": {}},
            }},
        });
        assert_eq!(serde_json::from_str::<Value>(&flat).expect("JSON"), expected);
        assert_eq!(flatten("abc", &models, "None"), None);
    }
}
