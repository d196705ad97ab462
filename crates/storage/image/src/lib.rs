//! Images: names, configurations, layers; what a pull registers, a container starts from, and `rmi` removes.
//!
//! An image is its configuration: the id is the configuration's digest, its layers are named there by diff ID. A row in
//! the database is written last and at once: an image is whole or not there.
//!
//! ```text
//! lease ─▶ content.ingest(blob)… ─▶ unpack(diff ID, blob)… ─▶ register(manifest, config, names) ─▶ lease.release
//!                                                              one durable transaction
//! ```
//! While a [`Lease`] is held nothing is collected, so that what a pull has fetched stays until its image needs it. Not
//! for fetching (the registry's), nor for writable layers (`snapshot`).

#![forbid(unsafe_code)]

mod account;
mod archive;
mod builtin;
mod chain;
mod check;
mod collect;
mod error;
mod images;
mod layout;
mod lease;
mod load;
mod make;
mod manifest;
mod platform;
mod register;
mod remove;
mod reserve;
mod resolve;
mod save;
mod verify;

pub use account::Account;
pub use builtin::{HELLO_NAME, HELLO_PROGRAM};
pub use chain::chain_ids;
pub use check::{Problem, Repair};
pub use collect::Collected;
pub use error::Error;
pub use images::{Image, Images};
pub use layout::Rebuilt;
pub use lease::Lease;
pub use load::Loading;
pub use manifest::Outgoing;
pub use platform::choose_platform;
pub use register::Registration;
pub use remove::{ContainerUse, Force, Removed};
pub use save::Saving;
pub use verify::{Finding, Part};
