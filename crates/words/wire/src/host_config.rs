//! How the host runs a container.

use crate::go::{self, null, null_values, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the host runs a container.
///
/// # Source
/// Engine API v1.51 `HostConfig`; field order of moby `api/types/container/hostconfig.go`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfig {
    /// `source:target[:mode]`.
    pub binds: Option<Vec<String>>,
    /// Where the client wrote the id.
    #[serde(rename = "ContainerIDFile", deserialize_with = "null")]
    pub container_id_file: String,
    /// Where output is logged.
    #[serde(deserialize_with = "null")]
    pub log_config: LogConfig,
    /// `default`, `bridge`, `host`, `none`, `container:x`, or a network's name.
    #[serde(deserialize_with = "null")]
    pub network_mode: String,
    /// Published ports.
    pub port_bindings: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
    /// What happens when the container ends.
    #[serde(deserialize_with = "null")]
    pub restart_policy: RestartPolicy,
    /// The container is removed when it ends.
    #[serde(deserialize_with = "null")]
    pub auto_remove: bool,
    /// The driver of volumes made for it.
    #[serde(deserialize_with = "null")]
    pub volume_driver: String,
    /// Containers whose volumes are mounted.
    pub volumes_from: Option<Vec<String>>,
    /// Rows and columns of the terminal.
    #[serde(deserialize_with = "null")]
    pub console_size: [u32; 2],
    /// Annotations.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "go::is_empty_map")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Capabilities to add.
    #[serde(deserialize_with = "words")]
    pub cap_add: Option<Vec<String>>,
    /// Capabilities to drop.
    #[serde(deserialize_with = "words")]
    pub cap_drop: Option<Vec<String>>,
    /// `private`, `host`; empty for the engine's default.
    #[serde(deserialize_with = "null")]
    pub cgroupns_mode: String,
    /// Name servers.
    pub dns: Option<Vec<String>>,
    /// Resolver options.
    pub dns_options: Option<Vec<String>>,
    /// Search domains.
    pub dns_search: Option<Vec<String>>,
    /// `name:address`.
    pub extra_hosts: Option<Vec<String>>,
    /// Supplementary groups.
    pub group_add: Option<Vec<String>>,
    /// `none`, `private`, `shareable`, `host`, `container:x`.
    #[serde(deserialize_with = "null")]
    pub ipc_mode: String,
    /// A cgroup to join.
    #[serde(deserialize_with = "null")]
    pub cgroup: String,
    /// Legacy links.
    pub links: Option<Vec<String>>,
    /// -1000 to 1000.
    #[serde(deserialize_with = "null")]
    pub oom_score_adj: i64,
    /// `host`, `container:x`, or empty.
    #[serde(deserialize_with = "null")]
    pub pid_mode: String,
    /// All capabilities and devices.
    #[serde(deserialize_with = "null")]
    pub privileged: bool,
    /// Publish all exposed ports.
    #[serde(deserialize_with = "null")]
    pub publish_all_ports: bool,
    /// The root file system is read-only.
    #[serde(deserialize_with = "null")]
    pub readonly_rootfs: bool,
    /// Security options.
    pub security_opt: Option<Vec<String>>,
    /// Options of the snapshot driver.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "go::is_empty_map")]
    pub storage_opt: Option<BTreeMap<String, String>>,
    /// tmpfs mounts: options by path.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "go::is_empty_map")]
    pub tmpfs: Option<BTreeMap<String, String>>,
    /// `host` or empty.
    #[serde(rename = "UTSMode", deserialize_with = "null")]
    pub uts_mode: String,
    /// `host` or empty.
    #[serde(deserialize_with = "null")]
    pub userns_mode: String,
    /// Bytes of /dev/shm.
    #[serde(deserialize_with = "null")]
    pub shm_size: i64,
    /// Kernel parameters.
    #[serde(deserialize_with = "null_values", skip_serializing_if = "go::is_empty_map")]
    pub sysctls: Option<BTreeMap<String, String>>,
    /// The OCI runtime's name.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub runtime: String,
    /// Windows.
    #[serde(deserialize_with = "null")]
    pub isolation: String,
    /// Relative weight.
    #[serde(deserialize_with = "null")]
    pub cpu_shares: i64,
    /// Bytes.
    #[serde(deserialize_with = "null")]
    pub memory: i64,
    /// Billionths of a CPU.
    #[serde(deserialize_with = "null")]
    pub nano_cpus: i64,
    /// The parent cgroup.
    #[serde(deserialize_with = "null")]
    pub cgroup_parent: String,
    /// Block IO weight.
    #[serde(deserialize_with = "null")]
    pub blkio_weight: u16,
    /// Per device.
    pub blkio_weight_device: Option<Vec<WeightDevice>>,
    /// Per device.
    pub blkio_device_read_bps: Option<Vec<ThrottleDevice>>,
    /// Per device.
    pub blkio_device_write_bps: Option<Vec<ThrottleDevice>>,
    /// Per device.
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub blkio_device_read_iops: Option<Vec<ThrottleDevice>>,
    /// Per device.
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub blkio_device_write_iops: Option<Vec<ThrottleDevice>>,
    /// Microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_period: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_quota: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_realtime_period: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_realtime_runtime: i64,
    /// `0-2,4`.
    #[serde(deserialize_with = "null")]
    pub cpuset_cpus: String,
    /// `0-2,4`.
    #[serde(deserialize_with = "null")]
    pub cpuset_mems: String,
    /// Devices.
    pub devices: Option<Vec<DeviceMapping>>,
    /// `c 1:3 rwm`.
    pub device_cgroup_rules: Option<Vec<String>>,
    /// Devices by capability (`--gpus`).
    pub device_requests: Option<Vec<DeviceRequest>>,
    /// Deprecated.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub kernel_memory: i64,
    /// Deprecated.
    #[serde(rename = "KernelMemoryTCP", deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub kernel_memory_tcp: i64,
    /// Bytes.
    #[serde(deserialize_with = "null")]
    pub memory_reservation: i64,
    /// Bytes.
    #[serde(deserialize_with = "null")]
    pub memory_swap: i64,
    /// 0 to 100; -1 and null for the kernel's.
    pub memory_swappiness: Option<i64>,
    /// The OOM killer is off.
    pub oom_kill_disable: Option<bool>,
    /// Processes; 0, -1 and null for no limit.
    pub pids_limit: Option<i64>,
    /// Limits per process.
    pub ulimits: Option<Vec<Ulimit>>,
    /// Windows.
    #[serde(deserialize_with = "null")]
    pub cpu_count: i64,
    /// Windows.
    #[serde(deserialize_with = "null")]
    pub cpu_percent: i64,
    /// Windows.
    #[serde(rename = "IOMaximumIOps", deserialize_with = "null")]
    pub io_maximum_iops: u64,
    /// Windows.
    #[serde(rename = "IOMaximumBandwidth", deserialize_with = "null")]
    pub io_maximum_bandwidth: u64,
    /// Mounts in their long form.
    #[serde(skip_serializing_if = "go::is_empty_list")]
    pub mounts: Option<Vec<Mount>>,
    /// Masked paths; null for the default.
    pub masked_paths: Option<Vec<String>>,
    /// Read-only paths; null for the default.
    pub readonly_paths: Option<Vec<String>>,
    /// An init process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
}

/// Where output is logged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfig {
    /// The driver; empty for the engine's default.
    #[serde(rename = "Type", deserialize_with = "null")]
    pub driver: String,
    /// Its options.
    #[serde(deserialize_with = "null_values")]
    pub config: Option<BTreeMap<String, String>>,
}

/// What happens when the container ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped`, `on-failure`, or empty.
    #[serde(deserialize_with = "null")]
    pub name: String,
    /// For `on-failure`.
    #[serde(deserialize_with = "null")]
    pub maximum_retry_count: i64,
}

/// A published port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PortBinding {
    /// An address of the host; empty for all.
    #[serde(deserialize_with = "null")]
    pub host_ip: String,
    /// A port, a range, or empty for any.
    #[serde(deserialize_with = "null")]
    pub host_port: String,
}

/// A weight of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WeightDevice {
    /// Path of the device.
    #[serde(deserialize_with = "null")]
    pub path: String,
    /// The weight.
    #[serde(deserialize_with = "null")]
    pub weight: u16,
}

/// A rate of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ThrottleDevice {
    /// Path of the device.
    #[serde(deserialize_with = "null")]
    pub path: String,
    /// The rate.
    #[serde(deserialize_with = "null")]
    pub rate: u64,
}

/// A device of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceMapping {
    /// Path on the host.
    #[serde(deserialize_with = "null")]
    pub path_on_host: String,
    /// Path in the container.
    #[serde(deserialize_with = "null")]
    pub path_in_container: String,
    /// Some of `rwm`.
    #[serde(deserialize_with = "null")]
    pub cgroup_permissions: String,
}

/// Devices by capability.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceRequest {
    /// The driver.
    #[serde(deserialize_with = "null")]
    pub driver: String,
    /// How many, -1 for all.
    #[serde(deserialize_with = "null")]
    pub count: i64,
    /// Which.
    #[serde(rename = "DeviceIDs")]
    pub device_ids: Option<Vec<String>>,
    /// Alternatives of capability sets.
    pub capabilities: Option<Vec<Vec<String>>>,
    /// Options of the driver.
    #[serde(deserialize_with = "null_values")]
    pub options: Option<BTreeMap<String, String>>,
}

/// A limit per process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ulimit {
    /// `nofile`.
    #[serde(deserialize_with = "null")]
    pub name: String,
    /// The hard limit.
    #[serde(deserialize_with = "null")]
    pub hard: i64,
    /// The soft limit.
    #[serde(deserialize_with = "null")]
    pub soft: i64,
}

/// A mount in its long form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`, `image`, `cluster`, `npipe`.
    #[serde(rename = "Type", deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub kind: String,
    /// What is mounted.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub source: String,
    /// Where.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub target: String,
    /// Not writable.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub read_only: bool,
    /// `default`, `consistent`, `cached`, `delegated`: without effect on Linux.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub consistency: String,
    /// For binds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_options: Option<BindOptions>,
    /// For volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_options: Option<crate::volume::VolumeOptions>,
    /// For images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_options: Option<serde_json::Value>,
    /// For tmpfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmpfs_options: Option<TmpfsOptions>,
    /// For cluster volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_options: Option<serde_json::Value>,
}

/// Options of a bind mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct BindOptions {
    /// `rprivate`, …
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub propagation: String,
    /// Mounts below are left out.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub non_recursive: bool,
    /// A missing source is made.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub create_mountpoint: bool,
    /// Mounts below stay writable.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub read_only_non_recursive: bool,
    /// Mounts below must become read-only.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub read_only_force_recursive: bool,
}

/// Options of a tmpfs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TmpfsOptions {
    /// Bytes.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub size_bytes: i64,
    /// Permission bits.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub mode: u32,
    /// `[key, value]` or `[flag]`.
    #[serde(skip_serializing_if = "go::is_empty_list")]
    pub options: Option<Vec<Vec<String>>>,
}
