//! What is mounted in a container, and what of it is hidden.

use super::{BIRTH_TARGET, INIT_TARGET, Input};
use crate::spec::{IpcMode, Mount as Wanted, ReadOnlyDepth};
use oci::runtime::Mount;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Paths that a container cannot read unless it is privileged or asks for others.
pub const MASKED_PATHS: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// Paths that a container cannot write unless it is privileged or asks for others.
pub const READONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Returns the mounts in the order in which they are made: the system's, then by depth the user's and ours.
pub(super) fn build(input: &Input<'_>) -> Vec<Mount> {
    let host = input.host;
    let user: BTreeSet<&Path> = host.mounts.iter().map(Wanted::target).collect();
    let mut later: Vec<Mount> = Vec::new();
    later.extend(shm(input));
    let etc = input.etc;
    for (path, file) in
        [("/etc/resolv.conf", etc.resolv_conf), ("/etc/hostname", etc.hostname), ("/etc/hosts", etc.hosts)]
    {
        let mut options = vec!["rbind", "rprivate"];
        if host.read_only {
            options.push("ro");
        }
        later.push(mount(path, "bind", Some(file), &options));
    }
    if host.init {
        later.push(mount(INIT_TARGET, "bind", Some(input.init_program), &["bind", "ro"]));
    }
    later.extend(input.birth.map(|record| mount(BIRTH_TARGET, "bind", Some(record), &["bind", "ro"])));
    let mut all: Vec<Mount> = system(input);
    let hides = |mount: &Mount| {
        let path = mount.destination.as_path();
        user.contains(path) || (user.contains(Path::new("/dev")) && path.starts_with("/dev/"))
    };
    all.retain(|mount| !hides(mount));
    later.retain(|mount| !hides(mount));
    later.extend(host.mounts.iter().map(|mount| wanted(mount, input.volumes)));
    later.sort_by_key(|mount| mount.destination.components().count());
    all.extend(later);
    all
}

fn system(input: &Input<'_>) -> Vec<Mount> {
    let privileged = input.host.privileged;
    let own = |path: &str, kind: &str, options: &[&str]| mount(path, kind, Some(Path::new(kind)), options);
    let with_ro = |options: &[&'static str]| {
        let mut options = options.to_vec();
        if !privileged {
            options.push("ro");
        }
        options
    };
    vec![
        own("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        own("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        own(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        own("/sys", "sysfs", &with_ro(&["nosuid", "noexec", "nodev"])),
        own("/sys/fs/cgroup", "cgroup", &with_ro(&["nosuid", "noexec", "nodev"])),
        own("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ]
}

fn shm(input: &Input<'_>) -> Option<Mount> {
    match (&input.host.ipc, input.shm) {
        (IpcMode::None, _) => None,
        (_, Some(source)) => Some(mount("/dev/shm", "bind", Some(source), &["rbind", "rprivate"])),
        (_, None) => {
            let size = format!("size={}", input.host.shm_size_bytes);
            let options = ["nosuid", "noexec", "nodev", "mode=1777", &size];
            Some(mount("/dev/shm", "tmpfs", Some(Path::new("shm")), &options))
        }
    }
}

fn wanted(wanted: &Wanted, volumes: &BTreeMap<String, PathBuf>) -> Mount {
    match wanted {
        Wanted::Bind { source, target, read_only, propagation, non_recursive, read_only_depth, .. } => {
            let mut options = vec![if *non_recursive { "bind" } else { "rbind" }];
            match (read_only, non_recursive, read_only_depth) {
                (true, true, _) | (true, false, ReadOnlyDepth::Single) => options.push("ro"),
                // Docker since 25: read-only means the mounts below it too.
                (true, false, ReadOnlyDepth::WherePossible | ReadOnlyDepth::Forced) => options.push("rro"),
                (false, ..) => {}
            }
            options.push(if propagation.is_empty() { "rprivate" } else { propagation });
            mount(target, "bind", Some(source), &options)
        }
        Wanted::Volume(volume) => {
            // One that is not known fails when its source is opened: by its name, not somewhere else.
            let source =
                volumes.get(&volume.name).cloned().unwrap_or_else(|| PathBuf::from("/dev/null/volume"));
            let mut options = vec!["rbind", "rprivate"];
            if volume.read_only {
                options.push("rro");
            }
            mount(&volume.target, "bind", Some(&source), &options)
        }
        Wanted::Tmpfs { target, options, .. } => {
            let mut all = vec!["noexec", "nosuid", "nodev"];
            for option in options.split(',').filter(|option| !option.is_empty()) {
                // A later option is the opposite of an earlier one: the later one counts.
                let opposite = opposite(option);
                all.retain(|known| Some(*known) != opposite.as_deref() && *known != option);
                all.push(option);
            }
            mount(target, "tmpfs", Some(Path::new("tmpfs")), &all)
        }
    }
}

fn opposite(option: &str) -> Option<String> {
    match option {
        "exec" | "suid" | "dev" => Some(format!("no{option}")),
        "noexec" | "nosuid" | "nodev" => option.strip_prefix("no").map(str::to_owned),
        "ro" => Some("rw".to_owned()),
        "rw" => Some("ro".to_owned()),
        _ => None,
    }
}

fn mount(destination: impl Into<PathBuf>, fs_type: &str, source: Option<&Path>, options: &[&str]) -> Mount {
    Mount {
        destination: destination.into(),
        fs_type: fs_type.to_owned(),
        source: source.map(Path::to_owned),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        uid_mappings: Vec::new(),
        gid_mappings: Vec::new(),
    }
}

/// Returns the paths that a container cannot read.
///
/// # Source
/// Behaviour of Docker 28.5, with the per-CPU files that it masks where they exist.
pub(super) fn masked_paths(thermal_throttle: &[String]) -> Vec<String> {
    MASKED_PATHS.iter().map(|path| (*path).to_owned()).chain(thermal_throttle.iter().cloned()).collect()
}

/// Returns the paths that a container cannot write.
pub(super) fn readonly_paths() -> Vec<String> {
    READONLY_PATHS.iter().map(|path| (*path).to_owned()).collect()
}
