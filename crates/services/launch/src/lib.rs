//! Starts supervisors, takes over those of an earlier engine, and talks to them: the only crate that speaks `shimwire` on
//! the engine's side.
//!
//! ```text
//! Launcher ── spawn from the sealed memfd ──▶ naru-run shim        one socketpair, descriptor 3
//!    │                                            │
//!    └── adopt: connect to c/<id>/ctl.sock ──────▶│  or read c/<id>/exit.json
//!    ▼                                            ▼
//! ShimSender ◀────────────── Request / Report ───▶ one task per supervisor reads into Shim::reports
//! ```
//! Not for what a container is or what its exit means: that is `container`'s.

#![forbid(unsafe_code)]

mod error;
mod launcher;
mod remains;
mod shim;

pub use error::{Error, kind_of};
pub use launcher::Launcher;
pub use remains::Remains;
pub use shim::{Shim, ShimSender};
