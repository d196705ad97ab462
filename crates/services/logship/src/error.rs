//! What is wrong with the options of a driver.

use error::{Fault, Kind};

/// An option that is not understood, or not there yet.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Docker's text.
    #[error("{0}")]
    Invalid(String),
    /// Understood, and not built yet.
    #[error("{0} is not supported by this version of naru")]
    Unsupported(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::InvalidArgument,
            Self::Unsupported(_) => Kind::Unimplemented,
        }
    }

    fn hint(&self) -> Option<String> {
        None
    }
}
