//! `naru-run` as an OCI runtime with runc's command line: create, start, state, kill, delete, exec, run and the rest.
//!
//! ```text
//! naru-run [global flags] COMMAND [flags] ID …
//!
//! create ── reserve ROOT/ID ── spawn ── state.json ── the process waits at start.sock, create ends
//! start ─── connect to start.sock ── the process executes its program ── unlink start.sock
//! kill, exec, ps, update, … ── state.json ── pid (and its start time), cgroup
//! delete ── kill, cgroup, ROOT/ID
//! ```
//! Each command is one process that does one thing; nothing of ours stays beside a container. What has to be known later
//! lies in the container's directory (see `store`), and every command that changes something holds its lock.
//!
//! Not for supervision: who waits for the container's process is who called us.

#![forbid(unsafe_code)]

mod command;
mod flags;
mod global;
mod help;

mod bundle;
mod console;
mod foreground;
mod hooks;
mod pid_file;
mod preserve;
mod process;
mod store;

mod error;
mod log;

pub use error::Error;

use std::ffi::OsString;
use std::process::ExitCode;

/// Carries out one command line: the arguments after the program's name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(global::run(args))
}
