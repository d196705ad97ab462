//! What the API itself refuses; errors of the services pass through as [`error::Failure`].

use error::{Fault, Kind};

/// A request that the API refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter or a body is wrong; the text is Docker's where Docker has one.
    #[error("{0}")]
    Invalid(String),
    /// Something does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The path, or the path with this method, does not exist.
    #[error("{}", wire::text::PAGE_NOT_FOUND)]
    PageNotFound,
    /// A member of the request asks for something that is not there yet.
    #[error("{field} is not supported by this version of naru")]
    UnsupportedField {
        /// The member, `HostConfig.PortBindings`.
        field: String,
        /// What the user can do instead.
        hint: Option<&'static str>,
    },
    /// An endpoint that is not there yet.
    #[error("{0} is not supported by this version of naru")]
    UnsupportedFeature(&'static str),
    /// The engine is in no swarm.
    #[error("{}", wire::text::NOT_A_SWARM_MANAGER)]
    NotInSwarm,
    /// The body is over the limit.
    #[error("request body is over the limit of {limit_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The client's connection broke.
    #[error("cannot read the request")]
    Read(#[source] hyper::Error),
    /// A descriptor cannot be made or handed over.
    #[error("cannot hand the connection over")]
    HandOver(#[source] std::io::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::BodyTooLarge { .. } | Self::Read(_) => Kind::InvalidArgument,
            Self::NotFound(_) | Self::PageNotFound => Kind::NotFound,
            Self::UnsupportedField { .. } | Self::UnsupportedFeature(_) => Kind::Unimplemented,
            Self::NotInSwarm => Kind::Unavailable,
            Self::HandOver(_) => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnsupportedField { hint, .. } => hint.map(str::to_owned),
            _ => None,
        }
    }
}

/// Returns an [`Error::Invalid`].
pub(crate) fn invalid(text: impl Into<String>) -> Error {
    Error::Invalid(text.into())
}

/// Returns an [`Error::UnsupportedField`] without a hint.
pub(crate) fn unsupported(field: impl Into<String>) -> Error {
    Error::UnsupportedField { field: field.into(), hint: None }
}
