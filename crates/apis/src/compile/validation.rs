//! Validators and models: what a method asks of its requests, compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::Validation;
use plan::validation::{BodyModel, RequiredParameter};
use templates::schema::Library;

use crate::rows::{Method, RequestValidator, Snapshot};
use crate::v1::accepts_everything;

/// The validators of a snapshot and the models that its methods' validators need, compiled once.
pub(super) struct Validators<'s> {
    validators: BTreeMap<&'s str, &'s RequestValidator>,
    /// Names of the models that accept everything.
    empty: BTreeSet<&'s str>,
    library: Arc<Library>,
}

/// A method names a validator that the snapshot does not have.
#[derive(Debug)]
pub(super) struct NoSuchValidator;

impl<'s> Validators<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Validators<'s> {
        let validators: BTreeMap<&str, &RequestValidator> =
            snapshot.request_validators.iter().map(|validator| (validator.id.as_str(), validator)).collect();
        let empty: BTreeSet<&str> = snapshot
            .models
            .iter()
            .filter(|model| accepts_everything(&model.name, &model.schema))
            .map(|model| model.name.as_str())
            .collect();
        let methods = snapshot.resources.iter().flat_map(|resource| resource.methods.values());
        let validated = methods.filter(|method| {
            let id = method.request_validator_id.as_deref();
            id.and_then(|id| validators.get(id)).is_some_and(|validator| validator.body)
        });
        let wanted: BTreeSet<&str> = validated
            .flat_map(|method| method.request_models.iter().flatten().map(|(_, name)| name.as_str()))
            .filter(|name| !empty.contains(name))
            .collect();
        // Without a method that needs one, no model is even read.
        let models = snapshot.models.iter().filter(|_| !wanted.is_empty());
        let models: Vec<(&str, &str)> = models.map(|model| (model.name.as_str(), model.schema.as_str())).collect();
        let library = Library::compile(&snapshot.api.id, models, wanted.iter().copied());
        Validators { validators, empty, library }
    }

    /// What a method asks of its requests; `None` if nothing.
    pub(super) fn validation(&self, method: &Method) -> Result<Option<Box<Validation>>, NoSuchValidator> {
        let Some(id) = method.request_validator_id.as_deref() else { return Ok(None) };
        let validator = self.validators.get(id).ok_or(NoSuchValidator)?;
        let mut validation = Validation::default();
        if validator.parameters {
            // The map's order is that in which missing ones are told: `header`, `path`, `querystring`.
            let required = method.request_parameters.iter().flatten().filter(|(_, is_required)| **is_required);
            validation.parameters = required.filter_map(|(key, _)| RequiredParameter::parse(key)).collect();
        }
        if validator.body {
            let models = method.request_models.iter().flatten();
            validation.models = models.map(|(kind, name)| (kind.as_str().into(), self.model(name))).collect();
        }
        Ok((!validation.is_empty()).then(|| Box::new(validation)))
    }

    fn model(&self, name: &str) -> BodyModel {
        match self.library.schema(name).filter(|_| !self.empty.contains(name)) {
            Some(schema) => BodyModel::Schema(schema),
            None => BodyModel::Anything,
        }
    }
}
