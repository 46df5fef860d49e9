//! Notes, as a function in Rust with `lambda_http`.

use std::sync::Mutex;

use lambda_http::http::{Method, StatusCode, header};
use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn};
use serde_json::{Value, json};

static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    NOTES.lock().map_err(|_| "poisoned")?.push("water the plants".to_owned());
    run(service_fn(route)).await
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    let path = request.uri().path().trim_end_matches('/').to_owned();
    // Behind a REST API the path begins with the stage.
    let path = path.strip_prefix("/test").unwrap_or(&path);
    match (request.method(), path) {
        (&Method::GET, "/notes") => list(&request),
        (&Method::POST, "/notes") => add(&request),
        (&Method::POST, "/echo") => {
            let bytes = request.body().to_vec();
            Ok(Response::builder()
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .body(Body::Binary(bytes))?)
        }
        (&Method::GET, "/cookies") => {
            let cookies = request.headers().get(header::COOKIE).map(|value| value.to_str()).transpose()?;
            answer(StatusCode::OK, &json!({ "cookies": cookies }))
        }
        (&Method::GET, "/fails") => Err("this was to be expected".into()),
        (&Method::GET, path) if path.starts_with("/notes/") => one(path.trim_start_matches("/notes/")),
        _ => answer(StatusCode::NOT_FOUND, &json!({ "message": format!("there is no {path}") })),
    }
}

fn list(request: &Request) -> Result<Response<Body>, Error> {
    let query = request.query_string_parameters();
    let contains = query.first("contains").unwrap_or_default();
    let tags: Vec<&str> = query.all("tag").unwrap_or_default();
    let notes = NOTES.lock().map_err(|_| "poisoned")?;
    let found: Vec<Value> = (1..)
        .zip(notes.iter())
        .filter(|(_, text)| text.contains(contains))
        .map(|(id, text)| json!({ "id": id.to_string(), "text": text }))
        .collect();
    let agent = request.headers().get(header::USER_AGENT).map(|agent| agent.to_str()).transpose()?;
    answer(StatusCode::OK, &json!({ "notes": found, "tags": tags, "agent": agent }))
}

fn one(id: &str) -> Result<Response<Body>, Error> {
    let notes = NOTES.lock().map_err(|_| "poisoned")?;
    let found = id.parse::<usize>().ok().and_then(|number| notes.get(number.checked_sub(1)?));
    match found {
        Some(text) => answer(StatusCode::OK, &json!({ "id": id, "text": text })),
        None => answer(StatusCode::NOT_FOUND, &json!({ "message": format!("there is no note {id}") })),
    }
}

fn add(request: &Request) -> Result<Response<Body>, Error> {
    let body: Value = serde_json::from_slice(request.body())?;
    let Some(text) = body["text"].as_str() else {
        return answer(StatusCode::BAD_REQUEST, &json!({ "message": "a note has a text" }));
    };
    let mut notes = NOTES.lock().map_err(|_| "poisoned")?;
    notes.push(text.to_owned());
    let id = notes.len().to_string();
    let mut response = answer(StatusCode::CREATED, &json!({ "id": id, "text": text }))?;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, format!("/notes/{id}").parse()?);
    headers.append(header::SET_COOKIE, format!("last={id}").parse()?);
    headers.append(header::SET_COOKIE, "theme=dark; HttpOnly".parse()?);
    Ok(response)
}

fn answer(status: StatusCode, body: &Value) -> Result<Response<Body>, Error> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    Ok(response.body(Body::Text(body.to_string()))?)
}
