//! What can go wrong between the client and the engine.

use error::{Fault, Kind};
use std::io;

use crate::Endpoint;

/// What can go wrong between the client and the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key cannot be used.
    #[error("cannot use the certificates in {}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The value of `-H` or of its environment variables is not an endpoint.
    #[error("invalid engine address {host:?}: {reason}")]
    Host {
        /// The value.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there.
    #[error("cannot connect to the engine at {endpoint}")]
    Connect {
        /// Where the engine should be.
        endpoint: Endpoint,
        /// Why not.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the engine broke during {what}")]
    Broken {
        /// The request.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine answered with an error.
    #[error("Error response from daemon: {message}")]
    Engine {
        /// The HTTP status.
        status: u16,
        /// The engine's text.
        message: String,
        /// The engine's stable code; Docker's engines send none.
        code: Option<String>,
        /// What the user can do.
        hint: Option<String>,
    },
    /// The engine's answer is not what the API promises.
    #[error("cannot read the engine's answer to {what}")]
    Answer {
        /// The request.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The engine refused to switch protocols.
    #[error("the engine did not hand over the connection for {what} (HTTP status {status})")]
    NotUpgraded {
        /// The request.
        what: String,
        /// The HTTP status.
        status: u16,
    },
}

impl Error {
    /// Returns whether the engine said that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Engine { status: 404, .. })
    }

    /// Returns whether no engine could be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Host { .. } | Self::Certificate { .. } => Kind::InvalidArgument,
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Kind::Forbidden
            }
            Self::Connect { .. } | Self::Broken { .. } => Kind::Unavailable,
            Self::Engine { status, code, .. } => engine_kind(*status, code.as_deref()),
            Self::Answer { .. } | Self::NotUpgraded { .. } => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Engine { hint, .. } => hint.clone(),
            Self::Host { .. }
            | Self::Certificate { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Answer { .. }
            | Self::NotUpgraded { .. } => None,
        }
    }
}

/// Every kind, to find one by its code.
const KINDS: [Kind; 14] = [
    Kind::InvalidArgument,
    Kind::Unauthorized,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::Conflict,
    Kind::AlreadyExists,
    Kind::NotModified,
    Kind::Unimplemented,
    Kind::Unavailable,
    Kind::CommandNotFound,
    Kind::CommandNotExecutable,
    Kind::Exhausted,
    Kind::DataLoss,
    Kind::Internal,
];

fn engine_kind(status: u16, code: Option<&str>) -> Kind {
    if let Some(code) = code
        && let Some(kind) = KINDS.into_iter().find(|kind| kind.code() == code)
    {
        return kind;
    }
    match status {
        304 => Kind::NotModified,
        400 => Kind::InvalidArgument,
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        501 => Kind::Unimplemented,
        503 => Kind::Unavailable,
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(status: u16, code: Option<&str>) -> Error {
        Error::Engine { status, message: "x".into(), code: code.map(str::to_owned), hint: Some("y".into()) }
    }

    #[test]
    fn code_of_our_engine_wins_over_the_status() {
        assert_eq!(engine(400, Some("command_not_found")).kind(), Kind::CommandNotFound);
        assert_eq!(engine(400, Some("something_new")).kind(), Kind::InvalidArgument);
    }

    #[test]
    fn status_decides_for_dockers_engines() {
        assert_eq!(engine(409, None).kind(), Kind::Conflict);
        assert_eq!(engine(500, None).kind(), Kind::Internal);
        assert!(engine(404, None).is_not_found());
    }

    #[test]
    fn hint_of_the_engine_is_kept() {
        assert_eq!(engine(400, None).hint().as_deref(), Some("y"));
    }
}
