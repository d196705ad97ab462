//! Programs of operations in real child processes.

use super::*;
use crate::Errno;
use std::fs::File;
use std::io::Read as _;

fn program(ops: Vec<Op>, args: &[&str]) -> Program {
    let text = |text: &str| CString::new(text).expect("no NUL");
    let candidates = vec![Candidate { path: text("/bin/busybox"), relative: false }];
    let args = args.iter().map(|arg| text(arg)).collect();
    Program { ops, exec: Exec { candidates, search: Search::Direct, args, env: vec![text("A=b")] } }
}

fn streams() -> (Op, File) {
    let (reader, writer) = std::io::pipe().expect("pipe");
    let null = || OwnedFd::from(File::open("/dev/null").expect("it is there"));
    (Op::Stdio { fds: [null(), writer.into(), null()], owner: 0 }, File::from(OwnedFd::from(reader)))
}

#[test]
fn child_pauses_goes_on_and_executes() {
    let (stdio, mut output) = streams();
    let ops = vec![Op::Hostname(c"inner".into()), stdio, Op::Pause(7), Op::Find];
    let options = Options { namespaces: Types::UTS, ..Options::default() };
    let mut child = spawn(program(ops, &["hostname"]), &options).expect("root may clone");
    assert!(matches!(child.event(), Ok(Event::Paused { reason: 7, master: None })));
    let steps: Vec<_> =
        child.records().into_iter().map(|(record, step, _)| (record.op, record.errno, step)).collect();
    assert_eq!(steps, [(0, 0, "set host name"), (1, 0, "take standard streams")]);
    child.resume().expect("it waits");
    assert!(matches!(child.event(), Ok(Event::Executed)));
    let (_, pidfd) = child.into_parts();
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    assert_eq!((text.as_str(), crate::process::wait(pidfd).map(|exit| exit.code)), ("inner\n", Ok(0)));
}

#[test]
fn failing_op_is_told_with_call_and_arguments() {
    let ops = vec![
        Op::UseRoot,
        Op::Umask(0o22),
        Op::Mount(NewMount {
            fs_type: c"nosuchfs".into(),
            parameters: Vec::new(),
            attributes: 0,
            propagation: 0,
            target: Target {
                path: c"/x".into(),
                leaf: Leaf::Directory,
                links: Links::Followed,
                procfs: Procfs::Refused,
            },
        }),
    ];
    let mut child = spawn(program(ops, &["true"]), &Options::default()).expect("root may clone");
    let Ok(Event::Failed(failure)) = child.event() else { panic!("it must fail") };
    assert_eq!(
        (failure.reason, failure.step, failure.args.as_str()),
        (Reason::Call, "mount".to_owned(), "nosuchfs on /x")
    );
    assert_eq!((failure.source.call, failure.source.errno), ("fsopen", Errno::NODEV));
}

#[test]
fn killed_child_is_reaped_and_dropped_one_too() {
    let mut child =
        spawn(program(vec![Op::Pause(1)], &["true"]), &Options::default()).expect("root may clone");
    assert!(matches!(child.event(), Ok(Event::Paused { .. })));
    crate::process::send(child.pidfd(), Signal::KILL).expect("it lives");
    assert!(matches!(child.event(), Ok(Event::Died(exit)) if exit.signal == Some(9)));
    drop(child);
    let child = spawn(program(vec![Op::Pause(1)], &["true"]), &Options::default()).expect("root may clone");
    let path = format!("/proc/{}", child.pid());
    drop(child);
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn child_that_loses_its_parent_at_a_pause_ends() {
    let mut child =
        spawn(program(vec![Op::Pause(1)], &["true"]), &Options::default()).expect("root may clone");
    assert!(matches!(child.event(), Ok(Event::Paused { .. })));
    child.hang_up();
    let exit = crate::process::wait(child.pidfd()).expect("our child");
    assert_eq!(exit.code, 1);
    let _ = child.into_parts(); // It is reaped.
}

#[test]
fn names_of_calls_are_sorted_and_fit() {
    assert!(label::CALLS.is_sorted());
    assert!(label::CALLS.iter().all(|name| name.len() < 24));
}
