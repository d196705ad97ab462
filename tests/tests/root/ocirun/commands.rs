//! Each command does what runc's callers expect of it.

use super::bed::Bed;
use serde_json::Value;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::process::Stdio;
use testkit::wait_until;

#[test]
fn run_passes_streams_and_exit_code_and_leaves_nothing() {
    let bed = Bed::new();
    bed.script("read line; echo \"got $line\"; echo bad >&2; hostname; id -u; exit 7");
    let said = bed.run_with_input(&["run", "a"], "text\n");
    assert_eq!((said.stdout.as_str(), said.stderr.as_str(), said.code), ("got text\nnaru\n0\n", "bad\n", 7));
    bed.script("echo up > /up; sleep 1000");
    let mut child = bed.command(&["run", "a"]).spawn().expect("it starts");
    wait_until("the program", || bed.rootfs().join("up").exists());
    bed.run(&["kill", "a", "9"]).ok();
    assert_eq!(child.wait().expect("it ends").code(), Some(137));
    bed.assert_nothing_left();
}

#[test]
fn create_start_kill_delete_go_through_all_states() {
    let bed = Bed::new();
    bed.script("trap 'echo bye > /bye; exit 3' TERM; echo up > /up; while :; do sleep 0.05; done");
    bed.create("a");
    let state = bed.state("a");
    assert_eq!((state["status"].as_str(), state["ociVersion"].as_str()), (Some("created"), Some("1.3.0")));
    assert_eq!(state["bundle"].as_str().map(std::path::Path::new), Some(bed.bundle().as_path()));
    assert!(!bed.rootfs().join("up").exists(), "the program must not run before start");
    let pid = state["pid"].as_i64().expect("a number");

    bed.run(&["start", "a"]).ok();
    wait_until("the program", || bed.rootfs().join("up").exists());
    assert_eq!((bed.status("a").as_str(), bed.state("a")["pid"].as_i64()), ("running", Some(pid)));
    let again = bed.run(&["start", "a"]).fails_with(1);
    assert!(again.contains("cannot start an already running container"), "{again}");
    let delete = bed.run(&["delete", "a"]).fails_with(1);
    assert!(delete.contains("cannot delete container a that is not stopped: running"), "{delete}");

    bed.run(&["kill", "a", "SIGTERM"]).ok();
    bed.await_status("a", "stopped");
    assert!(bed.rootfs().join("bye").exists());
    assert!(bed.run(&["kill", "a", "KILL"]).fails_with(1).contains("container not running"));
    assert!(bed.run(&["start", "a"]).fails_with(1).contains("has stopped"));
    bed.run(&["delete", "a"]).ok();
    assert!(bed.run(&["state", "a"]).fails_with(1).contains("does not exist"));
    assert!(bed.run(&["delete", "a"]).fails_with(1).contains("does not exist"));
    bed.run(&["delete", "--force", "a"]).ok();
    bed.assert_nothing_left();
}

#[test]
fn delete_removes_created_containers_and_with_force_running_and_paused_ones() {
    let bed = Bed::new();
    bed.script("sleep 1000 & sleep 1000");
    bed.create("a");
    bed.run(&["delete", "a"]).ok();
    bed.assert_nothing_left();
    bed.start("a");
    bed.run(&["delete", "-f", "a"]).ok();
    bed.assert_nothing_left();
    bed.start("a");
    bed.run(&["pause", "a"]).ok();
    bed.run(&["delete", "-f", "a"]).ok();
    bed.assert_nothing_left();
}

#[test]
fn exec_runs_in_the_container_with_its_own_user_environment_and_directory() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    let script = "echo $A $PWD; id -u; id -g; readlink /proc/self/ns/pid; exit 5";
    let said = bed.run(&["exec", "--env", "A=1", "--cwd", "/bin", "--user", "5:6", "a", "sh", "-c", script]);
    let pid = bed.state("a")["pid"].as_i64().expect("a number");
    let namespace = fs::read_link(format!("/proc/{pid}/ns/pid")).expect("it runs");
    assert_eq!(said.stdout, format!("1 /bin\n5\n6\n{}\n", namespace.display()));
    assert_eq!(said.code, 5);

    let file = bed.folder.join("process.json");
    fs::write(&file, r#"{"args":["sh","-c","echo $X; exit 4"],"cwd":"/","env":["X=y","PATH=/bin"],"user":{"uid":0,"gid":0}}"#)
        .expect("writable");
    let said = bed.run(&["exec", "--process", file.to_str().expect("text"), "a"]);
    assert_eq!((said.stdout.as_str(), said.code), ("y\n", 4));

    let missing = bed.run(&["exec", "a", "nosuch"]).fails_with(255);
    assert!(missing.contains("exec: \"nosuch\": executable file not found in $PATH"), "{missing}");
    assert!(bed.run(&["exec", "nobody", "true"]).fails_with(255).contains("does not exist"));
}

#[test]
fn exec_detached_writes_a_pid_file_and_lives_on() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    let file = bed.folder.join("pid");
    let mut command =
        bed.command(&["exec", "--detach", "--pid-file", file.to_str().expect("text"), "a", "sleep", "999"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("it ends").success());
    let pid = fs::read_to_string(&file).expect("it is written");
    let pids: Vec<u64> = serde_json::from_str(&bed.run(&["ps", "--format", "json", "a"]).ok()).expect("JSON");
    assert!(pids.contains(&pid.parse().expect("digits only")), "{pid:?} in {pids:?}");
    assert_eq!(pids.len(), 2);
    bed.run(&["kill", "--all", "a", "KILL"]).ok();
    bed.await_status("a", "stopped");
}

#[test]
fn pause_freezes_and_resume_thaws() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    assert!(bed.run(&["resume", "a"]).fails_with(1).contains("container not paused"));
    bed.run(&["pause", "a"]).ok();
    assert_eq!(bed.status("a"), "paused");
    assert!(bed.run(&["exec", "a", "true"]).fails_with(255).contains("paused container"));
    bed.run(&["resume", "a"]).ok();
    assert_eq!(bed.status("a"), "running");
    bed.run(&["exec", "a", "true"]).ok();
}

#[test]
fn update_changes_limits_of_a_running_container() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    let limit = || -> Value {
        let event: Value = serde_json::from_str(&bed.run(&["events", "--stats", "a"]).ok()).expect("JSON");
        assert_eq!((event["type"].as_str(), event["id"].as_str()), (Some("stats"), Some("a")));
        assert!(event["data"]["cpu"]["usage"]["total"].as_u64().is_some());
        event["data"]["pids"]["limit"].clone()
    };
    assert_eq!(limit(), 0);
    bed.run(&["update", "--pids-limit", "55", "a"]).ok();
    assert_eq!(limit(), 55);
    bed.run_with_input(&["update", "--resources", "-", "a"], r#"{"pids":{"limit":66}}"#).ok();
    assert_eq!(limit(), 66);
    let wrong = bed.run_with_input(&["update", "-r", "-", "a"], r#"{"pids":{"limit":"x"}}"#).fails_with(1);
    assert!(wrong.contains("pids.limit: invalid type"), "{wrong}");
}

#[test]
fn list_shows_all_containers_in_every_form() {
    let bed = Bed::new();
    assert_eq!(bed.run(&["list", "-q"]).ok(), "");
    bed.script("sleep 1000");
    bed.start("a");
    assert_eq!(bed.run(&["list", "-q"]).ok(), "a\n");
    let json: Value = serde_json::from_str(&bed.run(&["list", "--format", "json"]).ok()).expect("JSON");
    assert_eq!((json[0]["id"].as_str(), json[0]["status"].as_str()), (Some("a"), Some("running")));
    let table = bed.run(&["list"]).ok();
    let words: Vec<_> = table.lines().map(|line| line.split_whitespace().next().expect("a word")).collect();
    assert_eq!(words, ["ID", "a"]);
    let processes = bed.run(&["ps", "a"]).ok();
    assert_eq!(processes.lines().count(), 2, "{processes}");
}

#[test]
fn preserved_descriptors_arrive_exactly() {
    let bed = Bed::new();
    fs::write(bed.folder.join("three"), "3").expect("writable");
    let three = fs::File::open(bed.folder.join("three")).expect("readable");
    // Descriptors from 3 on: a shell puts the file at 3 and 4, and something that must not pass at 5.
    let through = |count: &str, program: &str| {
        let program = format!(
            "exec {} --root {} run --preserve-fds {count} a",
            testkit::programs().join("naru-run").display(),
            bed.folder.join("root").display()
        ) + program;
        let mut command = std::process::Command::new("sh");
        let script = format!("exec 3<&0 4<&0 5</etc/passwd; {program}");
        command.args(["-c", &script]).current_dir(bed.bundle()).stdin(three.try_clone().expect("a copy"));
        command.output().expect("it ends")
    };
    assert!(three.as_raw_fd() > 2);
    bed.script("ls /proc/$$/fd; cat <&4; true");
    let output = through("2", "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text, "0\n1\n2\n3\n4\n3", "{}", String::from_utf8_lossy(&output.stderr));
    let output = through("9", "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("descriptor 6 is not open"));
    bed.assert_nothing_left();
}

#[test]
fn log_file_has_json_lines_and_pid_file_the_pid() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    let (log, pid) = (bed.folder.join("log"), bed.folder.join("pid"));
    let log_text = log.to_str().expect("text");
    let mut command = bed.command(&[
        "--log",
        log_text,
        "--log-format",
        "json",
        "create",
        "--pid-file",
        pid.to_str().expect("text"),
        "a",
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("it ends").success());
    assert_eq!(fs::read_to_string(&pid).expect("written"), bed.state("a")["pid"].to_string());
    bed.run(&["--log", log_text, "--log-format=json", "create", "a"]).fails_with(1);
    let text = fs::read_to_string(&log).expect("written");
    let line: Value = serde_json::from_str(text.lines().next_back().expect("a line")).expect("JSON");
    assert_eq!(line["level"], "error");
    assert_eq!(line["msg"], "naru-run create failed: container with given ID already exists: \"a\"");
}

#[test]
fn version_help_and_what_is_not_supported_say_so() {
    let bed = Bed::new();
    assert!(bed.run(&["--version"]).ok().starts_with("naru-run version "));
    assert!(bed.run(&["--help"]).ok().contains("--systemd-cgroup"));
    assert!(bed.run(&["exec", "--help"]).ok().contains("--process"));
    for command in ["checkpoint", "restore"] {
        let said = bed.run(&[command, "a"]).fails_with(1);
        assert_eq!(said, format!("naru-run {command} failed: {command} is not supported\n"));
    }
    let features: Value = serde_json::from_str(&bed.run(&["features"]).ok()).expect("JSON");
    assert_eq!(features["ociVersionMax"], "1.3.0");
    assert_eq!(features["linux"]["cgroup"]["v2"], true);
    assert!(bed.run(&["nosuch"]).fails_with(1).contains("no such command"));
    let again = bed.run(&["spec"]).fails_with(1);
    assert!(again.contains("config.json exists. Remove it first"), "{again}");
}

#[test]
fn linked_as_naru_runc_it_is_the_same_runtime() {
    let bed = Bed::new();
    bed.script("echo linked");
    let link = bed.folder.join("naru-runc");
    std::os::unix::fs::symlink(testkit::programs().join("naru-run"), &link).expect("new");
    let mut command = std::process::Command::new(&link);
    command.arg("--root").arg(bed.folder.join("root")).args(["run", "a"]).current_dir(bed.bundle());
    assert_eq!(super::bed::said(command, "").ok(), "linked\n");
}

#[test]
fn signals_of_the_foreground_go_to_the_container() {
    let bed = Bed::new();
    bed.script("trap 'exit 9' INT; echo up > /up; while :; do sleep 0.05; done");
    let mut child = bed.command(&["run", "a"]).spawn().expect("it starts");
    wait_until("the program", || bed.rootfs().join("up").exists());
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(9));
    bed.assert_nothing_left();
}

#[test]
fn root_on_a_shared_mount_is_left_and_mounts_inside_stay_inside() {
    let bed = Bed::new();
    bed.script("echo in");
    let script = format!(
        "mount --bind {0} {0} && mount --make-shared {0} && cd {0} && {1} --root {2} run a && grep -c {0} /proc/self/mountinfo",
        bed.bundle().display(),
        testkit::programs().join("naru-run").display(),
        bed.folder.join("root").display(),
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    assert_eq!(super::bed::said(command, "").ok(), "in\n1\n");
    bed.assert_nothing_left();
}

#[test]
fn hooks_run_in_order_with_the_state_on_their_input() {
    let bed = Bed::new();
    let log = bed.folder.join("hooks");
    let hook = |name: &str| {
        let script = format!("{{ printf '{name} '; cat; echo; }} >> {}", log.display());
        serde_json::json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"] }])
    };
    bed.script("sleep 1000");
    bed.configure(|config| {
        for name in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
            config["hooks"][name] = hook(name);
        }
    });
    // In the container's namespaces, but before its root: the host's shell is there.
    bed.create("a");
    let read = || -> Vec<(String, Value)> {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let parse = |line: &str| {
            let (name, state) = line.split_once(' ').expect("a name and a state");
            (name.to_owned(), serde_json::from_str(state).expect("JSON"))
        };
        text.lines().map(parse).collect()
    };
    let names =
        |hooks: &[(String, Value)]| hooks.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(names(&read()), "prestart createRuntime createContainer");
    bed.run(&["start", "a"]).ok();
    assert_eq!(names(&read()), "prestart createRuntime createContainer poststart");
    let pid = bed.state("a")["pid"].clone();
    bed.run(&["delete", "-f", "a"]).ok();
    let hooks = read();
    assert_eq!(names(&hooks), "prestart createRuntime createContainer poststart poststop");
    let field = |at: usize, name: &str| hooks[at].1[name].clone();
    assert_eq!((field(3, "status"), field(3, "id"), field(3, "pid")), ("running".into(), "a".into(), pid));
    assert_eq!((field(4, "status"), field(4, "pid")), ("stopped".into(), Value::Null));
    bed.assert_nothing_left();

    // A poststart hook that fails stops the container.
    bed.configure(|config| {
        config["hooks"]["poststart"][0]["args"] = serde_json::json!(["sh", "-c", "exit 3"])
    });
    bed.create("a");
    let said = bed.run(&["start", "a"]).fails_with(1);
    assert!(said.contains("exit status 3"), "{said}");
    assert_eq!(bed.status("a"), "stopped");
    bed.run(&["delete", "a"]).ok();
    assert!(bed.run(&["run", "a"]).fails_with(1).contains("exit status 3"));
    bed.assert_nothing_left();
}

#[test]
fn exec_has_the_containers_filter_with_its_flags() {
    let bed = Bed::new();
    bed.configure(|config| {
        config["linux"]["seccomp"] = serde_json::json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
        });
    });
    bed.script("exec sleep 1000");
    bed.start("filtered");
    let said = bed.run(&["exec", "filtered", "mkdir", "/tmp/made"]).fails_with(1);
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(bed.run(&["exec", "filtered", "sh", "-c", "echo others pass"]).ok(), "others pass\n");
}
