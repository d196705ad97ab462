//! Real groups, named naru-test-…, in whatever hierarchies the machine has: run it on v1, hybrid and v2.

#![forbid(unsafe_code)]

use cgroup::{Cgroup, Cgroups, Error, Mode, Readiness};
use oci::runtime::{Cpu, DeviceRule, Memory, Network, Pids, Resources};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use sys::epoll::{Epoll, Interest};

/// A group of a test's own, removed with all its processes when it is dropped.
struct Group {
    cgroups: Cgroups,
    group: Cgroup,
    children: Vec<Child>,
}

impl Group {
    fn new(name: &str, resources: &Resources) -> Self {
        Self::try_new(name, resources).unwrap_or_else(|error| panic!("{}", error::chain(&error)))
    }

    fn try_new(name: &str, resources: &Resources) -> Result<Self, Error> {
        let cgroups = Cgroups::detect().expect("cgroups are mounted");
        let path = format!("/naru-test-{name}-{}/inner", std::process::id());
        let group = Cgroup::create(&cgroups, &path, resources)?;
        Ok(Self { cgroups, group, children: Vec::new() })
    }

    fn parent(&self) -> Cgroup {
        let path = self.group.path().rsplit_once('/').expect("has a parent").0;
        Cgroup::open(&self.cgroups, path).expect("the path is valid")
    }

    /// Makes a group below, as a container does that manages its own.
    fn deeper(&self, name: &str) -> Cgroup {
        let path = format!("{}/{name}", self.group.path());
        if self.is_v2() {
            // Without controllers: processes live in the group above.
            fs::create_dir(PathBuf::from("/sys/fs/cgroup").join(&path)).expect("created");
            return Cgroup::open(&self.cgroups, &path).expect("the path is valid");
        }
        Cgroup::create(&self.cgroups, &path, &Resources::default()).expect("created")
    }

    /// Starts a shell in the group that runs `script` once it has joined.
    fn shell(&mut self, script: &str) -> usize {
        let script = format!("read go; {script}");
        let command =
            Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = command.expect("a shell starts");
        self.group.join(child.id()).expect("it joins");
        child.stdin.take().expect("piped").write_all(b"\n").expect("it reads");
        self.children.push(child);
        self.children.len() - 1
    }

    /// Returns the exit code of a shell; -1 if a signal ended it.
    fn exit_code(&mut self, index: usize) -> i32 {
        self.children[index].wait().expect("it ends").code().unwrap_or(-1)
    }

    /// Returns the text of a controller's file: of v1 by its own name, of v2 by the other.
    fn file(&self, controller: &str, v1: &str, v2: &str) -> String {
        let root = PathBuf::from("/sys/fs/cgroup");
        let path = match self.cgroups.mode() {
            Mode::V2 => root.join(self.group.path()).join(v2),
            Mode::V1 | Mode::Hybrid => root.join(controller).join(self.group.path()).join(v1),
        };
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")).trim_end().to_owned()
    }

    fn is_v2(&self) -> bool {
        self.cgroups.mode() == Mode::V2
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.group.kill().expect("killed");
        for child in &mut self.children {
            let _ = child.wait(); // It may have been waited for already.
        }
        self.parent().remove().expect("removed");
        assert!(!self.group.exists());
    }
}

fn memory(limit: i64, swap: i64) -> Resources {
    let memory = Memory { limit: Some(limit), swap: Some(swap), ..Memory::default() };
    Resources { memory: Some(memory), ..Resources::default() }
}

/// Waits for something that the kernel does on its own time.
fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const MIB: i64 = 1 << 20;

#[test]
fn limits_are_what_the_kernel_then_has() {
    let cpu = Cpu {
        shares: Some(2048),
        quota: Some(50_000),
        period: Some(100_000),
        cpus: Some("0".into()),
        ..Cpu::default()
    };
    let pids = Pids { limit: Some(77) };
    let swap = Cgroups::detect().expect("mounted").limits().swap;
    let both = if swap { 96 * MIB } else { -1 };
    let resources = Resources { cpu: Some(cpu), pids: Some(pids), ..memory(64 * MIB, both) };
    let group = Group::new("limits", &resources);
    assert_eq!(group.file("memory", "memory.limit_in_bytes", "memory.max"), (64 * MIB).to_string());
    if swap {
        let want = if group.is_v2() { 32 * MIB } else { 96 * MIB };
        assert_eq!(group.file("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"), want.to_string());
    }
    assert_eq!(group.file("cpu", "cpu.shares", "cpu.weight"), if group.is_v2() { "174" } else { "2048" });
    assert_eq!(
        group.file("cpu", "cpu.cfs_quota_us", "cpu.max"),
        if group.is_v2() { "50000 100000" } else { "50000" }
    );
    assert_eq!(group.file("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
    assert_eq!(group.file("pids", "pids.max", "pids.max"), "77");
}

#[test]
fn limits_grow_and_shrink_on_a_living_group() {
    let mut group = Group::new("update", &memory(64 * MIB, -1));
    group.shell("exec sleep 60");
    let swap = group.cgroups.limits().swap;
    for (limit, both) in [(128, 256), (32, 40), (200, 200), (16, 300), (8, 8)] {
        let both = if swap { both * MIB } else { -1 };
        group
            .group
            .apply(&memory(limit * MIB, both))
            .unwrap_or_else(|error| panic!("{}", error::chain(&error)));
        assert_eq!(group.file("memory", "memory.limit_in_bytes", "memory.max"), (limit * MIB).to_string());
    }
    group.group.apply(&memory(-1, 0)).expect("unlimited");
    let unlimited = if group.is_v2() { "max" } else { "9223372036854771712" };
    assert_eq!(group.file("memory", "memory.limit_in_bytes", "memory.max"), unlimited);
}

#[test]
fn frozen_processes_stand_until_thawed() {
    let mut group = Group::new("freeze", &Resources::default());
    let mut flag = std::env::temp_dir();
    flag.push(format!("naru-test-freeze-{}", std::process::id()));
    group.shell(&format!("while :; do echo x >> {}; sleep 0.01; done", flag.display()));
    let length = || fs::metadata(&flag).map_or(0, |found| found.len());
    eventually("it runs", || length() > 0);
    assert!(!group.group.frozen().expect("readable"));
    group.group.freeze().expect("freezes");
    assert!(group.group.frozen().expect("readable"));
    let frozen = length();
    std::thread::sleep(Duration::from_millis(100)); // It would have written meanwhile.
    assert_eq!(length(), frozen);
    group.group.thaw().expect("thaws");
    assert!(!group.group.frozen().expect("readable"));
    eventually("it goes on", || length() > frozen);
    let _ = fs::remove_file(&flag);
}

#[test]
fn kill_ends_every_process_below_and_remove_waits_for_them() {
    let mut group = Group::new("kill", &Resources::default());
    group.shell("sleep 60 & sleep 60 & sleep 60 & wait");
    let inner = group.deeper("deeper");
    let mut deep = Command::new("sleep").arg("60").spawn().expect("starts");
    inner.join(deep.id()).expect("joins");
    eventually("five processes", || group.group.pids().expect("readable").len() == 5);
    group.group.kill().expect("killed");
    let _ = group.exit_code(0);
    let _ = deep.wait().expect("ended");
    group.group.remove().expect("removed, although the grandchildren have only just died");
    assert!(!group.group.exists());
    assert_eq!(group.group.pids().expect("no group, no processes"), Vec::<u32>::new());
    group.group.kill().expect("nothing to kill is fine");
}

#[test]
fn kill_reaches_frozen_processes() {
    let mut group = Group::new("kill-frozen", &Resources::default());
    group.shell("exec sleep 60");
    group.group.freeze().expect("freezes");
    group.group.kill().expect("killed");
    assert_eq!(group.exit_code(0), -1);
}

#[test]
fn oom_kill_wakes_the_watch_and_is_counted() {
    let swap = Cgroups::detect().expect("mounted").limits().swap;
    let mut group = Group::new("oom", &memory(16 * MIB, if swap { 16 * MIB } else { -1 }));
    let watch = group.group.watch_oom().expect("watchable").expect("there is a memory controller");
    let interest = match watch.readiness() {
        Readiness::Readable => Interest::READ,
        Readiness::Priority => Interest::PRIORITY,
    };
    let epoll = Epoll::new().expect("an epoll");
    epoll.add(&watch, 1, interest).expect("added");
    let mut events = Vec::new();
    epoll.wait(&mut events, Some(Duration::ZERO)).expect("waits");
    assert_eq!((events.len(), group.group.oom_kill_count().expect("readable")), (0, 0));
    let shell = group.shell("exec tail /dev/zero");
    eventually("the watch wakes and something was killed", || {
        epoll.wait(&mut events, Some(Duration::from_millis(100))).expect("waits");
        watch.acknowledge().expect("acknowledged");
        group.group.oom_kill_count().expect("readable") == 1
    });
    assert_eq!(group.exit_code(shell), -1);
}

#[test]
fn oom_watch_is_quiet_after_it_was_acknowledged() {
    let group = Group::new("oom-quiet", &memory(32 * MIB, -1));
    let watch = group.group.watch_oom().expect("watchable").expect("there is a memory controller");
    watch.acknowledge().expect("nothing to acknowledge is fine");
    assert_eq!(group.group.oom_kill_count().expect("readable"), 0);
}

#[test]
fn devices_follow_the_rules_and_can_be_changed() {
    let rule = |allow, numbers: Option<(i64, i64)>| DeviceRule {
        allow,
        kind: Some(if numbers.is_some() { "c" } else { "a" }.into()),
        major: numbers.map(|numbers| numbers.0),
        minor: numbers.map(|numbers| numbers.1),
        access: Some("rwm".into()),
    };
    let devices = |rules: Vec<DeviceRule>| Resources { devices: rules, ..Resources::default() };
    let mut group = Group::new("devices", &devices(vec![rule(false, None), rule(true, Some((1, 3)))]));
    let zero = group.shell("dd if=/dev/zero of=/dev/null count=1");
    assert_ne!(group.exit_code(zero), 0, "/dev/zero is forbidden");
    let null = group.shell("exec 3</dev/null");
    assert_eq!(group.exit_code(null), 0, "/dev/null is allowed");
    let more = vec![rule(false, None), rule(true, Some((1, 3))), rule(true, Some((1, 5)))];
    group.group.apply(&devices(more)).unwrap_or_else(|error| panic!("{}", error::chain(&error)));
    let zero = group.shell("dd if=/dev/zero of=/dev/null count=1");
    assert_eq!(group.exit_code(zero), 0, "/dev/zero is allowed now");
}

#[test]
fn stats_count_what_was_done() {
    let mut group =
        Group::new("stats", &Resources { pids: Some(Pids { limit: Some(50) }), ..memory(64 * MIB, -1) });
    let busy = group.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
    assert_eq!(group.exit_code(busy), 0);
    group.shell("exec sleep 60");
    eventually("one process", || group.group.pids().expect("readable").len() == 1);
    eventually("memory is charged", || group.group.stats().expect("readable").memory.usage_bytes > 0);
    let stats = group.group.stats().expect("readable");
    assert!(stats.cpu.usage_ns > 1_000_000, "{:?}", stats.cpu);
    assert_eq!((stats.pids.current, stats.pids.limit), (1, Some(50)));
    assert_eq!(stats.memory.limit_bytes, 64 << 20);
    assert!(stats.memory.working_set_bytes() <= stats.memory.usage_bytes);
    assert!(stats.memory.details.contains_key("inactive_file"), "{:?}", stats.memory.details.keys());
}

#[test]
fn missing_controller_is_named_and_leaves_nothing_behind() {
    let network = Network { class_id: Some(7), priorities: Vec::new() };
    let resources = Resources { network: Some(network), ..Resources::default() };
    let name = "missing";
    let Err(error) = Group::try_new(name, &resources) else { return }; // This machine has net_cls.
    let text = error.to_string();
    assert!(text.starts_with("linux.resources.network.classID needs "), "{text}");
    let cgroups = Cgroups::detect().expect("mounted");
    let path = format!("/naru-test-{name}-{}", std::process::id());
    let inner = Cgroup::open(&cgroups, &format!("{path}/inner")).expect("valid");
    assert!(!inner.exists());
    Cgroup::open(&cgroups, &path).expect("valid").remove().expect("the parent stays, for other groups");
}

#[test]
fn value_out_of_range_is_the_users_fault() {
    let cpu = Cpu { cpus: Some("4000".into()), ..Cpu::default() };
    let resources = Resources { cpu: Some(cpu), ..Resources::default() };
    let name = "range";
    let error = Group::try_new(name, &resources).err().expect("there is no CPU 4000");
    assert!(matches!(error, Error::Value { .. }), "{error:?}");
    assert!(error.to_string().contains("--cpuset-cpus"), "{error}");
    let cgroups = Cgroups::detect().expect("mounted");
    let path = format!("/naru-test-{name}-{}", std::process::id());
    Cgroup::open(&cgroups, &path).expect("valid").remove().expect("removed");
}

#[test]
fn favor_dynmods_makes_joining_cheap() {
    let group = Group::new("dynmods", &Resources::default());
    if group.is_v2() {
        return; // Processes are cloned into their group there.
    }
    let held = cgroup::favor_dynmods().expect("the kernel has it (Linux 6.0)");
    let mut child = Command::new("sleep").arg("60").spawn().expect("starts");
    std::thread::sleep(Duration::from_millis(30)); // Without it the grace period would be due again by now.
    let start = Instant::now();
    group.group.join(child.id()).expect("joins");
    let took = start.elapsed();
    child.kill().expect("killed");
    child.wait().expect("ended");
    drop(held);
    assert!(took < Duration::from_millis(6), "joining took {took:?}");
}
