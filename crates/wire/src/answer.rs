//! What a handler gives back when all went well.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::EventStream;

/// An output and what goes with it that the model does not know.
///
/// Handlers normally return the plain output, which converts into this by itself.
#[derive(Debug)]
pub struct Answer<T> {
    /// The typed output.
    pub output: T,
    /// Headers beyond those of the model.
    pub headers: HeaderMap,
    /// The body, for outputs that are event streams.
    pub events: Option<EventStream>,
}

impl<T> Answer<T> {
    /// The output with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Answer<T> {
        self.headers.append(name, value);
        self
    }

    /// The output with the events that are its body.
    #[must_use]
    pub fn with_events(self, events: EventStream) -> Answer<T> {
        Answer { events: Some(events), ..self }
    }
}

impl<T> From<T> for Answer<T> {
    fn from(output: T) -> Answer<T> {
        Answer { output, headers: HeaderMap::new(), events: None }
    }
}
