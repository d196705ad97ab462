//! What the host can do, read once: the pure parts take it as a value.

use crate::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use sys::cred::Capabilities;
use sys::process::Limit;

/// What the host can do.
#[derive(Debug, Clone)]
pub(crate) struct HostFacts {
    /// Online CPUs.
    pub(crate) cpus: BTreeSet<u32>,
    /// Online memory nodes.
    pub(crate) memory_nodes: BTreeSet<u32>,
    /// Which cgroup limits can be enforced.
    pub(crate) limits: cgroup::Limits,
    /// Capabilities that a container can have at all: the engine's own bounding set.
    pub(crate) capabilities: Capabilities,
    /// The engine's own limits by name (`RLIMIT_NOFILE`).
    pub(crate) rlimits: BTreeMap<&'static str, u64>,
    /// The engine's own oom_score_adj: nothing may go below it without CAP_SYS_RESOURCE.
    pub(crate) oom_score_adj: i64,
    /// The host's name.
    pub(crate) hostname: String,
    /// Files below /sys that tell about heat, masked like Docker does (GHSA-6fw5-f8r9-fgfm).
    pub(crate) thermal_throttle: Vec<String>,
    /// The kernel's version.
    pub(crate) kernel: (u32, u32),
}

impl HostFacts {
    /// Looks at the host.
    pub(crate) fn read(cgroups: &cgroup::Cgroups) -> Result<Self, Error> {
        let cpus = parse_list(&read_trimmed("/sys/devices/system/cpu/online")).unwrap_or_else(|| [0].into());
        let memory_nodes =
            parse_list(&read_trimmed("/sys/devices/system/node/online")).unwrap_or_else(|| [0].into());
        let mut rlimits = BTreeMap::new();
        for (name, limit) in Limit::ALL {
            rlimits.insert(name, sys::process::limits(limit)?.hard);
        }
        let thermal_throttle = cpus
            .iter()
            .map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle"))
            .filter(|path| Path::new(path).exists())
            .collect();
        Ok(Self {
            cpus,
            memory_nodes,
            limits: cgroups.limits(),
            capabilities: sys::cred::bounding()?,
            rlimits,
            oom_score_adj: read_trimmed("/proc/self/oom_score_adj").parse().unwrap_or(0),
            hostname: read_trimmed("/proc/sys/kernel/hostname"),
            thermal_throttle,
            kernel: sys::probe::kernel(),
        })
    }

    /// Returns whether limits may be raised beyond the engine's own.
    pub(crate) fn may_raise(&self) -> bool {
        self.capabilities.contains(sys::cred::SYS_RESOURCE)
    }
}

/// A file that does not exist is an empty one: the caller has a default.
fn read_trimmed(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Reads a list as the kernel writes it: `0-2,4`.
pub(crate) fn parse_list(text: &str) -> Option<BTreeSet<u32>> {
    let mut set = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        if first > last || last > 8192 {
            return None;
        }
        set.extend(first..=last);
    }
    Some(set)
}

/// Writes a list as the kernel does.
pub(crate) fn format_list(set: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in set {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text =
        |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// A device of the host, found by looking at its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostDevice {
    /// Path in the container.
    pub(crate) path: PathBuf,
    pub(crate) kind: oci::runtime::DeviceType,
    pub(crate) major: i64,
    pub(crate) minor: i64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Some of `rwm`.
    pub(crate) permissions: String,
}

/// Returns values for tests.
#[cfg(test)]
pub(crate) fn example() -> HostFacts {
    HostFacts {
        cpus: [0, 1].into(),
        memory_nodes: [0].into(),
        limits: cgroup::Limits {
            v2: false,
            memory: true,
            swap: true,
            memory_reservation: true,
            oom_kill_disable: true,
            swappiness: true,
            kernel_memory_tcp: true,
            cpu_shares: true,
            cpu_cfs: true,
            cpu_realtime: false,
            cpuset: true,
            pids: true,
            block_weight: false,
            block_throttle: true,
            huge_pages: false,
            devices: true,
            freezer: true,
        },
        capabilities: Capabilities(0x1ff_ffff_ffff).without(sys::cred::SYS_RESOURCE),
        rlimits: [("RLIMIT_NOFILE", 20_000), ("RLIMIT_CORE", u64::MAX)].into(),
        oom_score_adj: 0,
        hostname: "host".into(),
        thermal_throttle: Vec::new(),
        kernel: (6, 18),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_like_the_kernels() {
        for (text, expected) in [("0", "0"), ("0-3", "0-3"), ("0,1,2,5", "0-2,5"), ("4,0-1", "0-1,4")] {
            assert_eq!(format_list(&parse_list(text).unwrap()), expected, "{text}");
        }
        for text in ["", "x", "3-1", "1,,2", "0-99999"] {
            assert_eq!(parse_list(text), None, "{text}");
        }
    }
}
