//! Log drivers: files, tags, endpoints that are there, slow, or dead.

use std::io::Read;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::Duration;
use testkit::{TestEnv, wait_until};

/// Reads so many datagrams.
fn receive(socket: &UnixDatagram, wanted: usize) -> Vec<String> {
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    let (mut seen, mut buffer) = (Vec::new(), [0; 65536]);
    while seen.len() < wanted {
        let count = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}; so far {seen:?}"));
        seen.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
    }
    seen
}

#[test]
fn json_file_carries_labels_variables_and_tag() {
    let env = TestEnv::with_busybox();
    let options =
        ["--log-opt", "labels=tier", "--log-opt", "env=E", "--log-opt", "tag={{.Name}}/{{.ImageName}}"];
    let args = ["run", "--name", "one", "-l", "tier=a", "-e", "E=v"];
    let _ = env.docker(&[&args[..], &options, &["busybox", "echo", "hi"]].concat()).ok();
    assert_eq!(env.docker(&["logs", "--details", "one"]).ok(), "E=v,tag=one%2Fbusybox,tier=a hi");
    let log = std::fs::read_to_string(env.inspect("one", "{{.LogPath}}")).expect("the log");
    assert!(log.contains(r#""attrs":{"E":"v","tag":"one/busybox","tier":"a"}"#), "{log}");
    let text = env.naru(&["create", "--log-opt", "tag={{.Foo", "busybox"]).stderr;
    assert!(text.contains("template: log-tag:1: unclosed action"), "{text}");
}

#[test]
fn logs_are_limited_by_default_and_info_says_so() {
    let env = TestEnv::with_busybox();
    let info = env.naru(&["info"]).ok();
    assert!(info.contains(" Logging Driver: json-file\n  max-file: 5\n  max-size: 20m\n"), "{info}");
    // 30 MB of output: one file of 20 MB, and the rest.
    let script = "yes 0123456789012345678901234567890123456789 | head -c 9000000";
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", script]).ok();
    assert_eq!(env.naru(&["wait", "one"]).ok(), "0");
    let path = env.inspect("one", "{{.LogPath}}");
    let first = std::fs::metadata(format!("{path}.1")).expect("it was rotated").len();
    assert!((19_000_000..21_000_000).contains(&first), "{first}");
    assert_eq!(env.naru(&["logs", "--tail", "2", "one"]).ok().lines().count(), 2);
}

#[test]
fn local_driver_keeps_what_can_be_read_back() {
    let env = TestEnv::with_busybox();
    let args = [
        "run",
        "--name",
        "one",
        "--log-driver",
        "local",
        "--log-opt",
        "max-size=2k",
        "--log-opt",
        "max-file=3",
    ];
    let _ = env.docker(&[&args[..], &["busybox", "seq", "1", "60"]].concat()).ok();
    assert_eq!(env.inspect("one", "{{.HostConfig.LogConfig.Type}}{{.LogPath}}"), "local");
    let lines: Vec<i32> =
        env.docker(&["logs", "one"]).ok().lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(lines.last(), Some(&60));
    assert!(lines.len() > 20 && lines.windows(2).all(|pair| pair[1] == pair[0] + 1), "{lines:?}");
    let text = env.naru(&["create", "--log-driver", "local", "--log-opt", "labels=x", "busybox"]).stderr;
    assert!(text.contains("unknown log opt 'labels' for log driver local"), "{text}");
}

#[test]
fn syslog_gets_each_line_and_logs_still_reads_them() {
    let env = TestEnv::with_busybox();
    let path = env.folder().join("syslog");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let address = format!("syslog-address=unixgram://{}", path.display());
    let options = ["--log-opt", &address, "--log-opt", "syslog-format=rfc5424", "--log-opt", "tag={{.Name}}"];
    let args = [
        "run",
        "--rm=false",
        "--name",
        "one",
        "--log-driver",
        "syslog",
        "--log-opt",
        "syslog-facility=local0",
    ];
    let _ = env
        .naru(&[&args[..], &options, &["busybox", "sh", "-c", "echo out; echo err >&2; echo last"]].concat())
        .ok();
    let seen = receive(&socket, 3);
    let has = |start: &str, end: &str| seen.iter().any(|line| line.starts_with(start) && line.ends_with(end));
    assert!(has("<134>1 ", " - out\n") && has("<131>1 ", " - err\n"), "{seen:?}");
    assert!(seen.iter().all(|line| line.contains(" one ")), "{seen:?}");
    let logs = env.naru(&["logs", "one"]);
    assert_eq!((logs.stdout.as_str(), logs.stderr.as_str()), ("out\nlast\n", "err\n"));
    let hidden = ["run", "--name", "two", "--log-driver", "syslog", "--log-opt", "cache-disabled=true"];
    let _ = env.naru(&[&hidden[..], &options, &["busybox", "echo", "hidden"]].concat()).ok();
    let _ = receive(&socket, 1);
    let text = env.docker(&["logs", "two"]).stderr;
    assert!(text.contains("configured logging driver does not support reading"), "{text}");
}

#[test]
fn dead_endpoint_blocks_nobody_and_gets_everything_once_it_lives() {
    let mut env = TestEnv::with_busybox();
    let path = env.folder().join("fluentd");
    let address = format!("fluentd-address=unix://{}", path.display());
    let options =
        ["--log-opt", &address, "--log-opt", "fluentd-async=true", "--log-opt", "mode=non-blocking"];
    let script = "seq 1 3000; echo written; while test ! -f /go; do sleep 0.1; done; echo end; sleep 1000";
    let args = ["run", "-d", "--name", "one", "--log-driver", "fluentd"];
    let _ = env.naru(&[&args[..], &options, &["busybox", "sh", "-c", script]].concat()).ok();
    wait_until("all is written", || env.naru(&["logs", "--tail", "1", "one"]).ok() == "written");
    // Not even the end of the engine loses a line.
    env.crash_engine();
    env.start_engine();
    let listener = UnixListener::bind(&path).expect("a socket");
    let (mut stream, _) = listener.accept().expect("the engine connects");
    let _ = env.naru(&["exec", "one", "touch", "/go"]).ok();
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    let (mut bytes, mut piece) = (Vec::new(), [0; 65536]);
    while !bytes.windows(8).any(|window| window == b"\xa3log\xa3end") {
        let count = stream.read(&mut piece).expect("it comes");
        assert_ne!(count, 0, "the engine hung up");
        bytes.extend_from_slice(&piece[..count]);
    }
    let marks = |text: &[u8]| bytes.windows(text.len()).filter(|window| *window == text).count();
    assert_eq!(marks(b"\xaccontainer_id"), 3002);
    assert_eq!(
        (marks(b"\xa3log\xa43000"), marks(b"\xa3log\xa11"), marks(b"\xa6source\xa6stdout")),
        (1, 1, 3002)
    );
}

#[test]
fn endpoint_that_must_be_there_is_asked_before_the_start() {
    let env = TestEnv::with_busybox();
    let start = |driver: &str, option: &str| {
        let ran =
            env.docker(&["run", "--rm", "--log-driver", driver, "--log-opt", option, "busybox", "true"]);
        assert_eq!(ran.code, 125, "{driver}");
        ran.stderr
    };
    let prefix = "failed to create task for container: failed to initialize logging driver: ";
    let text = start("fluentd", "fluentd-address=127.0.0.1:1");
    assert!(text.contains(&format!("{prefix}dial tcp 127.0.0.1:1: connect: connection refused")), "{text}");
    let text = start("gelf", "gelf-address=tcp://127.0.0.1:1");
    assert!(text.contains("gelf: cannot connect to GELF endpoint: 127.0.0.1:1 dial tcp"), "{text}");
    let text = start("syslog", "syslog-address=tcp+tls://127.0.0.1:1");
    assert!(text.contains("syslog over TLS is not supported"), "{text}");
}

#[test]
fn gelf_gets_json() {
    let env = TestEnv::with_busybox();
    // The receiver is a container in the engine's own network; what comes goes into its log.
    let receiver = ["run", "-d", "--name", "receiver", "--network", "host", "busybox"];
    let listen = ["nc", "-ll", "-p", "12201", "-e", "sh", "-c", "cat >&2; echo >&2"];
    let _ = env.naru(&[&receiver[..], &listen].concat()).ok();
    let listens =
        || env.run_in_namespace("cat", &["/proc/net/tcp", "/proc/net/tcp6"]).stdout.contains(":2FA9 ");
    wait_until("it listens", listens);
    let address = ["--log-opt", "gelf-address=tcp://127.0.0.1:12201"];
    let args = ["run", "-d", "--name", "one", "--log-driver", "gelf"];
    let _ =
        env.naru(&[&args[..], &address, &["busybox", "sh", "-c", "echo hello; sleep 1000"]].concat()).ok();
    wait_until("it has written", || env.naru(&["logs", "one"]).stdout.contains("hello"));
    // What was written is sent before the container is gone; the end of the connection brings the line end.
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    wait_until("the message comes", || env.naru(&["logs", "receiver"]).stderr.contains("short_message"));
    let json = env.naru(&["logs", "receiver"]).stderr;
    assert!(
        json.contains(r#""short_message":"hello""#) && json.contains(r#""_container_name":"one""#),
        "{json}"
    );
    let wrong = ["create", "--log-driver", "gelf", "--log-opt", "gelf-x=1"];
    let text = env.naru(&[&wrong[..], &address, &["busybox"]].concat()).stderr;
    assert!(text.contains("unknown log opt 'gelf-x' for gelf log driver"), "{text}");
}
