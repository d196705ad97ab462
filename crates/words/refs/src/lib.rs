//! Names of things: ids, digests, image references, platforms, sizes, durations, moments, filters, signals.
//!
//! Pure: text goes in, a checked type comes out. Texts of errors are Docker's where its users may have met them.
//! Not for looking anything up: no clock, no random source, no environment; those come as arguments.

#![forbid(unsafe_code)]

mod digest;
mod duration;
pub mod env;
mod error;
mod filters;
mod id;
pub mod name;
mod pattern;
mod platform;
mod reference;
mod secret;
mod signal;
mod size;
mod timestamp;
mod ulimit;

pub use digest::{Algorithm, Digest};
pub use duration::{format_duration, human_duration, parse_duration};
pub use error::Error;
pub use filters::Filters;
pub use id::{ContainerId, EndpointId, ExecId, NetworkId};
pub use pattern::Pattern;
pub use platform::Platform;
pub use reference::{DEFAULT_DOMAIN, DEFAULT_TAG, Reference};
pub use secret::Secret;
pub use signal::Signal;
pub use size::{ByteSize, bytes_size, human_size, human_size_with_precision};
pub use timestamp::Timestamp;
pub use ulimit::ULIMITS;
