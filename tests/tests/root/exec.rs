//! Further processes in a running container.

use testkit::{TestEnv, wait_until};

fn sleeper(env: &TestEnv) {
    let _ = env.naru(&["run", "-d", "--name", "one", "-e", "FROM_RUN=1", "busybox", "sleep", "1000"]).ok();
}

#[test]
fn exec_runs_inside_and_returns_the_code() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    assert_eq!(env.naru(&["exec", "one", "cat", "/proc/1/comm"]).ok(), "sleep");
    let ran = env.naru(&["exec", "one", "sh", "-c", "echo out; echo err >&2; exit 5"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("out\n", "err\n", 5));
    assert_eq!(env.docker(&["exec", "one", "sh", "-c", "exit 6"]).code, 6);
}

#[test]
fn exec_has_environment_user_and_directory() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    let shown = env
        .naru(&[
            "exec",
            "-e",
            "X=1",
            "-u",
            "postgres",
            "-w",
            "/tmp",
            "one",
            "sh",
            "-c",
            "echo $X $FROM_RUN $(id -u) $(pwd)",
        ])
        .ok();
    assert_eq!(shown, "1 1 70 /tmp");
}

#[test]
fn exec_passes_input_and_its_end() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    let ran = env.run_with_input("naru", &["exec", "-i", "one", "wc", "-c"], &vec![b'x'; 200_000]);
    assert_eq!(ran.ok(), "200000");
}

#[test]
fn exec_errors_have_dockers_codes() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    for cli in ["naru", "docker"] {
        let ran = env.run(cli, &["exec", "one", "nosuch"]);
        assert_eq!(ran.code, 127, "{cli}: {}", ran.stderr);
        assert!(
            format!("{}{}", ran.stdout, ran.stderr).contains("executable file not found in $PATH"),
            "{cli}"
        );
        assert_eq!(env.run(cli, &["exec", "one", "/etc/passwd"]).code, 126, "{cli}");
        for nowhere in ["/nosuch", "/etc/passwd"] {
            assert_eq!(env.run(cli, &["exec", "-w", nowhere, "one", "true"]).code, 127, "{cli} {nowhere}");
        }
        assert!(
            env.run(cli, &["exec", "nosuch", "true"]).fails_with(1).contains("No such container: nosuch")
        );
    }
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    let _ = env.naru(&["create", "--name", "one", "busybox"]).ok();
    assert!(env.naru(&["exec", "one", "true"]).fails_with(1).contains("is not running"));
}

#[test]
fn exec_has_the_containers_confinement() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    let of = |args: &[&str]| {
        let shown = env.naru(args).ok();
        shown
            .lines()
            .filter(|line| {
                ["CapEff", "CapBnd", "CapInh", "Seccomp:", "NoNewPrivs"]
                    .iter()
                    .any(|key| line.starts_with(key))
            })
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let first = of(&["exec", "one", "cat", "/proc/1/status"]);
    let second = of(&["exec", "one", "cat", "/proc/self/status"]);
    assert_eq!(first, second);
    assert_eq!(first.len(), 5, "{first:?}");
}

#[test]
fn detached_exec_goes_on_alone() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    let _ = env.naru(&["exec", "-d", "one", "sh", "-c", "sleep 0.2; touch /tmp/done"]).ok();
    wait_until("the exec is done", || env.naru(&["exec", "one", "test", "-e", "/tmp/done"]).code == 0);
}

#[test]
fn execs_end_with_the_container() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1"]).ok();
    let ran = env.naru(&["exec", "one", "sleep", "100"]);
    assert_eq!(ran.code, 137, "{}", ran.stderr);
}

#[test]
fn fifty_execs_work_one_after_the_other_and_twenty_at_once() {
    let env = TestEnv::with_busybox();
    sleeper(&env);
    for number in 0..50 {
        let text = number.to_string();
        assert_eq!(env.naru(&["exec", "one", "echo", &text]).ok(), text);
    }
    std::thread::scope(|scope| {
        for number in 0..20 {
            let env = &env;
            scope.spawn(move || {
                let text = number.to_string();
                assert_eq!(env.naru(&["exec", "one", "echo", &text]).ok(), text);
            });
        }
    });
}
