//! Facts about this machine and this engine, as `info` and `version` report them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What `info` tells about this engine and cannot find out itself.
#[derive(Debug, Clone)]
pub struct System {
    /// The engine's lasting id.
    pub id: String,
    /// The data root.
    pub data_root: PathBuf,
    /// The snapshot driver's name.
    pub driver: String,
    /// Facts about the snapshot driver: name and value.
    pub driver_status: Vec<[String; 2]>,
    /// Limits that this machine can enforce.
    pub limits: cgroup::Limits,
    /// Mirrors of Docker Hub.
    pub registry_mirrors: Vec<String>,
    /// Registries without TLS: hosts, and networks in CIDR form.
    pub insecure_registries: Vec<String>,
    /// The log driver of containers that name none.
    pub log_driver: String,
    /// How it is configured, defaults included.
    pub log_options: BTreeMap<String, String>,
    /// The engine's labels.
    pub labels: Vec<String>,
    /// Whether debug output is on.
    pub debug: bool,
    /// The engine's proxies: HTTP, HTTPS, and the hosts that are reached directly.
    pub proxies: [String; 3],
}

/// What the kernel and the distribution tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kernel: String,
    pub(crate) hostname: String,
    pub(crate) operating_system: String,
    pub(crate) os_version: String,
    pub(crate) memory_bytes: i64,
    pub(crate) cpus: i64,
    pub(crate) open_files: i64,
    pub(crate) ipv4_forwarding: bool,
    pub(crate) seccomp: bool,
}

/// Reads the facts; what cannot be read stays empty.
pub(crate) fn read_facts() -> Facts {
    let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let os_release = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    Facts {
        kernel: kernel_version(),
        hostname: line("/proc/sys/kernel/hostname"),
        operating_system: os_release_value(&os_release, "PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned()),
        os_version: os_release_value(&os_release, "VERSION_ID").unwrap_or_default(),
        memory_bytes: total_memory(&line("/proc/meminfo")),
        cpus: std::thread::available_parallelism().map_or(1, |n| i64::try_from(n.get()).unwrap_or(i64::MAX)),
        open_files: fs::read_dir("/proc/self/fd")
            .map_or(0, |entries| i64::try_from(entries.count()).unwrap_or(0)),
        ipv4_forwarding: line("/proc/sys/net/ipv4/ip_forward") == "1",
        seccomp: Path::new("/proc/sys/kernel/seccomp").exists(),
    }
}

/// Returns the kernel's version.
pub(crate) fn kernel_version() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Returns Go's name of the processor architecture.
pub(crate) fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Reads one variable of an os-release file.
///
/// # Source
/// man 5 os-release.
fn os_release_value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    let value = line.trim();
    let bare = [('"', '"'), ('\'', '\'')]
        .iter()
        .find_map(|(open, close)| value.strip_prefix(*open)?.strip_suffix(*close))
        .unwrap_or(value);
    Some(bare.to_owned())
}

/// Reads `MemTotal:  24684084 kB` out of /proc/meminfo, in bytes.
fn total_memory(meminfo: &str) -> i64 {
    meminfo
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()
        })
        .and_then(|kib| kib.checked_mul(1024))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_lose_their_quotes() {
        let text = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID='12'\nX=\n";
        assert_eq!(os_release_value(text, "PRETTY_NAME").as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(os_release_value(text, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(os_release_value(text, "ID").as_deref(), Some("debian"));
        assert_eq!(os_release_value(text, "NAME"), None);
    }

    #[test]
    fn total_memory_is_read_in_bytes() {
        assert_eq!(total_memory("MemTotal:       24684084 kB\nMemFree: 1 kB\n"), 25_276_502_016);
        assert_eq!(total_memory(""), 0);
    }

    #[test]
    fn facts_of_this_machine_are_there() {
        let facts = read_facts();
        assert!(facts.memory_bytes > 0 && facts.cpus > 0 && facts.open_files > 2);
        assert!(!facts.kernel.is_empty() && !facts.operating_system.is_empty());
    }
}
