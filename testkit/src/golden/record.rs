//! Sends the steps and records the answers.

use super::normalize::normalize;
use super::steps::steps;
use crate::http::{self, Response};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The image that the steps use. It must be there before: the busybox of the fixtures under this name.
pub const IMAGE: &str = "naru-golden:1";

/// The headers that clients read. The others are not compared.
const HEADERS: &[&str] = &[
    "api-version",
    "ostype",
    "content-type",
    "docker-experimental",
    "swarm",
    "x-docker-container-path-stat",
];

/// What one engine answered, by the names of the steps.
pub type Record = BTreeMap<String, Answer>;

/// One normalized answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that clients read, by name in lower case.
    pub headers: Map<String, Value>,
    /// The body: JSON, a list of JSON for a stream of lines, or text.
    pub body: Value,
}

impl Answer {
    /// Returns the form that is committed.
    pub fn to_json(&self) -> Value {
        json!({"status": self.status, "headers": self.headers, "body": self.body})
    }

    /// Returns the answer of a committed form.
    ///
    /// # Panics
    /// When a member is missing.
    pub fn from_json(value: &Value) -> Self {
        Self {
            status: value["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status"),
            headers: value["headers"].as_object().expect("headers").clone(),
            body: value["body"].clone(),
        }
    }
}

/// Sends all steps to the engine behind `socket`, in order, and removes what they left.
pub fn play(socket: &Path) -> Record {
    clean(socket);
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut record = Record::new();
    for step in steps() {
        let mut path = step.path.to_owned();
        for (name, value) in &names {
            path = path.replace(&format!("{{{name}}}"), value.as_str());
        }
        let full = encoded(&if step.versioned { format!("/v1.51{path}") } else { path });
        let response = http::request(socket, step.method, &full, step.body.as_deref());
        if let Some((name, member)) = step.keep {
            let value = serde_json::from_slice::<Value>(&response.body).unwrap_or_default();
            names.insert(name, value[member].as_str().unwrap_or("missing").to_owned());
        }
        if step.path.ends_with("name=golden-b") {
            // Docker may take what another version refused: the next step must not meet its name.
            let _ = http::request(socket, "DELETE", "/containers/golden-b?force=1", None);
        }
        let previous = record.insert(step.name.to_owned(), answer(&response));
        assert!(previous.is_none(), "two steps are called {}", step.name);
    }
    clean(socket);
    record
}

/// Encodes what the steps write plainly for readability (RFC 3986 section 2.1).
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if "{}[]\" ".contains(c) { out.push_str(&format!("%{:02X}", u32::from(c))) } else { out.push(c) }
    }
    out
}

fn clean(socket: &Path) {
    for name in ["golden-a", "golden-b", "golden-c", "golden-d", "golden-renamed"] {
        let _ = http::request(socket, "DELETE", &format!("/containers/{name}?force=1&v=1"), None); // most are not there
    }
    for path in ["/networks/golden-net", "/volumes/golden-volume", "/images/naru-golden:2"] {
        let _ = http::request(socket, "DELETE", path, None); // most are not there
    }
}

fn answer(response: &Response) -> Answer {
    let headers = HEADERS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), normalize(name, json!(response.header(name)?)))))
        .collect();
    Answer { status: response.status, headers, body: normalize("", body(&response.body)) }
}

/// Reads JSON, or a stream of JSON lines, or text.
fn body(bytes: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    let lines: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(bytes).into_iter().collect();
    match lines {
        Ok(lines) if !lines.is_empty() => Value::Array(lines),
        _ => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_json_or_lines_or_text() {
        assert_eq!(body(b"{\"a\":1}"), json!({"a": 1}));
        assert_eq!(body(b"{\"a\":1}\n{\"b\":2}\n"), json!([{"a": 1}, {"b": 2}]));
        assert_eq!(body(b"OK"), json!("OK"));
        assert_eq!(body(b""), json!(""));
    }

    #[test]
    fn answer_survives_its_committed_form() {
        let answer = Answer { status: 404, headers: Map::new(), body: json!({"message": "no"}) };
        assert_eq!(Answer::from_json(&answer.to_json()), answer);
    }
}
