//! Named and anonymous volumes: directories that outlive containers, and what may be mounted there.
//!
//! ```text
//! <data root>/volumes/NAME/_data     what containers see
//! <data root>/volumes/NAME/copy-up   there until the image's content was copied into a new volume
//! ```
//! The record is the volume: it is written before the directory is made, and marked before the directory goes to the trash.
//! Who uses a volume is not stored: the containers' records say it, and an engine that starts counts anew.
//! Blocking throughout; not for how a volume gets into a container (`container`, `runtime`).

#![forbid(unsafe_code)]

mod copy_up;
mod error;
mod local;
mod name;
mod place;
mod record;
mod service;

pub use copy_up::copy_up;
pub use error::Error;
pub use record::{Record, put, put_removing};
pub use service::{ANONYMOUS_LABEL, LOCAL_DRIVER, New, Pruned, VolumeView, Volumes};
