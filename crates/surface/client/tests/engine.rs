//! The client against a small engine in the same process: canned answers on a unix socket.

use client::{AttachTo, Client, Endpoint, Error, ListContainers, ListImages, PullImage};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A socket path of this test's own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("naru-client-{}-{number}.sock", std::process::id())))
    }

    fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.0.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // it may never have been bound
    }
}

/// Reads one request without or with a body; none when the client closed the connection.
fn read_request(stream: &mut UnixStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0u8; 1];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).expect("text");
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .map_or(0, |value| value.parse().expect("a number"));
    let mut body = vec![0u8; length];
    stream.read_exact(&mut body).expect("body");
    Some(head + &String::from_utf8_lossy(&body))
}

fn first_line(request: &str) -> String {
    request.lines().next().unwrap_or_default().to_owned()
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Serves the given answers in order, on as many connections as the client opens; returns the requests.
fn serve(place: &Place, answers: Vec<String>) -> JoinHandle<(Vec<String>, usize)> {
    let listener = UnixListener::bind(&place.0).expect("bind");
    thread::spawn(move || {
        let (mut requests, mut connections) = (Vec::new(), 0);
        let mut answers = answers.into_iter().peekable();
        while answers.peek().is_some() {
            let (mut stream, _) = listener.accept().expect("accept");
            connections += 1;
            while answers.peek().is_some() {
                let Some(request) = read_request(&mut stream) else { break };
                requests.push(request);
                let answer = answers.next().expect("peeked");
                stream.write_all(answer.as_bytes()).expect("write");
            }
        }
        (requests, connections)
    })
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

#[test]
fn plain_requests_share_one_connection() {
    let place = Place::new();
    let server = serve(&place, vec![answer("200 OK", "[]"), answer("200 OK", "[]")]);
    block_on(async {
        let client = place.client();
        let all = ListContainers { all: true, limit: Some(3), ..ListContainers::default() };
        assert_eq!(client.containers(&all).await.expect("list"), []);
        assert_eq!(client.images(&ListImages::default()).await.expect("list"), []);
    });
    let (requests, connections) = server.join().expect("server");
    assert_eq!(first_line(&requests[0]), "GET /v1.51/containers/json?all=1&limit=3 HTTP/1.1");
    assert_eq!(first_line(&requests[1]), "GET /v1.51/images/json HTTP/1.1");
    assert_eq!(connections, 1);
}

#[test]
fn error_of_the_engine_keeps_text_code_and_hint() {
    let place = Place::new();
    let body = r#"{"message":"No such container: x","code":"not_found","hint":"naru ps -a"}"#;
    let server = serve(&place, vec![answer("404 Not Found", body)]);
    let error = block_on(async { place.client().start("x").await.expect_err("404") });
    server.join().expect("server");
    assert_eq!(error.to_string(), "Error response from daemon: No such container: x");
    assert!(error.is_not_found());
    assert_eq!(error::Fault::hint(&error).as_deref(), Some("naru ps -a"));
}

#[test]
fn older_engine_is_asked_in_its_own_version() {
    let place = Place::new();
    let complaint = r#"{"message":"client version 1.51 is too new. Maximum supported API version is 1.43"}"#;
    let server = serve(&place, vec![answer("400 Bad Request", complaint), answer("204 No Content", "")]);
    let version = block_on(async {
        let client = place.client();
        client.pause("x").await.expect("second try");
        client.version()
    });
    let (requests, _) = server.join().expect("server");
    assert_eq!(version, "1.43");
    assert_eq!(first_line(&requests[1]), "POST /v1.43/containers/x/pause HTTP/1.1");
}

#[test]
fn not_modified_is_success() {
    let place = Place::new();
    let server = serve(&place, vec!["HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()]);
    block_on(async { place.client().stop("x", "INT", Some(-1)).await.expect("already stopped") });
    let (requests, _) = server.join().expect("server");
    assert_eq!(first_line(&requests[0]), "POST /v1.51/containers/x/stop?signal=INT&t=-1 HTTP/1.1");
}

#[test]
fn progress_lines_arrive_whatever_the_chunks() {
    let place = Place::new();
    let chunks =
        ["{\"status\":\"a\"}\r\n{\"sta", "tus\":\"b\",\"id\":\"x\"}\r\n", "\r\n", "{\"error\":\"c\"}"];
    let mut body = String::from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in chunks {
        body.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    body.push_str("0\r\n\r\n");
    let server = serve(&place, vec![body]);
    let lines = block_on(async {
        let what =
            PullImage { repository: "docker.io/library/x".into(), tag: "1".into(), ..PullImage::default() };
        let mut stream = place.client().pull(&what).await.expect("pull");
        let mut lines = Vec::new();
        while let Some(line) = stream.next().await.expect("line") {
            lines.push((line.status, line.id, line.error));
        }
        lines
    });
    let (requests, _) = server.join().expect("server");
    let line = |status: &str, id: &str, error: &str| (status.to_owned(), id.to_owned(), error.to_owned());
    assert_eq!(lines, [line("a", "", ""), line("b", "x", ""), line("", "", "c")]);
    assert_eq!(
        first_line(&requests[0]),
        "POST /v1.51/images/create?fromImage=docker.io%2Flibrary%2Fx&tag=1 HTTP/1.1"
    );
}

#[test]
fn stream_that_is_cut_off_is_an_error() {
    let place = Place::new();
    let body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"status\":".to_owned();
    let server = serve(&place, vec![body]);
    let error = block_on(async {
        let mut stream = place.client().pull(&PullImage::default()).await.expect("pull");
        stream.next().await.expect_err("cut off")
    });
    server.join().expect("server");
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
}

#[test]
fn attach_keeps_early_output_and_half_closes() {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).expect("bind");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        let request = read_request(&mut stream).expect("request");
        // The first output comes in the same segment as the answer: it must not be lost.
        stream
            .write_all(
                b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\
                  Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n\x01\0\0\0\0\0\0\x05early",
            )
            .expect("answer");
        let mut input = Vec::new();
        stream.read_to_end(&mut input).expect("input until the half close");
        stream.write_all(b"\x02\0\0\0\0\0\0\x04late").expect("output after the half close");
        (request, input)
    });
    let output = block_on(async {
        let to = AttachTo { stdin: true, stdout: true, stderr: true, detach_keys: "ctrl-x".into() };
        let mut connection = place.client().attach("web", &to).await.expect("attach");
        assert!(connection.framed);
        connection.writer.write_all(b"typed").await.expect("write");
        connection.writer.shutdown().await.expect("half close");
        let mut output = Vec::new();
        connection.reader.read_to_end(&mut output).await.expect("read");
        output
    });
    let (request, input) = server.join().expect("server");
    assert_eq!(
        first_line(&request),
        "POST /v1.51/containers/web/attach?detachKeys=ctrl-x&stderr=1&stdin=1&stdout=1&stream=1 HTTP/1.1"
    );
    let lower = request.to_ascii_lowercase();
    assert!(lower.contains("connection: upgrade\r\n") && lower.contains("upgrade: tcp\r\n"), "{request}");
    assert_eq!(input, b"typed");
    assert_eq!(output, b"\x01\0\0\0\0\0\0\x05early\x02\0\0\0\0\0\0\x04late");
}

#[test]
fn wait_returns_before_the_container_ends() {
    let place = Place::new();
    let listener = UnixListener::bind(&place.0).expect("bind");
    let (release, released) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        read_request(&mut stream).expect("request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").expect("headers");
        released.recv().expect("the client has seen the headers");
        stream.write_all(b"11\r\n{\"StatusCode\":42}\r\n0\r\n\r\n").expect("body");
    });
    let waited = block_on(async {
        let waiting = place.client().wait("x", "next-exit").await.expect("accepted");
        release.send(()).expect("server waits");
        waiting.result().await.expect("result")
    });
    server.join().expect("server");
    assert_eq!(waited.status_code, 42);
}

#[test]
fn unreachable_engine_is_named() {
    let place = Place::new();
    let error = block_on(async { place.client().start("x").await.expect_err("nobody there") });
    assert!(error.is_unreachable());
    assert_eq!(error.to_string(), format!("cannot connect to the engine at unix://{}", place.0.display()));
}
