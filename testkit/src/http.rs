//! The REST API as bytes: for tests that must see exactly what is on the wire.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An HTTP response, body decoded.
#[derive(Debug)]
pub struct Response {
    /// The status line, without the line end.
    pub status_line: String,
    /// The status.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// Returns a header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Sends these bytes, a whole request with `Connection: close`, and reads the whole response.
///
/// # Panics
/// When the answer is no HTTP.
pub fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Response {
    let head_only = request.starts_with(b"HEAD ");
    match stream.write_all(request) {
        // It has answered without reading the body.
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
        written => written.expect("the server reads"),
    }
    read(&mut BufReader::new(stream), head_only)
}

/// Sends one request and reads the whole response.
pub(crate) fn request(socket: &Path, method: &str, path: &str, body: Option<&str>) -> Response {
    let stream = UnixStream::connect(socket).expect("the engine listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    let body = body.unwrap_or("");
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: naru\r\nConnection: close\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(stream, request.as_bytes())
}

fn read(reader: &mut impl BufRead, head_only: bool) -> Response {
    let mut status_line = String::new();
    reader.read_line(&mut status_line).expect("a status line");
    let status_line = status_line.trim_end().to_owned();
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header line");
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status_line, status, headers, body: Vec::new() };
    if head_only || status == 204 || status == 304 {
        return response;
    }
    response.body = if response.header("transfer-encoding") == Some("chunked") {
        chunks(reader)
    } else {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).expect("a body");
        body
    };
    response
}

fn chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).expect("a chunk") == 0 {
            return body;
        }
        let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size");
        if size == 0 {
            return body;
        }
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).expect("a whole chunk");
        let mut end = String::new();
        reader.read_line(&mut end).expect("a chunk end");
    }
}
