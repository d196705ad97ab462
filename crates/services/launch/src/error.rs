//! What can go wrong with supervisors.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// An error of the launcher.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The supervisor's program cannot be read.
    #[error("cannot read the supervisor's program {}", path.display())]
    Program {
        /// Where it was looked for.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file or directory of the run directory.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The supervisor is gone.
    #[error("the container's supervisor does not answer")]
    Lost,
    /// Somebody else listens on a supervisor's socket.
    #[error("process {pid} of user {uid} listens on {}, which is a supervisor's socket", path.display())]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Who it is.
        pid: i32,
        /// Whose it is.
        uid: u32,
    },
    /// The supervisor speaks another version.
    #[error(
        "the supervisor of container {id} speaks protocol version {version}, this engine speaks {}",
        shimwire::VERSION
    )]
    Version {
        /// The container.
        id: String,
        /// The supervisor's version.
        version: u32,
    },
    /// The exit record cannot be understood.
    #[error("exit record {} is malformed", path.display())]
    ExitRecord {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: shimwire::Error,
    },
    /// A message cannot be written or read.
    #[error("supervisor protocol")]
    Message(#[from] shimwire::Error),
    /// A system call.
    #[error("supervisor")]
    System(#[from] sys::Error),
    /// The socket cannot be watched.
    #[error("cannot watch the supervisor's socket")]
    Watch(#[source] io::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Message(shimwire::Error::TooLarge { .. }) => Kind::InvalidArgument,
            Self::ExitRecord { .. } => Kind::DataLoss,
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => Kind::Exhausted,
            Self::Program { .. }
            | Self::File { .. }
            | Self::Lost
            | Self::Stranger { .. }
            | Self::Version { .. }
            | Self::Message(_)
            | Self::System(_)
            | Self::Watch(_) => Kind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Program { .. } => Some("install naru-run beside narud".to_owned()),
            _ => None,
        }
    }
}

impl Error {
    pub(crate) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}

/// Returns the kind that a supervisor's [`shimwire::Failed::code`] stands for; Internal for an unknown one.
pub fn kind_of(code: &str) -> Kind {
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
    KINDS.into_iter().find(|kind| kind.code() == code).unwrap_or(Kind::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds_again() {
        assert_eq!(kind_of("command_not_found"), Kind::CommandNotFound);
        assert_eq!(kind_of("unimplemented"), Kind::Unimplemented);
        assert_eq!(kind_of("novel"), Kind::Internal);
    }
}
