//! What a container may and may not do: the kernel's word from inside.

use testkit::TestEnv;

/// Docker's 14 default capabilities as a mask.
const DEFAULT_CAPABILITIES: &str = "00000000a80425fb";

fn status(env: &TestEnv, flags: &[&str], key: &str) -> String {
    let mut args = vec!["run", "--rm"];
    args.extend(flags);
    args.extend(["busybox", "grep", key, "/proc/self/status"]);
    let shown = env.naru(&args).ok();
    shown.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn default_capabilities_are_dockers_fourteen() {
    let env = TestEnv::with_busybox();
    for key in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status(&env, &[], key), DEFAULT_CAPABILITIES, "{key}");
    }
    for key in ["CapInh", "CapAmb"] {
        assert_eq!(status(&env, &[], key), "0000000000000000", "{key}");
    }
}

#[test]
fn capabilities_can_be_added_dropped_and_granted_whole() {
    let env = TestEnv::with_busybox();
    assert_eq!(status(&env, &["--cap-drop", "ALL"], "CapEff"), "0000000000000000");
    assert_eq!(status(&env, &["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"], "CapEff"), "0000000000001000");
    assert_eq!(status(&env, &["--cap-add", "cap_net_admin"], "CapEff"), "00000000a80435fb");
    let all = std::fs::read_to_string("/proc/self/status").expect("our status");
    let bounding = all.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).expect("CapBnd");
    assert_eq!(status(&env, &["--privileged"], "CapEff"), bounding);
    assert_eq!(
        status(&env, &["-u", "1000"], "CapEff"),
        "0000000000000000",
        "a plain user has no effective ones"
    );
    let stderr = env.naru(&["run", "--rm", "--cap-add", "NOSUCH", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("NOSUCH"), "{stderr}");
}

#[test]
fn seccomp_filters_by_default_and_not_when_unconfined() {
    let env = TestEnv::with_busybox();
    assert_eq!(status(&env, &[], "Seccomp:"), "2");
    assert_eq!(status(&env, &["--security-opt", "seccomp=unconfined"], "Seccomp:"), "0");
    assert_eq!(status(&env, &["--privileged"], "Seccomp:"), "0");
    let stderr = env.naru(&["run", "--rm", "busybox", "unshare", "-U", "true"]).fails_with(1);
    assert!(stderr.contains("Operation not permitted"), "{stderr}");
    let profile = env.folder().join("profile.json");
    let text = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}"#;
    std::fs::write(&profile, text).expect("writable");
    let option = format!("seccomp={}", profile.display());
    let stderr =
        env.naru(&["run", "--rm", "--security-opt", &option, "busybox", "mkdir", "/x"]).fails_with(1);
    assert!(stderr.contains("No space left on device"), "{stderr}");
}

#[test]
fn no_new_privileges_is_set_on_request() {
    let env = TestEnv::with_busybox();
    assert_eq!(status(&env, &[], "NoNewPrivs"), "0");
    assert_eq!(status(&env, &["--security-opt", "no-new-privileges"], "NoNewPrivs"), "1");
}

#[test]
fn kernel_files_are_masked_and_read_only() {
    let env = TestEnv::with_busybox();
    let script = "wc -c < /proc/kcore; wc -c < /proc/keys; ls /sys/firmware | wc -l; ls /proc/acpi 2>/dev/null | wc -l";
    let shown = env.naru(&["run", "--rm", "busybox", "sh", "-c", script]).ok();
    assert!(shown.split_whitespace().all(|count| count == "0"), "{shown}");
    for path in
        ["/proc/sys/kernel/domainname", "/proc/sysrq-trigger", "/sys/kernel/mm/transparent_hugepage/enabled"]
    {
        if !std::path::Path::new(path).exists() {
            continue; // not every kernel has all of them
        }
        let write = format!("echo x > {path}");
        let stderr = env.naru(&["run", "--rm", "busybox", "sh", "-c", &write]).fails_with(1);
        assert!(stderr.contains("Read-only file system"), "{path}: {stderr}");
    }
}

#[test]
fn namespaces_are_own_unless_shared() {
    let env = TestEnv::with_busybox();
    let of = |flags: &[&str], name: &str| {
        let mut args = vec!["run", "--rm"];
        args.extend(flags);
        let path = format!("/proc/self/ns/{name}");
        args.extend(["busybox", "readlink", &path]);
        env.naru(&args).ok()
    };
    let host =
        |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).expect("ours").display().to_string();
    for name in ["pid", "ipc", "uts", "mnt", "net"] {
        assert_ne!(of(&[], name), host(name), "{name}");
    }
    assert_eq!(of(&["--pid", "host"], "pid"), host("pid"));
    assert_eq!(of(&["--ipc", "host"], "ipc"), host("ipc"));
    assert_eq!(of(&["--uts", "host"], "uts"), host("uts"));
    assert_eq!(of(&["--cgroupns", "host"], "cgroup"), host("cgroup"));
    assert_ne!(of(&["--cgroupns", "private"], "cgroup"), host("cgroup"));
    let _ = env.naru(&["run", "-d", "--name", "one", "--ipc", "shareable", "busybox", "sleep", "100"]).ok();
    for (flag, name) in [("--pid", "pid"), ("--ipc", "ipc"), ("--network", "net")] {
        let own = env.naru(&["exec", "one", "readlink", &format!("/proc/1/ns/{name}")]).ok();
        assert_eq!(of(&[flag, "container:one"], name), own, "{flag}");
    }
}

#[test]
fn cgroup_mounts_of_the_host_keep_their_options() {
    let env = TestEnv::with_busybox();
    let options = || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").expect("our mounts");
        let cgroups = table.lines().filter_map(|line| line.split_once(" - cgroup"));
        cgroups.map(|(_, rest)| rest.to_owned()).collect::<Vec<_>>()
    };
    let before = options();
    for flags in [&["--cgroupns", "host"][..], &["--cgroupns", "private"], &["--privileged"]] {
        let args = [&["run", "--rm"], flags, &["busybox", "ls", "/sys/fs/cgroup"]].concat();
        assert_ne!(env.naru(&args).ok(), "", "{flags:?}");
        assert_eq!(options(), before, "{flags:?}");
    }
}

#[test]
fn devices_are_the_default_ones_and_what_was_asked_for() {
    let env = TestEnv::with_busybox();
    let shown = env.naru(&["run", "--rm", "busybox", "ls", "/dev"]).ok();
    let names: Vec<&str> = shown.split_whitespace().collect();
    for name in [
        "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin",
        "stdout", "stderr", "core",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!names.contains(&"kmsg") && !names.contains(&"mem"), "{names:?}");
    let script = "mknod /tmp/d c 1 11 && head -c 1 /tmp/d";
    let stderr = env.naru(&["run", "--rm", "busybox", "sh", "-c", script]).fails_with(1);
    assert!(stderr.contains("Operation not permitted"), "{stderr}");
    let flag = "/dev/kmsg:/dev/kmsg2:r";
    assert_eq!(
        env.naru(&["run", "--rm", "--device", flag, "busybox", "sh", "-c", "test -c /dev/kmsg2 && echo yes"])
            .ok(),
        "yes"
    );
    let stderr = env.naru(&["run", "--rm", "--device", "/dev/nosuch", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("/dev/nosuch"), "{stderr}");
    let privileged = env.naru(&["run", "--rm", "--privileged", "busybox", "ls", "/dev"]).ok();
    assert!(privileged.contains("kmsg"), "{privileged}");
}

#[test]
fn root_file_system_can_be_read_only() {
    let env = TestEnv::with_busybox();
    let stderr = env.naru(&["run", "--rm", "--read-only", "busybox", "touch", "/x"]).fails_with(1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    let script = "touch /tmp/x && touch /dev/shm/y && echo ok";
    assert_eq!(
        env.naru(&["run", "--rm", "--read-only", "--tmpfs", "/tmp", "busybox", "sh", "-c", script]).ok(),
        "ok"
    );
}

#[test]
fn runtime_binary_cannot_be_overwritten_through_proc() {
    // CVE-2019-5736: the program re-executes the runtime's binary and writes to it.
    let env = TestEnv::with_busybox();
    let runtime = testkit::programs().join("naru-run");
    let before = std::fs::read(&runtime).expect("the runtime");
    let ran = env.naru(&["run", "--rm", "--privileged", "--pid", "host", "busybox", "sh", "-c",
        "for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in naru-shim*) echo x > $p/exe && echo WRITTEN;; esac; done; true"]);
    assert!(!ran.stdout.contains("WRITTEN"), "{}", ran.stdout);
    let _ = env.naru(&["run", "--rm", "busybox", "/proc/self/exe"]); // busybox itself, or a refusal: nothing of ours
    assert_eq!(std::fs::read(&runtime).expect("the runtime"), before);
}

#[test]
fn working_directory_outside_is_refused() {
    // CVE-2024-21626: a leaked descriptor as working directory.
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "100"]).ok();
    for descriptor in 3..20 {
        let path = format!("/proc/self/fd/{descriptor}");
        for args in
            [vec!["run", "--rm", "-w", &path, "busybox", "ls"], vec!["exec", "-w", &path, "one", "ls"]]
        {
            let ran = env.naru(&args);
            assert!(ran.code != 0 || !ran.stdout.contains("narud"), "{args:?}: {}", ran.stdout);
            assert!(!ran.stdout.contains("naru.db"), "{args:?}: {}", ran.stdout);
        }
    }
}

#[test]
fn no_descriptor_of_ours_is_inherited() {
    let env = TestEnv::with_busybox();
    let shown = env.naru(&["run", "--rm", "busybox", "ls", "/proc/self/fd"]).ok();
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"], "3 is ls's own");
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "100"]).ok();
    let shown = env.naru(&["exec", "one", "ls", "/proc/self/fd"]).ok();
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[test]
fn mounts_of_the_host_do_not_show() {
    let env = TestEnv::with_busybox();
    let shown = env.naru(&["run", "--rm", "busybox", "cat", "/proc/self/mountinfo"]).ok();
    let folder = env.folder().display().to_string();
    for line in shown.lines() {
        let target = line.split(' ').nth(4).unwrap_or_default();
        assert!(!target.contains(&folder), "{line}");
    }
    let host = std::fs::read_to_string("/proc/self/mountinfo").expect("ours");
    // The layers that all containers share may stand there, but nothing of a container's own.
    let layers = format!("{folder}/lib/layers/mounts");
    let own: Vec<&str> =
        host.lines().filter(|line| line.contains(&folder) && !line.contains(&layers)).collect();
    assert!(own.is_empty(), "a container's mounts are not in the host's table: {own:?}");
}
