//! Known attacks that race with the start, or come with what the caller has; and what happens where a system call is
//! missing.

use super::fixture::Bed;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs `work` while another thread exchanges two names without pause.
fn while_renaming<T>(first: &Path, second: &Path, work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    let between = first.with_extension("between");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = fs::rename(first, &between); // The other thread may be in the way.
                let _ = fs::rename(second, first);
                let _ = fs::rename(&between, second);
            }
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        done
    })
}

/// CVE-2021-30465, CVE-2024-45310, CVE-2025-31133, CVE-2025-52881: the places of mounts, masks, devices and directories
/// are exchanged for links out of the image while the container is made.
#[test]
fn places_that_are_exchanged_for_links_meanwhile_never_lead_outside() {
    let mut bed = Bed::new("true");
    bed.plain = true;
    let outside = bed.directory.join("outside");
    fs::create_dir_all(outside.join("deep/er")).expect("directory");
    fs::write(outside.join("file"), "host").expect("file");
    let place = bed.lower().join("data/place");
    fs::create_dir_all(place.join("deep")).expect("directory");
    let trap = bed.lower().join("data/trap");
    symlink(&outside, &trap).expect("link");
    let source = bed.directory.join("empty");
    fs::write(source.join("mounted"), "").expect("file");
    bed.bind(&source, "/data/place/made/mount", &["rbind"]);
    bed.bind(&source.join("mounted"), "/data/place/deep/file", &["rbind"]);
    bed.linux().masked_paths.push("/data/place/file".into());
    bed.linux().readonly_paths.push("/data/place/deep".into());
    bed.process().cwd = "/data/place/cwd/below".into();
    bed.linux().devices.push(oci::runtime::Device {
        path: "/data/place/device".into(),
        kind: oci::runtime::DeviceType::Char,
        major: 1,
        minor: 3,
        file_mode: None,
        uid: None,
        gid: None,
    });
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("readable").lines().count();
    let before = mounts();
    let mut ran = 0;
    while_renaming(&place, &trap, || {
        for _ in 0..60 {
            // It may fail, where the place is gone for a moment; it must not reach the host.
            ran += usize::from(bed.run().is_ok());
        }
    });
    let left = |path: &Path| -> Vec<String> {
        let names = fs::read_dir(path).expect("readable");
        let mut names: Vec<_> =
            names.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(left(&outside), ["deep", "file"], "{ran} of 60 ran");
    assert_eq!(left(&outside.join("deep")), ["er"]);
    assert_eq!(fs::read_to_string(outside.join("file")).expect("it is there"), "host");
    assert_eq!(mounts(), before);
    assert!(!bed.cgroup().exists());
}

/// CVE-2022-36109, CVE-2022-24769 and kin: groups and capabilities of the caller stay with the caller. The body runs in
/// a process that has them: this very test, started again.
#[test]
fn groups_and_capabilities_of_the_caller_are_not_inherited() {
    const MARK: &str = "NARU_TEST_WITH_GROUPS";
    if std::env::var_os(MARK).is_none() {
        let program = fs::read_link("/proc/self/exe").expect("readable");
        let name = "tests::attacks::groups_and_capabilities_of_the_caller_are_not_inherited";
        let done = Command::new("setpriv")
            .args([
                "--groups",
                "4,27,1234",
                "--inh-caps",
                "+net_admin,+chown",
                "--ambient-caps",
                "+net_admin,+chown",
            ])
            .arg(program)
            .args(["--exact", name, "--nocapture"])
            .env(MARK, "1")
            .output()
            .expect("setpriv is installed");
        let text =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{text}");
        return;
    }
    let own = fs::read_to_string("/proc/self/status").expect("readable");
    assert!(own.contains("Groups:\t4 27 1234") && !own.contains("CapAmb:\t0000000000000000"), "{own}");
    let mut bed = Bed::new("id -G; grep -E 'CapInh|CapAmb' /proc/self/status");
    assert_eq!(bed.output(), "0\nCapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
    // And for a user who is not root nothing is effective.
    let mut bed = Bed::new("id -G; grep -E 'CapPrm|CapEff|CapAmb' /proc/self/status");
    bed.process().user.uid = 1000;
    bed.process().user.gid = 1000;
    let none = "0000000000000000";
    assert_eq!(bed.output(), format!("1000\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}\n"));
}

/// CVE-2024-21626: a descriptor of the caller that does not close itself reaches neither program nor hook. The body runs
/// in a process that has one: this very test, started again.
#[test]
fn descriptors_without_cloexec_do_not_reach_the_program() {
    const MARK: &str = "NARU_TEST_WITH_DESCRIPTOR";
    if std::env::var_os(MARK).is_none() {
        let program = fs::read_link("/proc/self/exe").expect("readable");
        let name = "tests::attacks::descriptors_without_cloexec_do_not_reach_the_program";
        let done = Command::new("sh")
            .args(["-c", "exec 9</; exec \"$0\" --exact \"$1\" --nocapture"])
            .arg(program)
            .arg(name)
            .env(MARK, "1")
            .output()
            .expect("there is a shell");
        let text =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{text}");
        return;
    }
    assert!(fs::read_link("/proc/self/fd/9").is_ok_and(|path| path == Path::new("/")));
    let mut bed = Bed::new("test -e /proc/self/fd/9 && echo leaked; cat /data/hook; echo done");
    let script = "test -e /proc/self/fd/9 && echo leaked >>/data/hook; echo hook >>/data/hook";
    let hook = oci::runtime::Hook {
        path: "/bin/busybox".into(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec!["PATH=/bin".into()],
        timeout: None,
    };
    let outside = bed.directory.join("outside").display().to_string();
    let script = format!("test -e /proc/self/fd/9 && echo leaked >>{outside}; echo hook >>{outside}");
    let runtime = oci::runtime::Hook {
        path: "/bin/sh".into(),
        args: vec!["sh".into(), "-c".into(), script],
        ..hook.clone()
    };
    bed.spec.hooks = Some(oci::runtime::Hooks {
        create_runtime: vec![runtime.clone()],
        create_container: vec![runtime],
        start_container: vec![hook],
        ..oci::runtime::Hooks::default()
    });
    assert_eq!(bed.output(), "hook\ndone\n");
    assert_eq!(fs::read_to_string(&outside).expect("they ran"), "hook\nhook\n");
}

/// What is expected of a start where a system call does not exist.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// It works without the call.
    Works,
    /// It is refused, and the text names the call.
    Refused,
}

#[test]
fn missing_system_calls_are_done_without_or_named() {
    use Expected::{Refused, Works};
    for (call, expected) in [
        ("clone3", Refused),
        ("openat2", Refused),
        ("fsopen", Refused),
        ("fsconfig", Refused),
        ("fsmount", Refused),
        ("move_mount", Refused),
        ("open_tree", Refused),
        ("mount_setattr", Refused),
        ("close_range", Refused),
        ("pivot_root", Refused),
        ("umount2", Refused),
        ("unshare", Works),
        ("keyctl", Works),
        ("memfd_create", Works),
        ("pidfd_open", Works),
        ("landlock_create_ruleset", Works),
        ("sethostname", Refused),
        ("mknodat", Refused),
        ("symlinkat", Refused),
        ("setgroups", Refused),
        ("setresuid", Refused),
        ("setresgid", Refused),
        ("capset", Refused),
        ("getcwd", Refused),
        ("fchdir", Refused),
        ("setsid", Refused),
    ] {
        let mut bed = Bed::new("echo done");
        let (result, exists) = without(call, &mut bed);
        assert!(!exists, "{call}: a cgroup is left");
        match (&expected, result) {
            (Works, Ok(output)) => assert_eq!(output, "done\n", "{call}"),
            (Refused, Err(text)) => {
                assert!(text.contains("ENOSYS") && text.contains(&format!("{call}(")), "{call}: {text}");
            }
            (_, result) => panic!("{call}: {expected:?}, but {result:?}"),
        }
    }
}

/// Runs a container in a thread for which a system call does not exist.
fn without(call: &str, bed: &mut Bed) -> (Result<String, String>, bool) {
    let profile = format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":[{call:?}],"action":"SCMP_ACT_ERRNO","errnoRet":38}}]}}"#
    );
    let profile = seccomp::Profile::parse(&profile).expect("a profile");
    let filter = seccomp::compile(&profile, &[], (6, 0)).expect("it compiles");
    std::thread::scope(|scope| {
        let run = || {
            sys::process::install_filter(&filter).expect("the tests run as root");
            let result = bed.run().map(|outcome| outcome.output).map_err(|error| error::chain(&error));
            (result, bed.cgroup().exists())
        };
        scope.spawn(run).join().expect("no panic")
    })
}
