//! Terminals: attach, detach, resize, signals; attachments that outlive the engine.

use testkit::{TestEnv, wait_until};

#[test]
fn terminal_run_works_like_a_shell() {
    let env = TestEnv::with_busybox();
    for cli in ["naru", "docker"] {
        let mut terminal = env.terminal(cli, &["run", "--rm", "-it", "busybox", "sh"]);
        terminal.expect("# ");
        terminal.type_text("tty && echo si''ze: $(stty size)\n");
        terminal.expect("/dev/pts/0");
        terminal.expect("size: 40 100");
        terminal.type_text("exit 3\n");
        assert_eq!(terminal.wait(), 3, "{cli}");
    }
}

#[test]
fn terminal_ctrl_c_interrupts_the_program_not_the_client() {
    let env = TestEnv::with_busybox();
    let mut terminal = env.terminal("naru", &["run", "--rm", "-it", "busybox", "sh"]);
    terminal.expect("# ");
    terminal.type_text("sleep 1000\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.type_text("\x03");
    terminal.type_text("echo sta''tus $?\n");
    terminal.expect("status 130");
    terminal.type_text("exit\n");
    let _ = terminal.wait();
}

#[test]
fn detach_keys_leave_the_container_running_and_attach_comes_back() {
    let env = TestEnv::with_busybox();
    for cli in ["naru", "docker"] {
        let mut terminal = env.terminal(cli, &["run", "-it", "--name", cli, "busybox", "sh"]);
        terminal.expect("# ");
        terminal.type_text("\x10\x11");
        assert_eq!(terminal.wait(), 0, "{cli}");
        assert_eq!(env.inspect(cli, "{{.State.Running}}"), "true");
        let mut terminal = env.terminal(cli, &["attach", cli]);
        terminal.type_text("echo ba''ck\n");
        terminal.expect("back");
        terminal.type_text("exit 4\n");
        assert_eq!(terminal.wait(), 4, "{cli}");
    }
}

#[test]
fn detach_keys_can_be_chosen() {
    let env = TestEnv::with_busybox();
    let mut terminal =
        env.terminal("naru", &["run", "-it", "--detach-keys", "ctrl-a,x", "--name", "one", "busybox", "sh"]);
    terminal.expect("# ");
    terminal.type_text("\x01x");
    assert_eq!(terminal.wait(), 0);
    assert_eq!(env.inspect("one", "{{.State.Running}}"), "true");
}

#[test]
fn signals_of_the_client_reach_the_program() {
    let env = TestEnv::with_busybox();
    let script = "trap 'echo got; exit 8' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = env
        .command("naru")
        .args(["run", "--rm", "--name", "one", "busybox", "sh", "-c", script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("naru runs");
    wait_until("the handler is set", || env.naru(&["logs", "one"]).stdout.contains("ready"));
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(child.wait().expect("our child").code(), Some(8));
}

#[test]
fn attached_client_sees_output_of_a_container_without_terminal() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&["run", "-d", "-i", "--name", "one", "busybox", "sh", "-c", "read x; echo got $x; exit 6"])
        .ok();
    let script =
        format!("(echo through; sleep 2) | {} attach one", testkit::programs().join("naru").display());
    let ran = env.run("sh", &["-c", &script]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("got through\n", 6), "{}", ran.stderr);
}

#[test]
fn terminal_survives_a_crash_of_the_engine() {
    let mut env = TestEnv::with_busybox();
    let mut terminal = env.terminal("docker", &["run", "-it", "--name", "one", "busybox", "sh"]);
    terminal.expect("# ");
    env.crash_engine();
    terminal.type_text("echo ali''ve\n");
    terminal.expect("alive");
    env.start_engine();
    terminal.type_text("echo sti''ll\n");
    terminal.expect("still");
    terminal.type_text("exit 5\n");
    wait_until("the new engine knows the end", || {
        env.inspect("one", "{{.State.Status}} {{.State.ExitCode}}") == "exited 5"
    });
    let log = env.naru(&["logs", "one"]).ok();
    assert!(log.contains("alive") && log.contains("still"), "{log}");
}

#[test]
fn resize_reaches_the_program() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-dit", "--name", "one", "busybox", "sh"]).ok();
    assert_eq!(env.request("POST", "/containers/one/resize?h=33&w=77", None).status, 200);
    let mut terminal = env.terminal("naru", &["exec", "-it", "one", "sh"]);
    terminal.expect("# ");
    terminal.type_text("stty size < /proc/1/fd/0\n");
    terminal.expect("33 77");
}

#[test]
fn websocket_attaches_both_ways() {
    use std::io::{Read, Write};
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&[
            "run",
            "-d",
            "-i",
            "--name",
            "one",
            "busybox",
            "sh",
            "-c",
            "echo ready; read x; echo got $x; sleep 1000",
        ])
        .ok();
    testkit::wait_until("it is ready", || env.naru(&["logs", "one"]).stdout.contains("ready"));
    let plain = env.request("GET", "/v1.51/containers/one/attach/ws?stream=1", None);
    assert_eq!(plain.status, 400);
    let mut stream = std::os::unix::net::UnixStream::connect(env.socket()).expect("the engine listens");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("a timeout can be set");
    let path = "/v1.51/containers/one/attach/ws?logs=1&stream=1&stdin=1&stdout=1&stderr=1";
    let handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{handshake}\r\n\r\n").expect("written");
    let mut seen = Vec::new();
    let mut until = |stream: &mut std::os::unix::net::UnixStream, text: &[u8]| {
        let mut piece = [0; 4096];
        while !seen.windows(text.len()).any(|window| window == text) {
            let count = stream.read(&mut piece).expect("it comes");
            assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..count]);
        }
    };
    until(&mut stream, b"\r\n\r\n");
    until(&mut stream, b"\x82\x06ready\n");
    // A masked text frame, with a mask of zeros.
    stream.write_all(b"\x81\x85\0\0\0\0word\n").expect("written");
    until(&mut stream, b"\x82\x09got word\n");
    let head = String::from_utf8_lossy(&seen).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(
        head.to_lowercase()
            .contains("sec-websocket-accept: s3ppLmbitxaq9kygzzhzrbk+xoo=".to_lowercase().as_str()),
        "{head}"
    );
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    stream.read_to_end(&mut Vec::new()).expect("the stream ends with the container");
}
