//! From frames to HTTP answers and from posts to frames.

use std::cell::Cell;

use base::limits::FUNCTION_PAYLOAD_BYTES;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

use super::{accepted, refused};
use crate::pool::REQUEST_ID;

/// The longest frame that an invocation can be: the event and what goes with it.
const LONGEST: usize = FUNCTION_PAYLOAD_BYTES + 128 * 1024;

/// The most of a stream that is put into one frame.
const CHUNK: usize = 256 * 1024;

const INVOKE: u8 = 1;

/// Kinds of frames towards the environment.
#[derive(Clone, Copy)]
enum Kind {
    Ready = 1,
    InitFailed = 2,
    Response = 3,
    Error = 4,
    StreamBegun = 7,
    Chunk = 8,
    StreamEnded = 9,
}

type Id = [u8; REQUEST_ID];

/// The framed socket of one process.
pub(super) struct Bridge {
    invocations: Mutex<OwnedReadHalf>,
    answers: Mutex<OwnedWriteHalf>,
    /// The process has asked for its first event, so it is initialized.
    is_ready: Cell<bool>,
    current: Cell<Option<Id>>,
}

/// An invocation, as its frame has it.
#[derive(Debug, PartialEq, Eq)]
struct Invocation {
    deadline: u64,
    id: Id,
    function_arn: String,
    trace_id: String,
    client_context: String,
    event: Bytes,
}

impl Bridge {
    pub(super) fn new(frames: UnixStream) -> Bridge {
        let (invocations, answers) = frames.into_split();
        Bridge {
            invocations: Mutex::new(invocations),
            answers: Mutex::new(answers),
            is_ready: Cell::new(false),
            current: Cell::new(None),
        }
    }

    pub(super) fn is_current(&self, id: &str) -> bool {
        self.current.get().is_some_and(|current| current == id.as_bytes())
    }

    /// Waits for the next event.
    pub(super) async fn next(&self) -> Response<Full<Bytes>> {
        if !self.is_ready.replace(true) {
            self.send(Kind::Ready, None, &[]).await;
        }
        let mut invocations = self.invocations.lock().await;
        let read = async {
            let length = invocations.read_u32_le().await? as usize;
            if length > LONGEST {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            let mut frame = vec![0; length];
            invocations.read_exact(&mut frame).await?;
            std::io::Result::Ok(frame)
        };
        let gone =
            || refused(StatusCode::INTERNAL_SERVER_ERROR, "Runtime.Shutdown", "the environment is shutting down");
        let Ok(frame) = read.await else { return gone() };
        let Some(invocation) = Invocation::read(frame.into()) else { return gone() };
        self.current.set(Some(invocation.id));
        invocation.into_response()
    }

    /// The process could not initialize; it ends by itself.
    pub(super) async fn initialization_failed(&self, body: Incoming) -> Response<Full<Bytes>> {
        match whole(body).await {
            Ok(payload) => self.send(Kind::InitFailed, None, &payload).await,
            Err(refusal) => return *refusal,
        }
        accepted()
    }

    /// The handler has failed.
    pub(super) async fn error(&self, body: Incoming) -> Response<Full<Bytes>> {
        let id = self.current.take();
        match whole(body).await {
            Ok(payload) => self.send(Kind::Error, id, &payload).await,
            Err(refusal) => return *refusal,
        }
        accepted()
    }

    /// The handler has returned, or streams.
    pub(super) async fn response(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let id = self.current.take();
        let mode = request.headers().get("lambda-runtime-function-response-mode");
        if mode.is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming")) {
            return self.stream(id, request).await;
        }
        match whole(request.into_body()).await {
            Ok(payload) => self.send(Kind::Response, id, &payload).await,
            Err(refusal) => {
                let payload = format!(
                    "{{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size ({FUNCTION_PAYLOAD_BYTES} bytes).\",\"errorType\":\"Function.ResponseSizeTooLarge\"}}"
                );
                self.send(Kind::Error, id, payload.as_bytes()).await;
                return *refusal;
            }
        }
        accepted()
    }

    async fn stream(&self, id: Option<Id>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let kind = request.headers().get(CONTENT_TYPE).cloned();
        self.send(Kind::StreamBegun, id, kind.as_ref().map_or(&[], HeaderValue::as_bytes)).await;
        let mut body = request.into_body();
        let mut failure = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => {
                    for chunk in data.chunks(CHUNK) {
                        self.send(Kind::Chunk, id, chunk).await;
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
        self.send(Kind::StreamEnded, id, &failure).await;
        accepted()
    }

    /// Writes a frame. An environment that is gone needs none: its process is ended.
    async fn send(&self, kind: Kind, id: Option<Id>, payload: &[u8]) {
        let id = id.as_ref().map_or(&[][..], |id| &id[..]);
        let Ok(length) = u32::try_from(1 + id.len() + payload.len()) else { return };
        let mut head = Vec::with_capacity(5 + id.len());
        head.extend_from_slice(&length.to_le_bytes());
        head.push(kind as u8);
        head.extend_from_slice(id);
        let mut answers = self.answers.lock().await;
        if answers.write_all(&head).await.is_ok() {
            let _ = answers.write_all(payload).await;
        }
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
    fn read(mut frame: Bytes) -> Option<Invocation> {
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

    fn into_response(self) -> Response<Full<Bytes>> {
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
