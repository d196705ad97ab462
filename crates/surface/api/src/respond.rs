//! Writing responses.

use bytes::Bytes;
use error::{Failure, Kind};
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use std::convert::Infallible;

/// The body of every response.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A response, or why there is none.
pub(crate) type Reply = Result<Response<Body>, Failure>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn never(error: Infallible) -> std::io::Error {
    match error {}
}

/// Returns a response with these bytes as its body.
pub(crate) fn bytes(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).map_err(never).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Returns a response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(never).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// Returns a value as JSON with a newline behind it, as Go's encoder writes it.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut body = serde_json::to_vec(value).expect("our answers have string keys and no fallible parts");
    body.push(b'\n');
    bytes(status, JSON, body)
}

/// Returns a value as JSON with status 200.
pub(crate) fn ok(value: &impl Serialize) -> Reply {
    Ok(json(StatusCode::OK, value))
}

/// Returns a response whose body comes piece by piece. The headers are sent at once.
pub(crate) fn stream(
    content_type: &'static str,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    let frames = pieces.map(|piece| Ok(Frame::data(piece)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Returns a response whose body may break off: then the client sees that it is not whole.
pub(crate) fn fallible_stream(
    content_type: &'static str,
    pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) -> Response<Body> {
    let frames = pieces.map(|piece| piece.map(Frame::data));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Returns one JSON line of a stream.
pub(crate) fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).expect("our answers have string keys and no fallible parts");
    line.push(b'\n');
    line.into()
}

/// Returns the response to a request that failed.
pub(crate) fn failure(failure: &Failure) -> Response<Body> {
    if failure.kind == Kind::NotModified {
        return empty(StatusCode::NOT_MODIFIED);
    }
    let status =
        StatusCode::from_u16(failure.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = wire::Error {
        message: failure.message.clone(),
        code: Some(failure.kind.code().to_owned()),
        hint: failure.hint.clone(),
    };
    json(status, &body)
}

/// Adds what every response carries.
pub(crate) fn common_headers(headers: &mut HeaderMap) {
    let server = format!("Docker/{} (linux)", env!("CARGO_PKG_VERSION"));
    let version = wire::version::CURRENT.to_string();
    headers.insert(SERVER, HeaderValue::try_from(server).expect("a version has visible ASCII only"));
    headers.insert("Api-Version", HeaderValue::try_from(version).expect("digits and a dot"));
    headers.insert("Docker-Experimental", HeaderValue::from_static("false"));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
}
