//! Terminals: attach, detach, resize, signals; attachments that outlive the engine.

use testkit::{TestEnv, wait_until};

#[test]
fn terminal_run_works_like_a_shell() {
    let env = TestEnv::with_busybox();
    for cli in ["naru", "docker"] {
        let mut terminal = env.terminal(cli, &["run", "--rm", "-it", "busybox", "sh"]);
        terminal.expect("# ");
        terminal.type_text("tty && echo si''ze: $(stty size)\n");
        terminal.expect("/dev/pts/0");
        terminal.expect("size: 40 100");
        terminal.type_text("exit 3\n");
        assert_eq!(terminal.wait(), 3, "{cli}");
    }
}

#[test]
fn terminal_ctrl_c_interrupts_the_program_not_the_client() {
    let env = TestEnv::with_busybox();
    let mut terminal = env.terminal("naru", &["run", "--rm", "-it", "busybox", "sh"]);
    terminal.expect("# ");
    terminal.type_text("sleep 1000\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.type_text("\x03");
    terminal.type_text("echo sta''tus $?\n");
    terminal.expect("status 130");
    terminal.type_text("exit\n");
    let _ = terminal.wait();
}

#[test]
fn detach_keys_leave_the_container_running_and_attach_comes_back() {
    let env = TestEnv::with_busybox();
    for cli in ["naru", "docker"] {
        let mut terminal = env.terminal(cli, &["run", "-it", "--name", cli, "busybox", "sh"]);
        terminal.expect("# ");
        terminal.type_text("\x10\x11");
        assert_eq!(terminal.wait(), 0, "{cli}");
        assert_eq!(env.inspect(cli, "{{.State.Running}}"), "true");
        let mut terminal = env.terminal(cli, &["attach", cli]);
        terminal.type_text("echo ba''ck\n");
        terminal.expect("back");
        terminal.type_text("exit 4\n");
        assert_eq!(terminal.wait(), 4, "{cli}");
    }
}

#[test]
fn detach_keys_can_be_chosen() {
    let env = TestEnv::with_busybox();
    let mut terminal =
        env.terminal("naru", &["run", "-it", "--detach-keys", "ctrl-a,x", "--name", "one", "busybox", "sh"]);
    terminal.expect("# ");
    terminal.type_text("\x01x");
    assert_eq!(terminal.wait(), 0);
    assert_eq!(env.inspect("one", "{{.State.Running}}"), "true");
}

#[test]
fn signals_of_the_client_reach_the_program() {
    let env = TestEnv::with_busybox();
    let script = "trap 'echo got; exit 8' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = env
        .command("naru")
        .args(["run", "--rm", "--name", "one", "busybox", "sh", "-c", script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("naru runs");
    wait_until("the handler is set", || env.naru(&["logs", "one"]).stdout.contains("ready"));
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(child.wait().expect("our child").code(), Some(8));
}

#[test]
fn attached_client_sees_output_of_a_container_without_terminal() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&["run", "-d", "-i", "--name", "one", "busybox", "sh", "-c", "read x; echo got $x; exit 6"])
        .ok();
    let script =
        format!("(echo through; sleep 2) | {} attach one", testkit::programs().join("naru").display());
    let ran = env.run("sh", &["-c", &script]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("got through\n", 6), "{}", ran.stderr);
}

#[test]
fn terminal_survives_a_crash_of_the_engine() {
    let mut env = TestEnv::with_busybox();
    let mut terminal = env.terminal("docker", &["run", "-it", "--name", "one", "busybox", "sh"]);
    terminal.expect("# ");
    env.crash_engine();
    terminal.type_text("echo ali''ve\n");
    terminal.expect("alive");
    env.start_engine();
    terminal.type_text("echo sti''ll\n");
    terminal.expect("still");
    terminal.type_text("exit 5\n");
    wait_until("the new engine knows the end", || {
        env.inspect("one", "{{.State.Status}} {{.State.ExitCode}}") == "exited 5"
    });
    let log = env.naru(&["logs", "one"]).ok();
    assert!(log.contains("alive") && log.contains("still"), "{log}");
}

#[test]
fn resize_reaches_the_program() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-dit", "--name", "one", "busybox", "sh"]).ok();
    assert_eq!(env.request("POST", "/containers/one/resize?h=33&w=77", None).status, 200);
    let mut terminal = env.terminal("naru", &["exec", "-it", "one", "sh"]);
    terminal.expect("# ");
    terminal.type_text("stty size < /proc/1/fd/0\n");
    terminal.expect("33 77");
}
