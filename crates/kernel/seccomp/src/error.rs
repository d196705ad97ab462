//! What can be wrong with a profile.

use error::{Fault, Kind};

/// A profile that cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not of the right form.
    #[error("decoding seccomp profile failed")]
    Json(#[source] serde_json::Error),
    /// The profile contradicts itself.
    #[error("seccomp profile: {0}")]
    Invalid(String),
    /// A feature of the specification that is not there.
    #[error("seccomp profile: {0} is not implemented")]
    NotImplemented(String),
    /// This machine's architecture has no table here.
    #[error("seccomp is not implemented for {0}")]
    Architecture(&'static str),
    /// The program is longer than the kernel takes.
    #[error("seccomp profile compiles to {0} instructions, more than the kernel's limit of 4096")]
    TooLong(usize),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Json(_) | Self::Invalid(_) | Self::TooLong(_) => Kind::InvalidArgument,
            Self::NotImplemented(_) | Self::Architecture(_) => Kind::Unimplemented,
        }
    }
}
