//! From frames to HTTP answers and from posts to frames.

use base::limits::FUNCTION_PAYLOAD_BYTES;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::desk::Desk;
use super::{accepted, refused};
use crate::pool::REQUEST_ID;

/// The longest frame that an invocation or an answer can be: the payload and what goes with it.
pub(super) const LONGEST: usize = FUNCTION_PAYLOAD_BYTES + 128 * 1024;

/// The most of a stream that is put into one frame.
const CHUNK: usize = 256 * 1024;

const INVOKE: u8 = 1;

/// Kinds of frames towards the environment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Ready = 1,
    InitFailed = 2,
    Response = 3,
    Error = 4,
    LastError = 6,
    StreamBegun = 7,
    Chunk = 8,
    StreamEnded = 9,
}

/// A request id.
pub(super) type Id = [u8; REQUEST_ID];

/// An invocation, as its frame has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    deadline: u64,
    pub(super) id: Id,
    function_arn: String,
    trace_id: String,
    client_context: String,
    event: Bytes,
}

impl Desk {
    /// The handler has failed.
    pub(super) async fn error(&self, id: Id, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match whole(request.into_body()).await {
            Ok(payload) => self.finish(Kind::Error, id, &payload).await,
            Err(refusal) => return self.unread(id, *refusal).await,
        }
        accepted()
    }

    /// The handler has returned, or streams.
    pub(super) async fn response(&self, id: Id, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mode = request.headers().get("lambda-runtime-function-response-mode");
        match mode.map(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming")) {
            Some(true) => return self.stream(id, request).await,
            Some(false) => {
                let _ = whole(request.into_body()).await;
                let payload = r#"{"errorMessage":"the response mode is not known","errorType":"Runtime.InvalidResponseModeHeader"}"#;
                self.finish(Kind::Error, id, payload.as_bytes()).await;
                return refused(StatusCode::BAD_REQUEST, "InvalidResponseModeHeader", "Invalid response mode header");
            }
            None => {}
        }
        match whole(request.into_body()).await {
            Ok(payload) => self.finish(Kind::Response, id, &payload).await,
            Err(refusal) => return self.unread(id, *refusal).await,
        }
        accepted()
    }

    /// What was posted is longer than an answer may be, or broke off.
    async fn unread(&self, id: Id, refusal: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        let payload = match refusal.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!(
                "{{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size ({FUNCTION_PAYLOAD_BYTES} bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}}"
            ),
            _ => r#"{"errorMessage":"the answer broke off","errorType":"Runtime.TruncatedResponse"}"#.to_owned(),
        };
        self.finish(Kind::Error, id, payload.as_bytes()).await;
        refusal
    }

    async fn stream(&self, id: Id, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let kind = request.headers().get(CONTENT_TYPE).cloned();
        self.send(Kind::StreamBegun, Some(id), kind.as_ref().map_or(&[], HeaderValue::as_bytes)).await;
        let mut body = request.into_body();
        let mut failure = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => {
                    for chunk in data.chunks(CHUNK) {
                        self.send(Kind::Chunk, Some(id), chunk).await;
                    }
                }
                Ok(Err(frame)) => failure = frame.trailers_ref().and_then(error_of).unwrap_or_default(),
                Err(_) => {
                    failure =
                        br#"{"errorMessage":"the stream broke off","errorType":"Runtime.TruncatedResponse"}"#.to_vec();
                    break;
                }
            }
        }
        self.finish(Kind::StreamEnded, id, &failure).await;
        accepted()
    }
}

/// The error that the trailers of a stream tell: its type, and its body in Base64.
fn error_of(trailers: &HeaderMap) -> Option<Vec<u8>> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let body = trailers.get("lambda-runtime-function-error-body").and_then(|body| STANDARD.decode(body).ok());
    Some(body.filter(|body| !body.is_empty()).unwrap_or_else(|| {
        let kind = String::from_utf8_lossy(kind.as_bytes());
        serde_json::json!({"errorType": kind}).to_string().into_bytes()
    }))
}

/// A post's body, at most as long as a response may be.
pub(super) async fn whole(body: Incoming) -> Result<Bytes, Box<Response<Full<Bytes>>>> {
    match Limited::new(body, FUNCTION_PAYLOAD_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Exceeded maximum allowed payload size ({FUNCTION_PAYLOAD_BYTES} bytes).");
            Err(Box::new(refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)))
        }
        Err(_) => Err(Box::new(refused(StatusCode::BAD_REQUEST, "InvalidRequest", "the body could not be read"))),
    }
}

impl Invocation {
    /// Takes a frame apart.
    pub(super) fn read(mut frame: Bytes) -> Option<Invocation> {
        let mut take = |length: usize| (frame.len() >= length).then(|| frame.split_to(length));
        if take(1)?[0] != INVOKE {
            return None;
        }
        let deadline = u64::from_le_bytes(take(8)?.as_ref().try_into().ok()?);
        let id = take(REQUEST_ID)?.as_ref().try_into().ok()?;
        let arn = u16::from_le_bytes(take(2)?.as_ref().try_into().ok()?);
        let trace = u16::from_le_bytes(take(2)?.as_ref().try_into().ok()?);
        let context = u32::from_le_bytes(take(4)?.as_ref().try_into().ok()?);
        let mut text = |length: usize| Some(String::from_utf8_lossy(&take(length)?).into_owned());
        let (function_arn, trace_id) = (text(arn.into())?, text(trace.into())?);
        let client_context = text(context as usize)?;
        Some(Invocation { deadline, id, function_arn, trace_id, client_context, event: frame })
    }

    /// What extensions are told of it.
    pub(super) fn event_text(&self) -> String {
        let mut event = serde_json::json!({
            "eventType": "INVOKE",
            "deadlineMs": self.deadline,
            "requestId": String::from_utf8_lossy(&self.id),
            "invokedFunctionArn": self.function_arn,
        });
        if !self.trace_id.is_empty() {
            event["tracing"] = serde_json::json!({"type": "X-Amzn-Trace-Id", "value": self.trace_id});
        }
        event.to_string()
    }

    /// The answer to `next`.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.event));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let id = String::from_utf8_lossy(&self.id).into_owned();
        for (name, value) in [
            ("lambda-runtime-aws-request-id", id),
            ("lambda-runtime-deadline-ms", self.deadline.to_string()),
            ("lambda-runtime-invoked-function-arn", self.function_arn),
            ("lambda-runtime-trace-id", self.trace_id),
            ("lambda-runtime-client-context", self.client_context),
        ] {
            // What is empty is not sent, and neither is what no header can carry.
            if let Some(value) =
                Some(value).filter(|value| !value.is_empty()).and_then(|v| HeaderValue::try_from(v).ok())
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_apart() {
        let id = *b"8a7b6c5d-0000-4000-8000-000000000001";
        let header = crate::pool::InvokeHeader {
            deadline: 7,
            request_id: &id,
            function_arn: "arn",
            trace_id: "Root=1",
            client_context: "{}",
        };
        let mut frame = Vec::new();
        assert!(header.write(&mut frame, b"[1]"));
        frame.extend_from_slice(b"[1]");
        let read = Invocation::read(frame.split_off(4).into()).unwrap();
        let expected = Invocation {
            deadline: 7,
            id,
            function_arn: "arn".into(),
            trace_id: "Root=1".into(),
            client_context: "{}".into(),
            event: Bytes::from_static(b"[1]"),
        };
        assert_eq!(read, expected);
        for length in 0..60 {
            let mut cut = Vec::new();
            assert!(header.write(&mut cut, b""));
            assert_eq!(Invocation::read(Bytes::copy_from_slice(&cut[4..4 + length])), None, "{length}");
        }
    }
}
