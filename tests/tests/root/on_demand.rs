//! The engine starts when it is needed.

use std::process::{Command, Stdio};
use testkit::{EnvOptions, TestEnv};

/// Returns a `naru` that finds no engine and may start one with this environment's state.
fn naru(env: &TestEnv, args: &[&str]) -> Command {
    let wrapper = env.folder().join("narud-wrapper");
    if !wrapper.exists() {
        let flags: Vec<String> = env.engine_flags().iter().map(|flag| format!("'{flag}'")).collect();
        let script = format!(
            "#!/bin/sh\nexec nsenter --net=/proc/{}/ns/net {} {}\n",
            env.namespace_pid(),
            testkit::programs().join("narud").display(),
            flags.join(" ")
        );
        std::fs::write(&wrapper, script).expect("writable");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&wrapper, executable).expect("ours");
    }
    let mut command = Command::new(testkit::programs().join("naru"));
    command
        .args(args)
        .env_remove("DOCKER_HOST")
        .env("NARU_DAEMON", wrapper)
        .env("NARU_EXEC_ROOT", env.exec_root())
        .env("NARU_TEST_MARK", env.cgroup_parent())
        .env("DOCKER_CONFIG", env.folder())
        .stdin(Stdio::null());
    command
}

#[test]
fn first_command_starts_the_engine() {
    let env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
    let output = naru(&env, &["run", "--rm", "busybox", "echo", "Hello World"]).output().expect("naru runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "Hello World\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn twenty_commands_at_once_start_one_engine() {
    let env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
    let _ = naru(&env, &["--version"]).output();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            let env = &env;
            scope.spawn(move || {
                let output = naru(env, &["version", "--format", "{{.Server.APIVersion}}"])
                    .output()
                    .expect("naru runs");
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(String::from_utf8_lossy(&output.stdout), "1.51\n", "{stderr}");
            });
        }
    });
    let engines = Command::new("pgrep")
        .args(["-fc", &format!("narud --data-root {}", env.data_root().display())])
        .output();
    assert_eq!(String::from_utf8_lossy(&engines.expect("pgrep runs").stdout).trim(), "1");
}

#[test]
fn stale_socket_is_repaired() {
    let env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
    std::fs::create_dir_all(env.exec_root()).expect("writable");
    drop(std::os::unix::net::UnixListener::bind(env.socket()).expect("bound"));
    assert!(env.socket().exists());
    let output = naru(&env, &["ps"]).output().expect("naru runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn engine_that_cannot_start_says_why() {
    let env = TestEnv::with(EnvOptions {
        without_engine: true,
        flags: vec!["--mtu".into(), "much".into()],
        ..EnvOptions::default()
    });
    let output = naru(&env, &["ps"]).output().expect("naru runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("--mtu") && stderr.contains("much"), "{stderr}");
}

#[test]
fn engine_takes_a_socket_from_systemd() {
    let env = TestEnv::with(EnvOptions {
        without_engine: true,
        flags: vec!["-H".into(), "fd://".into()],
        ..EnvOptions::default()
    });
    std::fs::create_dir_all(env.exec_root()).expect("writable");
    let narud = testkit::programs().join("narud");
    let flags: Vec<String> = env.engine_flags();
    let mut child = Command::new("nsenter")
        .arg(format!("--net=/proc/{}/ns/net", env.namespace_pid()))
        .args(["systemd-socket-activate", "-l"])
        .arg(env.socket())
        .arg(&narud)
        .args(&flags)
        .env("NARU_TEST_MARK", env.cgroup_parent())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-socket-activate runs");
    testkit::wait_until("the socket is there", || env.socket().exists());
    assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", "x"]).ok(), "x");
    let _ = child.kill();
    let _ = child.wait();
}
