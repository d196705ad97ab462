//! Samples of resource use → wire.

use cgroup::BlockEntry;
use container::view::{InterfaceCounters, StatsSample, Usage};
use refs::Timestamp;
use wire::stats::{Blkio, BlkioEntry, Cpu, CpuUsage, Interface, Memory, Pids, Stats, Throttling};

/// Returns a sample; all zero for a container that does not run.
pub(crate) fn stats(sample: &StatsSample) -> Stats {
    let mut stats = Stats {
        name: format!("/{}", sample.name),
        id: sample.id.as_str().to_owned(),
        read: wire::go::ZERO_TIME.to_owned(),
        preread: wire::go::ZERO_TIME.to_owned(),
        ..Default::default()
    };
    if let Some(previous) = &sample.previous {
        stats.preread = previous.read_at.rfc3339();
        stats.precpu_stats = cpu(previous);
    }
    let Some(current) = &sample.current else { return stats };
    stats.read = Timestamp::rfc3339(current.read_at);
    stats.pids_stats =
        Pids { current: current.cgroup.pids.current, limit: current.cgroup.pids.limit.unwrap_or_default() };
    stats.blkio_stats = Blkio {
        io_service_bytes_recursive: Some(current.cgroup.block.bytes.iter().map(entry).collect()),
        io_serviced_recursive: Some(current.cgroup.block.operations.iter().map(entry).collect()),
        ..Default::default()
    };
    stats.cpu_stats = cpu(current);
    stats.memory_stats = memory(current);
    stats.networks = (!current.interfaces.is_empty()).then(|| {
        current.interfaces.iter().map(|(name, counters)| (name.clone(), interface(counters))).collect()
    });
    stats
}

fn cpu(usage: &Usage) -> Cpu {
    let cpu = &usage.cgroup.cpu;
    Cpu {
        cpu_usage: CpuUsage {
            total_usage: cpu.usage_ns,
            percpu_usage: (!cpu.per_cpu_ns.is_empty()).then(|| cpu.per_cpu_ns.clone()),
            usage_in_kernelmode: cpu.system_ns,
            usage_in_usermode: cpu.user_ns,
        },
        system_cpu_usage: usage.system_cpu_ns,
        online_cpus: usage.online_cpus,
        throttling_data: Throttling {
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled_ns,
        },
    }
}

fn memory(usage: &Usage) -> Memory {
    let memory = &usage.cgroup.memory;
    Memory {
        usage: memory.usage_bytes,
        max_usage: memory.max_usage_bytes,
        stats: (!memory.details.is_empty()).then(|| memory.details.clone()),
        failcnt: memory.failures,
        // Without a limit the kernel names a number beyond all memory.
        limit: memory.limit_bytes.min(usage.host_memory_bytes),
    }
}

fn entry(entry: &BlockEntry) -> BlkioEntry {
    BlkioEntry { major: entry.major, minor: entry.minor, op: entry.operation.clone(), value: entry.value }
}

fn interface(counters: &InterfaceCounters) -> Interface {
    Interface {
        rx_bytes: counters.rx_bytes,
        rx_packets: counters.rx_packets,
        rx_errors: counters.rx_errors,
        rx_dropped: counters.rx_dropped,
        tx_bytes: counters.tx_bytes,
        tx_packets: counters.tx_packets,
        tx_errors: counters.tx_errors,
        tx_dropped: counters.tx_dropped,
    }
}
