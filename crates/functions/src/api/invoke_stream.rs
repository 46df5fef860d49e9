//! InvokeWithResponseStream: what a function writes, as events that are sent while it writes.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use base::seams::{StreamPart, StreamParts, Streaming};
use base::shape::Sensitive;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use model_lambda as model;
use serde_json::{Map, Value};
use wire::{Answer, ApiError, Call, Event, EventStream, Events};

use super::configure::not_yet;
use super::invoke::{Asked, refusal};
use crate::Functions;

pub(super) async fn invoke_with_response_stream(
    functions: Arc<Functions>,
    call: Call,
    input: model::InvokeWithResponseStreamRequest,
) -> Result<Answer<model::InvokeWithResponseStreamResponse>, ApiError> {
    if input.tenant_id.is_some() {
        return Err(not_yet("tenants"));
    }
    let asked = Asked {
        function_name: &input.function_name,
        qualifier: input.qualifier.as_deref(),
        payload: input.payload.map(|Sensitive(payload)| payload),
        client_context: input.client_context.as_deref(),
        log_type: input.log_type.as_deref(),
    };
    let Some((invocation, trace)) = functions.unless_dry(&call, asked, input.invocation_type.as_deref())? else {
        let output = model::InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() };
        return Ok(output.into());
    };
    let streaming = functions.stream_from_anywhere(invocation).await.map_err(refusal)?;
    let Streaming { executed_version, content_type, parts, .. } = streaming;
    let output = model::InvokeWithResponseStreamResponse {
        status_code: Some(200),
        executed_version: Some(executed_version.to_string()),
        event_stream: None,
        response_stream_content_type: Some("application/vnd.amazon.eventstream".to_owned()),
    };
    let mut answer = Answer::from(output)
        .with_header(HeaderName::from_static("x-amzn-trace-id"), trace)
        .with_events(EventStream::new(Written { parts, has_ended: false }));
    if let Some(kind) = content_type.and_then(|kind| HeaderValue::try_from(&*kind).ok()) {
        answer = answer.with_header(HeaderName::from_static("x-amzn-remapped-content-type"), kind);
    }
    Ok(answer)
}

/// What a function writes, as events.
struct Written {
    parts: Box<dyn StreamParts>,
    has_ended: bool,
}

impl Events for Written {
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        loop {
            match ready!(self.parts.poll_part(context)) {
                StreamPart::Chunk(chunk) if chunk.is_empty() => {}
                StreamPart::Chunk(payload) => {
                    let content_type = "application/octet-stream";
                    return Poll::Ready(Some(Event { name: "PayloadChunk", content_type, payload }));
                }
                StreamPart::Ended { failure, log_tail } => {
                    self.has_ended = true;
                    return Poll::Ready(Some(complete(failure.as_deref(), log_tail.as_deref())));
                }
            }
        }
    }
}

/// The last event: whether all went well.
fn complete(failure: Option<&[u8]>, log_tail: Option<&[u8]>) -> Event {
    let mut members = Map::new();
    if let Some(failure) = failure {
        members.insert("ErrorCode".to_owned(), "Unhandled".into());
        members.insert("ErrorDetails".to_owned(), String::from_utf8_lossy(failure).into());
    }
    if let Some(tail) = log_tail {
        members.insert("LogResult".to_owned(), STANDARD.encode(tail).into());
    }
    let payload = Value::Object(members).to_string().into();
    Event { name: "InvokeComplete", content_type: "application/json", payload }
}
