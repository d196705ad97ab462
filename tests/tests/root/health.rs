//! Health checks: states, results, events, what they do to restarts, and what survives the engine.

use testkit::{TestEnv, wait_until};

const STATUS: &str = "{{.State.Health.Status}}";

fn run(env: &TestEnv, name: &str, flags: &[&str]) {
    let mut args = vec!["run", "-d", "--name", name, "--health-interval", "100ms"];
    args.extend(flags);
    args.extend(["busybox", "sleep", "1000"]);
    let _ = env.naru(&args).ok();
}

fn wait_for(env: &TestEnv, name: &str, status: &str) {
    wait_until(&format!("{name} is {status}"), || env.inspect(name, STATUS) == status);
}

fn events(env: &TestEnv, name: &str) -> Vec<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let until = (now.as_secs() + 1).to_string();
    let filter = format!("container={name}");
    let args = ["events", "--since", "1", "--until", &until, "--filter", &filter, "--format", "{{.Action}}"];
    env.naru(&args).ok().lines().map(str::to_owned).collect()
}

#[test]
fn health_follows_the_probes_and_is_shown_everywhere() {
    let env = TestEnv::with_busybox();
    let check = ["--health-cmd", "echo out; echo err >&2; test -f /ok", "--health-retries", "2"];
    run(&env, "one", &check);
    wait_for(&env, "one", "unhealthy");
    assert!(env.docker(&["ps"]).ok().contains(" (unhealthy)"));
    let _ = env.docker(&["exec", "one", "touch", "/ok"]).ok();
    wait_for(&env, "one", "healthy");
    assert!(env.docker(&["ps", "--filter", "health=healthy"]).ok().contains(" (healthy)"));
    assert_eq!(env.docker(&["ps", "-q", "--filter", "health=unhealthy"]).ok(), "");
    wait_until("five results are there", || env.inspect("one", "{{len .State.Health.Log}}") == "5");
    let health = env.request("GET", "/containers/one/json", None).json()["State"]["Health"].clone();
    assert_eq!((health["FailingStreak"].as_i64(), health["Status"].as_str()), (Some(0), Some("healthy")));
    let output = health["Log"][4]["Output"].as_str().unwrap_or_default();
    assert!(output == "out\nerr\n" || output == "err\nout\n", "{output:?}");
    assert_eq!(health["Log"][4]["ExitCode"], 0);

    let events = events(&env, "one");
    let of_health: Vec<&String> = events.iter().filter(|action| action.starts_with("health")).collect();
    assert_eq!(of_health, ["health_status: unhealthy", "health_status: healthy"]);
    let probe = "/bin/sh -c echo out; echo err >&2; test -f /ok";
    let first: Vec<&str> =
        events.iter().skip_while(|action| *action != "start").take(4).map(String::as_str).collect();
    assert_eq!(
        first,
        ["start", &format!("exec_create: {probe}"), &format!("exec_start: {probe}"), "exec_die"]
    );
}

#[test]
fn probe_that_takes_too_long_is_killed() {
    let env = TestEnv::with_busybox();
    run(
        &env,
        "one",
        &["--health-cmd", "echo hi; exec sleep 777", "--health-timeout", "300ms", "--health-retries", "1"],
    );
    wait_for(&env, "one", "unhealthy");
    assert_eq!(
        env.inspect("one", "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}"),
        "-1 Health check exceeded timeout (300ms): hi"
    );
    let _ = env.naru(&["pause", "one"]).ok();
    assert_eq!(env.inspect("one", STATUS), "unhealthy");
    let _ = env.naru(&["unpause", "one"]).ok();
    let hanging = || env.naru(&["top", "one"]).ok().lines().filter(|line| line.contains("sleep 777")).count();
    wait_until("no more than one probe hangs", || hanging() <= 1);
}

#[test]
fn command_that_is_not_there_is_told_in_dockers_words() {
    let env = TestEnv::with_busybox();
    let body = r#"{"Image":"busybox","Cmd":["sleep","1000"],
        "Healthcheck":{"Test":["CMD","nosuch"],"Interval":100000000,"Retries":1}}"#;
    assert_eq!(env.request("POST", "/containers/create?name=one", Some(body)).status, 201);
    let _ = env.docker(&["start", "one"]).ok();
    wait_for(&env, "one", "unhealthy");
    assert_eq!(
        env.inspect("one", "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}"),
        "-1 OCI runtime exec failed: exec failed: unable to start container process: exec: \"nosuch\": \
         executable file not found in $PATH"
    );
}

#[test]
fn stopped_container_is_unhealthy_and_a_start_begins_anew() {
    let env = TestEnv::with_busybox();
    run(&env, "one", &["--health-cmd", "true"]);
    wait_for(&env, "one", "healthy");
    let _ = env.naru(&["stop", "-t", "0", "one"]).ok();
    assert_eq!(env.inspect("one", STATUS), "unhealthy");
    assert_ne!(env.inspect("one", "{{len .State.Health.Log}}"), "0");
    let body = r#"{"Image":"busybox","Healthcheck":{"Test":["NONE"]}}"#;
    assert_eq!(env.request("POST", "/containers/create?name=none", Some(body)).status, 201);
    assert_eq!(env.inspect("none", "{{json .State.Health}}"), "null");
    let _ = env.naru(&["start", "one"]).ok();
    wait_for(&env, "one", "healthy");
    let events = events(&env, "one");
    assert_eq!(events.iter().filter(|action| *action == "health_status: healthy").count(), 2);
}

#[test]
fn health_survives_the_engine() {
    let mut env = TestEnv::with_busybox();
    run(&env, "one", &["--health-cmd", "test -f /ok || exec sleep 777", "--health-timeout", "1h"]);
    let _ = env.naru(&["exec", "one", "touch", "/ok"]).ok();
    // The first probe may hang: the next engine ends it and goes on.
    env.crash_engine();
    env.start_engine();
    wait_for(&env, "one", "healthy");
    let started = env.inspect("one", "{{.State.StartedAt}}");
    env.crash_engine();
    env.start_engine();
    assert_eq!(env.inspect("one", STATUS), "healthy");
    assert_eq!(env.inspect("one", "{{.State.StartedAt}}"), started);
    let _ = env.naru(&["exec", "one", "rm", "/ok"]).ok();
    let hanging = |env: &TestEnv| -> Vec<String> {
        let top = env.naru(&["top", "one", "-o", "pid,args"]).ok();
        let probes = top.lines().filter(|line| line.contains("sleep 777"));
        probes.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    };
    wait_until("a probe hangs", || !hanging(&env).is_empty());
    let (old, pid) = (hanging(&env), env.inspect("one", "{{.State.Pid}}"));
    env.crash_engine();
    env.start_engine();
    wait_until("the old probe is gone", || !hanging(&env).contains(&old[0]));
    assert_eq!(env.inspect("one", "{{.State.Pid}}"), pid);
}

#[test]
fn unhealthy_container_is_restarted_if_its_policy_says_so() {
    let env = TestEnv::with_busybox();
    let check = ["--health-cmd", "false", "--health-retries", "1", "--stop-timeout", "0"];
    let mut flags = check.to_vec();
    flags.extend(["--restart", "on-unhealthy:2"]);
    run(&env, "one", &flags);
    wait_until("it was restarted twice", || env.inspect("one", "{{.RestartCount}}") == "2");
    assert_eq!(env.inspect("one", "{{.HostConfig.RestartPolicy.Name}}"), "on-unhealthy");
    wait_for(&env, "one", "unhealthy");
    assert_eq!(env.inspect("one", "{{.State.Running}} {{.RestartCount}}"), "true 2");
    let expected = ["start", "health_status: unhealthy", "kill", "die", "start", "health_status: unhealthy"];
    let of_life = |action: &String| !action.starts_with("exec");
    let seen: Vec<String> = events(&env, "one")
        .into_iter()
        .filter(of_life)
        .skip_while(|action| action != "start")
        .take(6)
        .collect();
    assert_eq!(seen, expected);
    run(&env, "left-alone", &check);
    wait_for(&env, "left-alone", "unhealthy");
    assert_eq!(env.inspect("left-alone", "{{.RestartCount}}"), "0");
}

#[test]
fn page_is_asked_for_from_within_the_container() {
    let env = TestEnv::with_busybox();
    let script = "echo -e 'HTTP/1.1 200 OK\\r\\n\\r\\nfine' > /page; while :; do nc -l -p 8080 < /page; done";
    for network in ["bridge", "none"] {
        let args = ["run", "-d", "--name", network, "--network", network, "--health-interval", "100ms"];
        let page =
            ["--health-http", ":8080/healthz", "--health-retries", "1000", "busybox", "sh", "-c", script];
        let _ = env.naru(&[&args[..], &page[..]].concat()).ok();
        wait_for(&env, network, "healthy");
        assert!(env.inspect(network, "{{json .State.Health.Log}}").contains("HTTP 200: fine"));
    }
    run(&env, "deaf", &["--health-http", ":8080", "--health-retries", "1"]);
    wait_for(&env, "deaf", "unhealthy");
    let why = env.naru(&["create", "--health-http", "nonsense", "busybox"]).stderr;
    assert!(why.contains("HTTP takes one page"), "{why}");
}
