//! Events: order, filters, history across restarts of the engine.

use testkit::TestEnv;

/// Returns the next whole second but one: clients cut times to seconds.
fn soon() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    (now.as_secs() + 1).to_string()
}

fn history(env: &TestEnv, more: &[&str]) -> Vec<String> {
    let until = soon();
    let mut args = vec!["events", "--since", "1", "--until", &until, "--format", "{{.Type}} {{.Action}}"];
    args.extend(more);
    env.naru(&args).ok().lines().map(str::to_owned).collect()
}

#[test]
fn events_of_a_run_come_in_dockers_order() {
    let env = TestEnv::with_busybox();
    let _ = env.docker(&["run", "--rm", "--name", "one", "busybox", "true"]).ok();
    let events = history(&env, &["--filter", "type=container", "--filter", "type=network"]);
    assert_eq!(
        events,
        [
            "container create",
            "container attach",
            "network connect",
            "container start",
            "network disconnect",
            "container die",
            "container destroy"
        ]
    );
}

#[test]
fn events_carry_the_exit_code_and_survive_a_restart() {
    let mut env = TestEnv::with_busybox();
    assert_eq!(env.naru(&["run", "--name", "one", "busybox", "sh", "-c", "exit 3"]).code, 3);
    env.crash_engine();
    env.start_engine();
    let until = soon();
    let args = [
        "events",
        "--since",
        "1",
        "--until",
        &until,
        "--filter",
        "event=die",
        "--format",
        "{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.image}}",
    ];
    assert_eq!(env.naru(&args).ok(), "3 busybox");
    assert_eq!(env.docker(&args).ok(), "3 busybox");
    assert_eq!(history(&env, &["--filter", "container=nosuch"]), Vec::<String>::new());
}

#[test]
fn live_events_reach_a_waiting_client() {
    use std::io::{BufRead, BufReader};
    let env = TestEnv::with_busybox();
    let mut child = env
        .command("naru")
        .args([
            "events",
            "--since",
            "0s",
            "--filter",
            "event=start",
            "--format",
            "{{.Actor.Attributes.name}}",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("naru runs");
    std::thread::sleep(std::time::Duration::from_millis(200));
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "true"]).ok();
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert_eq!(line, "one\n");
    child.kill().expect("our child");
    let _ = child.wait();
}
