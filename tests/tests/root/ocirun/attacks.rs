//! What a hostile container could try against the runtime's command line.

use super::bed::{Bed, Said, said};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::wait_until;

/// Inside the container: opens the file of the process that waits at /fifo, lets it end, and writes to the file.
const OVERWRITE: &str = "for p in /proc/[0-9]*; do \
    if grep -q log $p/cmdline 2>/dev/null; then exec 9< $p/exe; cat /fifo > /dev/null; \
      while test -e $p; do sleep 0.05; done; \
      if echo overwritten > /proc/self/fd/9; then echo written; else echo refused; fi; exit; fi; done; echo nobody";

/// Lets `program`, a runtime, wait inside the container and attacks its file.
fn overwrite(bed: &Bed, runtime: &Path, program: &str) -> Said {
    let call = |args: &[&str]| {
        let mut command = Command::new(runtime);
        command.arg("--root").arg(bed.folder.join("root")).args(args).current_dir(bed.bundle());
        command
    };
    // Opening a fifo to append waits for a reader.
    let mut waiting = call(&["exec", "a", program, "--log", "/fifo", "list"]);
    let mut waiting =
        waiting.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    wait_until("the process", || {
        let pids: Vec<u32> = serde_json::from_str(&bed.run(&["ps", "-f", "json", "a"]).ok()).expect("JSON");
        let waits = |pid: &u32| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("/fifo") && line.starts_with(program)
        };
        pids.iter().any(waits)
    });
    let said = said(call(&["exec", "a", "sh", "-c", OVERWRITE]), "");
    waiting.wait().expect("it ends");
    said
}

/// CVE-2019-5736: the program is the runtime itself, and somebody in the container opens it for writing.
#[test]
fn runtimes_own_file_cannot_be_written_from_a_container() {
    let bed = Bed::new();
    // A copy, for the case that the attack succeeds.
    let runtime = bed.folder.join("naru-run");
    fs::copy(testkit::programs().join("naru-run"), &runtime).expect("a copy");
    let inside = bed.rootfs().join("bin/naru-run");
    fs::copy(&runtime, &inside).expect("a copy");
    assert!(Command::new("mkfifo").arg(bed.rootfs().join("fifo")).status().expect("mkfifo").success());
    bed.script("sleep 1000");
    bed.start("a");

    // The attack works on a file that is not protected: so it would be seen.
    let unprotected = overwrite(&bed, &runtime, "/bin/naru-run");
    assert_eq!(unprotected.stdout, "written\n", "{unprotected:?}");
    assert_eq!(fs::read(&inside).expect("readable"), b"overwritten\n");

    let before = fs::read(&runtime).expect("readable");
    let protected = overwrite(&bed, &runtime, "/proc/self/exe");
    assert_eq!(protected.stdout, "refused\n", "{protected:?}");
    assert!(fs::read(&runtime).expect("readable") == before, "the runtime was changed");

    // As the container's own program, and as the interpreter that a script names.
    let mut version = Command::new(&runtime);
    bed.configure(|config| {
        config["process"]["args"] = json!(["/proc/self/exe", "--version"]);
        config["linux"]["cgroupsPath"] = json!(format!("/{}-b", bed.prefix));
    });
    version.arg("--root").arg(bed.folder.join("root")).args(["run", "b"]).current_dir(bed.bundle());
    assert!(said(version, "").ok().starts_with("naru-run version"));
    assert!(fs::read(&runtime).expect("readable") == before, "the runtime was changed");
}

/// CVE-2024-21626: descriptors that the caller leaks lead out of the container.
#[test]
fn leaked_descriptors_do_not_reach_the_container() {
    let bed = Bed::new();
    let runtime = testkit::programs().join("naru-run");
    let leaky = |rest: &str| {
        let root = bed.folder.join("root");
        let script =
            format!("exec 3</ 7</ 9</etc; exec {} --root {} {rest}", runtime.display(), root.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(bed.bundle());
        said(command, "")
    };
    bed.script("ls /proc/$$/fd; true");
    assert_eq!(leaky("run a").ok(), "0\n1\n2\n");
    bed.script("sleep 1000");
    assert_eq!(leaky("create a < /dev/null > /dev/null 2>&1").code, 0);
    assert_eq!(leaky("start a").code, 0);
    let directory = format!("/proc/{}/fd", bed.state("a")["pid"]);
    let entries = fs::read_dir(directory).expect("it runs").flatten();
    let mut open: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("digits")).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    assert_eq!(leaky("exec a sh -c 'ls /proc/$$/fd; true'").ok(), "0\n1\n2\n");
    for number in 3..12 {
        let said = leaky(&format!("exec --cwd /proc/self/fd/{number} a ls"));
        assert_eq!((said.code, said.stdout.as_str()), (255, ""), "{number}: {said:?}");
    }
}

/// What the container's files say must not decide what the host opens: its names for users, its /proc.
#[test]
fn hostile_files_of_the_container_are_not_followed_by_exec() {
    let bed = Bed::new();
    fs::create_dir_all(bed.rootfs().join("etc")).expect("a folder");
    let passwd = bed.rootfs().join("etc/passwd");
    std::os::unix::fs::symlink("/proc/1/environ", &passwd).expect("new");
    bed.script("sleep 1000");
    bed.start("a");
    assert_eq!(bed.run(&["exec", "a", "sh", "-c", "echo $HOME"]).ok(), "/\n");
    fs::remove_file(&passwd).expect("it is there");
    // Opening a fifo would wait for ever.
    assert!(Command::new("mkfifo").arg(&passwd).status().expect("mkfifo").success());
    assert_eq!(bed.run(&["exec", "a", "sh", "-c", "echo $HOME"]).ok(), "/\n");
}

/// CVE-2022-24769 and CVE-2022-29162: nothing is inheritable, and exec gives nothing more than was asked for.
#[test]
fn exec_gives_no_inheritable_or_ambient_capabilities() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    let status = bed.run(&["exec", "--cap", "CAP_NET_ADMIN", "a", "grep", "Cap", "/proc/self/status"]).ok();
    let value =
        |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).map(str::to_owned);
    assert_eq!(value("CapInh:").as_deref(), Some("0000000000000000"));
    assert_eq!(value("CapAmb:").as_deref(), Some("0000000000000000"));
    assert_eq!(value("CapEff:").as_deref(), Some("0000000020001420"));
}
