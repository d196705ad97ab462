//! `naru run` against an engine that answers what the test says: the order of requests, where output goes, exit codes.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

static COUNTER: AtomicU32 = AtomicU32::new(0);

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// How the engine of a test behaves.
#[derive(Clone, Copy)]
struct Script {
    /// The image is there only after it was pulled.
    pull_first: bool,
    /// The answer to the start.
    start: &'static str,
    /// What is sent on the attached connection, after the start.
    output: &'static [u8],
    /// The exit code.
    status: i64,
}

const PLAIN: Script = Script {
    pull_first: false,
    start: "HTTP/1.1 204 No Content\r\n\r\n",
    output: b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n",
    status: 7,
};

struct Engine {
    socket: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).expect("remove the socket");
    }
}

impl Engine {
    fn start(script: Script) -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let socket = std::env::temp_dir().join(format!("naru-run-{}-{number}.sock", std::process::id()));
        let listener = UnixListener::bind(&socket).expect("bind");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&requests);
        let (started, begin) = std::sync::mpsc::channel::<()>();
        let begin = Arc::new(Mutex::new(begin));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (noted, started, begin) = (Arc::clone(&noted), started.clone(), Arc::clone(&begin));
                thread::spawn(move || serve(stream, script, &noted, &started, &begin));
            }
        });
        Self { socket, requests }
    }

    fn naru(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_naru"));
        command.env_remove("NARU_HOST").env_remove("DOCKER_API_VERSION").env("HOME", "/nonexistent");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command.args(words).stdin(Stdio::null()).output().expect("run naru")
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

fn read_request(stream: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let lower = head.to_ascii_lowercase();
    let length =
        lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).ok()?;
    let line = head.lines().next()?;
    Some(line.trim_end_matches(" HTTP/1.1").replace("/v1.51", "").replace(ID, "ID"))
}

fn json(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn serve(
    mut stream: UnixStream,
    script: Script,
    noted: &Mutex<Vec<String>>,
    started: &std::sync::mpsc::Sender<()>,
    begin: &Mutex<std::sync::mpsc::Receiver<()>>,
) {
    while let Some(request) = read_request(&mut stream) {
        let pulled = {
            let mut noted = noted.lock().expect("requests");
            noted.push(request.clone());
            noted.iter().any(|request| request.starts_with("POST /images/create"))
        };
        let verb =
            request.split(['?', ' ']).nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let answer = match verb {
            "create" if request.contains("/images/") => {
                let lines = "{\"status\":\"Pulling from library/busybox\",\"id\":\"latest\"}\r\n\
                             {\"status\":\"Status: Downloaded newer image for busybox:latest\"}\r\n";
                json("200 OK", lines)
            }
            "create" if script.pull_first && !pulled => {
                json("404 Not Found", "{\"message\":\"No such image: busybox:latest\"}")
            }
            "create" => json("201 Created", &format!("{{\"Id\":\"{ID}\",\"Warnings\":[\"be careful\"]}}")),
            "start" => {
                let _ = started.send(()); // a test whose start fails does not listen
                script.start.to_owned()
            }
            "wait" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").expect("headers");
                let body = format!("{{\"StatusCode\":{}}}", script.status);
                format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
            }
            "attach" => {
                let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(head.as_bytes()).expect("upgrade");
                if begin.lock().expect("begin").recv().is_ok() {
                    let _ = stream.write_all(script.output); // a client whose start failed is gone
                }
                return;
            }
            other => panic!("unexpected request {request} ({other})"),
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn run_attaches_and_waits_before_it_starts() {
    let engine = Engine::start(PLAIN);
    let output = engine.naru(&["run", "--rm", "busybox", "echo"]);
    let expected = [
        "POST /containers/create",
        "POST /containers/ID/attach?stderr=1&stdout=1&stream=1",
        "POST /containers/ID/wait?condition=removed",
        "POST /containers/ID/start",
    ];
    assert_eq!(engine.requests(), expected);
    assert_eq!(text(&output.stdout), "out\n");
    assert_eq!(text(&output.stderr), "WARNING: be careful\nerr\n");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn run_pulls_a_missing_image_and_keeps_stdout_clean() {
    let engine = Engine::start(Script { pull_first: true, status: 0, ..PLAIN });
    let output = engine.naru(&["run", "--name", "x", "busybox"]);
    let expected = [
        "POST /containers/create?name=x",
        "POST /images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=latest",
        "POST /containers/create?name=x",
        "POST /containers/ID/attach?stderr=1&stdout=1&stream=1",
        "POST /containers/ID/wait?condition=next-exit",
        "POST /containers/ID/start",
    ];
    assert_eq!(engine.requests(), expected);
    assert_eq!(text(&output.stdout), "out\n");
    let talk = "Unable to find image 'busybox:latest' locally\nlatest: Pulling from library/busybox\n\
                Status: Downloaded newer image for busybox:latest\nWARNING: be careful\nerr\n";
    assert_eq!(text(&output.stderr), talk);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn detached_run_prints_the_id_and_leaves() {
    let engine = Engine::start(PLAIN);
    let output = engine.naru(&["run", "-d", "busybox"]);
    assert_eq!(engine.requests(), ["POST /containers/create", "POST /containers/ID/start"]);
    assert_eq!(text(&output.stdout), format!("{ID}\n"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn program_that_is_not_there_is_127() {
    let start = "HTTP/1.1 400 Bad Request\r\nContent-Length: 134\r\n\r\n\
                 {\"message\":\"exec: \\\"nosuch\\\": executable file not found in $PATH\",\"code\":\"command_not_found\",\
                 \"hint\":\"look with `naru run busybox ls`\"}";
    let engine = Engine::start(Script { start, ..PLAIN });
    let output = engine.naru(&["run", "busybox", "nosuch"]);
    assert_eq!(text(&output.stdout), "");
    let expected = "WARNING: be careful\nnaru: Error response from daemon: exec: \"nosuch\": executable file not found in $PATH\n\
                    hint: look with `naru run busybox ls`\n\nRun 'naru run --help' for more information\n";
    assert_eq!(text(&output.stderr), expected);
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn id_file_is_written_once_and_never_over_another() {
    let engine = Engine::start(PLAIN);
    let path = engine.socket.with_extension("cid");
    let file = path.to_str().expect("text");
    assert!(engine.naru(&["create", "--cidfile", file, "busybox"]).status.success());
    assert_eq!(std::fs::read_to_string(&path).expect("the id"), ID);
    let output = engine.naru(&["create", "--cidfile", file, "busybox"]);
    std::fs::remove_file(&path).expect("remove");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("container ID file found, "), "{}", text(&output.stderr));
    assert_eq!(engine.requests().len(), 1);
}
