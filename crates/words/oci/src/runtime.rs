//! `config.json` and the state of the OCI runtime-spec v1.3, for Linux.
//!
//! A field that the specification calls optional is an `Option`, an empty `Vec`, map or `String`, or `false`; it is left
//! out when written.
//!
//! # Source
//! OCI runtime-spec v1.3.0 config.md, config-linux.md, runtime.md.

mod linux;
mod parse;
mod process;
mod resources;
mod seccomp;

pub use linux::{
    Device, DeviceType, IdMapping, IntelRdt, Linux, MemoryPolicy, Namespace, NamespaceType, NetDevice,
    Personality, TimeOffset,
};
pub use parse::{ParseError, from_json};
pub use process::{Capabilities, ConsoleSize, CpuAffinity, IoPriority, Process, Rlimit, Scheduler, User};
pub use resources::{
    BlockIo, Cpu, DeviceRule, HugepageLimit, InterfacePriority, Memory, Network, Pids, Rdma, Resources,
    ThrottleDevice, WeightDevice,
};
pub use seccomp::{Action, Arg, Operator, Seccomp, Syscall};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the specification that we write.
pub const VERSION: &str = "1.3.0";

/// The configuration of a container.
///
/// # Source
/// OCI runtime-spec v1.3 config.md
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The version of the specification that this follows, semver.
    pub oci_version: String,
    /// The program; none only for a container that is created and never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The root file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
    /// The host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// The NIS domain name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domainname: String,
    /// Mounts, in the order in which they are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Programs that run at points of the lifecycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Hooks>,
    /// Arbitrary metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What is special to Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<Linux>,
}

/// The root file system.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#root
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Its directory, absolute or relative to the bundle.
    pub path: PathBuf,
    /// Whether it is read-only inside the container.
    #[serde(default, skip_serializing_if = "is_false")]
    pub readonly: bool,
}

/// A mount.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#mounts
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Absolute path in the container.
    pub destination: PathBuf,
    /// The file system's type; empty, `none` or `bind` for bind mounts.
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub fs_type: String,
    /// A device, a name, or for bind mounts a path, absolute or relative to the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// Options as in fstab(5), and those of config.md#linux-mount-options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Mapping of user ids of an idmapped mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMapping>,
    /// Mapping of group ids of an idmapped mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMapping>,
}

/// Programs that run at points of the lifecycle.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#posix-platform-hooks
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Deprecated: in the runtime's namespaces, when the container's exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prestart: Vec<Hook>,
    /// In the runtime's namespaces, during create, before pivot_root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub create_runtime: Vec<Hook>,
    /// In the container's namespaces, during create, before pivot_root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub create_container: Vec<Hook>,
    /// In the container, before the program is executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start_container: Vec<Hook>,
    /// In the runtime's namespaces, after the program was executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub poststart: Vec<Hook>,
    /// In the runtime's namespaces, after the container was removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub poststop: Vec<Hook>,
}

/// A program that runs at a point of the lifecycle, with the [`State`] on its standard input.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#posix-platform-hooks
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Absolute path of the program.
    pub path: PathBuf,
    /// Its arguments, the zeroth included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Its whole environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Seconds after which it is killed, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}

/// The state of a container.
///
/// # Source
/// OCI runtime-spec v1.3 runtime.md#state
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The version of the specification.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// Its first process, seen from the runtime's namespace; none when it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// The configuration's annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where a container stands.
///
/// # Source
/// OCI runtime-spec v1.3 runtime.md#state
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The create step goes on.
    Creating,
    /// Created; the program was not executed yet.
    Created,
    /// The program was executed and has not ended.
    Running,
    /// The program ended.
    Stopped,
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests;
