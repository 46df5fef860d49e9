//! Where a request goes: to the pipeline of its kind of API, or to what is not a deployed API.

mod function_url;
pub mod rest;
pub(crate) mod test_invoke;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::address;
use crate::body::{Body, ReadError, read_whole};
use crate::listener::{Connection, Thread};

/// Serves one request.
pub(crate) async fn serve(
    thread: &Rc<Thread>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (host, path) = (address::host(&head), head.uri.path());
    if let Some(address) = address::find(host, path) {
        let place = rest::Place::find(&thread.settings.index, &address);
        return rest::run(thread, connection, head, body, place).await;
    }
    // Boxed, so that the requests to deployed APIs do not carry the room for them.
    match address::find_url(host, path) {
        Some(address) => {
            let place = function_url::Place::find(&*thread.settings.function_urls, &address);
            Box::pin(function_url::run(thread, connection, head, body, place)).await
        }
        None => Box::pin(other(thread, &connection, head, body)).await,
    }
}

/// Hands a request to what is not a deployed API.
async fn other(thread: &Thread, connection: &Connection, head: Parts, body: Incoming) -> Response<Body> {
    let other = &thread.settings.other;
    let plain = |status: StatusCode, text: &'static str| {
        let mut response = Response::new(Body::whole(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response
    };
    let limit = match other.largest_body(&head, connection.peer) {
        Ok(limit) => limit,
        Err(refusal) => return refusal.map(Body::whole),
    };
    match read_whole(body, limit).await {
        Ok(body) => {
            connection.heads.clear();
            other.answer(head, body, connection.peer).await.map(Body::from)
        }
        Err(ReadError::TooLarge) => other.too_large(&head).map(Body::whole),
        Err(ReadError::Broken) => {
            plain(StatusCode::BAD_REQUEST, "{\"message\":\"The request's body could not be read\"}")
        }
    }
}
