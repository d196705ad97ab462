//! The same requests to Naru and to Docker, and what differs in the answers.
//!
//! [`play`] sends the steps of [`steps`] to an engine and records normalized answers; [`differences`] holds two records
//! against each other. What was recorded from a real Docker engine is committed (`tests/golden/docker.json`), so that the
//! comparison needs no Docker. What may differ stands, with its reason, in the table "Accepted differences" of `docs/compat.md`.

mod accepted;
mod compare;
mod normalize;
mod record;
mod steps;

pub use accepted::{Accepted, accepted};
pub use compare::{Difference, differences};
pub use record::{Answer, IMAGE, Record, play};
