//! `$input`, `$context` and `$stageVariables`.

use std::borrow::Cow;
use std::rc::Rc;

use super::ast::{Call, Expression};
use super::machine::{Halt, Machine};
use super::print::print_document;
use super::scope::ParamPlace;
use super::value::{Entries, Map, Value};
use super::{Overrides, RenderError};
use crate::document::{Json, Members, push_quoted};
use crate::jsonpath::{Found, JsonPath, MAX_VISITS};

/// How deep a value may be nested to become an override.
const MAX_OVERRIDE_DEPTH: usize = 32;

impl<'r> Machine<'r> {
    pub(super) fn input_call(&mut self, call: &'r Call) -> Result<Value<'r>, Halt> {
        match (&*call.name, &*call.arguments) {
            ("params", []) => self.all_params(),
            ("params", [name]) => self.param(name),
            ("json", [path]) => self.with_path(call, path, Self::json_text),
            ("path", [path]) => self.with_path(call, path, Self::json_value),
            _ => Ok(Value::Null),
        }
    }

    pub(super) fn body_text(&self) -> Value<'r> {
        Value::Borrowed(if self.scope.body.is_empty() { "{}" } else { self.scope.body })
    }

    fn body_json(&self) -> Option<&'r Json<'r>> {
        let body = self.scope.body;
        let parsed = self.body.get_or_init(|| {
            if body.trim_ascii().is_empty() {
                return Some(Json::Object(Members::default()));
            }
            Json::parse(body).ok()
        });
        parsed.as_ref()
    }

    /// Runs with the compiled path, which is ready when the argument is fixed text.
    fn with_path(
        &mut self,
        call: &'r Call,
        argument: &'r Expression,
        run: fn(&mut Self, &JsonPath) -> Result<Value<'r>, Halt>,
    ) -> Result<Value<'r>, Halt> {
        let failed = |reason: String| RenderError::CallFailed { call: format!("$input.{}", call.name), reason };
        match &call.path {
            Some(Ok(path)) => run(self, path),
            Some(Err(error)) => Err(failed(error.to_string()).into()),
            None => {
                let argument = self.argument(argument)?;
                let text = self.text_of(&argument)?;
                let source = text.as_str().unwrap_or_default();
                // Compiling a pattern in a filter costs far more than reading a path.
                self.charge(if source.contains("=~") { 50_000 } else { 10 } + source.len())?;
                let path =
                    JsonPath::parse(text.as_str().unwrap_or_default()).map_err(|error| failed(error.to_string()))?;
                run(self, &path)
            }
        }
    }

    /// What the path finds in the body; `None` when the body is not JSON.
    fn found(&mut self, path: &JsonPath) -> Result<Option<Found<'r>>, Halt> {
        let Some(body) = self.body_json() else { return Ok(None) };
        let mut visits_left = MAX_VISITS;
        let found = path.evaluate_within(body, &mut visits_left);
        self.charge(MAX_VISITS - visits_left)?;
        Ok(Some(found))
    }

    /// The found value as JSON; `""` when nothing is there.
    fn json_text(&mut self, path: &JsonPath) -> Result<Value<'r>, Halt> {
        let found = self.found(path)?.unwrap_or(Found::Missing);
        let limit = self.limits.output_bytes;
        let mut text = String::new();
        match found {
            Found::Missing => push_quoted(&mut text, ""),
            Found::Value(value) => print_document(&value, &mut text, limit)?,
            Found::List(values) => {
                text.push('[');
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        text.push(',');
                    }
                    print_document(value, &mut text, limit)?;
                }
                text.push(']');
            }
        }
        self.charge_bytes(text.len())?;
        Ok(Value::Owned(text.into()))
    }

    fn json_value(&mut self, path: &JsonPath) -> Result<Value<'r>, Halt> {
        match self.found(path)?.unwrap_or(Found::Missing) {
            Found::Missing => Ok(Value::Null),
            Found::Value(Cow::Borrowed(value)) => self.value_of(value),
            Found::Value(Cow::Owned(value)) => self.copied(&value),
            Found::List(values) => {
                self.charge(values.len())?;
                self.charge_bytes(32 + 24 * values.len())?;
                let mut items = Vec::with_capacity(values.len());
                for value in values {
                    items.push(match value {
                        Cow::Borrowed(value) => self.value_of(value)?,
                        Cow::Owned(value) => self.copied(&value)?,
                    });
                }
                Ok(Value::List(Rc::new(super::value::List { from_json: true, items: items.into() })))
            }
        }
    }

    /// A value of a document that outlives the rendering: read in place unless the template changes values.
    fn value_of(&mut self, json: &'r Json<'r>) -> Result<Value<'r>, Halt> {
        if self.template.mutates { self.copied(json) } else { Ok(Value::from_json(json)) }
    }

    /// A copy that the template may change.
    pub(super) fn copied(&mut self, json: &Json<'_>) -> Result<Value<'r>, Halt> {
        let size = json_size(json);
        self.charge(size)?;
        self.charge_bytes(size.saturating_mul(48))?;
        Ok(Value::copied_from_json(json))
    }

    /// `$input.params('x')`: path, query string, header.
    fn param(&mut self, name: &'r Expression) -> Result<Value<'r>, Halt> {
        let name = self.argument(name)?;
        let name = self.text_of(&name)?;
        let name = name.as_str().unwrap_or_default();
        let params = self.scope.params;
        let found = ParamPlace::ALL.into_iter().find_map(|place| params.get(place, name));
        Ok(found.map_or(Value::Null, cow))
    }

    /// `$input.params()`: one map for each place.
    fn all_params(&mut self) -> Result<Value<'r>, Halt> {
        let mut places = Entries::default();
        let mut bytes = 0;
        for place in ParamPlace::ALL {
            let mut entries = Entries::default();
            self.scope.params.each(place, &mut |name, value| {
                bytes += name.len() + value.len() + 96;
                entries.put(Value::text(name), Value::text(value));
            });
            places.put(Value::Borrowed(place.name()), Value::map(entries));
        }
        self.charge_bytes(bytes)?;
        Ok(Value::map(places))
    }

    pub(super) fn stage_variable(&self, name: &str) -> Value<'r> {
        self.scope.stage_variables.get(name).map_or(Value::Null, Value::Borrowed)
    }

    /// The text of a context value when it is simply that, which is the usual case.
    pub(super) fn context_text(&self, path: &str) -> Option<Cow<'r, str>> {
        if is_override(path) { None } else { self.scope.context.get(path) }
    }

    pub(super) fn context_value(&mut self, path: &str) -> Value<'r> {
        if is_override(path) {
            return self.override_value(path);
        }
        if let Some(text) = self.scope.context.get(path) {
            return typed_context_value(path, text);
        }
        if !self.scope.context.is_map(path) {
            return Value::Null;
        }
        let context = self.scope.context;
        let tree = self.context_tree.get_or_init(|| Json::from_value(&context.tree()).into_owned());
        let found = path.split('.').try_fold(tree, |tree, name| tree.member(name));
        match found {
            // Claims are to be asked for one by one.
            Some(_) if path == "authorizer.claims" => Value::Null,
            // It is nobody's to change, and stays the map that has no text.
            Some(value) if path == "identity" => Value::from_json(value),
            Some(value) if self.template.mutates => Value::copied_from_json(value),
            Some(value) => Value::from_json(value),
            None => Value::Null,
        }
    }

    fn override_value(&mut self, path: &str) -> Value<'r> {
        let (request, response) = self.override_maps();
        let mut names = path.split('.');
        let root = if names.next() == Some("requestOverride") { request } else { response };
        let mut value = Value::Map(root);
        for name in names {
            let member = match &value {
                Value::Map(map) => map.entries.borrow().get_text(name).cloned(),
                _ => None,
            };
            match member {
                Some(member) => value = member,
                None => return Value::Null,
            }
        }
        value
    }

    pub(super) fn is_override_map(&self, map: &Rc<Map<'r>>) -> bool {
        let maps = self.overrides.as_ref();
        maps.is_some_and(|(request, response)| Rc::ptr_eq(request, map) || Rc::ptr_eq(response, map))
    }

    /// Whether it is a place of overrides: `$context.requestOverride.header`.
    pub(super) fn is_override_place(&self, map: &Rc<Map<'r>>) -> bool {
        let Some((request, response)) = &self.overrides else { return false };
        [request, response].into_iter().any(|places| {
            let places = places.entries.borrow();
            ["path", "querystring", "header"]
                .into_iter()
                .any(|name| matches!(places.get_text(name), Some(Value::Map(place)) if Rc::ptr_eq(place, map)))
        })
    }

    /// Whether it is `$context.identity`.
    pub(super) fn is_identity(&self, json: &Json<'_>) -> bool {
        let identity = self.context_tree.get().and_then(|tree| tree.member("identity"));
        identity.is_some_and(|identity| {
            std::ptr::eq(std::ptr::from_ref(identity).cast::<()>(), std::ptr::from_ref(json).cast::<()>())
        })
    }

    /// An override is final: a parameter that this template has overridden cannot get another value, however it is assigned.
    pub(super) fn refuse_second_override(
        &mut self,
        map: &Rc<Map<'r>>,
        key: &Value<'r>,
        value: &Value<'r>,
    ) -> Result<(), Halt> {
        // Most templates override nothing.
        let Some((request, response)) = &self.overrides else { return Ok(()) };
        let is_place = |root: &Rc<Map<'r>>, place: &str| match root.entries.borrow().get_text(place) {
            Some(Value::Map(parameters)) => Rc::ptr_eq(parameters, map),
            _ => false,
        };
        let place = if Rc::ptr_eq(response, map) && key.as_str() == Some("status") {
            "responseOverride"
        } else if is_place(response, "header") {
            "responseOverride.header"
        } else if let Some(place) = ["header", "querystring", "path"].into_iter().find(|place| is_place(request, place))
        {
            place
        } else {
            return Ok(());
        };
        let path = format!("{place}.{}", key.as_str().unwrap_or_default());
        if !self.overridden.contains(&path) {
            self.charge_bytes(path.len() + 24)?;
            self.charge(1 + self.overridden.len() / 16)?;
            self.overridden.push(path);
            return Ok(());
        }
        let earlier = map.entries.borrow().get(key).cloned().unwrap_or(Value::Null);
        if self.equal(&earlier, value)? {
            return Ok(());
        }
        self.failed(&path, "the parameter is overridden already")
    }

    fn override_maps(&mut self) -> (Rc<Map<'r>>, Rc<Map<'r>>) {
        if let Some((request, response)) = &self.overrides {
            return (Rc::clone(request), Rc::clone(response));
        }
        let earlier = &self.scope.overrides;
        let request = override_map(&earlier.request, &["path", "querystring", "header"]);
        let response = override_map(&earlier.response, &["header"]);
        self.overrides = Some((Rc::clone(&request), Rc::clone(&response)));
        (request, response)
    }

    pub(super) fn finished_overrides(&mut self) -> Result<Overrides, RenderError> {
        let Some((request, response)) = self.overrides.take() else { return Ok(self.scope.overrides.clone()) };
        let mut budget = self.limits.value_bytes;
        Ok(Overrides {
            request: override_json(&request, &mut budget)?,
            response: override_json(&response, &mut budget)?,
        })
    }

    /// `$context` or `$stageVariables` as a map that can be gone through.
    pub(super) fn as_map(&mut self, value: &Value<'r>) -> Result<Value<'r>, Halt> {
        match value {
            Value::Context => {
                let context = self.scope.context;
                let tree = self.context_tree.get_or_init(|| Json::from_value(&context.tree()).into_owned());
                let copy = self.copied(tree)?;
                if let Value::Map(map) = &copy {
                    // The overrides show as members without text.
                    for name in ["requestOverride", "responseOverride"] {
                        map.entries.borrow_mut().put(Value::Borrowed(name), Value::Borrowed(""));
                    }
                }
                Ok(copy)
            }
            Value::StageVariables => {
                let mut entries = Entries::default();
                let mut bytes = 0;
                self.scope.stage_variables.each(&mut |name, value| {
                    bytes += name.len() + value.len() + 96;
                    entries.put(Value::text(name), Value::text(value));
                });
                self.charge_bytes(bytes)?;
                Ok(Value::map(entries))
            }
            other => Ok(other.clone()),
        }
    }
}

fn cow<'r>(text: Cow<'r, str>) -> Value<'r> {
    match text {
        Cow::Borrowed(text) => Value::Borrowed(text),
        Cow::Owned(text) => Value::Owned(text.into()),
    }
}

fn is_override(path: &str) -> bool {
    let root = path.split('.').next();
    matches!(root, Some("requestOverride" | "responseOverride"))
}

/// Times are numbers and the canary flag is a boolean; everything else is text.
fn typed_context_value<'r>(path: &str, text: Cow<'r, str>) -> Value<'r> {
    match path {
        "requestTimeEpoch" | "connectedAt" => match text.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => cow(text),
        },
        "isCanaryRequest" => match &*text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => cow(text),
        },
        _ => cow(text),
    }
}

fn override_map<'r>(earlier: &serde_json::Map<String, serde_json::Value>, places: &[&'static str]) -> Rc<Map<'r>> {
    let mut entries = Entries::default();
    for place in places {
        entries.put(Value::Borrowed(place), Value::map(Entries::default()));
    }
    for (name, value) in earlier {
        entries.put(Value::text(name), Value::copied_from_json(&Json::from_value(value)));
    }
    Rc::new(Map { entries: entries.into() })
}

fn override_json(map: &Map<'_>, budget: &mut usize) -> Result<serde_json::Map<String, serde_json::Value>, RenderError> {
    let mut members = serde_json::Map::new();
    for (key, value) in map.entries.borrow().iter() {
        // Places that nothing was assigned to are left out.
        if matches!(value, Value::Map(map) if map.entries.borrow().len() == 0) {
            continue;
        }
        members.insert(json_key(key)?, to_json(value, 0, budget)?);
    }
    Ok(members)
}

fn json_key(key: &Value<'_>) -> Result<String, RenderError> {
    let mut name = String::new();
    if !key.is_null() {
        super::print::print(key, &mut name, usize::MAX)?;
    }
    Ok(name)
}

fn to_json(value: &Value<'_>, depth: usize, budget: &mut usize) -> Result<serde_json::Value, RenderError> {
    if depth > MAX_OVERRIDE_DEPTH {
        return Err(RenderError::TooDeep);
    }
    let size = 48 + value.as_str().map_or(0, str::len);
    *budget = budget.checked_sub(size).ok_or(RenderError::TooDeep)?;
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Decimal(number) => serde_json::Number::from_f64(*number).into(),
        Value::Borrowed(text) => (*text).into(),
        Value::Owned(text) => text.to_string().into(),
        Value::Json(json) => json.to_value(),
        Value::List(list) => {
            let items = list.items.borrow();
            let items: Result<Vec<_>, _> = items.iter().map(|item| to_json(item, depth + 1, budget)).collect();
            serde_json::Value::Array(items?)
        }
        Value::Map(map) => {
            let mut members = serde_json::Map::new();
            for (key, value) in map.entries.borrow().iter() {
                members.insert(json_key(key)?, to_json(value, depth + 1, budget)?);
            }
            serde_json::Value::Object(members)
        }
        other => {
            let mut text = String::new();
            super::print::print(other, &mut text, *budget)?;
            text.into()
        }
    })
}

/// Roughly how many values a document has.
fn json_size(json: &Json<'_>) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(json_size).sum::<usize>(),
        Json::Object(members) => {
            1 + members.iter().map(|(name, value)| 1 + name.len() / 48 + json_size(value)).sum::<usize>()
        }
        Json::Text(text) => 1 + text.len() / 48,
        _ => 1,
    }
}
