//! The JSON of Docker's Engine REST API: what clients send, what the engine answers, and the texts that scripts match on.
//!
//! Pure data. Field order and the difference between `null`, absent and empty follow the Go structs of Engine API 1.51, so that
//! a captured answer survives a round trip byte for byte (see `tests/golden`). Only the REST server and its client use these
//! types; domain types are elsewhere and know nothing of them.

#![forbid(unsafe_code)]

pub mod container;
pub mod event;
pub mod exec;
pub mod frame;
pub mod go;
pub mod host_config;
pub mod image;
pub mod inspect;
pub mod list;
pub mod network;
pub mod other;
pub mod progress;
pub mod stats;
pub mod system;
pub mod text;
pub mod version;
pub mod volume;

use serde::{Deserialize, Serialize};

/// The body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The text for the user; Docker's own wording where scripts match on it.
    pub message: String,
    /// `error::Kind::code`: a stable lower-case name. Docker's clients ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the user can do about it. Docker's clients ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// An answer that is only an id: exec create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// The full id.
    #[serde(rename = "Id")]
    pub id: String,
}
