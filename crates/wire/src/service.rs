//! A service as the control plane mounts it: its shape table and a handler per operation.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base::shape::{self, Operation};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::{Answer, ApiError, Call, EventStream};

/// A decoded and validated input, before it gets its type.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// The members under their names in the model; null when the operation has no input.
    pub(crate) members: Value,
    /// The body, for inputs whose payload is nothing but bytes.
    pub(crate) payload: Option<Bytes>,
}

/// An output that has lost its type, ready to be encoded.
#[derive(Debug)]
pub(crate) struct Output {
    /// The members under their names in the model; null when the operation has no output.
    pub(crate) members: Value,
    /// The body, for outputs whose payload is nothing but bytes.
    pub(crate) payload: Option<Bytes>,
    /// Headers beyond those of the model.
    pub(crate) headers: HeaderMap,
    /// The body, for outputs that are event streams.
    pub(crate) events: Option<EventStream>,
}

type HandlerFuture = Pin<Box<dyn Future<Output = Result<Output, ApiError>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(Call, Input) -> HandlerFuture + Send + Sync>;

/// Says in whose name a call is to run, where that is not the caller's.
pub(crate) type Owner = Box<dyn Fn(&Call, &Value) -> Option<Arc<str>> + Send + Sync>;

/// A service under construction: `Service::new(&SERVICE, state).operation(CreateRestApi, create_rest_api)…`.
pub struct Service<S> {
    mounted: Mounted,
    state: Arc<S>,
}

impl<S: Send + Sync + 'static> Service<S> {
    /// A service without handlers: every operation is answered with `NotImplemented`.
    pub fn new(model: &'static shape::Service, state: Arc<S>) -> Service<S> {
        Service { mounted: Mounted { model, handlers: HashMap::new(), owner: None }, state }
    }

    /// Gives an operation its handler. The handler gets the service's state, the call and the typed input, which has
    /// passed validation by the model: required members are there, lengths, ranges, patterns and enumerations hold.
    #[must_use]
    pub fn operation<O, H, F, R>(mut self, _operation: O, handler: H) -> Service<S>
    where
        O: Operation,
        H: Fn(Arc<S>, Call, O::Input) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, ApiError>> + Send + 'static,
        R: Into<Answer<O::Output>>,
    {
        let state = Arc::clone(&self.state);
        let erased: Handler = Arc::new(move |call, input| {
            let typed = typed_input::<O>(input).map(|input| handler(Arc::clone(&state), call, input));
            Box::pin(async move { untyped_output::<O>(typed?.await?.into()) })
        });
        self.mounted.handlers.insert(O::MODEL.name, erased);
        self
    }

    /// Has calls run in another account's name where `owner` says so; it looks at the members of the input, which are
    /// named as in the model.
    #[must_use]
    pub fn on_behalf(mut self, owner: fn(&S, &Call, &Value) -> Option<Arc<str>>) -> Service<S> {
        let state = Arc::clone(&self.state);
        self.mounted.owner = Some(Box::new(move |call, members| owner(&state, call, members)));
        self
    }
}

/// A service with its handlers, its state's type forgotten.
pub struct Mounted {
    pub(crate) model: &'static shape::Service,
    pub(crate) handlers: HashMap<&'static str, Handler>,
    pub(crate) owner: Option<Owner>,
}

impl Mounted {
    /// The service's table.
    pub fn model(&self) -> &'static shape::Service {
        self.model
    }

    /// The operations that the model marks as implemented and that have no handler; a service's tests want none.
    pub fn missing(&self) -> Vec<&'static str> {
        let implemented = self.model.operations.iter().filter(|operation| operation.implemented);
        implemented.map(|operation| operation.name).filter(|name| !self.handlers.contains_key(name)).collect()
    }
}

impl<S> From<Service<S>> for Mounted {
    fn from(service: Service<S>) -> Mounted {
        service.mounted
    }
}

fn typed_input<O: Operation>(input: Input) -> Result<O::Input, ApiError> {
    let mut typed = serde_json::from_value(input.members).map_err(|error| {
        // The table and the struct come from one model, so what passed the table fits the struct, but for base64.
        ApiError::serialization(format!("the request could not be read: {error}"))
    })?;
    if let Some(payload) = input.payload {
        O::set_payload(&mut typed, payload);
    }
    Ok(typed)
}

fn untyped_output<O: Operation>(mut answer: Answer<O::Output>) -> Result<Output, ApiError> {
    let payload = O::take_payload(&mut answer.output);
    let members = serde_json::to_value(answer.output).map_err(ApiError::internal)?;
    Ok(Output { members, payload, headers: answer.headers, events: answer.events })
}
