//! naru-init as a real process 1 (needs root for the PID namespace).

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

const INIT: &str = env!("CARGO_BIN_EXE_naru-init");

/// naru-init as process 1 of a new PID namespace, running a shell script.
fn process_1(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--mount-proc", "--fork", "--kill-child", INIT, "--", "sh", "-c", script]);
    command
}

#[test]
fn exit_code_is_the_commands() {
    let code = |command: &[&str]| {
        Command::new(INIT).arg("--").args(command).status().expect("naru-init runs").code()
    };
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "kill -TERM $$"]), Some(143));
    assert_eq!(code(&["/nonexistent/program"]), Some(127));
    assert_eq!(code(&["/etc"]), Some(126));
}

#[test]
fn orphans_are_collected() {
    // The inner shell leaves an orphan that ends at once; a zombie would be listed with state Z.
    let script = "sh -c 'true & ' ; sh -c '(sleep 0.1; exit 3) & ' ; sleep 0.5; grep -l 'State:.Z' /proc/[0-9]*/status | wc -l";
    let output = process_1(script).output().expect("unshare runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn signals_reach_the_command_and_it_has_its_own_group() {
    let script = "trap 'echo got; exit 5' TERM; cut -d' ' -f5 /proc/self/stat; echo ready; while :; do sleep 0.05; done";
    let mut child = Command::new(INIT)
        .args(["--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("naru-init runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut group = String::new();
    lines.read_line(&mut group).expect("the script writes");
    let mut ready = String::new();
    lines.read_line(&mut ready).expect("the script writes");
    assert_ne!(group.trim(), child.id().to_string());
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("the script writes");
    assert_eq!(rest, "got\n");
    assert_eq!(child.wait().expect("it is our child").code(), Some(5));
}

#[test]
fn hello_tells_what_it_finds() {
    let output = Command::new(INIT).arg("hello").output().expect("naru-init runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("/proc is there");
    for line in
        [&format!("  host name     {}", host_name.trim()), "  capabilities ", "  user          uid 0, gid 0"]
    {
        assert!(text.contains(line), "{line:?} is missing in:\n{text}");
    }
}
