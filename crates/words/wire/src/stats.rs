//! `GET /containers/{id}/stats`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One sample.
///
/// # Source
/// Engine API v1.51 `ContainerStatsResponse`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The name with a leading slash.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The full id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// When the sample was taken.
    pub read: String,
    /// When the sample before was taken.
    pub preread: String,
    /// Processes.
    pub pids_stats: Pids,
    /// Block IO.
    pub blkio_stats: Blkio,
    /// Windows.
    pub num_procs: u32,
    /// Windows.
    pub storage_stats: crate::go::Empty,
    /// CPU time.
    pub cpu_stats: Cpu,
    /// CPU time in the sample before.
    pub precpu_stats: Cpu,
    /// Memory.
    pub memory_stats: Memory,
    /// Interfaces.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_map")]
    pub networks: Option<BTreeMap<String, Interface>>,
}

/// Processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pids {
    /// How many there are.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub current: u64,
    /// How many there may be.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub limit: u64,
}

/// Block IO.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Blkio {
    /// Bytes by device and operation.
    pub io_service_bytes_recursive: Option<Vec<BlkioEntry>>,
    /// Operations.
    pub io_serviced_recursive: Option<Vec<BlkioEntry>>,
    /// Operations in the queue.
    pub io_queue_recursive: Option<Vec<BlkioEntry>>,
    /// Time.
    pub io_service_time_recursive: Option<Vec<BlkioEntry>>,
    /// Time in the queue.
    pub io_wait_time_recursive: Option<Vec<BlkioEntry>>,
    /// Merged operations.
    pub io_merged_recursive: Option<Vec<BlkioEntry>>,
    /// Time.
    pub io_time_recursive: Option<Vec<BlkioEntry>>,
    /// Sectors.
    pub sectors_recursive: Option<Vec<BlkioEntry>>,
}

/// One value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlkioEntry {
    /// Of the device.
    pub major: u64,
    /// Of the device.
    pub minor: u64,
    /// `read`, `write`, …
    pub op: String,
    /// The value.
    pub value: u64,
}

/// CPU time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// The container's.
    pub cpu_usage: CpuUsage,
    /// The host's, in nanoseconds.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub system_cpu_usage: u64,
    /// The host's CPUs.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub online_cpus: u32,
    /// Throttling.
    pub throttling_data: Throttling,
}

/// CPU time of a container in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// In all.
    pub total_usage: u64,
    /// By CPU; cgroup v1 only.
    #[serde(skip_serializing_if = "crate::go::is_empty_list")]
    pub percpu_usage: Option<Vec<u64>>,
    /// In the kernel.
    pub usage_in_kernelmode: u64,
    /// Outside the kernel.
    pub usage_in_usermode: u64,
}

/// Throttling by CFS quota.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttling {
    /// Periods.
    pub periods: u64,
    /// Periods in which it was throttled.
    pub throttled_periods: u64,
    /// Nanoseconds.
    pub throttled_time: u64,
}

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Page cache included.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub usage: u64,
    /// The highest usage; cgroup v1 only.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub max_usage: u64,
    /// The kernel's own names: `memory.stat`.
    #[serde(skip_serializing_if = "crate::go::is_empty_map")]
    pub stats: Option<BTreeMap<String, u64>>,
    /// How often the limit was hit.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub failcnt: u64,
    /// The limit; the host's memory if none.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub limit: u64,
}

/// Counters of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Received.
    pub rx_bytes: u64,
    /// Received.
    pub rx_packets: u64,
    /// Received.
    pub rx_errors: u64,
    /// Received.
    pub rx_dropped: u64,
    /// Sent.
    pub tx_bytes: u64,
    /// Sent.
    pub tx_packets: u64,
    /// Sent.
    pub tx_errors: u64,
    /// Sent.
    pub tx_dropped: u64,
}
