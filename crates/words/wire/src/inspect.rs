//! The answer to `GET /containers/{id}/json`.

use crate::container::Config;
use crate::host_config::{HostConfig, PortBinding};
use crate::network::EndpointSettings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container in full.
///
/// # Source
/// Engine API v1.51 `ContainerInspectResponse`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerInspect {
    /// The full id.
    pub id: String,
    /// When it was created.
    pub created: String,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How it stands.
    pub state: ContainerState,
    /// The image's id.
    pub image: String,
    /// The file that is mounted at /etc/resolv.conf; empty before the first start.
    pub resolv_conf_path: String,
    /// The file that is mounted at /etc/hostname.
    pub hostname_path: String,
    /// The file that is mounted at /etc/hosts.
    pub hosts_path: String,
    /// The log file.
    pub log_path: String,
    /// The name with a leading slash.
    pub name: String,
    /// Restarts by the policy.
    pub restart_count: i64,
    /// The snapshot driver.
    pub driver: String,
    /// `linux`.
    pub platform: String,
    /// SELinux.
    pub mount_label: String,
    /// SELinux.
    pub process_label: String,
    /// AppArmor.
    pub app_armor_profile: String,
    /// Execs that run.
    #[serde(rename = "ExecIDs")]
    pub exec_ids: Option<Vec<String>>,
    /// How the host runs it.
    pub host_config: HostConfig,
    /// Where its root file system lies.
    pub graph_driver: GraphDriver,
    /// Bytes of its writable layer; only with `size=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// Bytes of its root file system; only with `size=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<i64>,
    /// What is mounted.
    pub mounts: Vec<MountPoint>,
    /// What runs.
    pub config: Config,
    /// Its networks.
    pub network_settings: NetworkSettings,
}

/// How a container stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerState {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub status: String,
    /// It runs, or is paused, or waits for its restart.
    pub running: bool,
    /// It is paused.
    pub paused: bool,
    /// It waits for its restart.
    pub restarting: bool,
    /// The kernel killed it for want of memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Its removal failed.
    pub dead: bool,
    /// Its first process on the host; 0 if none.
    pub pid: i64,
    /// The last exit code.
    pub exit_code: i64,
    /// Why the last start failed.
    pub error: String,
    /// When it started last.
    pub started_at: String,
    /// When it ended last.
    pub finished_at: String,
    /// Its health, if it has a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// A container's health.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The last five results, the oldest first.
    pub log: Vec<HealthResult>,
}

/// How one health probe ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthResult {
    /// When it began.
    pub start: String,
    /// When it ended.
    pub end: String,
    /// 0 for success, -1 for one that could not be carried out in time.
    pub exit_code: i64,
    /// What it wrote.
    pub output: String,
}

/// Where a root file system lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GraphDriver {
    /// Paths, by the driver's own names.
    pub data: Option<BTreeMap<String, String>>,
    /// The driver.
    pub name: String,
}

/// Something that is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`.
    #[serde(rename = "Type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The volume's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// The volume's driver.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// The mode as the user gave it.
    pub mode: String,
    /// Writable.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// `rprivate`, …
    pub propagation: String,
}

/// A container's networks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkSettings {
    /// Unused.
    pub bridge: String,
    /// The network namespace's id.
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    /// The network namespace's path.
    pub sandbox_key: String,
    /// Published ports.
    pub ports: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
    /// Unused.
    pub hairpin_mode: bool,
    /// Unused.
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    /// Unused.
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: i64,
    /// Unused.
    #[serde(rename = "SecondaryIPAddresses")]
    pub secondary_ip_addresses: Option<Vec<String>>,
    /// Unused.
    #[serde(rename = "SecondaryIPv6Addresses")]
    pub secondary_ipv6_addresses: Option<Vec<String>>,
    /// That of the endpoint on the default bridge; likewise the seven next ones.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// See `endpoint_id`.
    pub gateway: String,
    /// See `endpoint_id`.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// See `endpoint_id`.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: i64,
    /// See `endpoint_id`.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// See `endpoint_id`.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: i64,
    /// See `endpoint_id`.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// See `endpoint_id`.
    pub mac_address: String,
    /// Endpoints by network name.
    pub networks: BTreeMap<String, EndpointSettings>,
}
