//! What a method's request validator asks of a request.

use templates::schema::Schema;

/// The checks of one method. A method without any has no such value.
#[derive(Debug, Default)]
pub struct Validation {
    /// The parameters that a request must have, in the order in which missing ones are told: headers, path, query
    /// string, and by name among themselves.
    pub parameters: Vec<RequiredParameter>,
    /// The model of a body by its media type or `$default`.
    pub models: Vec<(Box<str>, BodyModel)>,
}

/// A parameter that must be there and not be blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredParameter {
    /// Where it is looked for.
    pub place: ParameterPlace,
    /// Its name; that of a header in the method's spelling.
    pub name: Box<str>,
}

/// Where a request's parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterPlace {
    /// `method.request.header.*`
    Header,
    /// `method.request.path.*`
    Path,
    /// `method.request.querystring.*`
    Query,
}

/// What a body must be.
#[derive(Clone, Debug)]
pub enum BodyModel {
    /// The model `Empty`: anything, JSON or not.
    Anything,
    /// As a model says.
    Schema(Schema),
}

impl Validation {
    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.models.is_empty()
    }

    /// The model for a body of this media type.
    pub fn model(&self, media_type: &str) -> Option<&BodyModel> {
        let find = |key: &str| self.models.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
        find(media_type).or_else(|| find("$default")).map(|(_, model)| model)
    }
}

impl RequiredParameter {
    /// Takes `method.request.{header|path|querystring}.NAME` apart.
    pub fn parse(key: &str) -> Option<RequiredParameter> {
        let (place, name) = key.strip_prefix("method.request.")?.split_once('.')?;
        let place = match place {
            "header" => ParameterPlace::Header,
            "path" => ParameterPlace::Path,
            "querystring" => ParameterPlace::Query,
            _ => return None,
        };
        Some(RequiredParameter { place, name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_apart() {
        let found = RequiredParameter::parse("method.request.querystring.a.b");
        assert_eq!(found, Some(RequiredParameter { place: ParameterPlace::Query, name: "a.b".into() }));
        assert_eq!(RequiredParameter::parse("method.request.body.a"), None);
        assert_eq!(RequiredParameter::parse("integration.request.header.a"), None);
    }

    #[test]
    fn a_model_is_chosen_by_media_type() {
        let models = vec![("application/json".into(), BodyModel::Anything)];
        let validation = Validation { models, ..Validation::default() };
        assert!(validation.model("Application/JSON").is_some());
        assert!(validation.model("text/plain").is_none());
        let models = vec![("$default".into(), BodyModel::Anything)];
        let validation = Validation { models, ..Validation::default() };
        assert!(validation.model("text/plain").is_some());
    }
}
