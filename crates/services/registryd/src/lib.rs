//! A registry: the server side of the distribution protocol, over the same blob store as the engine's.
//!
//! ```text
//! connection (TLS) ─▶ guard (htpasswd, read-only) ─▶ route (pure) ─▶ blobs, uploads, manifests, listings
//!                                                                        │
//!   uploads/<uuid>   what has arrived of an upload ── digest checked ──▶ content/blobs   catalog (SQLite): who holds what
//! ```
//! A blob belongs to the repositories that hold it: nobody reads through one repository what only another one has. A manifest is
//! accepted when its repository holds all that it names. Collection runs while the registry serves.
//!
//! Not for pulling and pushing: that is `registry`.
//!
//! # Source
//! OCI distribution-spec v1.1.

#![forbid(unsafe_code)]

mod answer;
mod blobs;
mod catalog;
mod collect;
mod error;
mod guard;
mod listings;
mod manifest;
mod manifests;
mod metrics;
mod names;
mod notify;
mod receive;
mod route;
mod serve;
mod server;
mod uploads;

pub use error::Error;
pub use serve::serve;
pub use server::{Settings, Tls};
