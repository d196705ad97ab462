//! The OCI runtime as a library: from a specification to a running process.
//!
//! ```text
//! oci::runtime::Spec ──plan──▶ Plan ──spawn──▶ Created (at the barrier) ──start──▶ Running
//!                     (pure)          clone3: namespaces, mounts, pivot_root,   execve
//!                                     devices, terminal, credentials
//! ```
//! One clone, no re-exec: what the child does is a list of operations that [`sys::child`] carries out. Whatever fails,
//! nothing stays behind: no process, no cgroup; mounts are detached until they are inside the container's namespace and
//! end with it.
//!
//! What a specification asks for and is not implemented is refused by its field's name, never ignored.
//!
//! Not for supervision: who waits for the process and moves its output is the supervisor.

#![forbid(unsafe_code)]

mod error;
mod exec;
mod hooks;
pub mod known;
mod passwd;
mod plan;
mod rootfs;
mod spawn;
mod step;

pub use error::{Cause, Error};
pub use exec::{Options, Target, exec};
pub use hooks::run_hooks;
pub use plan::seccomp::exec_filter;
pub use plan::{Inputs, Keyring, Lifetime, Plan, parse, plan};
pub use rootfs::Rootfs;
pub use spawn::{Created, Running, Stdio, Waiting, kill_all, listen, spawn, start, waits};
pub use step::{Step, Who};
pub use sys::child::{Filter, Labels};

#[cfg(test)]
mod tests;
