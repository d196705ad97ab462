//! Measures the birth of a container: `cargo run --release -p runtime --example birth -- 200 [LOWER]`.
//!
//! Makes and runs `true` that many times in a busybox root file system, as root, and prints how long it takes from the
//! specification to execve, from clone to execve, and p10 and p50 of each step.

use cgroup::{Cgroups, favor_dynmods};
use oci::runtime::Spec;
use runtime::{Inputs, Lifetime, Rootfs, Stdio, Step, kill_all, plan, spawn};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SPEC: &str = r#"{
  "ociVersion": "1.2.0",
  "process": {
    "args": ["/bin/true"], "env": ["PATH=/bin", "HOME=/"], "cwd": "/", "user": {"uid": 0, "gid": 0},
    "capabilities": {
      "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
      "effective": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
      "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"]
    }
  },
  "root": {"path": "rootfs"},
  "hostname": "box",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777", "size=65536k"]}
  ],
  "linux": {
    "cgroupsPath": "/naru-bench",
    "namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}],
    "maskedPaths": ["/proc/acpi", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
    "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
  }
}"#;

fn main() {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(100);
    let directory = std::env::temp_dir().join(format!("naru-birth-{}", std::process::id()));
    let lower = args.next().map_or_else(|| busybox(&directory.join("lower")), PathBuf::from);
    let spec: Spec = serde_json::from_str(SPEC).expect("the text is a specification");
    let dynmods = favor_dynmods();
    if let Err(error) = &dynmods {
        eprintln!("without favordynmods: {}", error::chain(error));
    }
    Cgroups::detect().expect("cgroups are mounted");

    let (mut whole, mut born, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let mut times: Vec<Vec<u64>> = Vec::new();
    for _ in 0..count {
        for name in ["upper", "work"] {
            let _ = fs::remove_dir_all(directory.join(name)); // Missing the first time.
            fs::create_dir_all(directory.join(name)).expect("directory");
        }
        steps.clear();
        let start = Instant::now();
        once(&spec, &directory, &lower, &mut steps, &mut whole, start);
        let at = |name: &str| steps.iter().find(|step| step.step == name).map_or(0, |step| step.t_ns);
        times.resize(steps.len(), Vec::new());
        times.iter_mut().zip(&steps).for_each(|(times, step)| times.push(step.dur_ns));
        born.push(u64::try_from(at("execve") - at("clone3")).unwrap_or(0) / 1000);
    }
    for (step, times) in steps.iter().zip(&mut times) {
        times.sort_unstable();
        let at =
            |percent: usize| times.get(times.len() * percent / 100).map_or(0.0, |ns| *ns as f64 / 1000.0);
        println!("{:5} {:>7.1} {:>7.1} µs  {} {}", step.who.name(), at(10), at(50), step.step, step.args);
    }
    report("specification to execve", &mut whole);
    report("clone3 to execve", &mut born);
    let _ = fs::remove_dir_all(&directory);
}

fn once(
    spec: &Spec,
    directory: &Path,
    lower: &Path,
    steps: &mut Vec<Step>,
    whole: &mut Vec<u64>,
    start: Instant,
) {
    let rootfs = Rootfs::Overlay {
        lower: vec![lower.to_owned()],
        upper: directory.join("upper"),
        work: directory.join("work"),
    };
    let inputs = Inputs {
        id: "birth".into(),
        rootfs,
        network_namespace: None,
        seccomp: None,
        lifetime: Lifetime::OfParent,
        preserved: Vec::new(),
        start: None,
        keyring: runtime::Keyring::New,
    };
    let null = || File::options().read(true).write(true).open("/dev/null").expect("it is there").into();
    let stdio = Stdio::Streams { stdin: null(), stdout: null(), stderr: null() };
    let plan = plan(spec, directory, inputs).expect("the specification is fine");
    let created = spawn(plan, stdio, &mut |step| steps.push(step)).expect("it can be made");
    let running = created.start(&mut |step| steps.push(step)).expect("it starts");
    whole.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    sys::process::wait(&running.pidfd).expect("it is our child");
    kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}

fn report(name: &str, micros: &mut [u64]) {
    micros.sort_unstable();
    let at = |percent: usize| micros.get(micros.len() * percent / 100).copied().unwrap_or(0);
    println!("{name}: min {} p10 {} p50 {} p90 {} µs", at(0), at(10), at(50), at(90));
}

fn busybox(lower: &Path) -> PathBuf {
    for name in ["bin", "dev", "proc", "sys", "etc"] {
        fs::create_dir_all(lower.join(name)).expect("directory");
    }
    fs::copy("/bin/busybox", lower.join("bin/true")).expect("busybox-static is installed");
    lower.to_owned()
}
