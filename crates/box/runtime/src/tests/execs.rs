//! Further processes.

use super::fixture::{Bed, captured, finish};
use crate::{Error, Running, Stdio, Target, exec};
use error::Fault as _;
use oci::runtime::Process;
use std::fs;
use std::os::fd::AsFd as _;

fn process(bed: &Bed, args: &[&str]) -> Process {
    let mut process = bed.spec.process.clone().expect("it has one");
    process.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    process
}

fn run(running: &Running, process: &Process) -> Result<super::fixture::Outcome, Error> {
    let target = Target {
        pid: running.pid,
        pidfd: running.pidfd.as_fd(),
        cgroup: running.cgroup.as_ref().expect("it has one"),
    };
    let (stdio, output) = captured();
    let created = exec(&target, process, None, stdio, crate::Options::supervised(), &mut |_| ())?;
    Ok(finish(&created.start(&mut |_| ())?, output))
}

fn running(bed: &mut Bed) -> Running {
    let (stdio, _output) = captured();
    bed.start(stdio).expect("it starts")
}

#[test]
fn exec_is_in_all_namespaces_and_in_the_cgroup_of_the_container() {
    let mut bed = Bed::new("sleep 1000");
    let first = running(&mut bed);
    let script = "hostname; ps | grep -c 'sleep 100[0]'; for n in mnt pid net ipc uts; do readlink /proc/self/ns/$n; done; echo $HOME; grep ^CapEff /proc/self/status; ls /proc/$$/fd; cat /proc/self/cgroup";
    let outcome = run(&first, &process(&bed, &["sh", "-c", script])).expect("it starts");
    let mut want = "box\n1\n".to_owned();
    for name in ["mnt", "pid", "net", "ipc", "uts"] {
        let link = fs::read_link(format!("/proc/{}/ns/{name}", first.pid)).expect("it runs");
        want.push_str(&format!("{}\n", link.display()));
    }
    want.push_str("/root\nCapEff:\t00000000a80425fb\n0\n1\n2\n");
    let (before, cgroups) = outcome.output.split_at(want.len());
    assert_eq!(before, want);
    assert_eq!(cgroups, fs::read_to_string(format!("/proc/{}/cgroup", first.pid)).expect("it runs"));
    crate::kill_all(first.cgroup.as_ref().expect("it has one")).expect("it can be killed");
}

#[test]
fn exec_fails_with_dockers_texts_and_harms_nothing() {
    let mut bed = Bed::new("sleep 1000");
    let first = running(&mut bed);
    let mut elsewhere = process(&bed, &["true"]);
    elsewhere.cwd = "/nowhere".into();
    let mut magic = process(&bed, &["true"]);
    magic.cwd = "/proc/self/fd/0".into();
    for (process, want, code) in [
        (process(&bed, &["nosuch"]), "exec: \"nosuch\": executable file not found in $PATH", 127),
        (process(&bed, &["/etc"]), "exec: \"/etc\": is a directory", 126),
        (elsewhere, "chdir to cwd (\"/nowhere\") set in config.json failed: no such file or directory", 127),
        (
            magic,
            "chdir to cwd (\"/proc/self/fd/0\") set in config.json failed: too many levels of symbolic links",
            126,
        ),
    ] {
        let error = run(&first, &process).expect_err("it must fail");
        assert_eq!((error::chain(&error).as_str(), error.kind().exit_code()), (want, code));
    }
    assert_eq!(sys::process::try_wait(&first.pidfd), Ok(None), "the container lives");
    crate::kill_all(first.cgroup.as_ref().expect("it has one")).expect("it can be killed");
    let target = Target {
        pid: first.pid,
        pidfd: first.pidfd.as_fd(),
        cgroup: first.cgroup.as_ref().expect("it has one"),
    };
    let (stdio, _output) = captured();
    assert!(
        exec(&target, &process(&bed, &["true"]), None, stdio, crate::Options::supervised(), &mut |_| ())
            .is_err()
    );
}

#[test]
fn exec_with_a_terminal_gets_one_of_the_container() {
    let mut bed = Bed::new("sleep 1000");
    let first = running(&mut bed);
    let mut process = process(&bed, &["sh", "-c", "tty; stty size"]);
    process.terminal = true;
    process.console_size = Some(oci::runtime::ConsoleSize { height: 33, width: 44 });
    let target = Target {
        pid: first.pid,
        pidfd: first.pidfd.as_fd(),
        cgroup: first.cgroup.as_ref().expect("it has one"),
    };
    let created = exec(&target, &process, None, Stdio::Terminal, crate::Options::supervised(), &mut |_| ())
        .expect("it is made");
    let running = created.start(&mut |_| ()).expect("it starts");
    let master = running.terminal.as_ref().expect("it has one");
    assert_eq!(super::streams::read_terminal(master), "/dev/pts/0\r\n33 44\r\n");
    assert_eq!(sys::process::wait(&running.pidfd).map(|exit| exit.code), Ok(0));
    crate::kill_all(first.cgroup.as_ref().expect("it has one")).expect("it can be killed");
}

#[test]
fn dropped_exec_is_killed_and_reaped() {
    let mut bed = Bed::new("sleep 1000");
    let first = running(&mut bed);
    let target = Target {
        pid: first.pid,
        pidfd: first.pidfd.as_fd(),
        cgroup: first.cgroup.as_ref().expect("it has one"),
    };
    let (stdio, _output) = captured();
    let created = exec(
        &target,
        &process(&bed, &["sleep", "5"]),
        None,
        stdio,
        crate::Options::supervised(),
        &mut |_| (),
    )
    .expect("it is made");
    let pid = created.pid();
    drop(created);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    crate::kill_all(first.cgroup.as_ref().expect("it has one")).expect("it can be killed");
}
