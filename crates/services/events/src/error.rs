//! What can go wrong with the event log and with queries.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// The event log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot open the event log {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A filter that events do not have.
    #[error(transparent)]
    Filter(#[from] refs::Error),
    /// The period ends before it begins.
    #[error("`since` time ({since}) cannot be after `until` time ({until})")]
    Period {
        /// Its beginning.
        since: refs::Timestamp,
        /// Its end.
        until: refs::Timestamp,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Open { source, .. } if source.kind() == io::ErrorKind::StorageFull => Kind::Exhausted,
            Self::Open { .. } => Kind::Internal,
            Self::Filter(error) => error.kind(),
            Self::Period { .. } => Kind::InvalidArgument,
        }
    }
}
