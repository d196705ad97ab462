//! Processes: signals, waiting through descriptors, spawning a program, attributes of the calling process.
//!
//! # Source
//! man 2 pidfd_open (since 5.3), pidfd_send_signal (5.1), waitid with P_PIDFD (5.4), prctl, prlimit; man 3 posix_spawn.

mod attributes;
mod cpus;
mod signal;
mod spawn;
mod wait;

pub(crate) use attributes::set_limits_raw;
pub use attributes::{
    Limit, Limits, become_subreaper, die_with_parent, effective_gid, effective_uid, install_filter, limits,
    new_session, refuse_inspection, set_limits, set_limits_of, set_name, trim_memory,
};
pub use cpus::CpuSet;
pub use signal::{Signal, kill, send, take_descriptor};
pub(crate) use spawn::pointers;
pub use spawn::{Command, Session, Spawned, spawn, spawn_alone};
pub use wait::{Exit, ends_within, open, own, try_wait, wait};
