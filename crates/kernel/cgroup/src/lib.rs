//! Control groups: create, limit, freeze, kill, measure, remove; on v1, hybrid and v2 alike.
//!
//! [`Cgroups`] is what the machine offers, found once per process. [`Cgroup`] is one group: on v2 one directory, on v1 one
//! directory of the same path in every hierarchy, on a hybrid machine both (the v2 tree has no controllers there, but
//! `cgroup.kill`, `cgroup.freeze` and `cgroup.events` work in it).
//!
//! ```text
//! /sys/fs/cgroup/cgroup.controllers exists         v2
//! /sys/fs/cgroup/<controller>/cgroup.procs exists  v1; with /sys/fs/cgroup/unified: hybrid
//! ```
//!
//! The directories are managed by us (`cgroupfs` driver); systemd's `slice:prefix:name` paths are refused.

#![forbid(unsafe_code)]

mod hierarchy;
mod limits;

mod group;
mod remove;

mod apply;
mod convert;
mod v1;
mod v2;

mod device;
mod freeze;
mod kill;
mod oom;
mod stats;

mod dynmods;
mod error;
mod file;

pub use dynmods::favor_dynmods;
pub use error::Error;
pub use group::Cgroup;
pub use hierarchy::{Cgroups, Mode};
pub use limits::Limits;
pub use oom::{OomWatch, Readiness};
pub use stats::{BlockEntry, BlockStats, CpuStats, MemoryStats, PidsStats, Stats};
