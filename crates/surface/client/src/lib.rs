//! Typed client of the Docker Engine REST API: requests, streams, and the upgrade that attach and exec need.
//!
//! For the `naru` command line; knows nothing of the engine but its REST API. Every method is one request. Not here: texts for
//! people, terminals, starting an engine (`cli`).
//!
//! ```text
//! Client ── Request ──▶ connection (one per stream, one kept for plain requests)
//!    │                      ├─▶ JSON answer          `Client::json`
//!    │                      ├─▶ JsonLines<T>         pull progress, events, stats
//!    │                      ├─▶ Bytes frames         logs, through `frames::Demultiplexer`
//!    └─ upgrade ────────────┴─▶ Hijacked             attach, exec start: two halves of the raw socket
//! ```

#![forbid(unsafe_code)]

mod archives;
mod containers;
mod endpoint;
mod error;
mod exec;
pub mod frames;
mod hijack;
mod images;
mod lines;
mod networks;
mod request;
mod system;
mod tls;
mod transport;
mod upload;
mod volumes;

pub use archives::{CommitContainer, ImportImage};
pub use containers::{AttachTo, ListContainers, LogQuery, RemoveContainer, Sizes, Waiting};
pub use endpoint::Endpoint;
pub use error::Error;
pub use hijack::{Hijacked, ReadHalf, WriteHalf};
pub use images::{ListImages, PullImage, PushImage, RemoveImage};
pub use lines::{ByteStream, JsonLines};
pub use system::{CheckSystem, Prune};
pub use tls::{Tls, TlsFiles};
pub use transport::Client;
