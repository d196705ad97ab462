//! Failures: their texts and kinds, and that they leave nothing behind.

use super::fixture::{Bed, captured};
use error::Kind;
use std::fs;
use std::path::Path;

/// What could be left behind.
fn left(bed: &Bed) -> (bool, usize) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
    let name = bed.directory.display().to_string();
    (bed.cgroup().exists(), mounts.lines().filter(|line| line.contains(&name)).count())
}

#[test]
fn programs_that_cannot_be_executed_fail_with_dockers_texts() {
    let mut cases = vec![
        (vec!["nosuch"], "exec: \"nosuch\": executable file not found in $PATH", Kind::CommandNotFound),
        (vec![""], "exec: \"\": executable file not found in $PATH", Kind::CommandNotFound),
        (vec!["/x"], "exec: \"/x\": stat /x: no such file or directory", Kind::CommandNotFound),
        (vec!["/etc"], "exec: \"/etc\": is a directory", Kind::CommandNotExecutable),
        (vec!["/etc/notexec"], "exec: \"/etc/notexec\": permission denied", Kind::CommandNotExecutable),
        (
            vec!["/etc/passwd/x"],
            "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory",
            Kind::CommandNotFound,
        ),
    ];
    cases.push((vec!["/etc/format"], "exec /etc/format: exec format error: it is neither a program nor a script with a first line like #!/bin/sh", Kind::CommandNotExecutable));
    for (args, want, kind) in cases {
        let mut bed = Bed::new("");
        let path = bed.lower().join("etc/format");
        fs::write(&path, "no program").expect("file");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
        bed.process().args = args.into_iter().map(str::to_owned).collect();
        assert_eq!(bed.failure(), (want.to_owned(), kind));
        assert_eq!(left(&bed), (false, 0), "{want}");
    }
}

#[test]
fn relative_entries_of_path_are_refused() {
    let mut bed = Bed::new("");
    bed.process().args = vec!["busybox".into()];
    bed.process().env = vec!["PATH=bin".into()];
    let want = "exec: \"busybox\": cannot run executable found relative to current directory";
    assert_eq!(bed.failure(), (want.into(), Kind::CommandNotExecutable));
}

#[test]
fn mounts_that_cannot_be_made_name_source_and_target() {
    let mut bed = Bed::new("");
    bed.bind(Path::new("/nowhere/at/all"), "/x", &["rbind"]);
    let (text, kind) = bed.failure();
    assert!(text.starts_with("cannot mount \"/nowhere/at/all\" at \"/x\": open_tree("), "{text}");
    assert_eq!((kind, left(&bed)), (Kind::InvalidArgument, (false, 0)));

    let mut bed = Bed::new("");
    bed.bind(Path::new("/etc/passwd"), "/data", &["rbind"]);
    let (text, kind) = bed.failure();
    assert!(text.contains("Are you trying to mount a directory onto a file (or vice-versa)?"), "{text}");
    assert_eq!((kind, left(&bed)), (Kind::InvalidArgument, (false, 0)));

    let mut bed = Bed::new("");
    bed.spec.mounts[6].options.push("size=nonsense".into());
    let (text, _) = bed.failure();
    assert!(
        text.starts_with("cannot mount tmpfs on /dev/shm: fsconfig(") && text.contains("EINVAL"),
        "{text}"
    );
    assert_eq!(left(&bed), (false, 0));
}

#[test]
fn dropped_container_is_killed_and_its_cgroup_removed() {
    let mut bed = Bed::new("sleep 1000");
    let (stdio, _output) = captured();
    let created = bed.create(stdio).expect("it is made");
    let pid = created.pid();
    assert!(created.cgroup().is_some_and(cgroup::Cgroup::exists));
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    drop(created);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(left(&bed), (false, 0));
}

#[test]
fn container_ends_with_the_thread_that_made_it() {
    let mut bed = Bed::new("sleep 1000");
    let running = std::thread::scope(|scope| {
        let start = || {
            let (stdio, _output) = captured();
            bed.start(stdio).expect("it starts")
        };
        scope.spawn(start).join().expect("no panic")
    });
    let exit = sys::process::wait(&running.pidfd).expect("our child");
    assert_eq!(exit.signal, Some(9));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

#[test]
fn what_is_not_implemented_is_refused_by_name() {
    let mut bed = Bed::new("");
    bed.linux().intel_rdt = Some(oci::runtime::IntelRdt::default());
    let want = "linux.intelRdt: this machine does not have Intel RDT (resctrl)";
    assert_eq!(bed.failure(), (want.into(), Kind::Unimplemented));
}
