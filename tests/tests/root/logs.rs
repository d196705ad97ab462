//! Logs: format on disk, tail, since, timestamps, follow.

use testkit::TestEnv;

#[test]
fn logs_keep_the_streams_apart() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "--name", "one", "busybox", "sh", "-c", "echo out; echo err >&2"]).ok();
    let ran = env.naru(&["logs", "one"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn logs_tail_and_timestamps() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "--name", "one", "busybox", "seq", "1", "50"]).ok();
    assert_eq!(env.naru(&["logs", "--tail", "3", "one"]).ok(), "48\n49\n50");
    assert_eq!(env.naru(&["logs", "-n", "0", "one"]).ok(), "");
    let line = env.naru(&["logs", "-t", "--tail", "1", "one"]).ok();
    let (time, text) = line.split_once(' ').expect("a timestamp");
    assert_eq!(text, "50");
    assert!(time.len() == 30 && time.ends_with('Z'), "{time}");
    assert_eq!(env.naru(&["logs", "--since", "2100-01-01T00:00:00Z", "one"]).ok(), "");
    assert_eq!(env.naru(&["logs", "--until", "2001-01-01T00:00:00Z", "one"]).ok(), "");
    assert_eq!(env.naru(&["logs", "--since", "1h", "one"]).ok().lines().count(), 50);
    assert_eq!(env.docker(&["logs", "--tail", "2", "one"]).ok(), "49\n50");
}

#[test]
fn logs_follow_ends_with_the_container() {
    let env = TestEnv::with_busybox();
    let script = "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done";
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", script]).ok();
    let shown = env.naru(&["logs", "-f", "one"]).ok();
    assert_eq!(shown, "line 1\nline 2\nline 3\nline 4\nline 5");
}

#[test]
fn logs_lie_in_dockers_format_where_inspect_says() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "--name", "one", "busybox", "printf", "a<b>&\\n\\377tail"]).ok();
    let path = env.inspect("one", "{{.LogPath}}");
    let text = std::fs::read_to_string(path).expect("the log is valid UTF-8");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["log"], "a<b>&\n");
    assert_eq!(lines[1]["log"], "\u{fffd}tail");
    assert_eq!(lines[0]["stream"], "stdout");
    assert!(text.starts_with(r#"{"log":"a\u003cb\u003e\u0026\n","stream":"stdout","time":""#), "{text}");
}

#[test]
fn logs_rotate_by_size_and_are_read_across_files() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&[
            "run",
            "--name",
            "one",
            "--log-opt",
            "max-size=20k",
            "--log-opt",
            "max-file=3",
            "busybox",
            "seq",
            "1",
            "1000",
        ])
        .ok();
    let path = env.inspect("one", "{{.LogPath}}");
    let size = std::fs::metadata(&path).expect("the log").len();
    assert!(size <= 21_000, "{size}");
    assert!(std::path::Path::new(&format!("{path}.1")).exists());
    assert!(std::path::Path::new(&format!("{path}.2")).exists());
    assert!(!std::path::Path::new(&format!("{path}.3")).exists());
    let shown = env.naru(&["logs", "one"]).ok();
    assert!(shown.ends_with("\n999\n1000"), "the newest lines are there");
    assert!(shown.lines().count() > 300, "older files are read too: {}", shown.lines().count());
}

#[test]
fn log_driver_none_keeps_nothing_and_says_so() {
    let env = TestEnv::with_busybox();
    assert_eq!(env.naru(&["run", "--name", "one", "--log-driver", "none", "busybox", "echo", "x"]).ok(), "x");
    let stderr = env.naru(&["logs", "one"]).fails_with(1);
    assert!(stderr.contains("configured logging driver does not support reading"), "{stderr}");
}
