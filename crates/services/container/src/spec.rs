//! What a caller asks for when a container is created: the domain's types, already parsed and checked.
//!
//! Not the REST types (`wire`), not the OCI types (`oci`), not what lies on disk as such: the record embeds these.

use network::EndpointSpec;
use refs::{Digest, Platform};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// A request to create a container.
#[derive(Debug, Clone)]
pub struct CreateSpec {
    /// The name without a leading slash; none for a generated one.
    pub name: Option<String>,
    /// What runs.
    pub config: Config,
    /// How the host runs it.
    pub host: HostConfig,
    /// Its places in networks, by the networks' names as the user wrote them. That of the network mode may be absent.
    pub endpoints: BTreeMap<String, EndpointSpec>,
    /// The platform that the image must have; none for the host's.
    pub platform: Option<Platform>,
}

/// What runs: the part that travels with an image. In a request unset fields are taken from the image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The image as the user named it.
    pub image: String,
    /// The command; none for the image's.
    pub cmd: Option<Vec<String>>,
    /// The entrypoint; none for the image's, empty for no entrypoint (`--entrypoint ""`).
    pub entrypoint: Option<Vec<String>>,
    /// Environment entries, `NAME=value`.
    pub env: Vec<String>,
    /// The working directory; empty for the image's.
    pub working_dir: String,
    /// `user[:group]`; empty for the image's.
    pub user: String,
    /// The host name; empty for the short id.
    pub hostname: String,
    /// The NIS domain name.
    pub domainname: String,
    /// A terminal is allocated (`-t`).
    pub tty: bool,
    /// Standard input is kept open (`-i`).
    pub open_stdin: bool,
    /// Standard input closes when the first attached client leaves.
    pub stdin_once: bool,
    /// What the creating client said it would attach; shown by inspect, without effect.
    pub attach_stdin: bool,
    /// See `attach_stdin`.
    pub attach_stdout: bool,
    /// See `attach_stdin`.
    pub attach_stderr: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The signal of `stop`, as the user wrote it; empty for the image's, or SIGTERM.
    pub stop_signal: String,
    /// Seconds that `stop` waits; none for 10, -1 for ever.
    pub stop_timeout: Option<i64>,
    /// Declared ports (`80/tcp`).
    pub exposed_ports: Vec<String>,
    /// Declared volumes (paths in the container).
    pub volumes: Vec<String>,
    /// The shell of the image's shell-form instructions.
    pub shell: Option<Vec<String>>,
    /// ONBUILD triggers of the image.
    pub on_build: Option<Vec<String>>,
    /// How its health is found out; none for the image's check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Healthcheck>,
}

/// How the health of a container is found out. Times in nanoseconds; zero means the image's value, or the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// `NONE`, `CMD` and words, `CMD-SHELL` and a line, `HTTP` and `[address]:port/path`; empty for the image's.
    pub test: Vec<String>,
    /// Between probes.
    pub interval_ns: i64,
    /// For one probe.
    pub timeout_ns: i64,
    /// After the start, failures do not count for so long.
    pub start_period_ns: i64,
    /// Between probes in the start period.
    pub start_interval_ns: i64,
    /// Failures in a row until unhealthy.
    pub retries: i64,
}

/// How the host runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostConfig {
    /// The container is removed when it ends (`--rm`).
    pub auto_remove: bool,
    /// What happens when it ends.
    pub restart: RestartPolicy,
    /// Bind mounts and tmpfs.
    pub mounts: Vec<Mount>,
    /// The root file system is read-only.
    pub read_only: bool,
    /// An init process of ours is PID 1.
    pub init: bool,
    /// All capabilities, all devices, no confinement.
    pub privileged: bool,
    /// Capabilities to add, as the user wrote them (`ALL`, `NET_ADMIN`, `CAP_NET_ADMIN`).
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    pub cap_drop: Vec<String>,
    /// The security options as the user gave them, shown by inspect.
    pub security_opt: Vec<String>,
    /// No privilege can be gained by execve.
    pub no_new_privileges: bool,
    /// Which system calls are permitted.
    pub seccomp: Seccomp,
    /// Host devices.
    pub devices: Vec<Device>,
    /// Further supplementary groups.
    pub group_add: Vec<String>,
    /// Limits.
    pub resources: Resources,
    /// Resource limits per process.
    pub ulimits: Vec<Ulimit>,
    /// Namespaced kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// The size of /dev/shm in bytes.
    pub shm_size_bytes: i64,
    /// The score that the kernel's OOM killer adds, -1000 to 1000.
    pub oom_score_adj: i64,
    /// PID namespace.
    pub pid: NamespaceMode,
    /// IPC namespace.
    pub ipc: IpcMode,
    /// UTS namespace: own or the host's.
    pub uts_host: bool,
    /// cgroup namespace; none for the default (private on v2, the host's on v1).
    pub cgroupns: Option<CgroupNamespace>,
    /// The parent cgroup; empty for the engine's default.
    pub cgroup_parent: String,
    /// The network.
    pub network: NetworkMode,
    /// Published ports: by port of the container (`80/tcp`), where on the host.
    #[serde(default)]
    pub port_bindings: BTreeMap<String, Vec<PortBinding>>,
    /// All exposed ports are published at ports of the engine's choice (`-P`).
    #[serde(default)]
    pub publish_all_ports: bool,
    /// `name:address` lines of /etc/hosts; the address may be `host-gateway`.
    pub extra_hosts: Vec<String>,
    /// Name servers; empty for the host's.
    pub dns: Vec<IpAddr>,
    /// Search domains; empty for the host's.
    pub dns_search: Vec<String>,
    /// Resolver options; empty for the host's.
    pub dns_options: Vec<String>,
    /// Where output is logged.
    pub log: LogConfig,
    /// Masked paths; none for the default, empty for no masking.
    pub masked_paths: Option<Vec<String>>,
    /// Read-only paths; none for the default, empty for none.
    pub readonly_paths: Option<Vec<String>>,
    /// The terminal's first size: rows, columns; zeros for unknown.
    pub console_size: (u16, u16),
    /// The file that the client wrote the id to; shown by inspect.
    pub container_id_file: String,
    /// Annotations, passed to the OCI specification.
    pub annotations: BTreeMap<String, String>,
}

/// What happens when a container ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// It stays ended.
    No,
    /// It is started again.
    Always,
    /// It is started again unless the user stopped it.
    UnlessStopped,
    /// It is started again after a non-zero exit, at most `retries` times (0: without limit).
    OnFailure {
        /// The limit.
        retries: u32,
    },
    /// As on-failure, and it is ended and started again when its health check says unhealthy.
    OnUnhealthy {
        /// The limit.
        retries: u32,
    },
}

/// A mount that the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Mount {
    /// A path of the host.
    Bind {
        /// Absolute path on the host.
        source: PathBuf,
        /// Absolute path in the container.
        target: PathBuf,
        /// Not writable.
        read_only: bool,
        /// `rprivate`, `private`, `rshared`, `shared`, `rslave`, `slave`; empty for rprivate.
        propagation: String,
        /// Mounts below the source are not included.
        non_recursive: bool,
        /// A missing source is created as a directory (`-v`), rather than refused (`--mount`).
        create_source: bool,
        /// Whether it came from `-v` (then inspect shows it in `Binds`) or from `--mount`.
        from_volume_flag: bool,
        /// The mode part of `-v` as the user wrote it (`ro`, `z`, …).
        mode: String,
    },
    /// A tmpfs.
    Tmpfs {
        /// Absolute path in the container.
        target: PathBuf,
        /// mount(8) options, `size=64m,mode=1777`; empty for the defaults.
        options: String,
        /// Whether it came from `--tmpfs` or from `--mount`.
        from_tmpfs_flag: bool,
    },
}

/// Which system calls are permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Seccomp {
    /// Docker's default profile.
    Default,
    /// All.
    Unconfined,
    /// A profile in Docker's JSON form, given inline by the client.
    Profile {
        /// The JSON text.
        json: String,
    },
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host; a directory stands for all devices below it.
    pub host_path: PathBuf,
    /// Path in the container.
    pub container_path: PathBuf,
    /// Some of `rwm`.
    pub permissions: String,
}

/// Limits. Zero and none mean "not limited" unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Memory and swap in bytes, -1 for unlimited swap, 0 for twice the memory.
    pub memory_swap_bytes: i64,
    /// Soft limit in bytes.
    pub memory_reservation_bytes: i64,
    /// 0 to 100; none for the kernel's.
    pub memory_swappiness: Option<i64>,
    /// The OOM killer is off.
    pub oom_kill_disable: Option<bool>,
    /// Billionths of a CPU (`--cpus`).
    pub nano_cpus: i64,
    /// Relative weight, 2 to 262144.
    pub cpu_shares: i64,
    /// CFS period in microseconds.
    pub cpu_period_us: i64,
    /// CFS quota in microseconds.
    pub cpu_quota_us: i64,
    /// CPUs, `0-2,4`.
    pub cpuset_cpus: String,
    /// Memory nodes.
    pub cpuset_mems: String,
    /// Number of processes; none or -1 for no limit.
    pub pids_limit: Option<i64>,
    /// Block IO weight, 10 to 1000.
    pub blkio_weight: u16,
    /// `c 1:3 rwm` lines.
    pub device_cgroup_rules: Vec<String>,
}

/// A limit per process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, without RLIMIT_.
    pub name: String,
    /// The soft limit, -1 for infinity.
    pub soft: i64,
    /// The hard limit, -1 for infinity.
    pub hard: i64,
}

/// Whose PID namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", content = "container", rename_all = "kebab-case")]
pub enum NamespaceMode {
    /// An own one.
    Private,
    /// The host's.
    Host,
    /// That of another container, as the user named it.
    Container(String),
}

/// Whose IPC namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", content = "container", rename_all = "kebab-case")]
pub enum IpcMode {
    /// Own, not to be shared, /dev/shm inside (Docker's default).
    Private,
    /// Own, other containers may join.
    Shareable,
    /// Own, without /dev/shm.
    None,
    /// The host's.
    Host,
    /// That of another container.
    Container(String),
}

/// Whose cgroup namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupNamespace {
    /// An own one.
    Private,
    /// The host's.
    Host,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", content = "name", rename_all = "kebab-case")]
pub enum NetworkMode {
    /// The default bridge (`default` and `bridge`).
    Bridge,
    /// The host's.
    Host,
    /// Only a loopback device.
    None,
    /// A network of the user's, as the user named it.
    Network(String),
    /// That of another container, as the user named it.
    Container(String),
}

/// Where a port is published, as the user wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortBinding {
    /// An address of the host; empty for the engine's default.
    pub host_ip: String,
    /// A port, a range, or empty or `0` for any.
    pub host_port: String,
}

impl NetworkMode {
    /// Returns the network that a container of its own namespace is connected to at first.
    pub(crate) fn network(&self) -> Option<&str> {
        match self {
            Self::Bridge => Some("bridge"),
            Self::Network(name) => Some(name),
            Self::Host | Self::None | Self::Container(_) => None,
        }
    }
}

/// Where output is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// `json-file` or `none`.
    pub driver: String,
    /// The driver's options as given.
    pub options: BTreeMap<String, String>,
}

/// The image of a container, fixed when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRef {
    /// The image id (digest of the configuration).
    pub id: Digest,
    /// The layers' diff IDs from the bottom one to the top one.
    pub layers: Vec<Digest>,
}

/// Values for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Returns what a plain `run` asks for.
    pub(crate) fn host_config() -> HostConfig {
        HostConfig {
            auto_remove: false,
            restart: RestartPolicy::No,
            mounts: Vec::new(),
            read_only: false,
            init: false,
            privileged: false,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            security_opt: Vec::new(),
            no_new_privileges: false,
            seccomp: Seccomp::Default,
            devices: Vec::new(),
            group_add: Vec::new(),
            resources: Resources::default(),
            ulimits: Vec::new(),
            sysctls: BTreeMap::new(),
            shm_size_bytes: 64 << 20,
            oom_score_adj: 0,
            pid: NamespaceMode::Private,
            ipc: IpcMode::Private,
            uts_host: false,
            cgroupns: None,
            cgroup_parent: String::new(),
            network: NetworkMode::Bridge,
            port_bindings: BTreeMap::new(),
            publish_all_ports: false,
            extra_hosts: Vec::new(),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_options: Vec::new(),
            log: LogConfig { driver: "json-file".into(), options: BTreeMap::new() },
            masked_paths: None,
            readonly_paths: None,
            console_size: (0, 0),
            container_id_file: String::new(),
            annotations: BTreeMap::new(),
        }
    }
}
