//! Writing responses.

use crate::error::Refusal;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use std::convert::Infallible;
use std::io;

/// The body of every response.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A response, or why the request is refused.
pub(crate) type Reply = Result<Response<Body>, Refusal>;

fn never(error: Infallible) -> io::Error {
    match error {}
}

/// Returns a response without a body.
pub(crate) fn empty(status: StatusCode, headers: &[(&'static str, String)]) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(never).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    add(&mut response, headers);
    response
}

/// Returns a response with these bytes.
pub(crate) fn bytes(
    content_type: &str,
    body: impl Into<Bytes>,
    headers: &[(&'static str, String)],
) -> Response<Body> {
    let body: Bytes = body.into();
    let length = body.len();
    let mut response = Response::new(Full::new(body).map_err(never).boxed_unsync());
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    add(&mut response, &[("content-type", content_type.to_owned())]);
    add(&mut response, headers);
    response
}

/// Returns JSON.
pub(crate) fn json(value: &serde_json::Value, headers: &[(&'static str, String)]) -> Response<Body> {
    bytes("application/json", value.to_string(), headers)
}

/// Returns a response to a HEAD request: the headers of another one, with its length, without its body.
pub(crate) fn head_of(response: Response<Body>) -> Response<Body> {
    response.map(|_| Empty::new().map_err(never).boxed_unsync())
}

/// Returns what a client is told whose request is refused.
///
/// # Source
/// distribution-spec v1.1, "Error Codes".
pub(crate) fn refusal(refusal: &Refusal) -> Response<Body> {
    let body = serde_json::json!({"errors": [{
        "code": refusal.code.as_str(), "message": refusal.message, "detail": null,
    }]});
    let mut response = json(&body, &refusal.headers);
    *response.status_mut() = refusal.status;
    response
}

/// Adds headers. A value that is none (a name from the outside with strange bytes) is left out.
pub(crate) fn add(response: &mut Response<Body>, headers: &[(&'static str, String)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value.as_str()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    if !response.headers().contains_key(CONTENT_TYPE) && response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
}
