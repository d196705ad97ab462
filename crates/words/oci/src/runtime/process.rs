//! The container's program and what it may do.

use super::is_false;
use serde::{Deserialize, Serialize};

/// A process in a container.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#process
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Whether it gets a terminal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub terminal: bool,
    /// The terminal's first size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console_size: Option<ConsoleSize>,
    /// Who it is.
    #[serde(default)]
    pub user: User,
    /// The program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The environment, `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Absolute path of the working directory.
    pub cwd: String,
    /// What it may do; none leaves the capabilities as the user's credentials make them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// Limits per process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rlimits: Vec<Rlimit>,
    /// Whether execve can no longer give privileges.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_new_privileges: bool,
    /// The AppArmor profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<String>,
    /// What is added to the score for the OOM killer, -1000 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// The CPU scheduler's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Scheduler>,
    /// The SELinux label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<String>,
    /// The IO scheduler's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_priority: Option<IoPriority>,
    /// CPUs of an exec'ed process.
    #[serde(default, rename = "execCPUAffinity", skip_serializing_if = "Option::is_none")]
    pub exec_cpu_affinity: Option<CpuAffinity>,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleSize {
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

/// User and groups.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#posix-platform-user
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// User id in the container's user namespace.
    pub uid: u32,
    /// Group id in the container's user namespace.
    pub gid: u32,
    /// The umask; none keeps the runtime's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// Supplementary groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_gids: Vec<u32>,
}

/// Sets of capabilities, each by name (`CAP_CHOWN`).
///
/// # Source
/// OCI runtime-spec v1.3 config.md#linux-process
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// What can ever be gained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounding: Vec<String>,
    /// What is checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effective: Vec<String>,
    /// What survives execve of a file with inheritable capabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inheritable: Vec<String>,
    /// What can be made effective.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<String>,
    /// What survives execve of an unprivileged program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ambient: Vec<String>,
}

/// A limit per process.
///
/// # Source
/// man 2 setrlimit
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_NOFILE` etc.
    #[serde(rename = "type")]
    pub kind: String,
    /// The soft limit; `u64::MAX` for none.
    pub soft: u64,
    /// The hard limit; `u64::MAX` for none.
    pub hard: u64,
}

/// The CPU scheduler's settings.
///
/// # Source
/// man 2 sched_setattr
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    /// `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_BATCH`, `SCHED_ISO`, `SCHED_IDLE`, `SCHED_DEADLINE`.
    pub policy: String,
    /// Nice value, for SCHED_OTHER and SCHED_BATCH.
    #[serde(default)]
    pub nice: i32,
    /// Static priority, for SCHED_FIFO and SCHED_RR.
    #[serde(default)]
    pub priority: i32,
    /// `SCHED_FLAG_…` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Nanoseconds, for SCHED_DEADLINE.
    #[serde(default)]
    pub runtime: u64,
    /// Nanoseconds, for SCHED_DEADLINE.
    #[serde(default)]
    pub deadline: u64,
    /// Nanoseconds, for SCHED_DEADLINE.
    #[serde(default)]
    pub period: u64,
}

/// The IO scheduler's settings.
///
/// # Source
/// man 2 ioprio_set
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE`, `IOPRIO_CLASS_IDLE`.
    pub class: String,
    /// 0, the highest, to 7.
    #[serde(default)]
    pub priority: i32,
}

/// CPUs of an exec'ed process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuAffinity {
    /// CPUs before it moves into the container's cgroup, `0-3,7`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub initial: String,
    /// CPUs afterwards.
    #[serde(default, rename = "final", skip_serializing_if = "String::is_empty")]
    pub last: String,
}
