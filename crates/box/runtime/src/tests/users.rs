//! User namespaces: new ones, joined ones, and callers without privileges.

use super::fixture::{Bed, captured, finish};
use crate::{Target, exec};
use error::Kind;
use oci::runtime::{IdMapping, Namespace, NamespaceType};
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

fn range(container_id: u32, host_id: u32, size: u32) -> IdMapping {
    IdMapping { container_id, host_id, size }
}

/// Returns a container in a user namespace, with its root file system owned by its root.
fn bed(script: &str) -> Bed {
    let mut bed = Bed::new(script);
    let namespace = Namespace { kind: NamespaceType::User, path: None };
    bed.linux().namespaces.push(namespace);
    let maps = vec![range(0, 200_000, 1000), range(1000, 300_000, 64_000)];
    bed.linux().uid_mappings.clone_from(&maps);
    bed.linux().gid_mappings = maps;
    for directory in ["lower", "upper"] {
        give(&bed.directory.join(directory), 200_000);
    }
    bed
}

fn give(path: &Path, id: u32) {
    std::os::unix::fs::lchown(path, Some(id), Some(id)).expect("the tests run as root");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("readable") {
            give(&entry.expect("readable").path(), id);
        }
    }
}

#[test]
fn new_user_namespace_has_its_mappings_and_everything_works_inside() {
    let script = "cat /proc/self/uid_map /proc/self/gid_map | while read a b c; do echo $a $b $c; done
        id; stat -c %u:%g /bin/busybox; stat -c %t:%T /dev/null; echo x >/dev/null && hostname
        touch /data/f; grep -c . /proc/self/mountinfo >/dev/null; ls -d /sys/class/net/lo; ulimit -n; cat /proc/sys/net/ipv4/ip_forward";
    let mut bed = bed(script);
    bed.process().rlimits = vec![oci::runtime::Rlimit { kind: "RLIMIT_NOFILE".into(), soft: 77, hard: 99 }];
    bed.process().oom_score_adj = Some(321);
    bed.linux().sysctl.insert("net.ipv4.ip_forward".into(), "1".into());
    let want = "0 200000 1000\n1000 300000 64000\n0 200000 1000\n1000 300000 64000\n\
                uid=0(root) gid=0 groups=0\n0:0\n1:3\nbox\n/sys/class/net/lo\n77\n1\n";
    assert_eq!(bed.output(), want);
    let made = fs::metadata(bed.directory.join("upper/data/f")).expect("it was made");
    assert_eq!((made.uid(), made.gid()), (200_000, 200_000));
}

#[test]
fn user_in_a_second_range_and_groups_are_mapped() {
    let mut bed = bed("id -u; id -g; id -G; cat /proc/self/oom_score_adj; grep CapEff /proc/self/status");
    bed.process().user = oci::runtime::User {
        uid: 1005,
        gid: 1006,
        additional_gids: vec![7],
        ..oci::runtime::User::default()
    };
    bed.process().oom_score_adj = Some(12);
    assert_eq!(bed.output(), "1005\n1006\n1006 7\n12\nCapEff:\t0000000000000000\n");
}

#[test]
fn exec_joins_the_user_namespace() {
    let mut bed = bed("sleep 1000");
    let (stdio, _output) = captured();
    let first = bed.start(stdio).expect("it starts");
    let target = Target {
        pid: first.pid,
        pidfd: first.pidfd.as_fd(),
        cgroup: first.cgroup.as_ref().expect("it has one"),
    };
    let mut process = bed.process().clone();
    process.args = ["sh", "-c", "id -u; head -n1 /proc/self/uid_map | while read a b c; do echo $b; done"]
        .map(str::to_owned)
        .to_vec();
    process.rlimits = vec![oci::runtime::Rlimit { kind: "RLIMIT_NOFILE".into(), soft: 50, hard: 60 }];
    let (stdio, output) = captured();
    let created =
        exec(&target, &process, None, stdio, crate::Options::supervised(), &mut |_| ()).expect("it is made");
    let running = created.start(&mut |_| ()).expect("it starts");
    assert_eq!(finish(&running, output).output, "0\n200000\n");
    crate::kill_all(first.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

#[test]
fn namespaces_of_another_container_are_joined_by_path() {
    let mut first = bed("sleep 1000");
    let (stdio, _output) = captured();
    let running = first.start(stdio).expect("it starts");
    let own = |name: &str| fs::read_link(format!("/proc/{}/ns/{name}", running.pid)).expect("it lives");
    let own = ["user", "net", "ipc", "uts", "pid"].map(|name| own(name).display().to_string());
    let script =
        "for n in user net ipc uts pid; do readlink /proc/self/ns/$n; done; id -u; ls /proc | grep -c '^1$'";
    let mut second = Bed::new(script);
    give(&second.directory.join("lower"), 200_000);
    give(&second.directory.join("upper"), 200_000);
    second.spec.hostname.clear();
    let path =
        |kind, name: &str| Namespace { kind, path: Some(format!("/proc/{}/ns/{name}", running.pid).into()) };
    second.linux().namespaces = vec![
        Namespace { kind: NamespaceType::Mount, path: None },
        path(NamespaceType::User, "user"),
        path(NamespaceType::Network, "net"),
        path(NamespaceType::Ipc, "ipc"),
        path(NamespaceType::Uts, "uts"),
        path(NamespaceType::Pid, "pid"),
    ];
    assert_eq!(second.output(), format!("{}\n0\n1\n", own.join("\n")));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

#[test]
fn new_user_namespace_beside_joined_ones() {
    let mut first = Bed::new("sleep 1000");
    let (stdio, _output) = captured();
    let running = first.start(stdio).expect("it starts");
    let network = fs::read_link(format!("/proc/{}/ns/net", running.pid)).expect("it lives");
    let mut second = bed(
        "readlink /proc/self/ns/net; id -u; ls /sys/kernel >/dev/null && echo sys; ip link | grep -c LOOPBACK",
    );
    for namespace in &mut second.linux().namespaces {
        if namespace.kind == NamespaceType::Network {
            namespace.path = Some(format!("/proc/{}/ns/net", running.pid).into());
        }
    }
    assert_eq!(second.output(), format!("{}\n0\nsys\n1\n", network.display()));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

#[test]
fn mount_namespace_is_joined_or_left_as_it_is() {
    let mut holder = Bed::new("sleep 1000");
    let (stdio, _output) = captured();
    let running = holder.start(stdio).expect("it starts");
    let joined = fs::read_link(format!("/proc/{}/ns/mnt", running.pid)).expect("it lives");
    // In the holder's namespace its own root is the one that has everything.
    let mut bed = Bed::new("readlink /proc/self/ns/mnt; ls /bin/busybox");
    bed.in_directory = Some("/".into());
    bed.spec.mounts.clear();
    bed.linux().masked_paths.clear();
    bed.linux().readonly_paths.clear();
    bed.linux().namespaces[0].path = Some(format!("/proc/{}/ns/mnt", running.pid).into());
    bed.linux().namespaces[1].path = Some(format!("/proc/{}/ns/pid", running.pid).into());
    bed.linux().devices.clear();
    assert_eq!(bed.output(), format!("{}\n/bin/busybox\n", joined.display()));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");

    let mut bed = Bed::new("test -e /proc/self || echo none; ls /bin/busybox; stat -c %t:%T /dev/zero");
    bed.plain = true;
    bed.linux().namespaces.remove(0);
    let (text, kind) = bed.failure();
    assert_eq!(
        (text.as_str(), kind),
        ("mounts: needs a mount namespace in linux.namespaces", Kind::InvalidArgument)
    );
    bed.spec.mounts.clear();
    bed.linux().masked_paths.clear();
    bed.linux().readonly_paths.clear();
    let before = fs::read_to_string("/proc/self/mountinfo").expect("readable").lines().count();
    assert_eq!(bed.output(), "none\n/bin/busybox\n1:5\n");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").expect("readable").lines().count(), before);
}

#[test]
fn mappings_that_the_kernel_refuses_leave_nothing_behind() {
    let mut bed = bed("true");
    let path = bed.cgroup();
    bed.linux().namespaces.retain(|namespace| namespace.kind != NamespaceType::User);
    assert_eq!(
        bed.failure(),
        ("linux.uidMappings: needs a new user namespace in linux.namespaces".into(), Kind::InvalidArgument)
    );
    assert!(!path.exists());
}

/// The body runs in a process of its own without privileges: this very test, started again.
#[test]
fn caller_without_privileges_gets_a_container_of_its_own() {
    const MARK: &str = "NARU_TEST_AS_NOBODY";
    match std::env::var(MARK).as_deref() {
        Err(_) => {
            as_nobody(MARK, "own", "");
            as_nobody(MARK, "several", "nobody:400000:65536");
        }
        Ok("own") => {
            let mut bed = rootless(&[range(0, 65534, 1)]);
            bed.process().args[2] =
                "id -u; cat /proc/self/setgroups; stat -c %u /bin/busybox; echo $(readlink /proc/self/ns/cgroup | wc -l); ls -d /sys/class/net/lo".into();
            assert_eq!(bed.output(), "0\ndeny\n0\n1\n/sys/class/net/lo\n");
            bed.process().user.additional_gids = vec![5];
            let (text, _) = bed.failure();
            assert!(text.starts_with("process.user.additionalGids: cannot be set"), "{text}");
        }
        Ok(_) => {
            let mut bed = rootless(&[range(0, 65534, 1), range(1, 400_000, 1000)]);
            bed.process().args[2] = "id -u; id -G; grep -c . /proc/self/uid_map".into();
            bed.process().user =
                oci::runtime::User { uid: 33, gid: 33, additional_gids: vec![5], ..Default::default() };
            assert_eq!(bed.output(), "33\n33 5\n2\n");
        }
    }
}

fn rootless(maps: &[IdMapping]) -> Bed {
    let mut bed = Bed::new("");
    bed.plain = true;
    bed.linux().namespaces.push(Namespace { kind: NamespaceType::User, path: None });
    bed.linux().namespaces.push(Namespace { kind: NamespaceType::Cgroup, path: None });
    bed.linux().uid_mappings = maps.to_vec();
    bed.linux().gid_mappings = maps.to_vec();
    bed.linux().cgroups_path.clear();
    bed.process().oom_score_adj = None;
    for mount in &mut bed.spec.mounts {
        mount.options.retain(|option| option != "gid=5" || maps.len() > 1);
    }
    bed.spec.mounts.retain(|mount| mount.fs_type != "cgroup");
    bed
}

fn as_nobody(mark: &str, value: &str, subordinate: &str) {
    let place = std::env::temp_dir().join(format!("naru-test-nobody-{}-{value}", std::process::id()));
    fs::create_dir(&place).expect("directory");
    let program = place.join("test");
    fs::copy("/proc/self/exe", &program).expect("it can be read");
    fs::write(place.join("sub"), format!("{subordinate}\n")).expect("file");
    fs::create_dir(place.join("tmp")).expect("directory");
    chown(place.join("tmp"), Some(65534), Some(65534)).expect("the tests run as root");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("mode");
    let script = format!(
        "touch /etc/subuid /etc/subgid; mount --bind {0}/sub /etc/subuid; mount --bind {0}/sub /etc/subgid
         exec setpriv --reuid 65534 --regid 65534 --clear-groups \
         env TMPDIR={0}/tmp {mark}={value} {0}/test --exact tests::users::caller_without_privileges_gets_a_container_of_its_own --nocapture",
        place.display()
    );
    let done = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("it is installed");
    let text = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    let _ = fs::remove_dir_all(&place); // Nobody needs it any more.
    assert!(done.status.success(), "{value}: {text}");
}
