//! Measuring a group: what `docker stats` shows, in one snapshot.

use crate::{Cgroup, Error, file};
use std::collections::BTreeMap;
use std::path::Path;

/// One snapshot of a group's consumption. A controller that the machine does not have leaves its part empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Processor time.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Processes.
    pub pids: PidsStats,
    /// Block devices.
    pub block: BlockStats,
}

/// Processor time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuStats {
    /// Nanoseconds used, user and system.
    pub usage_ns: u64,
    /// Nanoseconds in user mode.
    pub user_ns: u64,
    /// Nanoseconds in the kernel.
    pub system_ns: u64,
    /// Nanoseconds per CPU; empty on v2.
    pub per_cpu_ns: Vec<u64>,
    /// Enforcement intervals that have passed.
    pub periods: u64,
    /// Intervals in which the group was held back.
    pub throttled_periods: u64,
    /// Nanoseconds for which it was held back.
    pub throttled_ns: u64,
}

/// Memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Bytes in use, page cache included.
    pub usage_bytes: u64,
    /// The greatest usage so far; 0 where the kernel does not tell.
    pub max_usage_bytes: u64,
    /// The limit in bytes; `u64::MAX` on v2, a number near `i64::MAX` on v1, if there is none.
    pub limit_bytes: u64,
    /// How often the limit was hit.
    pub failures: u64,
    /// The lines of `memory.stat`.
    pub details: BTreeMap<String, u64>,
}

impl MemoryStats {
    /// Returns the usage without the page cache that could be dropped at once, as `docker stats` shows it.
    ///
    /// # Source
    /// docker/cli `cli/command/container/stats_helpers.go` `calculateMemUsageUnixNoCache`.
    pub fn working_set_bytes(&self) -> u64 {
        let cache = self.details.get("total_inactive_file").or_else(|| self.details.get("inactive_file"));
        match cache {
            Some(cache) if *cache < self.usage_bytes => self.usage_bytes - cache,
            _ => self.usage_bytes,
        }
    }
}

/// Processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PidsStats {
    /// Processes and threads now.
    pub current: u64,
    /// The limit; none without one.
    pub limit: Option<u64>,
}

/// Block devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockStats {
    /// Bytes transferred.
    pub bytes: Vec<BlockEntry>,
    /// Operations done.
    pub operations: Vec<BlockEntry>,
}

/// One counter of one block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// The device's major number.
    pub major: u64,
    /// The device's minor number.
    pub minor: u64,
    /// `Read`, `Write`, `Sync`, … on v1; `read`, `write` on v2, as Docker's API has them.
    pub operation: String,
    /// The count.
    pub value: u64,
}

impl Cgroup {
    /// Reads all counters.
    ///
    /// # Errors
    /// Internal if the group does not exist, or a file has an unknown form.
    pub fn stats(&self) -> Result<Stats, Error> {
        if self.v1.is_empty() {
            let directory = self.v2.as_deref().unwrap_or(Path::new("/")); // One of the two is always there.
            return v2(directory);
        }
        Ok(Stats {
            cpu: self.cpu_v1()?,
            memory: self.memory_v1()?,
            pids: self.pids_v1()?,
            block: self.block_v1()?,
        })
    }

    fn cpu_v1(&self) -> Result<CpuStats, Error> {
        let mut cpu = CpuStats::default();
        if let Some(directory) = self.controller("cpuacct") {
            cpu.usage_ns = file::read_number(&directory.join("cpuacct.usage"))?;
            let optional = |name| match file::read_optional(&directory.join(name)) {
                Ok(text) => Ok(text.unwrap_or_default()),
                Err(error) => Err(error),
            };
            cpu.user_ns = optional("cpuacct.usage_user")?.parse().unwrap_or(0); // Absent before Linux 4.6.
            cpu.system_ns = optional("cpuacct.usage_sys")?.parse().unwrap_or(0);
            let per_cpu = optional("cpuacct.usage_percpu")?;
            cpu.per_cpu_ns = per_cpu.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        }
        if let Some(directory) = self.controller("cpu") {
            let text = file::read(&directory.join("cpu.stat"))?;
            cpu.periods = file::key(&text, "nr_periods").unwrap_or(0);
            cpu.throttled_periods = file::key(&text, "nr_throttled").unwrap_or(0);
            cpu.throttled_ns = file::key(&text, "throttled_time").unwrap_or(0);
        }
        Ok(cpu)
    }

    fn memory_v1(&self) -> Result<MemoryStats, Error> {
        let Some(directory) = self.controller("memory") else { return Ok(MemoryStats::default()) };
        Ok(MemoryStats {
            usage_bytes: file::read_number(&directory.join("memory.usage_in_bytes"))?,
            max_usage_bytes: file::read_number(&directory.join("memory.max_usage_in_bytes"))?,
            limit_bytes: file::read_number(&directory.join("memory.limit_in_bytes"))?,
            failures: file::read_number(&directory.join("memory.failcnt"))?,
            details: details(&directory.join("memory.stat"))?,
        })
    }

    fn pids_v1(&self) -> Result<PidsStats, Error> {
        self.controller("pids").map_or_else(|| Ok(PidsStats::default()), pids)
    }

    fn block_v1(&self) -> Result<BlockStats, Error> {
        let Some(directory) = self.controller("blkio") else { return Ok(BlockStats::default()) };
        let read = |kind: &str| -> Result<Vec<BlockEntry>, Error> {
            for family in ["blkio.bfq", "blkio.throttle"] {
                let path = directory.join(format!("{family}.{kind}_recursive"));
                let entries = v1_entries(&file::read_optional(&path)?.unwrap_or_default());
                if !entries.is_empty() {
                    return Ok(entries);
                }
            }
            Ok(Vec::new())
        };
        Ok(BlockStats { bytes: read("io_service_bytes")?, operations: read("io_serviced")? })
    }
}

fn v2(directory: &Path) -> Result<Stats, Error> {
    let mut stats = Stats::default();
    let cpu = file::read(&directory.join("cpu.stat"))?;
    let micros = |key| file::key(&cpu, key).unwrap_or(0).saturating_mul(1000);
    stats.cpu = CpuStats {
        usage_ns: micros("usage_usec"),
        user_ns: micros("user_usec"),
        system_ns: micros("system_usec"),
        per_cpu_ns: Vec::new(),
        periods: file::key(&cpu, "nr_periods").unwrap_or(0),
        throttled_periods: file::key(&cpu, "nr_throttled").unwrap_or(0),
        throttled_ns: micros("throttled_usec"),
    };
    if directory.join("memory.current").exists() {
        let events = file::read(&directory.join("memory.events"))?;
        let peak = file::read_optional(&directory.join("memory.peak"))?; // Since Linux 5.19.
        stats.memory = MemoryStats {
            usage_bytes: file::read_number(&directory.join("memory.current"))?,
            max_usage_bytes: peak.and_then(|text| text.parse().ok()).unwrap_or(0),
            limit_bytes: file::read_number(&directory.join("memory.max"))?,
            failures: file::key(&events, "max").unwrap_or(0),
            details: details(&directory.join("memory.stat"))?,
        };
    }
    if directory.join("pids.current").exists() {
        stats.pids = pids(directory)?;
    }
    if let Some(text) = file::read_optional(&directory.join("io.stat"))? {
        stats.block = v2_entries(&text);
    }
    Ok(stats)
}

fn pids(directory: &Path) -> Result<PidsStats, Error> {
    let limit = file::read_number(&directory.join("pids.max"))?;
    Ok(PidsStats {
        current: file::read_number(&directory.join("pids.current"))?,
        limit: (limit != u64::MAX).then_some(limit),
    })
}

fn details(path: &Path) -> Result<BTreeMap<String, u64>, Error> {
    let text = file::read(path)?;
    Ok(file::keyed(&text).map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Parses `8:0 Read 4096`; the closing `Total 4096` has no device.
fn v1_entries(text: &str) -> Vec<BlockEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        Some(BlockEntry {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            operation: words.next()?.to_owned(),
            value: words.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(entry).collect()
}

/// Parses `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
fn v2_entries(text: &str) -> BlockStats {
    let mut stats = BlockStats::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, operation) = match key {
                "rbytes" => (&mut stats.bytes, "read"),
                "wbytes" => (&mut stats.bytes, "write"),
                "rios" => (&mut stats.operations, "read"),
                "wios" => (&mut stats.operations, "write"),
                _ => continue,
            };
            let Ok(value) = value.parse() else { continue };
            list.push(BlockEntry { major, minor, operation: operation.into(), value });
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &str, value: u64) -> BlockEntry {
        BlockEntry { major: 8, minor: 16, operation: operation.into(), value }
    }

    #[test]
    fn v1_entries_leave_the_total_out() {
        let text = "8:16 Read 4096\n8:16 Write 0\nTotal 4096\n";
        assert_eq!(v1_entries(text), [entry("Read", 4096), entry("Write", 0)]);
    }

    #[test]
    fn v2_entries_split_bytes_and_operations() {
        let stats = v2_entries("8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n254:0 \n");
        assert_eq!(stats.bytes, [entry("read", 10), entry("write", 20)]);
        assert_eq!(stats.operations, [entry("read", 1), entry("write", 2)]);
    }

    #[test]
    fn working_set_leaves_inactive_file_pages_out() {
        let with = |key: &str, cache| {
            let details = BTreeMap::from([(key.to_owned(), cache)]);
            MemoryStats { usage_bytes: 100, details, ..MemoryStats::default() }.working_set_bytes()
        };
        assert_eq!(
            (with("total_inactive_file", 30), with("inactive_file", 40), with("anon", 5)),
            (70, 60, 100)
        );
        assert_eq!(with("inactive_file", 200), 100);
    }
}
