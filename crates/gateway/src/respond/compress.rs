//! Compression of responses (`minimumCompressionSize`; REST data plane, section 16).

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, HeaderValue};
use http::{Method, StatusCode};
use http_body::Body as HttpBody;

use super::Answer;
use crate::body::coding::Coding;
use crate::body::{Body, compress};
use crate::exchange::Exchange;
use crate::fault::Fault;

/// Packs an integration's answer of at least `minimum` bytes as the client likes it best. What is packed already, an
/// empty body and a stream are left alone; so is what the client likes best in a coding that we do not know.
///
/// # Errors
/// When a backend's body of unknown length breaks off before it is known to be long enough.
pub(crate) async fn compress(exchange: &Exchange, minimum: u32, mut answer: Answer) -> Result<Answer, Fault> {
    let has_body = exchange.head.method != Method::HEAD
        && !matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        && !answer.headers.contains_key(CONTENT_ENCODING);
    let Some(coding) = has_body.then(|| Coding::accepted(&exchange.head.headers)).flatten() else {
        return Ok(answer);
    };
    let minimum = minimum as usize;
    let packed = match answer.body {
        Body::Whole(Some(bytes)) if bytes.len() >= minimum => {
            let packed = compress::pack(coding, &bytes).await;
            Body::whole(packed.map_err(|_| Fault::Internal { reason: "a body could not be compressed".into() })?)
        }
        Body::Streamed(_) => match answer.body.length() {
            Some(length) if length < minimum as u64 => return Ok(answer),
            Some(_) => Body::packed(coding, Bytes::new(), answer.body),
            None => match first(&mut answer.body, minimum).await? {
                Start::All(bytes) => {
                    answer.body = Body::whole(bytes);
                    return Ok(answer);
                }
                Start::Enough(ahead) => Body::packed(coding, ahead, answer.body),
            },
        },
        Body::Whole(_) | Body::Made(_) => return Ok(answer),
    };
    answer.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    answer.body = packed;
    Ok(answer)
}

/// The beginning of a body.
enum Start {
    /// It ended.
    All(Bytes),
    /// There is at least as much as was asked for.
    Enough(Bytes),
}

async fn first(body: &mut Body, minimum: usize) -> Result<Start, Fault> {
    let mut ahead = BytesMut::new();
    while ahead.len() < minimum.max(1) {
        match std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            Some(Ok(frame)) => ahead.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(error)) => return Err(Fault::BackendUnreachable { reason: error.to_string().into() }),
            None => return Ok(Start::All(ahead.freeze())),
        }
    }
    Ok(Start::Enough(ahead.freeze()))
}
