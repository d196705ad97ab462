//! What the engine and a container's supervisor say to each other.
//!
//! One message is one datagram of a `SOCK_SEQPACKET` socket: JSON text, file descriptors beside it (`SCM_RIGHTS`).
//! The supervisor inherits one end as descriptor 3 and also listens on `ctl.sock` in the container's run directory, so that
//! the next engine can take over. At most one engine is connected: a new connection replaces the old.
//!
//! ```text
//! engine                                supervisor
//!   ── Create + fds ───────────────────▶  clone, mounts, … the child waits at the barrier
//!   ◀──────────────── Created{pid} ────   (or Failed: nothing is left behind; the supervisor exits)
//!   ── Start ──────────────────────────▶  releases the child
//!   ◀──────────────────── Started ─────   execve succeeded (or Failed)
//!   ── Attach + fd, Exec, Kill, … ─────▶
//!   ◀─────────────── Exited{…} ────────   the exit record is on disk before this is sent
//!   ── Ack ────────────────────────────▶  the engine has stored it; the supervisor removes the record and exits
//! ```
//! A new engine connects, gets `Hello` with the present state, and goes on from there: `Hello.exit` is the container's end,
//! and each exec whose end nobody has acknowledged is reported (again) by `ExecExited` after it.
//!
//! After the last `Ack` the supervisor has removed its files; the process may live a little longer, until the last client
//! has taken its output.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The version of this protocol. An engine speaks this one and the two before it.
///
/// 2 brought [`Request::KillExec`]; a supervisor takes a request that it does not know as the end of the connection.
pub const VERSION: u32 = 2;

/// The largest datagram in bytes; the seccomp program travels as a descriptor.
pub const MAX_MESSAGE_BYTES: usize = 192 * 1024;

/// A datagram of these bytes says that its first descriptor is a file with the message, which is larger than a datagram:
/// an environment of megabytes, or much that a client sent ahead. Only requests are so large.
pub const IN_FILE: &[u8] = b"in file";

/// The largest request in bytes.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// The descriptor at which the supervisor finds its socket.
pub const CONTROL_FD: i32 = 3;

/// File name of the supervisor's listening socket in the run directory.
pub const SOCKET_FILE: &str = "ctl.sock";

/// File name of the exit record in the run directory: an [`ExitRecord`] as JSON.
pub const EXIT_FILE: &str = "exit.json";

/// File name of the birth record in the container's data directory: one [`Step`] as JSON per line.
///
/// One of the supervisor's steps is `created` with the arguments `pid=<process id outside>`. The engine binds the file
/// read-only to `/naru/birth.jsonl` in containers of the built-in image `hello`, whose program reads it.
pub const BIRTH_FILE: &str = "birth.jsonl";

/// From the engine to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Creates the container up to the barrier before execve. Descriptors, in this order, each only if announced:
    /// the network namespace (`network_namespace`), the seccomp program (`seccomp`: an array of `struct sock_filter`).
    Create(Box<Create>),
    /// Lets the created container run.
    Start,
    /// Sends a signal to the container's first process.
    Kill { signal: i32 },
    /// Starts a further process in the running container. Descriptor: the client's socket, if `attach` is set.
    /// With `seccomp` set, the seccomp program follows.
    Exec(Box<Exec>),
    /// Sends a signal to the process of an exec.
    KillExec { exec: String, signal: i32 },
    /// Sets a terminal's size; `exec` names an exec, else the container's own terminal is meant.
    Resize { exec: Option<String>, rows: u16, columns: u16 },
    /// Hands a client's socket over, as the one descriptor.
    Attach { exec: Option<String>, attach: Attach },
    /// The exit (of the container, or of the named exec) is stored; the supervisor may forget it. `ExecFailed` is
    /// acknowledged as well. An exec's client sees the end of its connection only after this (or after one second): it
    /// asks for the exit code at once.
    Ack { exec: Option<String> },
    /// Takes published ports on, and gives others up. Descriptors: the host's socket of each opened port that has one
    /// (`socket`), in this order. The supervisor holds the sockets, so that a port stays reserved while no engine is
    /// there, and relays what reaches them: connections of the host's loopback, and those of the other address family.
    /// All others go through the packet filter and never come near them.
    Ports { close: Vec<HostPort>, open: Vec<PublishedPort> },
    /// Keeps the descriptors for the next engine, which takes duplicates of them, instead of those it kept before.
    Keep,
}

/// From the supervisor to the engine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Report {
    /// The first message on every new connection.
    Hello(Hello),
    /// The container stands at the barrier.
    Created { pid: i32 },
    /// The program was executed.
    Started { started_at: Timestamp },
    /// Create or Start failed; the container is gone and the supervisor exits.
    Failed(Failed),
    /// An exec runs.
    ExecStarted { exec: String, pid: i32 },
    /// An exec could not be started.
    ExecFailed { exec: String, failed: Failed },
    /// An exec ended, and all its output was passed on.
    ExecExited { exec: String, code: i32 },
    /// A client pressed the detach keys.
    Detached { exec: Option<String> },
    /// The kernel killed a process of the container for want of memory.
    OutOfMemory,
    /// The container ended, its output is in the log, and the exit record is on disk.
    Exited(ExitRecord),
    /// Ports that the supervisor holds; follows [`Hello`], in parts, until [`Hello::ports`] were named.
    Ports { ports: Vec<PublishedPort> },
}

/// The transport protocol of a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP, which is never relayed.
    Sctp,
}

/// A port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// The protocol.
    pub protocol: Transport,
    /// The address, 0.0.0.0 or [::] for all of the family, with the port.
    pub host: SocketAddr,
}

/// A published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The port of the host.
    pub at: HostPort,
    /// Where it leads: the container's address and port.
    pub to: SocketAddr,
    /// A socket of the host reserves it.
    pub socket: bool,
}

/// How many ports one message names at most: no more descriptors travel with one message.
pub const PORTS_PER_MESSAGE: usize = 60;

/// All that the supervisor needs to make a container.
#[derive(Debug, Serialize, Deserialize)]
pub struct Create {
    /// The container's full id.
    pub id: String,
    /// The data directory of the container: log, birth record.
    pub directory: PathBuf,
    /// The run directory of the container: `ctl.sock`, exit record.
    pub run_directory: PathBuf,
    /// The runtime specification, without seccomp (that comes compiled, as a descriptor).
    pub spec: oci::runtime::Spec,
    /// Where the root file system comes from; `spec.root.path` is ignored.
    pub rootfs: Rootfs,
    /// The announcement of the network namespace descriptor.
    pub network_namespace: bool,
    /// The announcement of the seccomp program's descriptor.
    pub seccomp: bool,
    /// Targets of mounts whose sources follow as descriptors, in this order.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// Whether standard input is open at all (`-i`); else it is /dev/null.
    pub open_stdin: bool,
    /// Whether standard input closes when the first attached client leaves.
    pub stdin_once: bool,
    /// Where output is logged.
    pub log: Log,
    /// Clients that are attached before the start; their sockets follow as the last descriptors, in this order.
    pub attach: Vec<Attach>,
}

/// Where a container's root file system comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Rootfs {
    /// A directory that is complete.
    Directory { path: PathBuf },
    /// An overlay; `lower` is ordered from the top layer to the bottom one.
    Overlay { lower: Vec<PathBuf>, upper: PathBuf, work: PathBuf },
}

/// Where output is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "driver", rename_all = "kebab-case")]
pub enum Log {
    /// Docker's json-file format at `path`; rotates at `max_size_bytes` (0: never), keeps `max_files` files.
    JsonFile {
        path: PathBuf,
        max_size_bytes: u64,
        max_files: u32,
        compress: bool,
        attrs: BTreeMap<String, String>,
    },
    /// Nothing is logged.
    None,
}

/// How a client is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The client's input goes to the program.
    pub stdin: bool,
    /// The client gets standard output (or the terminal's).
    pub stdout: bool,
    /// The client gets standard error (never with a terminal).
    pub stderr: bool,
    /// The key sequence that detaches; empty for none.
    pub detach_keys: Vec<u8>,
    /// Bytes that the client had sent before its socket was handed over.
    pub early_input: Vec<u8>,
    /// Frame output with Docker's eight-byte headers; false with a terminal.
    pub multiplexed: bool,
}

/// A further process in a running container.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exec {
    /// The exec's full id.
    pub exec: String,
    /// The process; all of `oci`'s fields apply.
    pub process: oci::runtime::Process,
    /// The announcement of the seccomp program's descriptor (after the client's socket).
    pub seccomp: bool,
    /// Whether standard input is open at all; else it is /dev/null.
    pub open_stdin: bool,
    /// The client whose socket is the first descriptor; none for a detached exec.
    pub attach: Option<Attach>,
}

/// Who the supervisor is and how its container stands.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`] of the supervisor.
    pub version: u32,
    /// The container's full id; empty before Create.
    pub id: String,
    /// The supervisor's process id.
    pub shim_pid: i32,
    /// The container's first process, if there is one.
    pub pid: Option<i32>,
    /// The container's state.
    pub state: State,
    /// When the program was executed.
    pub started_at: Option<Timestamp>,
    /// The end, if it has come.
    pub exit: Option<ExitRecord>,
    /// The execs that run.
    pub execs: Vec<RunningExec>,
    /// Whether the kernel has killed a process for want of memory.
    pub out_of_memory: bool,
    /// How many published ports it holds: [`Report::Ports`] name them next.
    #[serde(default)]
    pub ports: usize,
    /// The supervisor's numbers of the descriptors that it keeps ([`Request::Keep`]), in their order.
    #[serde(default)]
    pub kept: Vec<i32>,
}

/// An exec that runs.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunningExec {
    /// The exec's full id.
    pub exec: String,
    /// Its process id.
    pub pid: i32,
}

/// Where the container stands, as its supervisor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No container yet.
    Empty,
    /// At the barrier.
    Created,
    /// The program runs.
    Running,
    /// The program ended.
    Exited,
}

/// Why a container or an exec could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// `command_not_found`, `command_not_executable`, `invalid_argument`, `internal`, …: `error::Kind::code`.
    pub code: String,
    /// The text for the user, without any "failed to create" chain in front.
    pub message: String,
}

/// The end of a container. Lies in [`EXIT_FILE`] until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The version of this record: 1.
    pub version: u32,
    /// The container's full id.
    pub id: String,
    /// The exit code, 128 + signal for a killed program.
    pub code: i32,
    /// The signal that killed the program.
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container for want of memory.
    pub out_of_memory: bool,
    /// When the program was executed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// Nanoseconds since 1970-01-01 UTC.
pub type Timestamp = i64;

/// One step of a container's birth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it began: nanoseconds since 1970-01-01 UTC.
    pub t_ns: i64,
    /// How long it took in nanoseconds.
    pub dur_ns: u64,
    /// `engine`, `shim` or `init` (the container's own process before execve).
    pub who: String,
    /// What was done, in the field's words: `mount overlay`, `clone3`, `pivot_root`, `execve`.
    pub step: String,
    /// What it was done with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub args: String,
    /// The error number, 0 for success.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errno: i32,
}

fn is_zero(errno: &i32) -> bool {
    *errno == 0
}

/// Returns the message as bytes: those of one datagram, or with more than [`MAX_MESSAGE_BYTES`] those of a file.
///
/// # Errors
/// A message over [`MAX_REQUEST_BYTES`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Error> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MAX_REQUEST_BYTES {
        return Err(Error::TooLarge { size_bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Reads the bytes of one message.
///
/// # Errors
/// Bytes that are no such message.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(bytes)?)
}

/// A message that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Over the limit.
    #[error("message of {size_bytes} bytes is over the limit of {MAX_REQUEST_BYTES}")]
    TooLarge {
        /// The message's size.
        size_bytes: usize,
    },
    /// Not the JSON that was expected.
    #[error("message is malformed")]
    Malformed(#[from] serde_json::Error),
}
