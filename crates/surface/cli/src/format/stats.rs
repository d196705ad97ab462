//! Rows of `stats`.

use wire::stats::{Blkio, Cpu, Memory, Stats};

use super::container::Width;
use super::{Columns, short_id};

/// What `stats` shows unless told otherwise.
pub(crate) const TABLE: &str = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

/// The columns of `stats`.
pub(crate) const COLUMNS: Columns = Columns {
    type_name: "*container.statsContext",
    headers: &[
        ("Container", "CONTAINER"),
        ("Name", "NAME"),
        ("ID", "CONTAINER ID"),
        ("CPUPerc", "CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET I/O"),
        ("BlockIO", "BLOCK I/O"),
        ("PIDs", "PIDS"),
    ],
    nulls: &[],
};

const UNKNOWN: &str = "--";

/// Returns the fields of a row; `asked` is what the user called the container. Without a sample the numbers are unknown.
pub(crate) fn row(asked: &str, sample: Option<&Stats>, width: Width) -> [(&'static str, String); 9] {
    let Some(stats) = sample else {
        let unknown = || UNKNOWN.to_owned();
        return [
            ("Container", asked.to_owned()),
            ("Name", unknown()),
            ("ID", String::new()),
            ("CPUPerc", unknown()),
            ("MemUsage", "-- / --".to_owned()),
            ("MemPerc", unknown()),
            ("NetIO", unknown()),
            ("BlockIO", unknown()),
            ("PIDs", unknown()),
        ];
    };
    let id = match width {
        Width::Short => short_id(&stats.id).to_owned(),
        Width::Full => stats.id.clone(),
    };
    let name = stats.name.strip_prefix('/').unwrap_or(&stats.name);
    let memory = memory_without_cache(&stats.memory_stats);
    let limit = stats.memory_stats.limit as f64;
    let networks = stats.networks.iter().flatten();
    let (received, sent) =
        networks.fold((0.0, 0.0), |(rx, tx), (_, n)| (rx + n.rx_bytes as f64, tx + n.tx_bytes as f64));
    let (read, written) = block_io(&stats.blkio_stats);
    let pair = |a: f64, b: f64| {
        let size = |bytes| refs::human_size_with_precision(bytes, 3);
        format!("{} / {}", size(a), size(b))
    };
    [
        ("Container", asked.to_owned()),
        ("Name", if name.is_empty() { UNKNOWN.to_owned() } else { name.to_owned() }),
        ("ID", id),
        ("CPUPerc", percent(cpu_percent(&stats.precpu_stats, &stats.cpu_stats))),
        ("MemUsage", format!("{} / {}", refs::bytes_size(memory), refs::bytes_size(limit))),
        ("MemPerc", percent(if limit > 0.0 { memory / limit * 100.0 } else { 0.0 })),
        ("NetIO", pair(received, sent)),
        ("BlockIO", pair(read, written)),
        ("PIDs", stats.pids_stats.current.to_string()),
    ]
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

fn cpu_percent(before: &Cpu, now: &Cpu) -> f64 {
    let used = now.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
    let passed = now.system_cpu_usage as f64 - before.system_cpu_usage as f64;
    let cpus = match now.online_cpus {
        0 => now.cpu_usage.percpu_usage.as_ref().map_or(0, Vec::len) as f64,
        cpus => f64::from(cpus),
    };
    if used > 0.0 && passed > 0.0 { used / passed * cpus * 100.0 } else { 0.0 }
}

/// The page cache that the kernel can drop at once is not counted. cgroup v1 and v2 call it differently.
fn memory_without_cache(memory: &Memory) -> f64 {
    let stat = |name: &str| memory.stats.as_ref().and_then(|stats| stats.get(name)).copied();
    for name in ["total_inactive_file", "inactive_file"] {
        if let Some(cache) = stat(name)
            && cache < memory.usage
        {
            return (memory.usage - cache) as f64;
        }
    }
    memory.usage as f64
}

fn block_io(blkio: &Blkio) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for entry in blkio.io_service_bytes_recursive.iter().flatten() {
        match entry.op.as_bytes().first() {
            Some(b'r' | b'R') => sums.0 += entry.value as f64,
            Some(b'w' | b'W') => sums.1 += entry.value as f64,
            _ => {}
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use wire::stats::{BlkioEntry, Interface};

    fn sample() -> Stats {
        let mut stats = Stats { name: "/web".into(), id: "0123456789abcdef".into(), ..Stats::default() };
        stats.precpu_stats.cpu_usage.total_usage = 100;
        stats.precpu_stats.system_cpu_usage = 1000;
        stats.cpu_stats.cpu_usage.total_usage = 150;
        stats.cpu_stats.system_cpu_usage = 1200;
        stats.cpu_stats.online_cpus = 2;
        stats.memory_stats.usage = 3 << 20;
        stats.memory_stats.limit = 8 << 20;
        stats.memory_stats.stats = Some(BTreeMap::from([("inactive_file".to_owned(), 1 << 20)]));
        stats.networks = Some(BTreeMap::from([(
            "eth0".to_owned(),
            Interface { rx_bytes: 1500, tx_bytes: 20, ..Interface::default() },
        )]));
        let entry = |op: &str, value| BlkioEntry { op: op.into(), value, ..BlkioEntry::default() };
        stats.blkio_stats.io_service_bytes_recursive = Some(vec![entry("read", 4096), entry("Write", 1)]);
        stats.pids_stats.current = 3;
        stats
    }

    #[test]
    fn numbers_are_dockers() {
        let row = row("web", Some(&sample()), Width::Short);
        let values: Vec<&str> = row.iter().map(|(_, value)| value.as_str()).collect();
        let expected = [
            "web",
            "web",
            "0123456789ab",
            "50.00%",
            "2MiB / 8MiB",
            "25.00%",
            "1.5kB / 20B",
            "4.1kB / 1B",
            "3",
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn first_sample_has_no_cpu_usage() {
        let mut stats = sample();
        stats.precpu_stats = Cpu::default();
        stats.cpu_stats = Cpu::default();
        assert_eq!(cpu_percent(&stats.precpu_stats, &stats.cpu_stats), 0.0);
    }

    #[test]
    fn missing_sample_shows_dashes() {
        let row = row("web", None, Width::Short);
        assert_eq!((row[1].1.as_str(), row[4].1.as_str()), ("--", "-- / --"));
    }
}
