//! One field of a specification each: what the kernel says about it inside the container, or why it is refused.

use super::fixture::{Bed, captured, finish};
use crate::{Target, exec};
use error::Kind;
use oci::runtime::{
    CpuAffinity, IoPriority, MemoryPolicy, Namespace, NamespaceType, NetDevice, Personality, Scheduler,
    TimeOffset,
};
use std::os::fd::AsFd as _;
use std::process::Command;

type Edit = fn(&mut Bed);

#[test]
fn fields_arrive_in_the_kernel() {
    let cases: [(&str, Edit, &str, &str); 14] = [
        (
            "process.scheduler",
            |bed| {
                bed.process().scheduler =
                    Some(Scheduler { policy: "SCHED_BATCH".into(), nice: 5, ..Scheduler::default() })
            },
            "grep -E '^(policy|prio) ' /proc/self/sched | tr -d ' '",
            "policy:3\nprio:125\n",
        ),
        (
            "process.ioPriority",
            |bed| {
                bed.process().io_priority =
                    Some(IoPriority { class: "IOPRIO_CLASS_IDLE".into(), priority: 0 })
            },
            "busybox ionice -p $$",
            "idle\n",
        ),
        (
            "process.oomScoreAdj",
            |bed| bed.process().oom_score_adj = Some(77),
            "cat /proc/self/oom_score_adj",
            "77\n",
        ),
        (
            "process.noNewPrivileges",
            |bed| bed.process().no_new_privileges = true,
            "grep NoNewPrivs /proc/self/status",
            "NoNewPrivs:\t1\n",
        ),
        ("process.user.umask", |bed| bed.process().user.umask = Some(0o027), "umask", "0027\n"),
        (
            "process.capabilities.ambient",
            |bed| {
                let sets = bed.process().capabilities.as_mut().expect("it has them");
                sets.inheritable = vec!["CAP_CHOWN".into()];
                sets.ambient = vec!["CAP_CHOWN".into()];
                bed.process().user.uid = 1000;
            },
            "grep -E 'CapAmb|CapEff' /proc/self/status",
            "CapEff:\t0000000000000001\nCapAmb:\t0000000000000001\n",
        ),
        (
            "linux.personality",
            |bed| bed.linux().personality = Some(Personality { domain: "LINUX32".into(), flags: vec![] }),
            "cat /proc/self/personality",
            "00000008\n",
        ),
        (
            "linux.memoryPolicy",
            |bed| {
                bed.linux().memory_policy = Some(MemoryPolicy {
                    mode: "MPOL_BIND".into(),
                    nodes: "0".into(),
                    flags: vec!["MPOL_F_STATIC_NODES".into()],
                })
            },
            "head -n1 /proc/self/numa_maps | { read a b c; echo $b; }",
            "bind=static:0\n",
        ),
        (
            "linux.timeOffsets",
            |bed| {
                bed.linux().namespaces.push(Namespace { kind: NamespaceType::Time, path: None });
                let offset = TimeOffset { secs: 1_000_000_000, nanosecs: 0 };
                bed.linux().time_offsets.insert("boottime".into(), offset);
            },
            "read a b </proc/uptime; test ${a%.*} -ge 1000000000 && echo later",
            "later\n",
        ),
        (
            "linux.sysctl",
            |bed| {
                bed.linux().sysctl.insert("kernel.shmmni".into(), "99".into());
            },
            "cat /proc/sys/kernel/shmmni",
            "99\n",
        ),
        (
            "domainname",
            |bed| bed.spec.domainname = "example".into(),
            "cat /proc/sys/kernel/domainname",
            "example\n",
        ),
        (
            "linux.rootfsPropagation",
            |bed| bed.linux().rootfs_propagation = "shared".into(),
            "while read a b c d e f g; do [ $e = / ] && echo $g; done </proc/self/mountinfo | grep -c shared:",
            "1\n",
        ),
        (
            "root.readonly",
            |bed| bed.spec.root.as_mut().expect("it has one").readonly = true,
            "touch /x 2>&1; touch /dev/x && echo fine",
            "touch: /x: Read-only file system\nfine\n",
        ),
        (
            "linux.cgroupsPath",
            |bed| bed.linux().cgroups_path.clear(),
            "grep -c naru-test /proc/self/cgroup >/dev/null && echo own",
            "own\n",
        ),
    ];
    for (field, edit, script, want) in cases {
        let mut bed = Bed::new(&format!("PATH=/bin; {script}"));
        edit(&mut bed);
        let outcome = bed.run().unwrap_or_else(|error| panic!("{field}: {}", error::chain(&error)));
        assert_eq!(outcome.output, want, "{field}");
        assert!(!bed.default_cgroup().exists(), "{field}: its cgroup is left");
    }
}

#[test]
fn wrong_fields_are_refused_by_path_and_rule() {
    let cases: [(Edit, &str); 12] = [
        (
            |bed| bed.process().scheduler = Some(Scheduler { policy: "X".into(), ..Scheduler::default() }),
            "process.scheduler.policy: \"X\" is no policy",
        ),
        (
            |bed| {
                bed.process().io_priority = Some(IoPriority { class: "IOPRIO_CLASS_BE".into(), priority: 8 })
            },
            "process.ioPriority.priority: 8 is not in 0 to 7",
        ),
        (
            |bed| bed.linux().personality = Some(Personality { domain: "BSD".into(), flags: vec![] }),
            "linux.personality.domain: \"BSD\" is unknown",
        ),
        (
            |bed| {
                bed.linux().memory_policy = Some(MemoryPolicy { mode: "BIND".into(), ..Default::default() })
            },
            "linux.memoryPolicy.mode: unknown mode \"BIND\"",
        ),
        (
            |bed| {
                let policy = MemoryPolicy { mode: "MPOL_BIND".into(), nodes: "a".into(), flags: vec![] };
                bed.linux().memory_policy = Some(policy);
            },
            "linux.memoryPolicy.nodes: \"a\" is no list of nodes",
        ),
        (
            |bed| {
                let device = NetDevice { name: Some("a/b".into()) };
                bed.linux().net_devices.insert("eth7".into(), device);
            },
            "linux.netDevices[\"eth7\"].name: \"a/b\" is no name of a device",
        ),
        (
            |bed| {
                bed.linux().net_devices.insert("naru-none".into(), NetDevice::default());
            },
            "linux.netDevices[\"naru-none\"]: there is no such device",
        ),
        (
            |bed| {
                bed.linux().sysctl.insert("kernel.core_pattern".into(), "|/x".into());
            },
            "linux.sysctl[\"kernel.core_pattern\"]: is not in a separate kernel namespace",
        ),
        (
            |bed| bed.linux().rootfs_propagation = "public".into(),
            "linux.rootfsPropagation: \"public\" is no propagation",
        ),
        (|bed| bed.spec.oci_version = "2.0.0".into(), "ociVersion: \"2.0.0\" is not a version 1"),
        (
            |bed| bed.linux().mount_label = Some("system_u:object_r:x".into()),
            "linux.mountLabel: this machine does not have SELinux, for the label \"system_u:object_r:x\"",
        ),
        (
            |bed| bed.process().selinux_label = Some("x".into()),
            "process.selinuxLabel: this machine does not have SELinux, for the label \"x\"",
        ),
    ];
    for (edit, want) in cases {
        let mut bed = Bed::new("true");
        edit(&mut bed);
        let (text, _) = bed.failure();
        assert_eq!(text, want);
        assert!(!bed.cgroup().exists(), "{want}");
    }
}

/// The virtual machine of the tests has AppArmor, other machines refuse.
#[test]
fn apparmor_profile_is_applied_or_refused() {
    let mut bed = Bed::new("cat /proc/self/attr/current");
    let enabled =
        std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"));
    if enabled {
        bed.process().apparmor_profile = Some("unconfined".into());
        assert_eq!(bed.output(), "unconfined\n");
        bed.process().apparmor_profile = Some("naru-no-such-profile".into());
        let (text, _) = bed.failure();
        assert!(text.starts_with("cannot set security label exec naru-no-such-profile: "), "{text}");
        return;
    }
    bed.process().apparmor_profile = Some("docker-default".into());
    let want =
        "process.apparmorProfile: this machine does not have AppArmor, for the profile \"docker-default\"";
    assert_eq!(bed.failure(), (want.into(), Kind::Unimplemented));
}

#[test]
fn exec_runs_on_the_cpus_that_it_names() {
    let mut bed = Bed::new("sleep 1000");
    let (stdio, _output) = captured();
    let first = bed.start(stdio).expect("it starts");
    let target = Target {
        pid: first.pid,
        pidfd: first.pidfd.as_fd(),
        cgroup: first.cgroup.as_ref().expect("it has one"),
    };
    let last = std::thread::available_parallelism().map_or(0, |cpus| cpus.get() - 1).to_string();
    for (initial, last, want) in [("0", "", "0"), ("0", last.as_str(), last.as_str()), ("", "0", "0")] {
        let mut process = bed.process().clone();
        process.args = ["grep", "Cpus_allowed_list", "/proc/self/status"].map(str::to_owned).to_vec();
        process.exec_cpu_affinity = Some(CpuAffinity { initial: initial.into(), last: last.into() });
        let (stdio, output) = captured();
        let created = exec(&target, &process, None, stdio, crate::Options::supervised(), &mut |_| ())
            .expect("it is made");
        let running = created.start(&mut |_| ()).expect("it starts");
        assert_eq!(finish(&running, output).output, format!("Cpus_allowed_list:\t{want}\n"));
    }
    crate::kill_all(first.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

#[test]
fn network_devices_move_with_their_addresses_under_their_new_names() {
    let ip = |args: &str| {
        let done = Command::new("ip").args(args.split(' ')).status().expect("iproute2 is installed");
        assert!(done.success(), "ip {args}");
    };
    let mut bed = Bed::new("ip -o addr show dev inner; ip link | grep -c outer");
    bed.linux().net_devices.insert("outer0".into(), NetDevice { name: Some("inner".into()) });
    let output = std::thread::scope(|scope| {
        let work = || {
            sys::ns::unshare(sys::ns::Types::NETWORK).expect("the tests run as root");
            ip("link add outer0 type veth peer name outer1");
            ip("addr add 10.9.8.7/24 dev outer0");
            ip("addr add fd00:9::7/64 dev outer0 nodad");
            ip("link set outer1 up");
            let outcome = bed.run().unwrap_or_else(|error| panic!("{}", error::chain(&error)));
            outcome.output
        };
        scope.spawn(work).join().expect("no panic")
    });
    assert!(output.contains("inet 10.9.8.7/24") && output.ends_with("\n0\n"), "{output}");
    assert!(output.contains("fd00:9::7/64"), "{output}");
}
