//! What can go wrong in a supervisor.

use error::{Fault, Kind};
use std::io;
use std::path::PathBuf;

/// Why the supervisor cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error(transparent)]
    Sys(#[from] sys::Error),
    /// A file of the supervisor's cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The container's log cannot be opened.
    #[error(transparent)]
    Log(#[from] logfile::Error),
    /// Compressed rotation was asked for.
    #[error("compressed log rotation (log-opt compress=true) is not built yet")]
    CompressedLog,
    /// Descriptors were announced that did not come along.
    #[error("the request announces {what}, and no descriptor came with it")]
    MissingDescriptor {
        /// What was announced.
        what: &'static str,
    },
    /// An exec was asked for, and the container does not run.
    #[error("the container is not running")]
    NotRunning,
    /// The runtime could not do it.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The control group could not be used.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Sys(_) | Self::MissingDescriptor { .. } | Self::Thread(_) => Kind::Internal,
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Exhausted,
                _ => Kind::Internal,
            },
            Self::Log(source) => source.kind(),
            Self::CompressedLog => Kind::Unimplemented,
            Self::NotRunning => Kind::Conflict,
            Self::Runtime(source) => source.kind(),
            Self::Cgroup(source) => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Log(source) => source.hint(),
            Self::Runtime(source) => source.hint(),
            Self::Cgroup(source) => source.hint(),
            Self::CompressedLog => Some("leave out the log option compress".into()),
            Self::Sys(_)
            | Self::File { .. }
            | Self::MissingDescriptor { .. }
            | Self::NotRunning
            | Self::Thread(_) => None,
        }
    }
}
