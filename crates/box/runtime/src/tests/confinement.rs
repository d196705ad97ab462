//! What a program sees and may do.

use super::fixture::Bed;
use oci::runtime::{Device, DeviceType, Namespace, NamespaceType, Rlimit, Root};
use std::collections::BTreeMap;
use std::fs;

#[test]
fn program_is_first_in_its_own_namespaces() {
    let script = "echo $$; hostname; ip link | wc -l; ls /proc | grep -c '^[0-9]'; ip -o link show lo | grep -c LOWER_UP; for n in mnt pid net ipc uts; do readlink /proc/self/ns/$n; done";
    let mut bed = Bed::new(script);
    let text = bed.output();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["1", "box"], "{text}");
    assert_eq!(lines[4], "1", "the loopback device is up: {text}");
    for (line, name) in lines[5..].iter().zip(["mnt", "pid", "net", "ipc", "uts"]) {
        let own = fs::read_link(format!("/proc/self/ns/{name}")).expect("readable");
        assert_ne!(*line, own.to_str().expect("text"), "{name}");
    }
}

#[test]
fn capabilities_are_those_of_the_specification_and_nothing_is_inheritable() {
    let mut bed = Bed::new("grep ^Cap /proc/self/status; grep NoNewPrivs /proc/self/status");
    let text = bed.output();
    let docker = "00000000a80425fb";
    let none = "0000000000000000";
    let want = format!(
        "CapInh:\t{none}\nCapPrm:\t{docker}\nCapEff:\t{docker}\nCapBnd:\t{docker}\nCapAmb:\t{none}\nNoNewPrivs:\t0\n"
    );
    assert_eq!(text, want);
}

#[test]
fn user_keeps_ambient_capabilities_only() {
    let mut bed = Bed::new("id; grep -E '^Cap(Eff|Prm|Amb)' /proc/self/status; echo $HOME");
    let process = bed.process();
    process.user.uid = 1000;
    process.user.gid = 1000;
    process.user.additional_gids = vec![20];
    process.no_new_privileges = true;
    let sets = process.capabilities.as_mut().expect("set");
    let one = vec!["CAP_NET_BIND_SERVICE".to_owned()];
    (sets.effective, sets.permitted) = (one.clone(), one.clone());
    (sets.inheritable, sets.ambient) = (one.clone(), one);
    let text = bed.output();
    let set = "0000000000000400";
    assert_eq!(
        text,
        format!(
            "uid=1000(u) gid=1000 groups=20,1000\nCapPrm:\t{set}\nCapEff:\t{set}\nCapAmb:\t{set}\n/home/u\n"
        )
    );
}

#[test]
fn user_without_ambient_capabilities_has_none() {
    let mut bed = Bed::new("grep -E '^Cap(Eff|Prm|Bnd)' /proc/self/status");
    bed.process().user.uid = 1000;
    let none = "0000000000000000";
    assert_eq!(bed.output(), format!("CapPrm:\t{none}\nCapEff:\t{none}\nCapBnd:\t00000000a80425fb\n"));
}

#[test]
fn root_is_the_overlay_and_changes_go_to_the_upper_directory() {
    let mut bed = Bed::new(
        "echo new > /etc/new; mkdir /made; grep ' / / ' /proc/self/mountinfo | grep -c overlay; grep -v ' /sys\\| /proc\\| /dev' /proc/self/mountinfo | wc -l",
    );
    assert_eq!(bed.output(), "1\n1\n", "only the root is mounted besides the kernel's own");
    assert_eq!(fs::read_to_string(bed.directory.join("upper/etc/new")).expect("written"), "new\n");
    assert!(!bed.lower().join("made").exists());
}

#[test]
fn read_only_root_cannot_be_written_but_its_mounts_can() {
    let mut bed = Bed::new("touch /x 2>&1; touch /dev/shm/y && echo fine");
    bed.spec.root = Some(Root { path: "rootfs".into(), readonly: true });
    assert_eq!(bed.output(), "touch: /x: Read-only file system\nfine\n");
}

#[test]
fn masked_and_read_only_paths_hide_and_protect() {
    let script = "stat -c %t:%T /proc/keys /proc/timer_list; wc -c < /proc/keys; ls /sys/firmware | wc -l; touch /sys/firmware/x 2>&1; (echo x > /proc/sys/kernel/hostname) 2>&1; ls /proc/sys | grep -c kernel";
    let mut bed = Bed::new(script);
    let text = bed.output();
    assert_eq!(
        text,
        "1:3\n1:3\n0\n0\ntouch: /sys/firmware/x: Read-only file system\nsh: can't create /proc/sys/kernel/hostname: Read-only file system\n1\n"
    );
}

#[test]
fn default_devices_and_links_are_there_and_work() {
    let script = "for d in null zero full random urandom tty; do stat -c '%n %a %t:%T' /dev/$d; done; for l in fd stdin stdout stderr core ptmx; do echo $l $(readlink /dev/$l); done; head -c 4 /dev/urandom | wc -c; echo out > /dev/stdout; ls -A /dev | wc -l";
    let mut bed = Bed::new(script);
    let text = bed.output();
    let want = "/dev/null 666 1:3\n/dev/zero 666 1:5\n/dev/full 666 1:7\n/dev/random 666 1:8\n/dev/urandom 666 1:9\n/dev/tty 666 5:0\nfd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\ncore /proc/kcore\nptmx pts/ptmx\n4\nout\n15\n";
    assert_eq!(text, want);
}

#[test]
fn devices_of_the_specification_are_made_with_owner_and_mode() {
    let mut bed = Bed::new("stat -c '%F %a %u:%g %t:%T' /dev/sub/one /dev/pipe");
    bed.linux().devices = vec![
        Device {
            path: "/dev/sub/one".into(),
            kind: DeviceType::Char,
            major: 1,
            minor: 7,
            file_mode: Some(0o2640),
            uid: Some(3),
            gid: Some(4),
        },
        Device {
            path: "/dev/pipe".into(),
            kind: DeviceType::Fifo,
            major: 0,
            minor: 0,
            file_mode: None,
            uid: None,
            gid: None,
        },
    ];
    assert_eq!(bed.output(), "character special file 2640 3:4 1:7\nfifo 666 0:0 0:0\n");
}

#[test]
fn bind_mounts_have_their_options() {
    let script = "cat /vol/sub/file; touch /vol/x 2>&1; cat /one/file; grep ' /vol ' /proc/self/mountinfo | grep -c 'ro,nosuid,nodev,noexec'; stat -c %U:%F /made/by/us";
    let mut bed = Bed::new(script);
    let source = bed.directory.join("source");
    fs::create_dir_all(source.join("sub")).expect("directory");
    fs::write(source.join("sub/file"), "text\n").expect("file");
    bed.bind(&source, "/vol", &["rbind", "ro", "nosuid", "nodev", "noexec", "rprivate"]);
    bed.bind(&source.join("sub/file"), "/one/file", &["bind"]);
    bed.bind(&source, "/made/by/us", &["rbind"]);
    assert_eq!(bed.output(), "text\ntouch: /vol/x: Read-only file system\ntext\n1\nroot:directory\n");
}

#[test]
fn read_only_tmpfs_on_dev_still_has_its_devices() {
    let mut bed = Bed::new("touch /dev/x 2>&1; stat -c %t:%T /dev/null; touch /dev/shm/y; echo $?");
    bed.spec.mounts[1].options.push("ro".into());
    assert_eq!(bed.output(), "touch: /dev/x: Read-only file system\n1:3\n0\n");
}

#[test]
fn kernel_parameters_limits_umask_and_working_directory_are_set() {
    let script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax; ulimit -n; ulimit -Hn; umask; pwd; stat -c %a:%u .";
    let mut bed = Bed::new(script);
    let parameter = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    bed.linux().sysctl =
        BTreeMap::from([parameter("net.ipv4.ip_forward", "1"), parameter("kernel.msgmax", "4242")]);
    let process = bed.process();
    process.rlimits = vec![Rlimit { kind: "RLIMIT_NOFILE".into(), soft: 100, hard: 200 }];
    process.user.umask = Some(0o027);
    process.cwd = "/not/there/yet".into();
    assert_eq!(bed.output(), "1\n4242\n100\n200\n0027\n/not/there/yet\n755:0\n");
}

#[test]
fn cgroup_file_system_shows_the_containers_own_group() {
    let mut bed = Bed::new(
        "ls /sys/fs/cgroup | wc -l; f=$(ls -d /sys/fs/cgroup/memory/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null); grep -c . $f; touch /sys/fs/cgroup/x 2>&1; true",
    );
    if cgroup::Cgroups::detect().expect("cgroups").mode() == cgroup::Mode::V2 {
        bed.linux().namespaces.push(Namespace { kind: NamespaceType::Cgroup, path: None });
    }
    let text = bed.output();
    let lines: Vec<_> = text.lines().collect();
    assert_ne!(lines[0], "0", "{text}");
    assert_ne!(lines[1], "0", "{text}");
    assert_eq!(lines[2], "touch: /sys/fs/cgroup/x: Read-only file system");
}

/// A new cgroup2 mount from the first cgroup namespace sets the options of the host's mount too.
#[test]
fn cgroup_file_system_leaves_the_hosts_mount_options() {
    let options = || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").expect("our mounts");
        let cgroups = table.lines().filter_map(|line| line.split_once(" - cgroup"));
        cgroups.map(|(_, rest)| rest.to_owned()).collect::<Vec<_>>()
    };
    let before = options();
    for own in [false, true] {
        for fs_type in ["cgroup", "cgroup2"] {
            let mut bed = Bed::new("ls /sys/fs/cgroup | wc -l");
            let mount = bed.spec.mounts.iter_mut().find(|mount| mount.fs_type == "cgroup");
            mount.expect("the fixture has it").fs_type = fs_type.into();
            if own {
                bed.linux().namespaces.push(Namespace { kind: NamespaceType::Cgroup, path: None });
            }
            assert_ne!(bed.output(), "0\n", "{fs_type}, own namespace {own}");
            assert_eq!(options(), before, "{fs_type}, own namespace {own}");
        }
    }
}

#[test]
fn own_cgroup_namespace_begins_at_the_containers_group() {
    let mut bed = Bed::new("grep -v ':/$' /proc/self/cgroup; ls /sys/fs/cgroup | wc -l");
    bed.linux().namespaces.push(Namespace { kind: NamespaceType::Cgroup, path: None });
    let text = bed.output();
    assert_eq!(text.lines().count(), 1, "all groups are the root: {text}");
}

#[test]
fn other_containers_namespaces_can_be_joined() {
    let mut first = Bed::new("sleep 1000");
    let (stdio, _output) = super::fixture::captured();
    let running = first.start(stdio).expect("it starts");
    let mut second = Bed::new(
        "hostname; for n in net uts pid; do readlink /proc/self/ns/$n; done; ps | grep -c 'sleep 100[0]'",
    );
    second.spec.hostname.clear();
    for namespace in &mut second.linux().namespaces {
        let name = match namespace.kind {
            NamespaceType::Network => "net",
            NamespaceType::Uts => "uts",
            NamespaceType::Pid => "pid",
            _ => continue,
        };
        namespace.path = Some(format!("/proc/{}/ns/{name}", running.pid).into());
    }
    let text = second.output();
    let mut want = "box\n".to_owned();
    for name in ["net", "uts", "pid"] {
        let link = fs::read_link(format!("/proc/{}/ns/{name}", running.pid)).expect("it runs");
        want.push_str(&format!("{}\n", link.display()));
    }
    assert_eq!(text, format!("{want}1\n"));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be killed");
}

#[test]
fn time_namespace_has_its_offset() {
    let mut bed = Bed::new("cat /proc/uptime");
    bed.linux().namespaces.push(Namespace { kind: NamespaceType::Time, path: None });
    let offset = oci::runtime::TimeOffset { secs: 1_000_000_000, nanosecs: 0 };
    bed.linux().time_offsets = BTreeMap::from([("boottime".to_owned(), offset)]);
    let text = bed.output();
    assert!(text.starts_with("100") && text.find('.') == Some(10), "{text}");
}

#[test]
fn filter_is_in_force_with_and_without_no_new_privileges() {
    for no_new_privileges in [false, true] {
        let mut bed = Bed::new("grep ^Seccomp: /proc/self/status; mkdir /x 2>&1");
        bed.process().no_new_privileges = no_new_privileges;
        bed.seccomp = Some(no_mkdir());
        let outcome = bed.run().expect("it starts");
        assert_eq!(
            outcome.output,
            "Seccomp:\t2\nmkdir: can't create directory '/x': Operation not permitted\n"
        );
    }
}

#[test]
fn dockers_default_filter_lets_programs_run_and_refuses_mounts_and_namespaces() {
    for (no_new_privileges, uid) in [(false, 0), (true, 0), (false, 1000)] {
        let script = "busybox unshare -U true 2>&1; busybox chroot / true && echo chroot; (sleep 0; echo child) | cat; ls / | wc -l";
        let mut bed = Bed::new(script);
        let process = bed.process();
        process.no_new_privileges = no_new_privileges;
        process.user.uid = uid;
        let capabilities = super::fixture::CAPABILITIES.map(str::to_owned);
        let profile = seccomp::default_profile();
        let filter = seccomp::compile(&profile, &capabilities, sys::probe::kernel()).expect("it compiles");
        bed.seccomp = Some(filter);
        let outcome = bed.run().unwrap_or_else(|error| panic!("{}", error::chain(&error)));
        let refused = "unshare: unshare(0x10000000): Operation not permitted\n";
        let chroot = if uid == 0 {
            "chroot\n"
        } else {
            "chroot: can't change root directory to '/': Operation not permitted\n"
        };
        assert_eq!(outcome.output, format!("{refused}{chroot}child\n8\n"));
    }
}

/// A filter that refuses mkdir and mkdirat.
fn no_mkdir() -> Vec<u8> {
    let numbers: [u32; 2] = if cfg!(target_arch = "x86_64") { [83, 258] } else { [34, 34] };
    let instruction = |code: u16, jt: u8, jf: u8, k: u32| {
        let mut bytes = code.to_ne_bytes().to_vec();
        bytes.extend([jt, jf]);
        bytes.extend(k.to_ne_bytes());
        bytes
    };
    [
        instruction(0x20, 0, 0, 0),
        instruction(0x15, 2, 0, numbers[0]),
        instruction(0x15, 1, 0, numbers[1]),
        instruction(0x06, 0, 0, 0x7fff_0000),
        instruction(0x06, 0, 0, 0x0005_0001),
    ]
    .concat()
}
