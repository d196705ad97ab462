//! Golden files: whole specifications, and what options change in them.

use super::*;
use crate::facts;
use crate::spec::testing::host_config;
use crate::spec::{Mount, Resources};
use oci::runtime::{DeviceRule, DeviceType};
use std::fmt::Write as _;

const ID: &str = "4f2aa8f4c2d1b1d7c1e1a0b9f8e7d6c5b4a392817f6e5d4c3b2a190807060504";

fn config() -> Config {
    Config { env: vec!["PATH=/usr/bin:/bin".into(), "A=b".into()], ..Config::default() }
}

fn built(config: &Config, host: &HostConfig, facts: &HostFacts, devices: &[HostDevice]) -> Spec {
    let command = ["sleep".to_owned(), "1000".to_owned()];
    let identity = Identity { uid: 0, gid: 0, groups: vec![0, 10], home: "/root".into() };
    build(&Input {
        id: ID,
        config,
        host,
        command: &command,
        identity: &identity,
        facts,
        devices,
        ulimits: &[],
        cgroup_parent: "/naru",
        init_program: Path::new("/usr/bin/naru-init"),
        hostname: "4f2aa8f4c2d1",
        etc: EtcFiles {
            hosts: Path::new("/d/hosts"),
            hostname: Path::new("/d/hostname"),
            resolv_conf: Path::new("/d/resolv.conf"),
        },
        birth: None,
        shm: None,
        volumes: &BTreeMap::new(),
        joined: Joined::default(),
    })
}

fn plain(change: impl FnOnce(&mut Config, &mut HostConfig)) -> Spec {
    let (mut config, mut host) = (config(), host_config());
    change(&mut config, &mut host);
    built(&config, &host, &facts::example(), &[])
}

fn compare(name: &str, spec: &Spec) {
    let text = serde_json::to_string_pretty(spec).unwrap();
    let path = format!("{}/src/oci_spec/testdata/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if text.trim() != expected.trim() {
        let mut diff = String::new();
        for line in text.lines().filter(|line| !expected.contains(line)) {
            let _ = writeln!(diff, "+{line}"); // A String takes any text.
        }
        panic!("{path} differs:\n{diff}\nwhole:\n{text}");
    }
}

/// Compared with the config.json that Docker 28.5.2 writes for `run busybox sleep 1000`, seccomp left out.
#[test]
fn plain_container_matches_its_golden_file() {
    compare("plain", &plain(|_, _| {}));
}

/// Compared with the config.json that Docker 28.5.2 writes for `run -t --privileged busybox sleep 1000`.
#[test]
fn privileged_container_matches_its_golden_file() {
    let (mut config, mut host) = (config(), host_config());
    config.tty = true;
    host.privileged = true;
    let null = HostDevice {
        path: "/dev/null".into(),
        kind: DeviceType::Char,
        major: 1,
        minor: 3,
        mode: 0o666,
        uid: 0,
        gid: 0,
        permissions: "rwm".into(),
    };
    compare("privileged", &built(&config, &host, &facts::example(), &[null]));
}

#[test]
fn cgroup_v2_has_its_own_namespace_and_dockers_mount() {
    let mut facts = facts::example();
    facts.limits.v2 = true;
    let spec = built(&config(), &host_config(), &facts, &[]);
    let kinds: Vec<_> =
        spec.linux.unwrap().namespaces.iter().map(|namespace| namespace.kind.name()).collect();
    assert_eq!(kinds, ["mount", "network", "uts", "pid", "ipc", "cgroup"]);
    // Never "cgroup2": which file system it becomes, and that the host's own mount is not touched, is the runtime's part.
    let types: Vec<_> = spec.mounts.iter().filter(|mount| mount.fs_type.starts_with("cgroup")).collect();
    assert_eq!(types.len(), 1);
    assert_eq!(types[0].fs_type, "cgroup");
}

#[test]
fn host_modes_leave_namespaces_out() {
    let spec = plain(|_, host| {
        host.network = NetworkMode::Host;
        host.pid = NamespaceMode::Host;
        host.ipc = IpcMode::Host;
        host.uts_host = true;
    });
    let linux = spec.linux.unwrap();
    assert_eq!(linux.namespaces, [Namespace { kind: NamespaceType::Mount, path: None }]);
    assert!(linux.sysctl.is_empty(), "the host's network is not touched: {:?}", linux.sysctl);
    assert_eq!(spec.hostname, "");
}

fn mounts_at<'a>(spec: &'a Spec, path: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let at = spec.mounts.iter().filter(|mount| mount.destination == Path::new(path));
    at.map(|mount| (mount.fs_type.as_str(), mount.options.iter().map(String::as_str).collect())).collect()
}

#[test]
fn user_mounts_replace_ours_and_are_sorted_by_depth() {
    let bind = |target: &str, read_only, non_recursive| Mount::Bind {
        source: "/src".into(),
        target: target.into(),
        read_only,
        propagation: String::new(),
        non_recursive,
        create_source: true,
        from_volume_flag: true,
        mode: String::new(),
        read_only_depth: crate::spec::ReadOnlyDepth::WherePossible,
        is_inherited: false,
    };
    let spec = plain(|_, host| {
        host.mounts = vec![
            bind("/a/b/c", false, false),
            bind("/a", true, false),
            bind("/etc/hosts", true, true),
            Mount::Tmpfs { target: "/run".into(), options: "exec,size=64m".into(), from_tmpfs_flag: true },
        ];
    });
    assert_eq!(mounts_at(&spec, "/etc/hosts"), [("bind", vec!["bind", "ro", "rprivate"])]);
    assert_eq!(mounts_at(&spec, "/a"), [("bind", vec!["rbind", "rro", "rprivate"])]);
    assert_eq!(mounts_at(&spec, "/run"), [("tmpfs", vec!["nosuid", "nodev", "exec", "size=64m"])]);
    let order: Vec<_> = spec.mounts.iter().skip(6).map(|mount| mount.destination.to_str().unwrap()).collect();
    assert_eq!(
        order,
        ["/a", "/run", "/dev/shm", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/a/b/c"]
    );
}

#[test]
fn ipc_modes_decide_about_shared_memory() {
    let spec = plain(|_, host| host.ipc = IpcMode::None);
    assert_eq!(mounts_at(&spec, "/dev/shm"), []);
    let spec = plain(|_, host| host.shm_size_bytes = 1 << 20);
    assert_eq!(
        mounts_at(&spec, "/dev/shm"),
        [("tmpfs", vec!["nosuid", "noexec", "nodev", "mode=1777", "size=1048576"])]
    );
}

#[test]
fn init_is_bound_in_and_runs_the_command() {
    let spec = plain(|_, host| host.init = true);
    assert_eq!(spec.process.unwrap().args, ["/sbin/docker-init", "--", "sleep", "1000"]);
    assert!(spec.mounts.iter().any(|mount| mount.destination == Path::new("/sbin/docker-init")));
}

#[test]
fn user_environment_overrides_ours() {
    let spec = plain(|config, _| {
        config.tty = true;
        config.env = ["TERM=dumb", "HOME=/h", "PATH=/x"].map(str::to_owned).into();
    });
    assert_eq!(spec.process.unwrap().env, ["PATH=/x", "HOSTNAME=4f2aa8f4c2d1", "TERM=dumb", "HOME=/h"]);
}

#[test]
fn limits_become_cgroup_resources() {
    let spec = plain(|_, host| {
        host.resources = Resources {
            memory_bytes: 64 << 20,
            memory_swap_bytes: -1,
            nano_cpus: 1_500_000_000,
            cpu_shares: 512,
            cpuset_cpus: "0-1".into(),
            pids_limit: Some(100),
            device_cgroup_rules: vec!["c 42:* rw".into()],
            ..Resources::default()
        };
    });
    let resources = spec.linux.unwrap().resources.unwrap();
    let memory = resources.memory.unwrap();
    assert_eq!((memory.limit, memory.swap), (Some(64 << 20), Some(-1)));
    let cpu = resources.cpu.unwrap();
    assert_eq!(
        (cpu.shares, cpu.quota, cpu.period, cpu.cpus.as_deref()),
        (Some(512), Some(150_000), Some(100_000), Some("0-1"))
    );
    assert_eq!(resources.pids.unwrap().limit, Some(100));
    let rule = DeviceRule {
        allow: true,
        kind: Some("c".into()),
        major: Some(42),
        minor: None,
        access: Some("rw".into()),
    };
    assert_eq!(resources.devices.last(), Some(&rule));
}

#[test]
fn cgroup_lies_below_its_parent() {
    let mut host = host_config();
    assert_eq!(cgroup_path(&host, "/naru", "x"), "/naru/x");
    host.cgroup_parent = "/a/b/".into();
    assert_eq!(cgroup_path(&host, "/naru", "x"), "/a/b/x");
}

#[test]
fn device_rules_are_parsed_strictly() {
    for text in ["c 1:3 rwm", "a *:* r", "b 8:* mw"] {
        assert!(parse_rule(text).is_some(), "{text}");
    }
    for text in ["", "c 1:3", "c 1:3 x", "d 1:3 r", "c 1 r", "c -1:3 r", "c 1:3 rwm x", "c 1:3 "] {
        assert!(parse_rule(text).is_none(), "{text}");
    }
}

#[test]
fn exec_has_the_containers_environment_and_its_own() {
    let mut config = config();
    config.tty = true;
    config.working_dir = "/srv".into();
    let spec = crate::options::ExecSpec {
        cmd: vec!["id".into()],
        env: vec!["A=exec".into(), "E=1".into()],
        privileged: true,
        ..crate::options::ExecSpec::default()
    };
    let identity = Identity { uid: 5, gid: 6, groups: vec![6], home: "/h".into() };
    let facts = facts::example();
    let process = build_exec(&ExecInput {
        spec: &spec,
        config: &config,
        host: &host_config(),
        hostname: "box",
        identity: &identity,
        facts: &facts,
        ulimits: &[],
    });
    assert_eq!(process.env, ["PATH=/usr/bin:/bin", "HOSTNAME=box", "A=exec", "E=1", "HOME=/h"]);
    assert_eq!((process.cwd.as_str(), process.terminal, process.user.uid), ("/srv", false, 5));
    assert_eq!(process.capabilities.unwrap().bounding.len(), 40);
}
