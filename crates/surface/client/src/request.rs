//! One request before it has a connection: path, query, body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use std::fmt::Write;

/// Query parameters in the order in which they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(String);

impl Query {
    /// Adds `name=value`, percent-encoded.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode(&mut self.0, name, "");
        self.0.push('=');
        encode(&mut self.0, value, "");
        self
    }

    /// Adds the parameter if there is a value, and that value is not empty.
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) if !value.is_empty() => self.with(name, value),
            _ => self,
        }
    }

    /// Adds `name=1` if it is on.
    pub(crate) fn with_flag(self, name: &str, on: bool) -> Self {
        if on { self.with(name, "1") } else { self }
    }

    /// Returns the encoded text, without a question mark.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends a percent-encoded text; unreserved characters and those of `keep` stay.
fn encode(out: &mut String, text: &str, keep: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
}

/// Returns the name of an object as it may stand in a path.
///
/// Slashes, colons and at-signs stay, as Docker's own client leaves them: image references contain them.
pub(crate) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    encode(&mut out, name, "/:@+,=");
    out
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path without the version, `/containers/json`.
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Query::default(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub(crate) fn query(mut self, query: Query) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, serde_json::Error> {
        self.body = Bytes::from(serde_json::to_vec(body)?);
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Returns the request as error texts name it.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Returns path and query with a version in front.
    pub(crate) fn target(&self, version: &str) -> String {
        let query = self.query.as_str();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/v{version}{}{mark}{query}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_encodes_what_urls_reserve() {
        let query = Query::default()
            .with("filters", r#"{"name":{"a b":true}}"#)
            .with_some("since", None)
            .with_flag("all", true)
            .with_flag("size", false);
        assert_eq!(query.as_str(), "filters=%7B%22name%22%3A%7B%22a%20b%22%3Atrue%7D%7D&all=1");
    }

    #[test]
    fn segment_keeps_references_readable_and_escapes_the_rest() {
        assert_eq!(segment("127.0.0.1:5000/a/b@sha256:00"), "127.0.0.1:5000/a/b@sha256:00");
        assert_eq!(segment("a?b#c d%"), "a%3Fb%23c%20d%25");
    }

    #[test]
    fn target_puts_the_version_in_front() {
        let request = Request::get("/containers/json").query(Query::default().with("all", "1"));
        assert_eq!(request.target("1.51"), "/v1.51/containers/json?all=1");
        assert_eq!(Request::get("/info").target("1.44"), "/v1.44/info");
    }
}
