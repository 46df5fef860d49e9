//! What a template can see, borrowed from the request.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use super::Overrides;

/// Everything a rendering reads.
pub struct Scope<'a> {
    /// The payload: `$input.body`. Empty stands for `{}`.
    pub body: &'a str,
    /// `$input.params(…)`.
    pub params: &'a dyn Params,
    /// `$context`.
    pub context: &'a dyn Context,
    /// `$stageVariables`.
    pub stage_variables: &'a dyn Variables,
    /// What an earlier template of the same call assigned.
    pub overrides: Overrides,
}

/// Where a parameter comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamPlace {
    /// A segment of the path.
    Path,
    /// The query string.
    Querystring,
    /// A header.
    Header,
}

impl ParamPlace {
    /// The places in the order in which `$input.params('x')` looks.
    pub const ALL: [ParamPlace; 3] = [ParamPlace::Path, ParamPlace::Querystring, ParamPlace::Header];

    /// The name in `$input.params()` and in mapping expressions.
    pub fn name(self) -> &'static str {
        match self {
            ParamPlace::Path => "path",
            ParamPlace::Querystring => "querystring",
            ParamPlace::Header => "header",
        }
    }
}

/// The parameters of the method request.
pub trait Params {
    /// The last value of that name. Header names compare as received.
    fn get(&self, place: ParamPlace, name: &str) -> Option<Cow<'_, str>>;
    /// Visits every name in the order received. A name may come several times; its last value counts.
    fn each(&self, place: ParamPlace, visit: &mut dyn FnMut(&str, &str));
}

/// The values of `$context`.
pub trait Context {
    /// The value of a dotted name such as `identity.sourceIp`; `None` for what is absent or is a map.
    fn get(&self, path: &str) -> Option<Cow<'_, str>>;

    /// Everything as one object, for templates that iterate over `$context` or a map in it.
    fn tree(&self) -> serde_json::Value;

    /// Whether the name can be a map, so that [`Context::tree`] is asked.
    fn is_map(&self, path: &str) -> bool {
        matches!(
            path,
            "identity"
                | "identity.clientCert"
                | "identity.clientCert.validity"
                | "authorizer"
                | "authorizer.claims"
                | "error"
        )
    }
}

/// Named texts, such as stage variables.
pub trait Variables {
    /// The value of that name.
    fn get(&self, name: &str) -> Option<&str>;
    /// Visits every name and value in order.
    fn each(&self, visit: &mut dyn FnMut(&str, &str));
}

/// A context in which nothing is set.
pub struct NoContext;

impl Context for NoContext {
    fn get(&self, _path: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn tree(&self) -> serde_json::Value {
        serde_json::Value::Object(serde_json::Map::new())
    }
}

/// A context given as one JSON object; members that are not text are printed as JSON.
impl Context for serde_json::Value {
    fn get(&self, path: &str) -> Option<Cow<'_, str>> {
        match walk(self, path)? {
            serde_json::Value::String(text) => Some(Cow::Borrowed(text)),
            serde_json::Value::Null | serde_json::Value::Object(_) | serde_json::Value::Array(_) => None,
            scalar => Some(Cow::Owned(scalar.to_string())),
        }
    }

    fn tree(&self) -> serde_json::Value {
        self.clone()
    }

    fn is_map(&self, path: &str) -> bool {
        walk(self, path).is_some_and(serde_json::Value::is_object)
    }
}

fn walk<'v>(value: &'v serde_json::Value, path: &str) -> Option<&'v serde_json::Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// Parameters as plain lists of names and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamLists {
    /// Path parameters.
    pub path: Vec<(String, String)>,
    /// Query string parameters.
    pub querystring: Vec<(String, String)>,
    /// Headers.
    pub header: Vec<(String, String)>,
}

impl ParamLists {
    fn list(&self, place: ParamPlace) -> &[(String, String)] {
        match place {
            ParamPlace::Path => &self.path,
            ParamPlace::Querystring => &self.querystring,
            ParamPlace::Header => &self.header,
        }
    }
}

impl Params for ParamLists {
    fn get(&self, place: ParamPlace, name: &str) -> Option<Cow<'_, str>> {
        let found = self.list(place).iter().rev().find(|(present, _)| present == name);
        found.map(|(_, value)| Cow::Borrowed(value.as_str()))
    }

    fn each(&self, place: ParamPlace, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.list(place) {
            visit(name, value);
        }
    }
}

impl Variables for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<&str> {
        BTreeMap::get(self, name).map(String::as_str)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}

impl<S: BuildHasher> Variables for HashMap<String, String, S> {
    fn get(&self, name: &str) -> Option<&str> {
        HashMap::get(self, name).map(String::as_str)
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}

impl Variables for [(String, String)] {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(present, _)| present == name).map(|(_, value)| value.as_str())
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}
