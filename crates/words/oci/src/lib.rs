//! JSON types of the Open Container Initiative: runtime and image specifications.
//!
//! Plain data. Unknown properties are ignored, as the specifications demand; what a type permits beyond what we
//! implement is refused by whoever acts on it, not here.

#![forbid(unsafe_code)]

pub mod image;
pub mod runtime;
