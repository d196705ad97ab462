//! Changing limits and restart policies of containers; removing all that rest.

use testkit::{TestEnv, wait_until};

const HOST: &str =
    "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";

fn sleeper(env: &TestEnv, name: &str, flags: &[&str]) {
    let _ = env.naru(&[&["run", "-d", "--name", name], flags, &["busybox", "sleep", "1000"]].concat()).ok();
}

/// Returns a limit as the container's own cgroup has it: the first of these files that is there.
fn limit(env: &TestEnv, name: &str, files: &[&str]) -> String {
    let pid = env.inspect(name, "{{.State.Pid}}");
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        for file in files {
            for root in [format!("/sys/fs/cgroup/{controllers}"), "/sys/fs/cgroup".to_owned()] {
                if let Ok(text) = std::fs::read_to_string(format!("{root}{path}/{file}")) {
                    return text.trim().to_owned();
                }
            }
        }
    }
    panic!("no {files:?} for {name}")
}

fn memory(env: &TestEnv, name: &str) -> String {
    limit(env, name, &["memory.max", "memory.limit_in_bytes"])
}

fn processes(env: &TestEnv, name: &str) -> String {
    limit(env, name, &["pids.max"])
}

#[test]
fn limits_of_a_running_container_change_at_once() {
    let env = TestEnv::with_busybox();
    sleeper(&env, "one", &["-m", "64m", "--pids-limit", "50"]);
    assert_eq!((memory(&env, "one").as_str(), processes(&env, "one").as_str()), ("67108864", "50"));
    let pid = env.inspect("one", "{{.State.Pid}}");
    // Growing beyond the old sum of memory and swap, and shrinking again.
    for (megabytes, bytes) in [("512", "536870912"), ("32", "33554432")] {
        let size = format!("{megabytes}m");
        let args =
            ["update", "-m", &size, "--memory-swap", "1g", "--pids-limit", "70", "--cpus", "0.5", "one"];
        assert_eq!(env.docker(&args).ok(), "one");
        assert_eq!((memory(&env, "one").as_str(), processes(&env, "one").as_str()), (bytes, "70"));
        assert_eq!(env.inspect("one", HOST), format!("{bytes} 1073741824 500000000 70"));
    }
    let _ = env.naru(&["update", "--pids-limit", "-1", "one"]).ok();
    assert_eq!(processes(&env, "one"), "max");
    assert_eq!(env.inspect("one", "{{.State.Pid}}"), pid);
    let _ = env.naru(&["restart", "-t", "0", "one"]).ok();
    assert_eq!((memory(&env, "one").as_str(), processes(&env, "one").as_str()), ("33554432", "max"));
}

#[test]
fn refused_update_leaves_everything_as_it_was() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["run", "-d", "--name", "one", "-m", "64m", "busybox", "sleep", "1000"]).ok();
    let update = |body: &str| {
        let answer = env.request("POST", "/containers/one/update", Some(body));
        let text = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        (answer.status, text)
    };
    assert_eq!(update(r#"{"Memory":1000}"#), (400, "Minimum memory limit allowed is 6MB".to_owned()));
    let text = "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
    assert_eq!(update(r#"{"Memory":268435456}"#), (409, format!("Cannot update container {id}: {text}")));
    assert_eq!(update(r#"{"CpusetCpus":"4000"}"#).0, 400);
    assert_eq!(update(r#"{"CpuRealtimePeriod":1000}"#).0, 501);
    assert_eq!(update("{}"), (200, String::new()));
    assert_eq!(env.inspect("one", HOST), "67108864 134217728 0 <nil>");
    assert_eq!(memory(&env, "one"), "67108864");
    let missing = env.request("POST", "/containers/nosuch/update", Some("{}"));
    assert_eq!(missing.status, 404);
    assert!(env.naru(&["update", "one"]).fails_with(1).contains("you must provide one or more flags"));
}

#[test]
fn updated_container_keeps_its_limits_when_the_engine_dies() {
    let mut env = TestEnv::with_busybox();
    sleeper(&env, "one", &["-m", "64m"]);
    let _ = env.naru(&["update", "-m", "96m", "--restart", "always", "one"]).ok();
    env.crash_engine();
    env.start_engine();
    assert_eq!(
        env.inspect("one", "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}"),
        "100663296 always"
    );
    assert_eq!(memory(&env, "one"), "100663296");
}

#[test]
fn restart_policy_changes_for_the_next_end() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", "sleep 1000 & wait"]).ok();
    let _ = env.docker(&["update", "--restart", "on-failure:1", "one"]).ok();
    let pid = env.inspect("one", "{{.State.Pid}}");
    let _ = env.run_in_namespace("kill", &["-9", &pid]).ok();
    wait_until("it was restarted", || env.inspect("one", "{{.RestartCount}} {{.State.Running}}") == "1 true");
    sleeper(&env, "gone", &["--rm"]);
    let text = env.naru(&["update", "--restart", "always", "gone"]).fails_with(1);
    assert!(
        text.contains("Restart policy cannot be updated because AutoRemove is enabled for the container"),
        "{text}"
    );
}

#[test]
fn prune_removes_what_rests_and_fits_the_filters() {
    let env = TestEnv::with_busybox();
    for (name, label) in [("created", "tier=a"), ("kept", "tier=b")] {
        let _ = env.naru(&["create", "--name", name, "-l", label, "busybox"]).ok();
    }
    let _ = env
        .naru(&[
            "run",
            "--name",
            "ended",
            "-l",
            "tier=a",
            "busybox",
            "sh",
            "-c",
            "head -c 70000 /dev/zero > /x",
        ])
        .ok();
    sleeper(&env, "running", &["-l", "tier=a"]);
    let filters = |json: &str| format!("/containers/prune?filters={}", json.replace('"', "%22"));
    let nothing = env.request("POST", &filters(r#"{"until":["1h"]}"#), None).json();
    assert_eq!(nothing.to_string(), r#"{"ContainersDeleted":null,"SpaceReclaimed":0}"#);
    assert_eq!(env.request("POST", &filters(r#"{"foo":["1h"]}"#), None).status, 400);
    assert_eq!(env.request("POST", &filters(r#"{"until":["x"]}"#), None).status, 400);

    let said = env.docker(&["container", "prune", "-f", "--filter", "label=tier=a"]).ok();
    assert_eq!(said.lines().filter(|line| line.len() == 64).count(), 2, "{said}");
    assert!(said.contains("Total reclaimed space: 7") && said.contains("kB"), "{said}");
    let names = || {
        let mut names: Vec<String> =
            env.naru(&["ps", "-a", "--format", "{{.Names}}"]).ok().lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["kept", "running"]);
    let asked = env.run_with_input("naru", &["container", "prune"], b"n\n").ok();
    assert!(asked.starts_with("WARNING! This will remove all stopped containers.\nAre you sure"), "{asked}");
    assert_eq!(names(), ["kept", "running"]);
    let asked = env.run_with_input("naru", &["system", "prune"], b"y\n").ok();
    assert!(asked.contains("Deleted Containers:\n"), "{asked}");
    assert_eq!(names(), ["running"]);
}
