//! start, stop, kill, restart, pause, rename, remove, wait, restart policies.

use testkit::{TestEnv, wait_until};

fn sleeper(env: &TestEnv, name: &str) -> String {
    env.naru(&["run", "-d", "--name", name, "busybox", "sleep", "1000"]).ok()
}

#[test]
fn created_container_starts_once() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["create", "--name", "one", "busybox", "sh", "-c", "echo started; exit 4"]).ok();
    assert_eq!(env.inspect("one", "{{.State.Status}}"), "created");
    let ran = env.naru(&["start", "-a", "one"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("started\n", 4));
    assert_eq!(env.inspect(&id[..12], "{{.State.Status}} {{.State.ExitCode}}"), "exited 4");
    assert_eq!(env.naru(&["start", "one"]).ok(), "one");
}

#[test]
fn start_of_a_running_container_is_not_modified() {
    let env = TestEnv::with_busybox();
    sleeper(&env, "one");
    assert_eq!(env.request("POST", "/v1.51/containers/one/start", None).status, 304);
    assert_eq!(env.request("POST", "/v1.51/containers/nosuch/start", None).status, 404);
}

#[test]
fn stop_asks_first_and_kills_after_the_timeout() {
    let env = TestEnv::with_busybox();
    let handler = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let _ = env.naru(&["run", "-d", "--name", "polite", "busybox", "sh", "-c", handler]).ok();
    wait_until("the handler is set", || env.naru(&["logs", "polite"]).stdout.contains("ready"));
    assert_eq!(env.naru(&["stop", "polite"]).ok(), "polite");
    assert_eq!(env.inspect("polite", "{{.State.ExitCode}}"), "9");
    sleeper(&env, "deaf");
    let begun = std::time::Instant::now();
    let _ = env.naru(&["stop", "-t", "1", "deaf"]).ok();
    assert!(begun.elapsed().as_millis() >= 1000, "killed before the timeout");
    assert_eq!(env.inspect("deaf", "{{.State.ExitCode}}"), "137");
    assert_eq!(env.request("POST", "/containers/deaf/stop", None).status, 304);
}

#[test]
fn kill_sends_the_named_signal() {
    let env = TestEnv::with_busybox();
    let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.1; done";
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", script]).ok();
    wait_until("the handler is set", || env.naru(&["logs", "one"]).stdout.contains("ready"));
    let _ = env.naru(&["kill", "-s", "USR1", "one"]).ok();
    wait_until("the signal arrives", || env.naru(&["logs", "one"]).stdout.contains("usr1"));
    assert!(env.naru(&["kill", "-s", "NOSUCH", "one"]).fails_with(1).contains("NOSUCH"));
    let _ = env.naru(&["kill", "one"]).ok();
    assert_eq!(env.naru(&["wait", "one"]).ok(), "137");
    assert!(env.naru(&["kill", "one"]).fails_with(1).contains("is not running"));
}

#[test]
fn restart_gives_a_new_process() {
    let env = TestEnv::with_busybox();
    sleeper(&env, "one");
    let first = env.inspect("one", "{{.State.Pid}}");
    let _ = env.naru(&["restart", "-t", "0", "one"]).ok();
    let second = env.inspect("one", "{{.State.Pid}}");
    assert_ne!(first, second);
    assert_eq!(env.inspect("one", "{{.State.Running}}"), "true");
}

#[test]
fn pause_stops_every_process_until_unpause() {
    let env = TestEnv::with_busybox();
    let script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", script]).ok();
    wait_until("it counts", || env.naru(&["logs", "one"]).stdout.lines().count() > 2);
    let _ = env.naru(&["pause", "one"]).ok();
    assert_eq!(env.inspect("one", "{{.State.Status}} {{.State.Paused}}"), "paused true");
    let before = env.naru(&["logs", "one"]).stdout;
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(env.naru(&["logs", "one"]).stdout, before);
    assert!(env.naru(&["pause", "one"]).fails_with(1).contains("already paused"));
    assert!(env.naru(&["exec", "one", "true"]).fails_with(1).contains("is paused"));
    let _ = env.naru(&["unpause", "one"]).ok();
    wait_until("it counts again", || env.naru(&["logs", "one"]).stdout.len() > before.len());
}

#[test]
fn names_are_unique_and_can_be_changed() {
    let env = TestEnv::with_busybox();
    let id = sleeper(&env, "one");
    let stderr = env.naru(&["create", "--name", "one", "busybox"]).stderr;
    assert!(
        stderr.contains(&format!(
            "Conflict. The container name \"/one\" is already in use by container \"{id}\""
        )),
        "{stderr}"
    );
    let _ = env.naru(&["rename", "one", "two"]).ok();
    assert_eq!(env.inspect("two", "{{.Name}}"), "/two");
    let _ = env.naru(&["create", "--name", "one", "busybox"]).ok();
    assert!(env.naru(&["rename", "one", "two"]).fails_with(1).contains("already in use"));
}

#[test]
fn generated_names_are_valid_and_shown() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["create", "busybox"]).ok();
    let name = env.inspect(&id, "{{.Name}}");
    assert!(name.len() > 4 && name.starts_with('/') && name.contains('_'), "{name}");
}

#[test]
fn remove_needs_force_while_running() {
    let env = TestEnv::with_busybox();
    let id = sleeper(&env, "one");
    let stderr = env.naru(&["rm", "one"]).fails_with(1);
    assert!(
        stderr.contains("container is running: stop the container before removing or force remove"),
        "{stderr}"
    );
    assert_eq!(env.naru(&["rm", "-f", "one"]).ok(), "one");
    assert!(env.naru(&["inspect", "one"]).fails_with(1).contains("No such"));
    assert!(!env.data_root().join("containers").join(&id).exists(), "the directory is gone");
    assert!(!env.data_root().join("snapshots").join(&id).exists(), "the snapshot is gone");
    wait_until("the supervisor is gone", || env.supervisors().is_empty());
}

#[test]
fn wait_returns_the_exit_code_of_a_later_end() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sh", "-c", "sleep 0.3; exit 6"]).ok();
    assert_eq!(env.naru(&["wait", "one"]).ok(), "6");
    assert_eq!(env.naru(&["wait", "one"]).ok(), "6", "a container that has ended answers at once");
}

#[test]
fn restart_policy_on_failure_counts_its_tries() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "--restart", "on-failure:2", "busybox", "false"]).ok();
    wait_until("it gives up", || env.inspect("one", "{{.RestartCount}} {{.State.Status}}") == "2 exited");
    assert_eq!(env.inspect("one", "{{.HostConfig.RestartPolicy.Name}}"), "on-failure");
}

#[test]
fn restart_policy_always_ends_with_stop() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "--restart", "always", "busybox", "sleep", "0.1"]).ok();
    wait_until("it restarts", || env.inspect("one", "{{.RestartCount}}").parse::<u32>().unwrap_or(0) >= 2);
    let _ = env.naru(&["stop", "-t", "0", "one"]).ok();
    assert_eq!(env.inspect("one", "{{.State.Running}}"), "false");
    let count = env.inspect("one", "{{.RestartCount}}");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(env.inspect("one", "{{.RestartCount}} {{.State.Running}}"), format!("{count} false"));
}

#[test]
fn ps_filters_and_shows_what_docker_shows() {
    let env = TestEnv::with_busybox();
    sleeper(&env, "one");
    let _ = env.naru(&["run", "--name", "two", "-l", "a=b", "busybox", "true"]).ok();
    assert_eq!(env.naru(&["ps", "--format", "{{.Names}}"]).ok(), "one");
    assert_eq!(env.naru(&["ps", "-a", "--format", "{{.Names}}"]).ok(), "two\none");
    assert_eq!(env.naru(&["ps", "-a", "--filter", "label=a=b", "--format", "{{.Names}}"]).ok(), "two");
    assert_eq!(env.naru(&["ps", "-a", "--filter", "status=exited", "--format", "{{.Names}}"]).ok(), "two");
    assert_eq!(env.naru(&["ps", "-a", "--filter", "name=on", "--format", "{{.Names}}"]).ok(), "one");
    // The lists tell ages: those made in the same second can be compared.
    wait_until("two lists of the same second", || {
        let ours = env.naru(&["ps", "-a"]).ok();
        let theirs = env.docker(&["ps", "-a"]).ok();
        assert!(ours.starts_with("CONTAINER ID   IMAGE     COMMAND"), "{ours}");
        let same_second = env.naru(&["ps", "-a"]).ok() == ours;
        assert!(!same_second || ours == theirs, "{ours}\n{theirs}");
        same_second
    });
}

#[test]
fn top_lists_the_containers_processes() {
    let env = TestEnv::with_busybox();
    sleeper(&env, "one");
    let shown = env.naru(&["top", "one"]).ok();
    assert!(shown.lines().count() == 2 && shown.contains("sleep 1000"), "{shown}");
}

#[test]
fn twenty_containers_run_at_once() {
    let env = TestEnv::with_busybox();
    std::thread::scope(|scope| {
        for number in 0..20 {
            let env = &env;
            scope.spawn(move || {
                let text = format!("number {number}");
                assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", &text]).ok(), text);
            });
        }
    });
    assert_eq!(env.naru(&["ps", "-aq"]).ok(), "");
    wait_until("every supervisor is gone", || env.supervisors().is_empty());
}
