//! Filters of system calls from the specification: actions, flags, the agent.

use super::fixture::Bed;
use error::Kind;
use oci::runtime::Seccomp;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;

fn profile(json: &str) -> Option<Seccomp> {
    Some(serde_json::from_str(json).expect("a profile"))
}

#[test]
fn actions_do_what_they_say() {
    for (action, extra, want) in [
        ("SCMP_ACT_ERRNO", r#","errnoRet":28"#, "No space left on device"),
        ("SCMP_ACT_ERRNO", "", "Operation not permitted"),
        ("SCMP_ACT_KILL_PROCESS", "", "159"),
        ("SCMP_ACT_KILL_THREAD", "", "159"),
        ("SCMP_ACT_TRAP", "", "159"),
        ("SCMP_ACT_LOG", "", "code 0"),
        ("SCMP_ACT_ALLOW", "", "code 0"),
        ("SCMP_ACT_TRACE", "", "Function not implemented"),
    ] {
        let mut bed = Bed::new("mkdir /data/x; echo code $?");
        bed.linux().seccomp = profile(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW","SECCOMP_FILTER_FLAG_TSYNC"],
                "architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_AARCH64"],
                "syscalls":[{{"names":["mkdir","mkdirat"],"action":"{action}"{extra}}}]}}"#
        ));
        let output = bed.output();
        assert!(output.contains(want), "{action}: {output}");
    }
}

#[test]
fn arguments_are_compared() {
    // The second argument of chmod, the third of fchmodat, is the mode.
    for (op, value, two, refused) in [
        ("SCMP_CMP_EQ", 0o700, 0, true),
        ("SCMP_CMP_EQ", 0o755, 0, false),
        ("SCMP_CMP_NE", 0o755, 0, true),
        ("SCMP_CMP_LT", 0o755, 0, true),
        ("SCMP_CMP_LE", 0o700, 0, true),
        ("SCMP_CMP_GT", 0o700, 0, false),
        ("SCMP_CMP_GE", 0o700, 0, true),
        ("SCMP_CMP_MASKED_EQ", 0o077, 0, true),
        ("SCMP_CMP_MASKED_EQ", 0o077, 1, false),
    ] {
        let mut bed = Bed::new("busybox chmod 700 /data && echo done");
        let arg = |index| format!(r#"[{{"index":{index},"value":{value},"valueTwo":{two},"op":"{op}"}}]"#);
        bed.linux().seccomp = profile(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                {{"names":["chmod"],"action":"SCMP_ACT_ERRNO","args":{}}},
                {{"names":["fchmodat"],"action":"SCMP_ACT_ERRNO","args":{}}}]}}"#,
            arg(1),
            arg(2)
        ));
        let outcome = bed.run().expect("it runs");
        assert_eq!(!outcome.output.contains("done"), refused, "{op} {value:o} {two}: {outcome:?}");
    }
}

#[test]
fn agent_gets_the_state_and_decides() {
    let mut bed = Bed::new("mkdir /data/x; echo code $?");
    bed.spec.annotations.insert("a".into(), "b".into());
    let socket = bed.directory.join("agent.sock");
    bed.linux().seccomp = profile(&format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
            "listenerPath":{socket:?},"listenerMetadata":"meta",
            "syscalls":[{{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_NOTIFY"}}]}}"#
    ));
    let listener = UnixListener::bind(&socket).expect("it can be made");
    let agent = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("the runtime comes");
        stream.set_nonblocking(true).expect("it can be set");
        let message = loop {
            match sys::socket::receive_message(&stream, 1 << 20).expect("a message") {
                Some(message) => break message,
                None => std::thread::yield_now(),
            }
        };
        stream.set_nonblocking(false).expect("it can be set");
        let mut rest = String::new();
        (&stream).read_to_string(&mut rest).expect("text");
        let text = String::from_utf8(message.bytes).expect("text") + &rest;
        let fd = message.fds.into_iter().next().expect("the descriptor of notifications");
        // The agent goes: its descriptor closes, and the kernel answers for it.
        assert!(sys::fs::status(fd.as_fd()).is_ok());
        text
    });
    let output = bed.output();
    assert!(output.contains("Function not implemented"), "{output}");
    let state: serde_json::Value = serde_json::from_str(&agent.join().expect("no panic")).expect("JSON");
    assert_eq!((&state["fds"], &state["metadata"]), (&serde_json::json!(["seccompFd"]), &"meta".into()));
    assert_eq!(state["state"]["id"], bed.name());
    assert_eq!(state["state"]["annotations"]["a"], "b");
    assert_eq!(state["pid"], state["state"]["pid"]);
}

#[test]
fn missing_agent_is_named_and_nothing_is_left() {
    let mut bed = Bed::new("true");
    bed.linux().seccomp = profile(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/nowhere/agent.sock",
            "syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}"#,
    );
    let (text, kind) = bed.failure();
    assert_eq!(
        text,
        "linux.seccomp.listenerPath: cannot hand the notifications to /nowhere/agent.sock: No such file or directory (os error 2)"
    );
    assert_eq!((kind, bed.cgroup().exists()), (Kind::Internal, false));
}
