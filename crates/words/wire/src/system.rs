//! `GET /info`, `GET /version`, `GET /system/df`, `POST /auth`.

use crate::go::null;
use crate::image::ImageSummary;
use crate::list::ContainerSummary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer to `GET /version`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// The product.
    pub platform: Platform,
    /// The parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// The engine's version.
    pub version: String,
    /// The newest API version.
    pub api_version: String,
    /// The oldest API version.
    #[serde(rename = "MinAPIVersion", default, skip_serializing_if = "String::is_empty")]
    pub min_api_version: String,
    /// The source.
    pub git_commit: String,
    /// Go's version; empty for an engine that is not written in Go.
    pub go_version: String,
    /// `linux`.
    pub os: String,
    /// `amd64`, …
    pub arch: String,
    /// The kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kernel_version: String,
    /// Whether experiments are on.
    #[serde(default, skip_serializing_if = "crate::go::is_default")]
    pub experimental: bool,
    /// When it was built.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build_time: String,
}

/// See [`Version::platform`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Platform {
    /// The product's name.
    pub name: String,
}

/// A part of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// More.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_map")]
    pub details: Option<BTreeMap<String, String>>,
}

/// The answer to `GET /info`.
///
/// # Source
/// Engine API v1.51 `SystemInfo`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Info {
    /// The engine's id.
    #[serde(rename = "ID")]
    pub id: String,
    /// All containers.
    pub containers: i64,
    /// Those that run.
    pub containers_running: i64,
    /// Those that are paused.
    pub containers_paused: i64,
    /// The others.
    pub containers_stopped: i64,
    /// All images.
    pub images: i64,
    /// The snapshot driver.
    pub driver: String,
    /// Facts about it.
    pub driver_status: Option<Vec<[String; 2]>>,
    /// Facts about the system, of old drivers.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_list")]
    pub system_status: Option<Vec<[String; 2]>>,
    /// What is built in.
    pub plugins: Plugins,
    /// The kernel can limit memory.
    pub memory_limit: bool,
    /// The kernel can limit swap.
    pub swap_limit: bool,
    /// The kernel can limit TCP buffers.
    #[serde(rename = "KernelMemoryTCP", default, skip_serializing_if = "crate::go::is_default")]
    pub kernel_memory_tcp: bool,
    /// The kernel has CFS periods.
    pub cpu_cfs_period: bool,
    /// The kernel has CFS quotas.
    pub cpu_cfs_quota: bool,
    /// The kernel has CPU shares.
    #[serde(rename = "CPUShares")]
    pub cpu_shares: bool,
    /// The kernel has cpusets.
    #[serde(rename = "CPUSet")]
    pub cpu_set: bool,
    /// The kernel can limit processes.
    pub pids_limit: bool,
    /// The host forwards IPv4.
    #[serde(rename = "IPv4Forwarding")]
    pub ipv4_forwarding: bool,
    /// Debug output is on.
    pub debug: bool,
    /// The engine's open files.
    pub n_fd: i64,
    /// The OOM killer can be turned off.
    pub oom_kill_disable: bool,
    /// Goroutines; our tasks.
    pub n_goroutines: i64,
    /// The host's clock.
    pub system_time: String,
    /// The default logging driver.
    pub logging_driver: String,
    /// How it is configured, an extension of ours.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub logging_options: std::collections::BTreeMap<String, String>,
    /// `cgroupfs`.
    pub cgroup_driver: String,
    /// `1` or `2`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cgroup_version: String,
    /// Clients that listen to events.
    pub n_events_listener: i64,
    /// The kernel.
    pub kernel_version: String,
    /// The distribution.
    pub operating_system: String,
    /// The distribution's version.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub os_type: String,
    /// `x86_64`, …
    pub architecture: String,
    /// Docker Hub's.
    pub index_server_address: String,
    /// How registries are reached.
    pub registry_config: Option<RegistryConfig>,
    /// CPUs.
    #[serde(rename = "NCPU")]
    pub ncpu: i64,
    /// Bytes.
    pub mem_total: i64,
    /// Swarm.
    pub generic_resources: Option<Vec<serde_json::Value>>,
    /// The data root.
    pub docker_root_dir: String,
    /// The engine's proxy.
    pub http_proxy: String,
    /// The engine's proxy.
    pub https_proxy: String,
    /// The engine's proxy.
    pub no_proxy: String,
    /// The host's name.
    pub name: String,
    /// The engine's labels.
    pub labels: Option<Vec<String>>,
    /// Whether experiments are on.
    pub experimental_build: bool,
    /// The engine's version.
    pub server_version: String,
    /// OCI runtimes by name.
    pub runtimes: Option<BTreeMap<String, Runtime>>,
    /// The default one.
    pub default_runtime: String,
    /// Swarm.
    pub swarm: Swarm,
    /// Containers survive the engine.
    pub live_restore_enabled: bool,
    /// Windows.
    pub isolation: String,
    /// The program of `--init`.
    pub init_binary: String,
    /// Docker's parts; empty here.
    pub containerd_commit: Commit,
    /// Docker's parts; empty here.
    pub runc_commit: Commit,
    /// Docker's parts; empty here.
    pub init_commit: Commit,
    /// `name=seccomp,profile=builtin`.
    pub security_options: Option<Vec<String>>,
    /// The product's licence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub product_license: String,
    /// Pools that networks take their subnets from.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_list")]
    pub default_address_pools: Option<Vec<AddressPool>>,
    /// Who filters packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall_backend: Option<FirewallBackend>,
    /// CDI.
    #[serde(rename = "CDISpecDirs")]
    pub cdi_spec_dirs: Option<Vec<String>>,
    /// Docker's containerd; absent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containerd: Option<serde_json::Value>,
    /// What the user should know.
    pub warnings: Option<Vec<String>>,
}

/// What is built in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Plugins {
    /// Volume drivers.
    pub volume: Option<Vec<String>>,
    /// Network drivers.
    pub network: Option<Vec<String>>,
    /// Authorization plugins.
    pub authorization: Option<Vec<String>>,
    /// Logging drivers.
    pub log: Option<Vec<String>>,
}

/// How registries are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegistryConfig {
    /// By host.
    pub index_configs: BTreeMap<String, IndexConfig>,
    /// Networks whose registries need no TLS.
    #[serde(rename = "InsecureRegistryCIDRs")]
    pub insecure_registry_cidrs: Vec<String>,
    /// Mirrors of Docker Hub.
    pub mirrors: Option<Vec<String>>,
}

/// How one registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IndexConfig {
    /// Mirrors.
    pub mirrors: Vec<String>,
    /// The host.
    pub name: String,
    /// Docker Hub.
    pub official: bool,
    /// With TLS.
    pub secure: bool,
}

/// An OCI runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// The program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its arguments.
    #[serde(rename = "runtimeArgs", default, skip_serializing_if = "crate::go::is_empty_list")]
    pub runtime_args: Option<Vec<String>>,
    /// Facts by key.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_map")]
    pub status: Option<BTreeMap<String, String>>,
}

/// Swarm's part of the info.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Swarm {
    /// The node's id.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// The node's address.
    pub node_addr: String,
    /// `inactive`, …
    pub local_node_state: String,
    /// The node is a manager.
    pub control_available: bool,
    /// What is wrong.
    pub error: String,
    /// Other managers.
    pub remote_managers: Option<Vec<serde_json::Value>>,
}

/// The source of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its name.
    #[serde(rename = "ID")]
    pub id: String,
}

/// A pool of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddressPool {
    /// `172.17.0.0/12`.
    pub base: String,
    /// The prefix length of a network.
    pub size: i64,
}

/// Who filters packets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FirewallBackend {
    /// `iptables`, `nftables`.
    pub driver: String,
    /// Facts.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_list")]
    pub info: Option<Vec<[String; 2]>>,
}

/// The answer to `GET /system/df`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DiskUsage {
    /// Bytes of all layers.
    #[serde(default, skip_serializing_if = "crate::go::is_default")]
    pub layers_size: i64,
    /// Images; absent if not asked for.
    #[serde(default)]
    pub images: Option<Vec<ImageSummary>>,
    /// Containers.
    #[serde(default)]
    pub containers: Option<Vec<ContainerSummary>>,
    /// Volumes.
    #[serde(default)]
    pub volumes: Option<Vec<crate::volume::Volume>>,
    /// The build cache.
    #[serde(default)]
    pub build_cache: Option<Vec<serde_json::Value>>,
    /// What the data root takes on its file system. An extension of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_root: Option<Vec<DataRootShare>>,
}

/// A part of what the data root takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataRootShare {
    /// What it is for.
    pub name: String,
    /// Bytes on the disk.
    pub size: i64,
}

/// The answer to `POST /system/check`, an extension of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckReport {
    /// What is wrong.
    pub problems: Vec<CheckProblem>,
    /// Names of images that were found again.
    pub rebuilt: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckProblem {
    /// What it is about.
    pub what: String,
    /// What is wrong.
    pub flaw: String,
    /// What was done about it; empty if nothing was.
    pub repaired: String,
}

/// The body of `POST /auth` and of the `X-Registry-Auth` header.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// User name.
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Password.
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// Base64 of `user:password`.
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub auth: String,
    /// The registry.
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub serveraddress: String,
    /// A refresh token.
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub identitytoken: String,
    /// A bearer token.
    #[serde(deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub registrytoken: String,
}

impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthConfig").field("serveraddress", &self.serveraddress).finish_non_exhaustive()
    }
}
