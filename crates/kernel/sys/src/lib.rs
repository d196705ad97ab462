//! System calls: the only crate with `unsafe`.
//!
//! Every wrapper sets CLOEXEC, retries EINTR where that is legal, takes and returns owned or borrowed descriptors,
//! and fails with an [`Error`] that carries the call and its arguments and prints like strace.
//!
//! Not for policy: what to mount, whom to become and when is decided above.

mod error;
mod raw;

pub mod fs;
pub mod path;

pub mod child;
pub mod cred;
pub mod mount;
pub mod ns;
pub mod process;

pub mod epoll;
pub mod inet;
pub mod pipe;
pub mod socket;
pub mod tty;

pub mod bpf;
pub mod netlink;

pub mod inherit;
pub mod itself;
pub mod memfd;
pub mod probe;
pub mod protect;
pub mod signals;

pub use error::{Call, Errno, Error, Result, describe, errno_name};
