//! Making a process in new namespaces: what happens between clone and execve, as data.
//!
//! The caller writes a [`Program`]: a list of [`Op`]s with everything prepared (open descriptors, texts with their NUL).
//! [`spawn`] clones once; the child carries the list out without allocating, locking or formatting, and executes the
//! program. What it does and how long it takes it writes into a page that it shares with the parent.
//!
//! ```text
//! parent                         child
//!   spawn ── clone3 ──────────▶  close what it does not need, reset signals, refuse inspection
//!                                op, op, op, …
//!   event ◀── byte (+ fd) ─────  Pause(reason): waits
//!   resume ── byte ───────────▶  op, op, …
//!   event ◀── end of file ─────  execve succeeded, or the shared page says what failed
//! ```
//!
//! Not for policy: which ops, with what, in which order, is decided by the runtime.

mod ahead;
mod diagnose;
mod execute;
mod hook;
mod identity;
mod label;
mod mounts;
mod release;
mod run;
mod shared;
mod spawn;
mod terminal;

pub use release::{Labels, release, waits};
pub use shared::{Reason, Record};
pub use spawn::{Child, Event, Failure, Options, spawn};

use crate::cred::Capabilities;
use crate::mount::{Depth, MountAttr, Parameter};
use crate::ns::Types;
use crate::process::{CpuSet, Limit, Limits, Signal};
use std::ffi::CString;
use std::os::fd::OwnedFd;

/// What a child does before it executes its program, and that program.
#[derive(Debug)]
pub struct Program {
    /// What is done, in this order.
    pub ops: Vec<Op>,
    /// What is executed in the end.
    pub exec: Exec,
}

/// The program that is executed in the end.
#[derive(Debug)]
pub struct Exec {
    /// Paths that are tried by [`Op::Find`], in this order.
    pub candidates: Vec<Candidate>,
    /// Whether the candidates come from a search through PATH, or there is one that the user named.
    pub search: Search,
    /// The arguments, the zeroth included.
    pub args: Vec<CString>,
    /// The whole environment.
    pub env: Vec<CString>,
}

/// A path that may be the program's.
#[derive(Debug)]
pub struct Candidate {
    /// The path.
    pub path: CString,
    /// Whether it comes from a relative entry of PATH: then it is found and refused, as Go's `exec.LookPath` does.
    pub relative: bool,
}

/// Where the candidates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// From PATH: those that do not exist or cannot be executed are passed over.
    Path,
    /// From the user: it must exist and be executable.
    Direct,
}

/// One thing that the child does.
#[derive(Debug)]
pub enum Op {
    /// Tells the parent that this point is reached, and waits for [`Child::resume`]. A terminal's master goes along.
    Pause(u8),

    /// Waits on a listening socket for [`release`], with no parent needed any more; what follows is told to who calls it.
    Await(OwnedFd),
    /// Keeps descriptors open in the program, with the numbers that they have.
    Inherit(Vec<OwnedFd>),

    /// Moves into a namespace, or into those of a process (a pidfd).
    Join {
        /// The namespace or pidfd.
        fd: OwnedFd,
        /// Which.
        types: Types,
    },
    /// Moves into new namespaces.
    Unshare(Types),
    /// Becomes the root of the user namespace that the process has come into.
    BecomeRoot {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// Whether the supplementary groups can be taken away.
        groups: Groups,
    },
    /// Keeps others of the same user from tracing the process; for one that was born inspectable.
    RefuseInspection,
    /// Runs a program of the child's own and waits for its end.
    Hook(Hook),
    /// Makes a time namespace with clock offsets, text as in /proc/PID/timens_offsets; execve enters it (Linux 6.1).
    TimeOffsets(CString),
    /// Sets the score for the OOM killer, unless it has this value already.
    OomScoreAdj {
        /// The number.
        value: i32,
        /// The number as text.
        text: CString,
    },
    /// Begins a new session keyring, so that the caller's keys are out of reach; without effect if the kernel has none.
    NewKeyring,
    /// Sets the loopback device up.
    LoopbackUp,
    /// Sets the host name.
    Hostname(CString),
    /// Sets the NIS domain name.
    Domainname(CString),

    /// Sets how mount events pass at `/` and all mounts below.
    Propagate(u64),
    /// Attaches a detached mount over `/`; it is the root of what follows, though not yet the process's.
    EnterRoot(OwnedFd),
    /// As [`Op::EnterRoot`], with a directory that the child itself can see: for callers that may not mount.
    EnterPath(CString),
    /// Takes a directory as the root of what follows: for processes that have no mount namespace of their own.
    EnterDirectory(CString),
    /// Takes the process's `/` as the root of what follows.
    UseRoot,
    /// Makes a file system and attaches it.
    Mount(NewMount),
    /// Attaches a detached mount.
    Attach {
        /// The mount.
        tree: OwnedFd,
        /// Where.
        target: Target,
    },
    /// Attaches a copy of what the child itself can see at a path: for callers that may not mount.
    AttachPath(AttachPath),
    /// Makes a directory with its parents, if it is missing.
    Directory(CString),
    /// Makes a device file.
    Device(Device),
    /// Makes a symbolic link; a file that is there is replaced, a link or directory left alone.
    Symlink {
        /// What it says.
        target: CString,
        /// Where it stands.
        path: CString,
    },
    /// Makes a path, and all below, read-only; a path that does not exist is fine.
    ReadOnly(CString),
    /// Hides a path: a file behind /dev/null, a directory behind an empty one; a path that does not exist is fine.
    Mask(CString),
    /// Changes the attributes of the mount at a path.
    Attributes {
        /// The path; `/` for the root itself.
        path: CString,
        /// What changes.
        attr: MountAttr,
        /// How far.
        depth: Depth,
    },
    /// Changes what is mounted at a path already.
    Remount {
        /// The path.
        path: CString,
        /// What changes about the mount.
        attr: MountAttr,
        /// How far.
        depth: Depth,
        /// What changes about the file system.
        parameters: Vec<Parameter>,
    },
    /// Writes a kernel parameter.
    Sysctl {
        /// The path below /proc, `sys/net/…`.
        path: CString,
        /// The value.
        value: CString,
    },
    /// Makes the root the process's root and leaves all other mounts behind.
    Pivot,
    /// Makes the root the process's root; all mounts stay as they are.
    Chroot,

    /// Makes a terminal and takes it as standard input, output, error and controlling terminal.
    Terminal(Terminal),
    /// Takes descriptors as standard input, output and error, in a new session.
    Stdio {
        /// The three.
        fds: [OwnedFd; 3],
        /// Who gets to own them, so that /dev/stdout can be opened again.
        owner: u32,
    },

    /// Changes into a directory of the root, and makes sure that it is inside.
    ChangeDirectory(CString),
    /// Sets a limit.
    Limit(Limit, Limits),
    /// Blocks all signals: a program that is process 1 and waits for them loses none that come before it is ready.
    BlockSignals,
    /// Sets the execution domain.
    Personality(u64),
    /// Sets the CPU scheduler's policy.
    Scheduler(Scheduler),
    /// Sets the IO scheduler's class and priority, as ioprio_set takes them.
    IoPriority(u32),
    /// Sets on which CPUs the process may run.
    Affinity(CpuSet),
    /// Sets from which NUMA nodes memory comes, as set_mempolicy takes it.
    MemoryPolicy {
        /// Mode and flags.
        mode: u32,
        /// The nodes.
        nodes: CpuSet,
    },
    /// Writes to a file of the process's own directory `/proc/PID/attr`: the label of the program to be executed.
    Label {
        /// The file, then the one that older kernels have instead.
        files: [CString; 2],
        /// What is written.
        value: CString,
    },
    /// Sets the mask of file permissions.
    Umask(u32),

    /// Takes everything out of the bounding set but these.
    Bounding(Capabilities),
    /// Changes user and groups. The permitted capabilities are kept if asked for.
    Identity {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// All supplementary groups; none where they cannot be changed.
        groups: Option<Vec<u32>>,
        /// What becomes of the capabilities when the user is no longer root.
        keep: Keep,
    },
    /// Makes all permitted capabilities effective.
    RaiseCapabilities,
    /// Sets the capabilities.
    Capabilities {
        /// What is checked.
        effective: Capabilities,
        /// What can be made effective.
        permitted: Capabilities,
        /// What survives execve of a file with inheritable capabilities.
        inheritable: Capabilities,
        /// What survives execve of an unprivileged program.
        ambient: Capabilities,
    },
    /// Keeps execve from giving privileges.
    NoNewPrivileges,
    /// Has the process killed when the thread that spawned it ends.
    DieWithParent(Signal),
    /// Installs a filter of system calls.
    Seccomp(Filter),
    /// Looks which candidate is the program.
    Find,
}

/// A filter of system calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// An array of `struct sock_filter`.
    pub program: Vec<u8>,
    /// SECCOMP_FILTER_FLAG_….
    pub flags: u32,
    /// The number of the event with which the parent gets the descriptor of notifications; none for no descriptor.
    pub listener: Option<u8>,
}

/// Whether supplementary groups can be changed (`/proc/PID/setgroups`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Yes.
    Free,
    /// No: the process stays in those of its caller.
    Fixed,
}

/// A program that the child runs.
#[derive(Debug)]
pub struct Hook {
    /// Its path, as the child sees it.
    pub path: CString,
    /// The arguments, the zeroth included.
    pub args: Vec<CString>,
    /// The whole environment.
    pub env: Vec<CString>,
    /// What it gets as standard input, from the beginning.
    pub state: OwnedFd,
    /// Seconds after which it is killed.
    pub timeout_s: Option<u32>,
}

/// A bind mount whose source the child opens.
#[derive(Debug)]
pub struct AttachPath {
    /// The path that the child sees.
    pub source: CString,
    /// Whether a symbolic link at the end of the path is followed.
    pub links: Links,
    /// Whether what is mounted below comes along.
    pub depth: Depth,
    /// Attributes, in this order.
    pub attributes: Vec<(Depth, MountAttr)>,
    /// Where; what is made there is what the source is.
    pub target: Target,
}

/// What becomes of the permitted capabilities when the user is no longer root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They stay, to be set by [`Op::Capabilities`].
    Permitted,
    /// The kernel clears them.
    Nothing,
}

/// A file system that the child makes.
#[derive(Debug)]
pub struct NewMount {
    /// Its type.
    pub fs_type: CString,
    /// Its parameters, the source among them.
    pub parameters: Vec<Parameter>,
    /// Attributes of the mount.
    pub attributes: u64,
    /// How mount events pass; 0 for the kernel's choice.
    pub propagation: u64,
    /// Where it is attached.
    pub target: Target,
}

/// Where a mount is attached.
#[derive(Debug)]
pub struct Target {
    /// The path below the root; made if it is missing.
    pub path: CString,
    /// What is made if it is missing.
    pub leaf: Leaf,
    /// Whether symbolic links on the way are followed (below the root) or refused.
    pub links: Links,
    /// Whether it may lie on procfs.
    pub procfs: Procfs,
}

/// What a mount point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// A directory.
    Directory,
    /// A file.
    File,
}

/// Whether symbolic links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Yes, below the root.
    Followed,
    /// No: for what must stand at its place (CVE-2019-19921).
    Refused,
    /// Yes, below the root, but for the last name: the link itself is meant.
    NotLast,
}

/// Whether a mount may be attached on procfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Procfs {
    /// Yes.
    Permitted,
    /// No, even if a symbolic link leads there (CVE-2019-16884).
    Refused,
}

/// A device file.
#[derive(Debug)]
pub struct Device {
    /// The path below the root.
    pub path: CString,
    /// Type and permission bits.
    pub mode: u32,
    /// The device number.
    pub number: u64,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A terminal.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Rows; 0 for unknown.
    pub rows: u16,
    /// Columns; 0 for unknown.
    pub columns: u16,
    /// Who gets to own it.
    pub owner: u32,
    /// Whether it is /dev/console too.
    pub console: Console,
}

/// Whether a terminal is /dev/console too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// Yes: the container's own terminal.
    Bound,
    /// No: that of a further process.
    Untouched,
}

/// The CPU scheduler's settings, as sched_setattr takes them.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Scheduler {
    /// The size of this struct: 48.
    pub size: u32,
    /// SCHED_….
    pub policy: u32,
    /// SCHED_FLAG_….
    pub flags: u64,
    /// Nice value.
    pub nice: i32,
    /// Static priority.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// Installs a filter for the calling thread.
pub(crate) fn install(filter: &Filter) -> rustix::io::Result<()> {
    identity::seccomp(filter).map(drop).map_err(|fault| fault.errno)
}

#[cfg(test)]
mod tests;
