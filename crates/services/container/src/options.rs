//! What callers ask of an existing container.

use crate::spec::{PortBinding, Resources, RestartPolicy};
use refs::{Filters, Timestamp};
use std::collections::BTreeMap;

/// How a container is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// The first signal, by name or number; none for the container's own stop signal.
    pub signal: Option<String>,
    /// Seconds before SIGKILL, -1 for ever; none for the container's own timeout, or 10.
    pub timeout_s: Option<i64>,
}

/// What is changed of a container. Zeros, none and empty lists leave things as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Limits.
    pub resources: Resources,
    /// What happens when it ends.
    pub restart: Option<RestartPolicy>,
    /// Ports that are published, in the form of the host configuration.
    pub publish_add: BTreeMap<String, Vec<PortBinding>>,
    /// Published ports that are given up; an empty list for wherever a port is published.
    pub publish_remove: BTreeMap<String, Vec<PortBinding>>,
}

/// How a container is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveOptions {
    /// A running container is killed first.
    pub force: bool,
    /// Its anonymous volumes go with it.
    pub volumes: bool,
}

/// What a waiter waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCondition {
    /// It does not run: answered at once for a container that is created or exited.
    NotRunning,
    /// It ends the next time.
    NextExit,
    /// It is removed.
    Removed,
}

/// Which containers are listed.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Stopped ones too.
    pub all: bool,
    /// At most so many, the newest first; implies `all`.
    pub limit: Option<usize>,
    /// Docker's filters: ancestor, before, exited, expose, health, id, is-task, isolation, label, name, network,
    /// publish, since, status, volume.
    pub filters: Filters,
}

/// Which log entries are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Further entries are awaited until the container ends.
    pub follow: bool,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Each line begins with the log's extra attributes.
    pub details: bool,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// At most so many of the last lines; none for all.
    pub tail: Option<usize>,
    /// Never frames, even without a terminal.
    pub raw: bool,
}

/// How a client is attached to a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttachOptions {
    /// The client's input goes to the program.
    pub stdin: bool,
    /// The client gets standard output, or the terminal's.
    pub stdout: bool,
    /// The client gets standard error.
    pub stderr: bool,
    /// The log is replayed first.
    pub logs: bool,
    /// The client stays attached; else the connection ends after the replay.
    pub stream: bool,
    /// The sequence that detaches, see [`crate::detach_keys`].
    pub detach_keys: Vec<u8>,
    /// Never frames, even without a terminal: both outputs are mixed.
    pub raw: bool,
}

/// A further process in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// The command.
    pub cmd: Vec<String>,
    /// `NAME=value`, added to the container's.
    pub env: Vec<String>,
    /// `user[:group]`; empty for the container's.
    pub user: String,
    /// Working directory; empty for the container's.
    pub working_dir: String,
    /// A terminal is allocated.
    pub tty: bool,
    /// All capabilities.
    pub privileged: bool,
    /// Standard input is open.
    pub attach_stdin: bool,
    /// Standard output is passed on.
    pub attach_stdout: bool,
    /// Standard error is passed on.
    pub attach_stderr: bool,
    /// The sequence that detaches, see [`crate::detach_keys`].
    pub detach_keys: Vec<u8>,
    /// Rows and columns of the terminal.
    pub console_size: Option<(u16, u16)>,
    /// It is a health check: the next engine ends it.
    pub is_probe: bool,
}

/// How an exec is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExecStartOptions {
    /// No client stays attached.
    pub detach: bool,
    /// Rows and columns of the terminal; none for those of the exec.
    pub console_size: Option<(u16, u16)>,
}

/// How many samples of a container's resource use are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsMode {
    /// One per second until the caller stops.
    Stream,
    /// One, together with the one of a second before.
    Pair,
    /// One at once, without an earlier one.
    OneShot,
}
