//! What callers see of containers: immutable snapshots, published by the actors.

pub use crate::health::{Health, HealthStatus, ProbeResult};
use crate::spec::{Config, HostConfig, ImageRef, Mount};
use network::{EndpointSpec, EndpointView};
use refs::{ContainerId, ExecId, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A container as it stands.
#[derive(Debug, Clone)]
pub struct ContainerView {
    /// The id.
    pub id: ContainerId,
    /// The name without a leading slash.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its image, fixed when it was created.
    pub image: ImageRef,
    /// What runs, merged with the image's configuration.
    pub config: Arc<Config>,
    /// How the host runs it.
    pub host: Arc<HostConfig>,
    /// The program: the first word of entrypoint and command.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How it stands.
    pub state: StateView,
    /// Restarts by the policy since the user started it last.
    pub restart_count: u32,
    /// The snapshot driver.
    pub driver: String,
    /// Where its root file system lies.
    pub rootfs: RootfsView,
    /// Files that belong to it.
    pub paths: PathsView,
    /// What the user mounted.
    pub mounts: Vec<MountView>,
    /// Its endpoints while it runs, in the order of its devices.
    pub endpoints: Vec<EndpointView>,
    /// What it asked for in networks, by name.
    pub networks: BTreeMap<String, EndpointSpec>,
    /// Its published ports while it runs.
    pub ports: Vec<network::Published>,
    /// Execs that run.
    pub exec_ids: Vec<ExecId>,
}

/// How a container stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateView {
    /// Where it stands.
    pub status: Status,
    /// Its first process on the host; 0 if none.
    pub pid: i32,
    /// The last exit code.
    pub exit_code: i32,
    /// Why the last start failed, or how the container was lost; else empty.
    pub error: String,
    /// The kernel killed a process of it for want of memory.
    pub oom_killed: bool,
    /// When it started last.
    pub started_at: Option<Timestamp>,
    /// When it ended last.
    pub finished_at: Option<Timestamp>,
    /// Its health, if it has a check and has run.
    pub health: Option<Health>,
}

impl StateView {
    /// Returns the word for its health that filters know: `none` without a check.
    pub fn health_word(&self) -> &'static str {
        self.health.as_ref().map_or("none", |health| health.status.as_str())
    }
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It has never run.
    Created,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It ended and waits for its restart by the policy.
    Restarting,
    /// It is being removed.
    Removing,
    /// It ended.
    Exited,
}

impl Status {
    /// Returns Docker's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
        }
    }

    /// Returns whether Docker counts it as running: paused and restarting containers too.
    pub const fn is_running(self) -> bool {
        match self {
            Self::Running | Self::Paused | Self::Restarting => true,
            Self::Created | Self::Removing | Self::Exited => false,
        }
    }
}

/// Where a container's root file system lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootfsView {
    /// The image's layers from the top one to the bottom one; none if the driver copies them.
    pub lower: Vec<PathBuf>,
    /// The writable layer, or the whole tree.
    pub upper: PathBuf,
    /// The overlay's work directory; empty without an overlay.
    pub work: PathBuf,
}

impl RootfsView {
    pub(crate) fn of(rootfs: &snapshot::Rootfs) -> Self {
        match rootfs {
            snapshot::Rootfs::Overlay { lower, upper, work } => {
                Self { lower: lower.clone(), upper: upper.clone(), work: work.clone() }
            }
            snapshot::Rootfs::Directory { path, .. } => Self { upper: path.clone(), ..Self::default() },
        }
    }
}

/// Files that belong to a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathsView {
    /// The log; none without one.
    pub log: Option<PathBuf>,
    /// What is mounted at /etc/hostname.
    pub hostname: PathBuf,
    /// What is mounted at /etc/hosts.
    pub hosts: PathBuf,
    /// What is mounted at /etc/resolv.conf.
    pub resolv_conf: PathBuf,
}

/// Something that the user mounted; tmpfs of `--tmpfs` are not among them, as with Docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountView {
    /// `bind` or `tmpfs`.
    pub kind: &'static str,
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// The mode as the user gave it.
    pub mode: String,
    /// Writable.
    pub writable: bool,
    /// `rprivate`, …
    pub propagation: String,
}

/// Returns what inspect shows of the mounts that the user asked for.
pub(crate) fn mounts(host: &HostConfig) -> Vec<MountView> {
    let view = |mount: &Mount| match mount {
        Mount::Bind { source, target, read_only, propagation, mode, .. } => Some(MountView {
            kind: "bind",
            source: source.display().to_string(),
            destination: target.display().to_string(),
            mode: mode.clone(),
            writable: !read_only,
            propagation: if propagation.is_empty() { "rprivate".to_owned() } else { propagation.clone() },
        }),
        Mount::Tmpfs { from_tmpfs_flag: true, .. } => None,
        Mount::Tmpfs { target, options, .. } => Some(MountView {
            kind: "tmpfs",
            source: String::new(),
            destination: target.display().to_string(),
            mode: String::new(),
            writable: !options.split(',').any(|option| option == "ro"),
            propagation: String::new(),
        }),
    };
    host.mounts.iter().filter_map(view).collect()
}

/// The answer to a create request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The new container's id.
    pub id: ContainerId,
    /// What could not be done as asked.
    pub warnings: Vec<String>,
}

/// What a prune removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The containers.
    pub ids: Vec<ContainerId>,
    /// The bytes of their writable layers.
    pub reclaimed_bytes: u64,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitResult {
    /// The exit code.
    pub exit_code: i32,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

/// An exec as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecView {
    /// The id.
    pub id: ExecId,
    /// The container's id.
    pub container_id: ContainerId,
    /// What was asked for.
    pub spec: crate::options::ExecSpec,
    /// It runs.
    pub running: bool,
    /// The exit code once it ended: 126 and 127 for a program that could not be executed.
    pub exit_code: Option<i32>,
    /// Its process on the host; 0 if it never ran.
    pub pid: i32,
}

/// The processes of a container, as `ps` prints them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// Column headings.
    pub titles: Vec<String>,
    /// A row per process.
    pub processes: Vec<Vec<String>>,
}

/// Sizes of a container's root file system in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The writable layer.
    pub writable_bytes: u64,
    /// The writable layer and the image's.
    pub total_bytes: u64,
}

/// How many containers there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Running, restarting ones included.
    pub running: usize,
    /// Paused.
    pub paused: usize,
    /// All others.
    pub stopped: usize,
}

/// One sample of a container's resource use.
#[derive(Debug, Clone)]
pub struct StatsSample {
    /// The container's id.
    pub id: ContainerId,
    /// Its name without a leading slash.
    pub name: String,
    /// Now; none while the container does not run.
    pub current: Option<Usage>,
    /// The sample before; none for the first.
    pub previous: Option<Usage>,
}

/// What a container used up to a point of time.
#[derive(Debug, Clone)]
pub struct Usage {
    /// When the sample was taken.
    pub read_at: Timestamp,
    /// The cgroup's counters.
    pub cgroup: cgroup::Stats,
    /// CPU time of the whole host in nanoseconds.
    pub system_cpu_ns: u64,
    /// CPUs of the host.
    pub online_cpus: u32,
    /// Memory of the host in bytes: the limit of a container without one.
    pub host_memory_bytes: u64,
    /// Counters of interfaces, the loopback device excluded; empty with the host's network.
    pub interfaces: BTreeMap<String, InterfaceCounters>,
}

/// Counters of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Errors on receiving.
    pub rx_errors: u64,
    /// Packets dropped on receiving.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Errors on sending.
    pub tx_errors: u64,
    /// Packets dropped on sending.
    pub tx_dropped: u64,
}
