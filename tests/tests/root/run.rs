//! `run`: output, exit codes, environment, users, errors.

use testkit::TestEnv;

#[test]
fn run_prints_the_programs_output_and_leaves_nothing() {
    let env = TestEnv::new();
    let ran = env.naru(&["run", "--rm", "busybox", "echo", "Hello World"]);
    assert_eq!(ran.stdout, "Hello World\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(env.naru(&["ps", "-aq"]).ok(), "");
}

#[test]
fn run_keeps_stdout_and_stderr_apart() {
    let env = TestEnv::with_busybox();
    let ran = env.naru(&["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn run_exits_with_the_programs_code() {
    let env = TestEnv::with_busybox();
    for (script, code) in
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)]
    {
        // A shell as PID 1 ignores signals without a handler: the inner one is not PID 1.
        let inner = format!("sh -c '{script}'; exit $?");
        let ran = env.naru(&["run", "--rm", "busybox", "sh", "-c", &inner]);
        assert_eq!(ran.code, code, "{script}: {}", ran.stderr);
    }
}

#[test]
fn run_distinguishes_missing_and_unusable_programs() {
    let env = TestEnv::with_busybox();
    for (program, code, text) in [
        ("nosuch", 127, "executable file not found in $PATH"),
        ("/no/such", 127, "no such file or directory"),
        ("/etc", 126, "is a directory"),
        ("/etc/passwd", 126, "permission denied"),
    ] {
        for cli in ["naru", "docker"] {
            let stderr = env.run(cli, &["run", "--rm", "busybox", program]).fails_with(code);
            assert!(stderr.contains(text), "{cli} {program}: {stderr}");
        }
    }
    assert_eq!(env.naru(&["ps", "-aq"]).ok(), "", "a failed start with --rm leaves no container");
}

#[test]
fn run_fails_with_125_when_the_engine_refuses() {
    let env = TestEnv::with_busybox();
    for (args, text) in [
        (&["run", "--rm", "nosuch-image"][..], "nosuch-image"),
        (&["run", "--rm", "--memory", "1m", "busybox", "true"], "6MB"),
        (&["run", "--rm", "-p", "80:x", "busybox", "true"], "invalid containerPort: x"),
        (&["run", "--rm", "--no-such-flag", "busybox", "true"], "--no-such-flag"),
        (&["run", "--rm", "--restart", "always", "busybox", "true"], "--rm"),
        (&["run", "--rm", "-v", "named/x:/data", "busybox", "true"], "named/x"),
        (&["run", "--rm", "BusyBox", "true"], "must be lowercase"),
        (&["run", "--rm", "--name", "a b", "busybox", "true"], "Invalid container name"),
    ] {
        let stderr = env.naru(args).fails_with(125);
        assert!(stderr.contains(text), "{args:?}: {stderr}");
    }
    assert_eq!(env.naru(&["ps", "-aq"]).ok(), "");
}

#[test]
fn run_takes_environment_from_flags_files_and_the_image() {
    let env = TestEnv::new();
    let file = env.folder().join("env");
    std::fs::write(&file, "# comment\nFROM_FILE=a b \"c\"\nHOST_ONE\n").expect("writable");
    let mut command = env.command("naru");
    command.env("HOST_ONE", "1").args([
        "run",
        "--rm",
        "--entrypoint",
        "env",
        "-e",
        "ONE=1",
        "-e",
        "HOST_ONE",
    ]);
    command.args(["--env-file", &file.display().to_string(), "configured"]);
    let output = command.output().expect("naru runs");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in ["ONE=1", "HOST_ONE=1", "FROM_FILE=a b \"c\"", "FROM_IMAGE=yes"] {
        assert!(
            text.lines().any(|shown| shown == line),
            "{line} in {text} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn run_joins_entrypoint_and_command() {
    let env = TestEnv::new();
    assert_eq!(env.naru(&["run", "--rm", "configured"]).ok(), "entry cmd");
    assert_eq!(env.naru(&["run", "--rm", "configured", "mine"]).ok(), "entry mine");
    assert_eq!(env.naru(&["run", "--rm", "--entrypoint", "/bin/echo", "configured", "x"]).ok(), "x");
}

#[test]
fn run_uses_the_images_user_and_creates_its_working_directory() {
    let env = TestEnv::new();
    let shown =
        env.naru(&["run", "--rm", "--entrypoint", "sh", "configured", "-c", "id -u; id -g; id -G; pwd"]).ok();
    assert_eq!(shown, "70\n70\n70 10\n/srv/work");
}

#[test]
fn run_accepts_users_in_every_form() {
    let env = TestEnv::with_busybox();
    for (user, shown) in [
        ("0", "0 0"),
        ("1000", "1000 0"),
        ("1000:1001", "1000 1001"),
        ("postgres", "70 70"),
        ("postgres:wheel", "70 10"),
        ("nobody", "65534 65534"),
    ] {
        let ran =
            env.naru(&["run", "--rm", "-u", user, "busybox", "sh", "-c", "echo $(id -u) $(id -g)"]).ok();
        assert_eq!(ran, shown, "{user}");
    }
    for user in ["nosuch", "4294967296", "-1", "0:nosuch"] {
        let ran = env.naru(&["run", "--rm", &format!("--user={user}"), "busybox", "true"]);
        assert_ne!(ran.code, 0, "user {user} must be refused");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn run_passes_standard_input_and_its_end() {
    let env = TestEnv::with_busybox();
    let ran = env.run_with_input("naru", &["run", "--rm", "-i", "busybox", "wc", "-c"], &vec![b'x'; 300_000]);
    assert_eq!(ran.ok(), "300000");
}

#[test]
fn run_streams_large_output_whole() {
    let env = TestEnv::with_busybox();
    let ran = env.naru(&["run", "--rm", "busybox", "sh", "-c", "seq 1 200000"]);
    assert_eq!(ran.stdout.lines().count(), 200_000);
    assert!(ran.stdout.ends_with("\n200000\n"));
}

#[test]
fn run_detached_prints_the_id_and_writes_the_cidfile() {
    let env = TestEnv::with_busybox();
    let file = env.folder().join("cid");
    let id =
        env.naru(&["run", "-d", "--cidfile", &file.display().to_string(), "busybox", "sleep", "100"]).ok();
    assert_eq!(id.len(), 64);
    assert_eq!(std::fs::read_to_string(&file).expect("the cidfile").trim(), id);
    assert_eq!(env.inspect(&id, "{{.State.Status}}"), "running");
    let stderr =
        env.naru(&["run", "-d", "--cidfile", &file.display().to_string(), "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("cid"), "{stderr}");
}

#[test]
fn run_hello_needs_no_network() {
    let env = TestEnv::with(testkit::EnvOptions {
        flags: vec!["--registry-mirror".into(), "http://127.0.0.1:1".into()],
        ..Default::default()
    });
    let shown = env.naru(&["run", "--rm", "hello"]).ok();
    for word in ["pid", "capabilities", "root"] {
        assert!(shown.to_lowercase().contains(word), "{word} in {shown}");
    }
    assert!(shown.lines().any(|line| line.contains("CHOWN") || line.contains("chown")), "{shown}");
}

#[test]
fn run_init_reaps_orphans_and_forwards_signals() {
    let env = TestEnv::with_busybox();
    let shown = env
        .naru(&[
            "run",
            "--rm",
            "--init",
            "busybox",
            "sh",
            "-c",
            "echo $$; cat /proc/1/cmdline | tr '\\0' ' '",
        ])
        .ok();
    let mut lines = shown.lines();
    assert_ne!(lines.next(), Some("1"));
    assert!(lines.next().is_some_and(|line| line.contains("init")), "{shown}");
    assert_eq!(env.naru(&["run", "--rm", "--init", "busybox", "sh", "-c", "exit 7"]).code, 7);
    let id = env.naru(&["run", "-d", "--init", "busybox", "sleep", "1000"]).ok();
    let _ = env.naru(&["stop", "-t", "20", &id]).ok();
    assert_eq!(env.inspect(&id, "{{.State.ExitCode}}"), "143");
}

#[test]
fn run_pull_policy_decides_about_the_registry() {
    let env = TestEnv::new();
    let stderr = env.naru(&["run", "--rm", "--pull", "never", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("No such image: busybox:latest"), "{stderr}");
    let ran = env.naru(&["run", "--rm", "--pull", "always", "busybox", "echo", "x"]);
    assert_eq!(ran.stdout, "x\n");
    assert!(ran.stderr.contains("Pulling from library/busybox"), "{}", ran.stderr);
}

#[test]
fn run_refuses_an_image_for_another_platform_only() {
    let env = TestEnv::new();
    let stderr = env.naru(&["run", "--rm", "foreign", "true"]).stderr;
    assert!(stderr.contains("platform") && stderr.contains("arm64"), "{stderr}");
    let stderr = env.naru(&["run", "--rm", "--platform", "linux/s390x", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("linux/s390x"), "{stderr}");
}

#[test]
fn explain_tells_the_birth_in_order() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["run", "-d", "busybox", "sleep", "100"]).ok();
    let records = env.naru(&["explain", "--format", "json", &id]).ok();
    let steps: Vec<serde_json::Value> = match serde_json::from_str(&records) {
        Ok(serde_json::Value::Array(steps)) => steps,
        _ => records.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(),
    };
    for who in ["engine", "shim", "init"] {
        assert!(steps.iter().any(|step| step["who"] == who), "{who} in {records}");
    }
    assert!(
        steps.iter().any(|step| step["step"].as_str().is_some_and(|name| name.contains("pivot_root"))),
        "{records}"
    );
    assert!(env.naru(&["explain", &id]).ok().contains("pivot_root"));
}

#[test]
fn run_passes_binary_input_on_even_if_it_has_the_detach_keys() {
    let env = TestEnv::with_busybox();
    let input = [&b"before\x10\x11after"[..], &[0, 0xff, b'\n']].concat();
    for cli in ["naru", "docker"] {
        let ran = env.run_with_input(cli, &["run", "--rm", "-i", "busybox", "od", "-c"], &input).ok();
        assert!(ran.contains("020 021   a   f   t   e   r"), "{cli}: {ran}");
    }
    env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    for cli in ["naru", "docker"] {
        let ran = env.run_with_input(cli, &["exec", "-i", "one", "od", "-c"], &input).ok();
        assert!(ran.contains("020 021   a   f   t   e   r"), "{cli}: {ran}");
    }
}

#[test]
fn run_takes_an_environment_and_arguments_beyond_one_message() {
    let env = TestEnv::with_busybox();
    let value = "x".repeat(60_000);
    let text: String = (0..20).map(|number| format!("BIG{number}={value}\n")).collect();
    let file = env.folder().join("big");
    std::fs::write(&file, text).expect("writable");
    let file = file.display().to_string();
    for cli in ["naru", "docker"] {
        let count = "env | grep -c ^BIG; env | wc -c";
        let ran = env.run(cli, &["run", "--rm", "--env-file", &file, "busybox", "sh", "-c", count]).ok();
        let (count, size) = ran.split_once('\n').expect("two lines");
        assert_eq!(count, "20", "{cli}");
        assert!(size.trim().parse::<usize>().expect("a number") > 1_200_000, "{cli}: {size}");
    }
}

#[test]
fn signal_right_after_the_start_reaches_the_program_below_init() {
    let env = TestEnv::with_busybox();
    // No sleep and no handshake: the signal may come before the init is ready for it.
    for _ in 0..10 {
        let id = env.naru(&["create", "--init", "busybox", "sleep", "1000"]).ok();
        assert_eq!(env.request("POST", &format!("/containers/{id}/start"), None).status, 204);
        assert_eq!(env.request("POST", &format!("/containers/{id}/kill?signal=TERM"), None).status, 204);
        assert_eq!(env.naru(&["wait", &id]).ok(), "143");
    }
}
