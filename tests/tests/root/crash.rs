//! The engine and supervisors die at any moment; containers, logs and exit codes do not get lost.

use testkit::{EnvOptions, TestEnv, wait_until};

#[test]
fn containers_outlive_the_engine() {
    let mut env = TestEnv::with_busybox();
    let script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done";
    let id = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", script]).ok();
    let pid = env.inspect("one", "{{.State.Pid}}");
    env.crash_engine();
    std::thread::sleep(std::time::Duration::from_millis(300));
    env.start_engine();
    assert_eq!(env.inspect("one", "{{.State.Status}} {{.State.Pid}} {{.Id}}"), format!("running {pid} {id}"));
    let log = env.naru(&["logs", "one"]).ok();
    let numbers: Vec<u32> = log.lines().map(|line| line.parse().expect("a number")).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u32), "no line is lost or doubled");
    assert!(numbers.len() > 10, "{}", numbers.len());
    assert_eq!(env.naru(&["exec", "one", "echo", "in"]).ok(), "in");
    let _ = env.naru(&["stop", "-t", "0", "one"]).ok();
    assert_eq!(env.inspect("one", "{{.State.ExitCode}}"), "137");
}

#[test]
fn exit_codes_while_the_engine_is_away_are_kept() {
    let mut env = TestEnv::with_busybox();
    let _ =
        env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", "sleep 0.3; echo bye; exit 42"]).ok();
    let _ = env.naru(&["run", "-d", "--rm", "--name", "two", "busybox", "sleep", "0.3"]).ok();
    let _ =
        env.naru(&["run", "-d", "--restart", "always", "--name", "three", "busybox", "sleep", "0.3"]).ok();
    env.crash_engine();
    std::thread::sleep(std::time::Duration::from_millis(900));
    env.start_engine();
    assert_eq!(env.inspect("one", "{{.State.Status}} {{.State.ExitCode}}"), "exited 42");
    assert_eq!(env.naru(&["logs", "one"]).ok(), "bye");
    wait_until("--rm is honoured", || env.naru(&["inspect", "two"]).code == 1);
    wait_until("the policy restarts", || {
        env.inspect("three", "{{.RestartCount}}").parse::<u32>().unwrap_or(0) >= 1
    });
}

#[test]
fn orderly_stop_of_the_engine_keeps_containers() {
    let mut env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    let pid = env.inspect("one", "{{.State.Pid}}");
    env.stop_engine();
    env.start_engine();
    assert_eq!(env.inspect("one", "{{.State.Status}} {{.State.Pid}}"), format!("running {pid}"));
}

#[test]
fn death_of_a_supervisor_kills_its_container_and_is_reported() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    let pid = env.inspect("one", "{{.State.Pid}}");
    let supervisors = env.supervisors();
    assert_eq!(supervisors.len(), 1);
    let killed =
        std::process::Command::new("kill").args(["-9", &supervisors[0].to_string()]).status().expect("kill");
    assert!(killed.success());
    wait_until("the end is reported", || env.inspect("one", "{{.State.Status}}") == "exited");
    assert_eq!(env.inspect("one", "{{.State.ExitCode}}"), "137");
    assert!(
        env.inspect("one", "{{.State.Error}}").contains("supervisor"),
        "{}",
        env.inspect("one", "{{.State.Error}}")
    );
    wait_until("the process is gone", || {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    let _ = env.naru(&["start", "one"]).ok();
    assert_eq!(env.inspect("one", "{{.State.Status}}"), "running");
}

#[test]
fn death_of_engine_and_supervisor_together_is_reported() {
    let mut env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    let supervisors = env.supervisors();
    env.crash_engine();
    let _ =
        std::process::Command::new("kill").args(["-9", &supervisors[0].to_string()]).status().expect("kill");
    env.start_engine();
    wait_until("the end is reported", || env.inspect("one", "{{.State.Status}}") == "exited");
    assert_eq!(env.inspect("one", "{{.State.ExitCode}}"), "137");
}

/// Kills the engine after every Action of a container's machine; whatever was going on, the next engine is usable, the
/// container's state is one that makes sense, and removing it leaves nothing.
#[test]
fn engine_may_die_after_every_action() {
    let actions = [
        "Persist",
        "Persist:2",
        "Persist:3",
        "Persist:4",
        "Launch",
        "Release",
        "GoLive",
        "Acknowledge",
        "Sweep",
        "DetachNetwork",
        "Publish",
        "Publish:2",
        "Publish:3",
        "Reply",
        "Reply:2",
        "WakeExit",
        "Forget",
        "RemoveFiles",
        "WakeRemoved",
    ];
    let mut died = Vec::new();
    for action in actions {
        let mut env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
        env.start_engine_with(&[]);
        let _ = env.naru(&["pull", "-q", "busybox"]).ok();
        env.stop_engine();
        env.start_engine_with(&[("NARU_CRASH_AFTER".into(), action.into())]);
        let mut client = env
            .command("naru")
            .args(["run", "--name", "one", "busybox", "sh", "-c", "echo out; exit 3"])
            .spawn()
            .expect("naru runs");
        let mut ended = || client.try_wait().expect("our child").is_some();
        wait_until("the client or the engine ends", || ended() || env.request_fails());
        let _ = env.naru(&["rm", "one"]); // the engine may die here, or be dead
        let crashed = env.request_fails();
        env.crash_engine();
        env.start_engine_with(&[]);
        wait_until(&format!("after {action}: the client hears of the end from the next engine"), ended);
        if crashed {
            died.push(action);
        }
        let state = env.naru(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "one"]);
        if state.code == 0 {
            wait_until(&format!("after {action}: a final state"), || {
                let state =
                    env.naru(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "one"]).stdout;
                ["created 0", "exited 3", "exited 137"].contains(&state.trim())
            });
            let _ = env.naru(&["rm", "-f", "one"]).ok();
        }
        assert_eq!(
            env.naru(&["run", "--rm", "--name", "one", "busybox", "echo", "again"]).ok(),
            "again",
            "after {action}"
        );
        wait_until(&format!("after {action}: no supervisor is left"), || env.supervisors().is_empty());
        for folder in ["containers", "snapshots"] {
            let left =
                std::fs::read_dir(env.data_root().join(folder)).map(|entries| entries.count()).unwrap_or(0);
            assert_eq!(left, 0, "after {action}: {folder}");
        }
    }
    assert!(died.len() >= 12, "the crash points do their work: only {died:?} did");
}

#[test]
fn stale_socket_and_pidfile_do_not_hinder_the_next_engine() {
    let mut env = TestEnv::with_busybox();
    env.crash_engine();
    assert!(env.socket().exists(), "a crash leaves the socket");
    env.start_engine();
    assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", "x"]).ok(), "x");
}

#[test]
fn second_engine_with_the_same_state_is_refused() {
    let env = TestEnv::new();
    let flags = env.engine_flags();
    let args: Vec<&str> = flags.iter().map(String::as_str).collect();
    let program = testkit::programs().join("narud");
    let stderr = env.run_in_namespace(&program.display().to_string(), &args).fails_with(1);
    assert!(stderr.contains(&format!("pid {}", env.engine_pid())), "{stderr}");
    assert_eq!(env.naru(&["ps", "-q"]).ok(), "", "the first engine is unharmed");
}

#[test]
fn interrupted_pull_goes_on_where_it_stopped() {
    let mut env = TestEnv::new();
    let mut child = env.command("naru").args(["pull", "-q", "busybox"]).spawn().expect("naru runs");
    env.crash_engine();
    let _ = child.wait().expect("our child");
    env.start_engine();
    assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", "x"]).ok(), "x");
}
