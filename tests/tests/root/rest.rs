//! The REST API as bytes.

use testkit::TestEnv;

#[test]
fn ping_has_dockers_headers() {
    let env = TestEnv::new();
    for path in ["/_ping", "/v1.51/_ping", "/v1.24/_ping"] {
        let response = env.request("GET", path, None);
        assert_eq!((response.status, response.body.as_slice()), (200, &b"OK"[..]), "{path}");
        assert_eq!(response.header("api-version"), Some("1.51"));
        assert_eq!(response.header("ostype"), Some("linux"));
        assert_eq!(response.header("docker-experimental"), Some("false"));
        assert_eq!(response.header("cache-control"), Some("no-cache, no-store, must-revalidate"));
    }
    let head = env.request("HEAD", "/_ping", None);
    assert_eq!((head.status, head.header("content-length")), (200, Some("0")));
}

#[test]
fn unknown_paths_and_versions_are_refused_as_docker_does() {
    let env = TestEnv::new();
    for (method, path, status, message) in [
        ("GET", "/nosuch", 404, "page not found"),
        ("DELETE", "/_ping", 404, "page not found"),
        ("GET", "/v1.99/info", 400, "client version 1.99 is too new. Maximum supported API version is 1.51"),
        ("GET", "/containers/nosuch/json", 404, "No such container: nosuch"),
        ("GET", "/images/nosuch/json", 404, "No such image: nosuch:latest"),
        ("GET", "/containers/json?filters=%7B%22x%22%3A%7B%22y%22%3Atrue%7D%7D", 400, "invalid filter 'x'"),
        ("POST", "/containers/create", 400, ""),
        ("POST", "/swarm/init", 501, ""),
        ("POST", "/build", 501, ""),
    ] {
        let response = env.request(method, path, None);
        let body = response.json();
        assert_eq!(response.status, status, "{method} {path}: {body}");
        assert!(
            body["message"].as_str().is_some_and(|text| text.contains(message)),
            "{method} {path}: {body}"
        );
    }
}

#[test]
fn clients_from_before_json_errors_get_text() {
    let env = TestEnv::new();
    let response = env.request("GET", "/v1.12/info", None);
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert_eq!(response.status, 400);
    assert!(
        text.starts_with("client version 1.12 is too old. Minimum supported API version is 1.24"),
        "{text}"
    );
}

#[test]
fn malformed_bodies_are_refused_and_harmless() {
    let env = TestEnv::with_busybox();
    for body in [
        "{",
        "[]",
        "{\"Image\": 3}",
        "{\"Image\":\"busybox\"} trailing",
        "{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":\"x\"}}",
    ] {
        let response = env.request("POST", "/containers/create", Some(body));
        assert_eq!(response.status, 400, "{body}: {}", String::from_utf8_lossy(&response.body));
    }
    assert_eq!(env.request("GET", "/containers/json?all=1", None).json(), serde_json::json!([]));
}

#[test]
fn wait_answers_its_headers_before_the_end() {
    use std::io::{Read, Write};
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1"]).ok();
    let mut stream = std::os::unix::net::UnixStream::connect(env.socket()).expect("the engine listens");
    write!(stream, "POST /v1.51/containers/one/wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .expect("written");
    let begun = std::time::Instant::now();
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("headers");
    assert_eq!(&first, b"HTTP/1.1 200");
    assert!(begun.elapsed().as_millis() < 900, "the headers waited for the end");
    let mut rest = Vec::new();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("set");
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&rest).contains("StatusCode") {
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue, // man 7 signal: not restarted
            read => read.expect("the body"),
        };
        assert!(count > 0);
        rest.extend_from_slice(&buffer[..count]);
    }
    assert!(String::from_utf8_lossy(&rest).contains("{\"StatusCode\":0}"));
}

#[test]
fn attach_upgrades_with_dockers_words() {
    use std::io::{Read, Write};
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["create", "-i", "--name", "one", "busybox", "cat"]).ok();
    let mut stream = std::os::unix::net::UnixStream::connect(env.socket()).expect("the engine listens");
    write!(
        stream,
        "POST /v1.51/containers/one/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\nearly\n"
    )
    .expect("written");
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a header");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{head}");
    assert!(
        head.to_lowercase().contains("content-type: application/vnd.docker.multiplexed-stream"),
        "{head}"
    );
    let _ = env.naru(&["start", "one"]).ok();
    stream.write_all(b"late\n").expect("written");
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    let mut all = Vec::new();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("set");
    stream.read_to_end(&mut all).expect("frames until the end");
    let mut text = Vec::new();
    let mut rest = all.as_slice();
    while let [kind, 0, 0, 0, a, b, c, d, tail @ ..] = rest {
        assert_eq!(*kind, 1, "standard output");
        let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        text.extend_from_slice(&tail[..size]);
        rest = &tail[size..];
    }
    assert_eq!(String::from_utf8_lossy(&text), "early\nlate\n");
}

#[test]
fn socket_is_not_open_to_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let env = TestEnv::new();
    let mode = std::fs::metadata(env.socket()).expect("the socket").permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    for folder in [env.data_root(), env.data_root().join("content"), env.exec_root().join("c")] {
        let mode = std::fs::metadata(&folder).expect("the folder").permissions().mode() & 0o007;
        assert_eq!(mode, 0, "{}", folder.display());
    }
}
