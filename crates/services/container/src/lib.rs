//! Containers and execs: their lifecycle, logs, statistics, restart policy.
//!
//! ```text
//! Service ── finds ──▶ Shared ── mailbox ──▶ Actor ── Event ──▶ Machine (pure)
//!    │                   │                     │  ◀── Action ──┘
//!    │                   ├ view (published)    ├──▶ store        the record, before the effect it announces
//!    │                   ├ waiting clients     ├──▶ network, snapshot, image
//!    │                   └ execs               └──▶ launch ──▶ the container's supervisor
//! ```
//! One actor per container; nobody else touches what is the container's. An engine that starts feeds the same machines with
//! what it finds.
//! Not for how a container is made from its specification (`runtime`), nor for what REST calls things (`wire`).

#![forbid(unsafe_code)]

pub mod detach_keys;
pub mod options;
pub mod spec;
pub mod view;

mod service;

mod attach;
mod exec;
mod list;
mod log_files;
mod log_shipper;
mod log_tag;
mod logs;
mod probe;
mod stats;
mod top;
mod tree;

mod actor;
mod attachments;
mod context;
mod execs;
mod health;
mod index;
mod machine;
mod record;
mod shared;

mod create;
mod etc_files;
mod oci_spec;
mod ports;
mod user;

mod crash;
mod devices;
mod facts;
mod happenings;
mod root_files;
mod seccomp_programs;
mod shm;
mod timeline;
mod update;
mod volumes;

mod error;

pub use attach::Attaching;
pub use context::{Parts, Settings};
pub use crash::VARIABLE as CRASH_VARIABLE;
pub use create::LOG_ROTATION;
pub use error::{Error, Refused};
pub use exec::ExecStarting;
pub use logs::Logs;
pub use oci_spec::{MASKED_PATHS, READONLY_PATHS};
pub use service::{Service, Waiting};
pub use stats::StatsStream;
pub use tree::Tree;
